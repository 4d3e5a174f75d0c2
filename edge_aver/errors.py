"""What can go wrong, as one tree of exceptions: each ends a command in one line and one exit status.

    EdgeAverError (1)
    ├── ClipError              a media file that cannot become a clip
    │   ├── NoFaceError        no frame of it shows a face
    │   └── StreamError        a source that cannot be opened, or from which nothing comes any more
    ├── CorpusError            a folder, file name or prepared store that is not what was asked for
    ├── LeakError              calibration clips that overlap with validation or test actors
    ├── CheckpointError        weights that are corrupt, missing or of another architecture
    ├── TrainingError          training that cannot start or diverged
    ├── DeclarationError       a TOML file with unknown keys or wrong types
    ├── ArtifactError          an artifact, sidecar or result that is missing, incomplete or changed
    ├── ExportError            a conversion that a tool refused
    ├── TargetError            a target that cannot be built or run here
    │   └── MissingLibraryError    the extra to install is named
    ├── ClusterError           a scheduler or workers that are not there, or differ from this machine
    ├── MeasurementError       a measurement that could not be taken
    ├── ViewerError            a page that cannot be served
    ├── ComparisonError        predictions that cannot be read, or not be paired clip by clip
    ├── ParityError (3)        a step of the ladder that left its limits
    ├── VerdictError (3)       a gate that found accuracy or speed lost beyond its margin
    └── UndecidedError (4)     a gate that could not decide

A bug is none of these and keeps its traceback.
"""

from typing import ClassVar

__all__ = [
    "ArtifactError",
    "CheckpointError",
    "ClipError",
    "ClusterError",
    "ComparisonError",
    "CorpusError",
    "DeclarationError",
    "EdgeAverError",
    "ExportError",
    "LeakError",
    "MeasurementError",
    "MissingLibraryError",
    "NoFaceError",
    "ParityError",
    "StreamError",
    "TargetError",
    "TrainingError",
    "UndecidedError",
    "VerdictError",
    "ViewerError",
]


class EdgeAverError(Exception):
    """Base of every error a person can cause; `str(error)` is one line: what, where, got, expected, what to do."""

    exit_status: ClassVar[int] = 1

    def __str__(self) -> str:
        """The message on one line, whatever a library or a hostile file put into it: what does not print is escaped."""
        words = " ".join(super().__str__().split())
        return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in words)


class ClipError(EdgeAverError):
    """A media file that cannot become a clip."""


class NoFaceError(ClipError):
    """No sampled frame of the clip shows a face."""


class StreamError(ClipError):
    """A source of a stream that cannot be opened, or from which nothing comes any more."""


class CorpusError(EdgeAverError):
    """A folder, file name or prepared store that is not what was asked for."""


class LeakError(EdgeAverError):
    """Calibration clips that overlap with validation or test actors."""


class CheckpointError(EdgeAverError):
    """Weights that are corrupt, missing or of another architecture."""


class TrainingError(EdgeAverError):
    """Training that cannot start, or whose loss is no longer finite."""


class DeclarationError(EdgeAverError):
    """A TOML declaration with unknown keys, wrong types or an unknown name."""


class ArtifactError(EdgeAverError):
    """An artifact, sidecar or result that is missing, incomplete or changed since it was written."""


class ExportError(EdgeAverError):
    """A conversion that a tool refused."""


class TargetError(EdgeAverError):
    """A target that cannot be built or run on this machine."""


class MissingLibraryError(TargetError):
    """A library that this install lacks.

    Args:
        library: import name of what is missing.
        extra: the pip extra of edge-aver that brings it.
        purpose: what needed it, in a few words.
    """

    def __init__(self, library: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs {library}, which is not installed: pip install 'edge-aver[{extra}]'")
        self.library = library
        self.extra = extra
        self.purpose = purpose

    def __reduce__(self) -> tuple[type, tuple[str, str, str]]:
        """Pickle by the arguments, so that the error survives the way back from a worker process."""
        return type(self), (self.library, self.extra, self.purpose)


class ClusterError(EdgeAverError):
    """A scheduler or workers of a cluster that are not there, went away, or differ from this machine."""


class MeasurementError(EdgeAverError):
    """A measurement that could not be taken."""


class ViewerError(EdgeAverError):
    """A page that cannot be served where it was asked for."""


class ComparisonError(EdgeAverError):
    """Predictions that cannot be read, or two sides that cannot be paired clip by clip."""


class ParityError(EdgeAverError):
    """A step of the parity ladder that left the limits of its recipe."""

    exit_status = 3


class VerdictError(EdgeAverError):
    """A gate that found a loss of accuracy or speed beyond its margin."""

    exit_status = 3


class UndecidedError(EdgeAverError):
    """A gate that could not decide with the evidence it was given."""

    exit_status = 4

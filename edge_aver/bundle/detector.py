"""The face detector that the artifacts of a folder share: its networks, their hashes, and where they came from."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from edge_aver.bundle.artifact import FileEntry
from edge_aver.declarations import parse
from edge_aver.errors import ArtifactError, DeclarationError
from edge_aver.files import atomic_directory, json_text, sha256_bytes, sha256_file

__all__ = ["DETECTOR_FOLDER", "Detector", "open_detector", "write_detector"]

DETECTOR_FOLDER = "mtcnn.detector"
"""Name of its folder, beside the artifacts."""

_CARD = "detector.json"
_FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Detector:
    """A detector on disk.

    Attributes:
        path: of its folder.
        source: where the weights came from, with their licence.
        files: size and hash of `<network>.onnx`, by that name.
    """

    path: Path
    source: str
    files: Mapping[str, FileEntry]

    def network(self, name: str) -> Path:
        """Path of a network's ONNX file."""
        return self.path / f"{name}.onnx"

    def digest(self) -> str:
        """SHA-256 over the hashes of all its networks: other weights have another one."""
        return sha256_bytes(json_text({name: entry.sha256 for name, entry in self.files.items()}).encode())


@dataclass(frozen=True, kw_only=True)
class _Card:
    source: str
    files: Mapping[str, FileEntry]


def write_detector(path: Path, networks: Mapping[str, bytes], source: str) -> None:
    """Put a detector in place, whole or not at all.

    Args:
        path: of its folder.
        networks: serialized ONNX models by name.
        source: where the weights came from, with their licence.
    """
    files = {f"{name}.onnx": FileEntry(bytes=len(data), sha256=sha256_bytes(data)) for name, data in networks.items()}
    with atomic_directory(path) as folder:
        for name, data in networks.items():
            (folder / f"{name}.onnx").write_bytes(data)
        table = {name: asdict(entry) for name, entry in files.items()}
        card = {"format_version": _FORMAT, "source": source, "files": table}
        (folder / _CARD).write_text(json_text(card), encoding="utf-8")


def open_detector(path: Path) -> Detector:
    """Read a detector and check its networks against their hashes.

    Raises:
        ArtifactError: there is none, it was written by another version, or a file is missing or changed.
    """
    detector = _read(path)
    for name, entry in detector.files.items():
        member = path / name
        if not member.is_file() or sha256_file(member) != entry.sha256:
            raise ArtifactError(f"{member}: missing, or not the file that was exported; {_REMEDY}")
    return detector


_REMEDY = "export or prepare again on a workstation, or copy the folder from there"


def _read(path: Path) -> Detector:
    try:
        table = json.loads((path / _CARD).read_text(encoding="utf-8"))
        if table["format_version"] != _FORMAT:
            raise ValueError(f"format_version {table['format_version']!r}, this edge-aver reads {_FORMAT}")
        card = parse(_Card, {"source": table["source"], "files": table["files"]}, where=_CARD)
        if missing := sorted({"pnet.onnx", "rnet.onnx", "onet.onnx"} - card.files.keys()):
            raise ValueError(f"it lists no {missing[0]}")
        return Detector(path=path, source=card.source, files=card.files)
    except FileNotFoundError as error:
        raise ArtifactError(f"{path}: no face detector here; {_REMEDY}") from error
    except (KeyError, TypeError, ValueError, RecursionError, DeclarationError) as error:
        raise ArtifactError(f"{path / _CARD}: cannot be read ({error}); {_REMEDY}") from error

"""The clip contract: what a front end makes of a media file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from edge_aver.errors import NoFaceError
from edge_aver.spec import Preprocessing

__all__ = ["ClipTensors", "FrontEnd", "FrontEndPlan", "require_face"]


@dataclass(frozen=True, kw_only=True)
class ClipTensors:
    """What the network takes of one window of a clip.

    Attributes:
        faces: (15, 224, 224, 3) uint8 RGB; black where no face was found.
        audio: (15, 128) float32.
        face_found: (15,) bool.
        stages_s: seconds spent in `decode`, `faces` and `audio`.
    """

    faces: npt.NDArray[np.uint8]
    audio: npt.NDArray[np.float32]
    face_found: npt.NDArray[np.bool_]
    stages_s: Mapping[str, float]


class FrontEnd(Protocol):
    """What makes tensors of a media file."""

    def __call__(self, source: Path | bytes, *, start_s: float = 0.0, end_s: float | None = None) -> ClipTensors:
        """Tensors of the window that starts at `start_s`, black and silent from `end_s` on.

        Raises:
            ClipError: a file that cannot become a clip. A clip without a face is none: see `require_face`.
        """


class FrontEndPlan(Protocol):
    """How to make a front end, here or in a worker process: a value that can be pickled, compared and hashed."""

    @property
    def name(self) -> str:
        """What a prepared store records: stores made by different front ends are not mixed."""

    def __hash__(self) -> int: ...

    def load(self, constants: Preprocessing, threads: int | None) -> FrontEnd:
        """Load a front end with the networks it needs.

        Args:
            constants: of the clip contract.
            threads: CPU threads that it may use; None for as many as it likes.

        Raises:
            MissingLibraryError: a library of the front end is not installed; the extra that brings it is named.
            ArtifactError: the networks it needs are missing or changed.
        """


def require_face(tensors: ClipTensors, where: str) -> None:
    """Refuse a clip that shows no face at all.

    Args:
        tensors: of one clip.
        where: how the message names the clip.

    Raises:
        NoFaceError: no sampled frame shows a face.
    """
    if not tensors.face_found.any():
        raise NoFaceError(f"{where}: no face found in any of {len(tensors.face_found)} frames")

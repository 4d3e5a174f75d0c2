"""The clip contract: what a front end makes of a media file, and the table of front ends."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt

from edge_aver.errors import NoFaceError
from edge_aver.spec import Preprocessing

__all__ = ["FRONT_ENDS", "ClipTensors", "FrontEnd", "load_front_end", "require_face"]

FRONT_ENDS: dict[str, str] = {"reference": "edge_aver.media.reference"}
"""Name of a front end -> module whose `load(constants, threads)` gives it; none is imported until asked for."""


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

    @property
    def name(self) -> str:
        """Its name in `FRONT_ENDS`."""

    def __call__(self, source: Path | bytes, *, start_s: float = 0.0) -> ClipTensors:
        """Tensors of the window that starts at `start_s`.

        Raises:
            ClipError: a file that cannot become a clip. A clip without a face is none: see `require_face`.
        """


def load_front_end(
    constants: Preprocessing | None = None, *, name: str = "reference", threads: int | None = None
) -> FrontEnd:
    """Load a front end with the networks it needs.

    Args:
        constants: of the clip contract; None for those of this version.
        name: one of `FRONT_ENDS`.
        threads: that it may use; None for as many as it likes.

    Raises:
        MissingLibraryError: a library of the front end is not installed; the extra that brings it is named.
    """
    module = importlib.import_module(FRONT_ENDS[name])
    return cast(FrontEnd, module.load(constants or Preprocessing(), threads))


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

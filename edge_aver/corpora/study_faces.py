"""Real faces for backbones: of FER2013's train part, or of a prepared store's training actors."""

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_aver.corpora.fer2013_parts import FerPart
from edge_aver.errors import CorpusError
from edge_aver.files import atomic_path, sha256_bytes
from edge_aver.media.picture import Picture
from edge_aver.spec import Preprocessing

__all__ = ["StudyFaces", "enlarged_faces"]


@dataclass(frozen=True, kw_only=True)
class StudyFaces:
    """Faces (M, 224, 224, 3) uint8 RGB, where they come from in words, and whether people's faces or stand-ins."""

    pixels: npt.NDArray[np.uint8]
    origin: str
    real: bool = True

    @property
    def sha256(self) -> str:
        """Of the pixels."""
        return sha256_bytes(self.pixels.tobytes())

    def write(self, path: Path) -> Path:
        """Write them as `.npy`, atomically."""
        with atomic_path(path) as temporary:
            np.save(temporary, self.pixels)
        return path


def enlarged_faces(train: FerPart, count: int, *, seed: int) -> StudyFaces:
    """Draw `count` faces of FER2013's train part, emotions in turn, brought to the network's size and to RGB.

    Raises:
        CorpusError: no face that shows anything.
    """
    chance, side = random.Random(seed), Preprocessing().face_size_px
    rows = {int(label): np.flatnonzero(train.labels == label).tolist() for label in np.unique(train.labels)}
    for members in rows.values():
        chance.shuffle(members)
    turns = [members[turn] for turn in range(count) for members in rows.values() if turn < len(members)]
    chosen = [row for row in turns if np.ptp(train.faces[row])][:count]
    if not chosen:
        raise CorpusError("FER2013: the train part holds no face that shows anything; calibration needs real faces")
    pixels = [Picture.from_rgb(np.repeat(train.faces[row][..., None], 3, axis=2)).resized(side, side) for row in chosen]
    return StudyFaces(pixels=np.stack(pixels), origin=f"{len(chosen)} faces of FER2013's train part")

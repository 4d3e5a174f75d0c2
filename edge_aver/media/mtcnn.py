"""MTCNN (Zhang et al. 2016) on whatever runs its three networks: pyramid, candidates, boxes, all pictures at once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_aver.media.boxes import clipped, refined, squared, suppressed
from edge_aver.media.picture import Picture
from edge_aver.media.pyramid import STRIDE_PX, Stage, search_stages

__all__ = ["Mtcnn", "MtcnnNetworks"]

_THRESHOLDS = (0.6, 0.7, 0.7)
"""Probabilities a candidate must reach in P-Net, R-Net and O-Net: facenet-pytorch's defaults."""

_OVERLAP_IN_LEVEL, _OVERLAP = 0.5, 0.7
"""Intersection over union above which the less probable of two candidates goes: within a level, and across levels."""

_SURE = 0.95
"""A face as probable as this ends the search: finer stages look only where no such face was found."""

_PIXELS = 2_000_000
"""Of images and pyramids that pass P-Net together: bounds its memory, which holds ten floats a pixel."""

_ROWS = 16
"""Numbers of candidates are rounded up to a multiple of this: runtimes prepare anew for every shape they meet."""

Array = npt.NDArray[np.float32]
Infer = Callable[[Mapping[str, npt.NDArray[Any]]], Mapping[str, Array]]
"""One network: inputs by name, outputs by name."""


@dataclass(frozen=True, kw_only=True)
class MtcnnNetworks:
    """The cascade's networks, as `edge_aver.export.detector` writes them.

    Attributes:
        pnet: proposes; images (N, H, W, 3) uint8 to probability (N, h, w) and offsets (N, 4, h, w).
        rnet: refines; images, boxes (M, 4) float32, owners (M,) int64 to probability (M,) and offsets (M, 4).
        onet: as `rnet`; has the last word.
    """

    pnet: Infer
    rnet: Infer
    onet: Infer


@dataclass(frozen=True, kw_only=True)
class _Candidates:
    """Boxes (M, 4) in pixels of the pictures, their probabilities (M,), and the picture each lies in (M,)."""

    boxes: Array
    probability: Array
    owners: npt.NDArray[np.int64]

    def at(self, index: npt.NDArray[Any]) -> "_Candidates":
        """Those at an index or mask."""
        return _Candidates(boxes=self.boxes[index], probability=self.probability[index], owners=self.owners[index])

    def moved(self, offsets: Array) -> "_Candidates":
        """The same with their boxes moved by offsets (M, 4)."""
        return _Candidates(boxes=refined(self.boxes, offsets), probability=self.probability, owners=self.owners)


class Mtcnn:
    """The most probable face of each picture, searched from large faces to small ones.

    Args:
        networks: that it runs.
    """

    def __init__(self, networks: MtcnnNetworks) -> None:
        self._networks = networks

    def detect(self, pictures: Sequence[Picture]) -> list[Array | None]:
        """Find the most probable face of each picture.

        A picture is searched as a whole, for large faces first (`edge_aver.media.pyramid`); once a face is certain,
        it is not searched for smaller ones. No picture takes a box from another.

        Args:
            pictures: of any sizes.

        Returns:
            For each picture a box (4,) float32 of left, top, right, bottom in its pixels, or None where no face is
            seen. A box may reach outside the picture.
        """
        boxes: list[Array | None] = [None] * len(pictures)
        by_size: dict[tuple[int, int], list[int]] = {}
        for i, picture in enumerate(pictures):
            by_size.setdefault((picture.height, picture.width), []).append(i)
        for size, indices in by_size.items():
            found = self._search(size, [pictures[i] for i in indices])
            for i, box in zip(indices, found, strict=True):
                boxes[i] = box
        return boxes

    def _search(self, size: tuple[int, int], pictures: Sequence[Picture]) -> list[Array | None]:
        """Stage by stage, those pictures whose face is not yet certain."""
        boxes: list[Array | None] = [None] * len(pictures)
        best = np.zeros(len(pictures))
        for stage in search_stages(*size):
            pending = np.flatnonzero(best < _SURE)
            group = max(1, _PIXELS // stage.pixels)
            for some in (pending[at : at + group] for at in range(0, len(pending), group)):
                faces = self._faces(stage, [pictures[i] for i in some])
                for owner, probability, box in zip(some[faces.owners], faces.probability, faces.boxes, strict=True):
                    if probability > best[owner]:
                        best[owner], boxes[owner] = probability, box
        return boxes

    def _faces(self, stage: Stage, pictures: Sequence[Picture]) -> _Candidates:
        """The cascade over one stage's pyramid of several pictures of one size."""
        images = np.stack([picture.scaled(*stage.image) for picture in pictures])
        found = self._proposed(stage, images)
        found, offsets = _judged(self._networks.rnet, found, stage, images, _THRESHOLDS[1])
        keep = suppressed(found.boxes, found.probability, found.owners, _OVERLAP)
        found = found.at(keep).moved(offsets[keep])
        found, offsets = _judged(self._networks.onet, found, stage, images, _THRESHOLDS[2])
        # The most probable face is what remains of any further suppression.
        return found.moved(offsets)

    def _proposed(self, stage: Stage, images: npt.NDArray[np.uint8]) -> _Candidates:
        """What P-Net takes for faces."""
        answer = self._networks.pnet({"images": stage.mosaic(images)})
        owners, rows, columns = np.nonzero(answer["probability"] >= _THRESHOLDS[0])
        inside, boxes, levels = stage.located(np.stack([columns, rows], axis=1) * STRIDE_PX)
        owners, rows, columns = owners[inside].astype(np.int64), rows[inside], columns[inside]
        probability, offsets = answer["probability"][owners, rows, columns], answer["offsets"][owners, :, rows, columns]
        found = _Candidates(boxes=boxes, probability=probability, owners=owners)
        alone = suppressed(boxes, probability, owners * len(stage.levels) + levels, _OVERLAP_IN_LEVEL)
        together = alone[suppressed(boxes[alone], probability[alone], owners[alone], _OVERLAP)]
        return found.at(together).moved(offsets[together])


def _judged(
    network: Infer, found: _Candidates, stage: Stage, images: npt.NDArray[np.uint8], threshold: float
) -> tuple[_Candidates, Array]:
    """The candidates, squared, that a network which looks at each of them takes for faces, and how to move their boxes."""
    boxes = squared(found.boxes)
    crops = clipped(boxes, *stage.size)
    seen = (crops[:, 2:] > crops[:, :2]).all(axis=1)
    boxes, crops, owners = boxes[seen], crops[seen], found.owners[seen]
    if not len(crops):
        return found.at(seen), np.empty((0, 4), dtype=np.float32)
    answer = network({"images": images, **_padded({"boxes": crops * stage.to_image, "owners": owners})})
    probability, offsets = answer["probability"][: len(crops)], answer["offsets"][: len(crops)]
    likely = probability > threshold
    return _Candidates(boxes=boxes, probability=probability, owners=owners).at(likely), offsets[likely]


def _padded(rows: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    """Rows of zeros appended up to a multiple of `_ROWS`."""
    return {
        name: np.pad(value, [(0, -len(value) % _ROWS), *[(0, 0)] * (value.ndim - 1)]) for name, value in rows.items()
    }

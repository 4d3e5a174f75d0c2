"""MTCNN (Zhang et al. 2016) on whatever runs its three networks: pyramid, candidates, boxes, many pictures at once."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_aver.media.boxes import clipped, refined, squared, suppressed
from edge_aver.media.picture import Picture
from edge_aver.media.pyramid import STRIDE_PX, Stage, search_stages

__all__ = ["Mtcnn", "MtcnnNetworks", "Sighting"]

_THRESHOLDS = (0.6, 0.7, 0.7)
"""Probabilities a candidate must reach in P-Net, R-Net and O-Net: facenet-pytorch's defaults."""

_OVERLAP_IN_LEVEL, _OVERLAP = 0.5, 0.7
"""Intersection over union above which the less probable of two candidates goes: within a level, and across levels."""

_SURE = 0.95
"""A face as probable as this ends the search of a picture; less, and smaller faces are looked for too."""

_KEY_EVERY = 5
"""One picture in so many is searched as a whole at once; the others first where its face was."""

_BEST = 4
"""Candidates of a picture that O-Net looks at, those that R-Net finds most probable: mostly views of one face."""

_PIXELS = 1_000_000
"""Of images and pyramids that are searched together: bounds the memory of P-Net, which holds ten floats a pixel."""

_ROWS = 16
"""Numbers of candidates are rounded up to a multiple of this: runtimes prepare anew for every shape they meet."""

Array = npt.NDArray[np.float32]
Infer = Callable[[Mapping[str, npt.NDArray[Any]]], Mapping[str, Array]]
"""One network: inputs by name, outputs by name."""


@dataclass(frozen=True, kw_only=True)
class MtcnnNetworks:
    """The cascade's networks, as `edge_aver.export.detector` writes them.

    Attributes:
        pnet: proposes; planes (N, 3, H, W) float32 to probability (N, h, w) and offsets (N, 4, h, w).
        rnet: refines; planes, boxes (M, 4) float32, owners (M,) int64 to probability (M,) and offsets (M, 4).
        onet: as `rnet`; has the last word.
    """

    pnet: Infer
    rnet: Infer
    onet: Infer


@dataclass(frozen=True, kw_only=True)
class _Candidates:
    """What may be faces.

    Attributes:
        boxes: (M, 4) in pixels of the pictures.
        places: (M, 4), the boxes that P-Net proposed and these came from.
        probability: (M,).
        owners: (M,), the picture that each lies in.
    """

    boxes: Array
    places: Array
    probability: Array
    owners: npt.NDArray[np.int64]

    def at(self, index: npt.NDArray[Any]) -> "_Candidates":
        """Those at an index or mask."""
        return replace(
            self,
            boxes=self.boxes[index],
            places=self.places[index],
            probability=self.probability[index],
            owners=self.owners[index],
        )

    def moved(self, offsets: Array) -> "_Candidates":
        """The same with their boxes moved by offsets (M, 4)."""
        return replace(self, boxes=refined(self.boxes, offsets))


@dataclass(frozen=True, kw_only=True, eq=False)
class Sighting:
    """Where a picture showed its face, to look there in the next one.

    Attributes:
        box: (4,) float32 of left, top, right, bottom, in pixels of the picture.
        place: (4,), what was looked at to find it.
        stage: that found it.
    """

    box: Array
    place: Array
    stage: Stage


class _Found:
    """The most probable face so far of each of `count` pictures: its box, and the stage that found it."""

    def __init__(self, count: int) -> None:
        self.boxes: list[Array | None] = [None] * count
        self.places = np.zeros((count, 4), dtype=np.float32)
        self.probability = np.zeros(count)
        self.stages: list[Stage | None] = [None] * count

    def offer(self, faces: _Candidates, pictures: npt.NDArray[np.intp], stage: Stage) -> None:
        """Take what is more probable; `pictures` says which picture each owner is."""
        for i, owner in enumerate(pictures[faces.owners]):
            if faces.probability[i] > self.probability[owner]:
                self.probability[owner], self.stages[owner] = faces.probability[i], stage
                self.boxes[owner], self.places[owner] = faces.boxes[i], faces.places[i]


class Mtcnn:
    """The most probable face of each picture, searched from large faces to small ones.

    Args:
        networks: that it runs.
    """

    def __init__(self, networks: MtcnnNetworks) -> None:
        self._networks = networks

    def detect(self, pictures: Sequence[Picture]) -> list[Array | None]:
        """Find the most probable face of each picture.

        Some pictures are searched as a whole, for large faces first (`edge_aver.media.pyramid`); once a face is
        certain, its picture is not searched for smaller ones. The others are looked at where the nearest of
        those showed its face. A box counts only where O-Net sees a face in that very picture; where it sees none for
        certain, the picture is searched as a whole too.

        Args:
            pictures: of one clip, in order of time; of any sizes.

        Returns:
            For each picture a box (4,) float32 of left, top, right, bottom in its pixels, or None where no face is
            seen. A box may reach outside the picture.
        """
        boxes: list[Array | None] = [None] * len(pictures)
        by_size: dict[tuple[int, int], list[int]] = {}
        for i, picture in enumerate(pictures):
            by_size.setdefault((picture.height, picture.width), []).append(i)
        for size, indices in by_size.items():
            found = self._search([pictures[i] for i in indices], search_stages(*size))
            for i, box in zip(indices, found.boxes, strict=True):
                boxes[i] = box
        return boxes

    def look(self, picture: Picture, before: Sighting | None = None) -> Sighting | None:
        """Find the most probable face of one picture of many that come one by one.

        Args:
            picture: of any size.
            before: where an earlier one showed its face. That place is looked at first, and if O-Net sees a face there
                for certain in this very picture, nothing else is; None searches the whole picture.

        Returns:
            The face, or None where none is seen; never a box of another picture.
        """
        found, only = _Found(1), np.zeros(1, dtype=np.intp)
        if before is not None and before.stage.size == (picture.height, picture.width):
            images = _images([picture], only, before.stage)
            found.offer(self._looked_at(before.stage, images, before.place[None]), only, before.stage)
            if found.boxes[0] is not None:
                found.places[0] += np.tile((_centre(found.boxes[0]) - _centre(before.box)), 2)
        self._search_whole([picture], only, search_stages(picture.height, picture.width), found)
        box, stage = found.boxes[0], found.stages[0]
        return None if box is None or stage is None else Sighting(box=box, place=found.places[0], stage=stage)

    def _search(self, pictures: Sequence[Picture], stages: Sequence[Stage]) -> _Found:
        """Search pictures of one size."""
        found = _Found(len(pictures))
        keys = np.arange(_KEY_EVERY // 2, len(pictures) + _KEY_EVERY // 2, _KEY_EVERY).clip(max=len(pictures) - 1)
        keys = np.unique(keys)
        self._search_whole(pictures, keys, stages, found)
        self._follow(pictures, np.setdiff1d(np.arange(len(pictures)), keys), keys, found)
        unsure = np.setdiff1d(np.flatnonzero(found.probability < _SURE), keys)
        self._search_whole(pictures, unsure, stages, found)
        return found

    def _search_whole(
        self, pictures: Sequence[Picture], pending: npt.NDArray[np.intp], stages: Sequence[Stage], found: _Found
    ) -> None:
        """Stage by stage, those pictures whose face is not yet certain."""
        for stage in stages:
            pending = pending[found.probability[pending] < _SURE]
            for some in _groups(pending, stage):
                images = _images(pictures, some, stage)
                found.offer(self._cascade(stage, images), some, stage)

    def _follow(
        self, pictures: Sequence[Picture], others: npt.NDArray[np.intp], keys: npt.NDArray[np.intp], found: _Found
    ) -> None:
        """Look where the nearest picture that was searched showed its face."""
        seen = np.array([key for key in keys if found.boxes[key] is not None], dtype=np.intp)
        if not len(seen) or not len(others):
            return
        nearest = seen[np.abs(others[:, None] - seen).argmin(axis=1)]
        for stage in dict.fromkeys(found.stages[key] for key in nearest):
            chosen = [i for i, key in enumerate(nearest) if found.stages[key] is stage]
            for some in _groups(np.array(chosen), stage) if stage else ():
                images = _images(pictures, others[some], stage)
                found.offer(self._looked_at(stage, images, found.places[nearest[some]]), others[some], stage)

    def _looked_at(self, stage: Stage, images: npt.NDArray[np.uint8], places: Array) -> _Candidates:
        """What R-Net and O-Net make of one place (N, 4) in each image (N, height, width, 3)."""
        owners = np.arange(len(images), dtype=np.int64)
        certain = np.ones(len(images), dtype=np.float32)
        found = _Candidates(boxes=places, places=places, probability=certain, owners=owners)
        return self._judged_twice(found, stage, _planes(images), doubt=True)

    def _cascade(self, stage: Stage, images: npt.NDArray[np.uint8]) -> _Candidates:
        """All three networks over one stage's pyramid of images (N, height, width, 3)."""
        return self._judged_twice(self._proposed(stage, images), stage, _planes(images))

    def _judged_twice(self, found: _Candidates, stage: Stage, planes: Array, *, doubt: bool = False) -> _Candidates:
        """What R-Net and O-Net leave of candidates; with `doubt`, R-Net moves them all and takes none away."""
        found, offsets = _judged(self._networks.rnet, found, stage, planes, 0.0 if doubt else _THRESHOLDS[1])
        keep = suppressed(found.boxes, found.probability, found.owners, _OVERLAP)
        keep = _best(keep, found.owners)
        found = found.at(keep).moved(offsets[keep])
        found, offsets = _judged(self._networks.onet, found, stage, planes, _THRESHOLDS[2])
        # The most probable face is what remains of any further suppression.
        return found.moved(offsets)

    def _proposed(self, stage: Stage, images: npt.NDArray[np.uint8]) -> _Candidates:
        """What P-Net takes for faces."""
        answer = self._networks.pnet({"planes": _planes(stage.mosaic(images))})
        owners, rows, columns = np.nonzero(answer["probability"] >= _THRESHOLDS[0])
        inside, boxes, levels = stage.located(np.stack([columns, rows], axis=1) * STRIDE_PX)
        owners, rows, columns = owners[inside].astype(np.int64), rows[inside], columns[inside]
        probability, offsets = answer["probability"][owners, rows, columns], answer["offsets"][owners, :, rows, columns]
        found = _Candidates(boxes=boxes, places=boxes, probability=probability, owners=owners)
        alone = suppressed(boxes, probability, owners * len(stage.levels) + levels, _OVERLAP_IN_LEVEL)
        together = alone[suppressed(boxes[alone], probability[alone], owners[alone], _OVERLAP)]
        found = found.at(together).moved(offsets[together])
        return replace(found, places=found.boxes)


def _judged(
    network: Infer, found: _Candidates, stage: Stage, planes: Array, threshold: float
) -> tuple[_Candidates, Array]:
    """Candidates, squared, that a network which looks at each of them takes for faces; and how to move their boxes."""
    boxes = squared(found.boxes)
    crops = clipped(boxes, *stage.size)
    seen = np.flatnonzero((crops[:, 2:] > crops[:, :2]).all(axis=1))
    found, crops = replace(found, boxes=boxes).at(seen), crops[seen]
    if not len(crops):
        return found, np.empty((0, 4), dtype=np.float32)
    answer = network({"planes": planes, **_padded({"boxes": crops * stage.to_image, "owners": found.owners})})
    probability, offsets = answer["probability"][: len(crops)], answer["offsets"][: len(crops)]
    likely = np.flatnonzero(probability > threshold)
    return replace(found, probability=probability).at(likely), offsets[likely]


def _best(kept: npt.NDArray[np.intp], owners: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
    """The first few of every owner, of indices that lie owner by owner."""
    starts = np.searchsorted(owners[kept], owners[kept])
    return kept[np.arange(len(kept)) - starts < _BEST]


def _centre(box: Array) -> Array:
    centre: Array = (box[:2] + box[2:]) / np.float32(2)
    return centre


def _groups(indices: npt.NDArray[np.intp], stage: Stage) -> Iterator[npt.NDArray[np.intp]]:
    """As many pictures at a time as `_PIXELS` allows."""
    size = max(1, _PIXELS // stage.pixels)
    return (indices[at : at + size] for at in range(0, len(indices), size))


def _images(pictures: Sequence[Picture], indices: npt.NDArray[np.intp], stage: Stage) -> npt.NDArray[np.uint8]:
    return np.stack([pictures[i].scaled(*stage.image) for i in indices])


def _planes(images: npt.NDArray[np.uint8]) -> Array:
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2), dtype=np.float32)


def _padded(rows: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    """Rows of zeros appended up to a multiple of `_ROWS`."""
    return {
        name: np.pad(value, [(0, -len(value) % _ROWS), *[(0, 0)] * (value.ndim - 1)]) for name, value in rows.items()
    }

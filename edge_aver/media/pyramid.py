"""At which sizes a picture is searched for faces: stages, large faces first, each a pyramid in one image."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from edge_aver.media.picture import Picture

__all__ = ["CELL_PX", "STRIDE_PX", "Level", "Stage", "search_stages"]

CELL_PX = 12
"""P-Net looks at squares of this side ..."""

STRIDE_PX = 2
"""... this far apart."""

_FACTOR = 0.709
"""From one level of the pyramid to the next, as in facenet-pytorch: half the area."""

_SMALLEST_PX = 20
_SMALLEST_SHARE = 1 / 36
"""The smallest face searched for: facenet-pytorch's 20 pixels, or this share of the shorter side if that is more."""

_STAGES = ((1 / 5, 240), (1 / 10, 480), (0.0, 720))
"""Stages: the smallest face as a share of the picture's shorter side, and the shorter side of the image searched.

The smallest face of the first two fills the 48 pixels that O-Net takes; more pixels than that tell it nothing.
"""


@dataclass(frozen=True, kw_only=True)
class Level:
    """A picture at one scale, and where it stands in the mosaic of its stage."""

    scale: float
    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One search of pictures of one size.

    Attributes:
        size: height and width of the pictures.
        image: height and width of the images that candidates are looked at in.
        levels: of the pyramid, side by side in one mosaic, so that P-Net takes all of them at once.
        canvas: height and width of the mosaic.
    """

    size: tuple[int, int]
    image: tuple[int, int]
    levels: tuple[Level, ...]
    canvas: tuple[int, int]

    @property
    def pixels(self) -> int:
        """Of a picture's image and mosaic together."""
        return self.image[0] * self.image[1] + self.canvas[0] * self.canvas[1]

    @property
    def to_image(self) -> npt.NDArray[np.float32]:
        """(4,): what brings a box of a picture to pixels of its image."""
        down, across = self.image[0] / self.size[0], self.image[1] / self.size[1]
        return np.array([across, down, across, down], dtype=np.float32)

    def mosaic(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """All levels of images (N, *image, 3) as one mosaic each, (N, *canvas, 3)."""
        canvas = np.zeros((len(images), *self.canvas, 3), dtype=np.uint8)
        for place, image in zip(canvas, images, strict=True):
            picture = Picture.from_rgb(image)
            for level in self.levels:
                rows, columns = slice(level.top, level.top + level.height), slice(level.left, level.left + level.width)
                place[rows, columns] = picture.scaled(level.height, level.width)
        return canvas

    def located(
        self, cells: npt.NDArray[np.integer]
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """Where cells of the mosaic lie in the picture.

        Args:
            cells: (M, 2), left and top of squares of `CELL_PX`.

        Returns:
            Which of them (M,) lie within one level; of those the boxes (K, 4) in the picture, and the levels (K,).
        """
        corners = np.array([(level.left, level.top) for level in self.levels])
        ends = corners + np.array([(level.width, level.height) for level in self.levels])
        within = ((cells[:, None] >= corners) & (cells[:, None] + CELL_PX <= ends)).all(axis=2)
        inside, levels = within.any(axis=1), within.argmax(axis=1)
        levels = levels[inside]
        scales = np.array([level.scale for level in self.levels])[levels, None]
        first = cells[inside] - corners[levels]
        boxes = np.floor(np.concatenate([first + 1, first + CELL_PX], axis=1) / scales)
        return inside, boxes.astype(np.float32), levels.astype(np.int64)


@cache
def search_stages(height: int, width: int) -> tuple[Stage, ...]:
    """The stages that search a picture of this size, large faces first; none for one too small to hold a face."""
    shorter = min(height, width)
    smallest_px = max(_SMALLEST_PX, shorter * _SMALLEST_SHARE)
    scales = list(_scales(shorter, CELL_PX / smallest_px))
    stages, largest = [], float("inf")
    for share, side_px in _STAGES:
        chosen = [scale for scale in scales if share * shorter <= CELL_PX / scale < largest]
        largest = min(largest, share * shorter)
        if chosen:
            stages.append(_stage(height, width, side_px, chosen))
    return tuple(stages)


def _scales(shorter: int, scale: float) -> Iterator[float]:
    while shorter * scale >= CELL_PX:
        yield scale
        scale *= _FACTOR


def _stage(height: int, width: int, side_px: int, scales: list[float]) -> Stage:
    shrink = min(1.0, side_px / min(height, width))
    levels, canvas = _packed([(scale, int(height * scale + 1), int(width * scale + 1)) for scale in scales])
    image = (round(height * shrink), round(width * shrink))
    return Stage(size=(height, width), image=image, levels=levels, canvas=canvas)


def _packed(sizes: list[tuple[float, int, int]]) -> tuple[tuple[Level, ...], tuple[int, int]]:
    """Levels on shelves as wide as the first of them.

    They begin at even pixels, so that the stride meets each as if it stood alone. None needs a margin: what P-Net says
    of a cell depends on its own pixels, and cells that reach across levels are passed over.
    """
    levels: list[Level] = []
    width = _even(sizes[0][2])
    top = left = shelf = 0
    for scale, height, across in sizes:
        if left + across > width:
            top, left, shelf = top + shelf, 0, 0
        levels.append(Level(scale=scale, top=top, left=left, height=height, width=across))
        left, shelf = left + _even(across), max(shelf, _even(height))
    return tuple(levels), (top + shelf, width)


def _even(size: int) -> int:
    return size + size % 2

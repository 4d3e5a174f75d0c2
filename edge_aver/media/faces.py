"""From a detected box to the square picture of a face."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["FaceDetector", "crop_face", "square_box"]


class FaceDetector(Protocol):
    """What finds faces."""

    def detect(self, images: Sequence[npt.NDArray[np.uint8]]) -> Sequence[npt.NDArray[np.float32] | None]:
        """The most probable face of each RGB image (height, width, 3).

        Returns:
            For each image a box (4,) of left, top, right, bottom in pixels, or None where no face is seen. A box may
            reach outside the image.
        """


def square_box(box: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Square a box (left, top, right, bottom) to its longer side about its centre."""
    left, top, right, bottom = box.astype(np.float64)
    half = max(right - left, bottom - top) / 2
    x, y = (left + right) / 2, (top + bottom) / 2
    return np.array([x - half, y - half, x + half, y + half], dtype=np.float32)


def crop_face(image: npt.NDArray[np.uint8], box: npt.NDArray[np.float32], size_px: int) -> npt.NDArray[np.uint8]:
    """Cut a box out of an image and bring it to `size_px` pixels a side; what lies outside the image is black.

    The filter is a triangle as wide as two pixels of the coarser of both grids: bilinear when it enlarges, free of
    aliasing when it shrinks. Box edges keep their fractions of a pixel.

    Args:
        image: (height, width, 3) RGB.
        box: (4,) left, top, right, bottom in pixels of the image.
        size_px: side of the result.

    Returns:
        (size_px, size_px, 3) uint8.
    """
    left, top, right, bottom = (float(edge) for edge in box)
    columns, across = _taps(left, right, image.shape[1], size_px)
    rows, down = _taps(top, bottom, image.shape[0], size_px)
    region = image[rows, columns].astype(np.float32)
    shortened = np.tensordot(down, region, axes=(1, 0))
    face = np.tensordot(shortened, across, axes=(1, 1)).swapaxes(1, 2)
    return np.clip(np.rint(face), 0, 255).astype(np.uint8)


def _taps(begin: float, end: float, pixels: int, size_px: int) -> tuple[slice, npt.NDArray[np.float32]]:
    """Which source pixels one axis needs, and their weights (size_px, of those pixels).

    Weights are normalised over all pixels of an unbounded image, so that those which do not exist count as black.
    """
    scale = (end - begin) / size_px
    reach = max(scale, 1.0)
    centres = begin + (np.arange(size_px) + 0.5) * scale - 0.5
    first, last = int(np.floor(centres[0] - reach)), int(np.ceil(centres[-1] + reach))
    positions = np.arange(first, last + 1)
    weights = np.maximum(0.0, 1.0 - np.abs(positions - centres[:, None]) / reach)
    weights /= weights.sum(axis=1, keepdims=True)
    inside = (positions >= 0) & (positions < pixels)
    start = int(positions[inside][0]) if inside.any() else 0
    return slice(start, start + int(inside.sum())), weights[:, inside].astype(np.float32)

"""From the sampled pictures of a clip to square pictures of its faces."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from edge_aver.media.picture import Picture
from edge_aver.spec import Preprocessing

__all__ = ["FaceDetector", "crop_face", "crop_faces", "square_box"]


class FaceDetector(Protocol):
    """What finds faces."""

    def detect(self, pictures: Sequence[Picture]) -> Sequence[npt.NDArray[np.float32] | None]:
        """The most probable face of each picture.

        Returns:
            For each picture a box (4,) of left, top, right, bottom in pixels, or None where no face is seen. A box may
            reach outside the picture.
        """


def crop_faces(
    pictures: Sequence[Picture | None], detector: FaceDetector, constants: Preprocessing
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Each picture's own face, black where it shows none.

    Args:
        pictures: of one clip; None where the clip shows nothing.
        detector: what finds the faces.
        constants: of the clip contract.

    Returns:
        faces (N, 224, 224, 3) uint8 RGB, and face_found (N,) bool.
    """
    side = constants.face_size_px
    faces = np.zeros((len(pictures), side, side, 3), dtype=np.uint8)
    found = np.zeros(len(pictures), dtype=np.bool_)
    shown = [(i, picture) for i, picture in enumerate(pictures) if picture is not None]
    boxes = detector.detect([picture for _, picture in shown])
    for (i, picture), box in zip(shown, boxes, strict=True):
        if box is not None:
            faces[i], found[i] = crop_face(picture, square_box(box), side), True
    return faces, found


def square_box(box: npt.NDArray[np.float32]) -> tuple[int, int, int]:
    """Square a box (left, top, right, bottom) to its longer side about its centre.

    Returns:
        Left, top and side in even pixels: at most two from the box's own, which wanders by more from frame to frame.
    """
    left, top, right, bottom = box.astype(np.float64)
    side = max(2, _even(max(right - left, bottom - top)))
    return _even((left + right - side) / 2), _even((top + bottom - side) / 2), side


def crop_face(picture: Picture, square: tuple[int, int, int], size_px: int) -> npt.NDArray[np.uint8]:
    """Cut a square out of a picture and bring it to `size_px` pixels a side; what lies outside the picture is black.

    The filter (FFmpeg's bilinear one) is a triangle as wide as two pixels of the coarser of both grids: it enlarges
    smoothly and shrinks without aliasing.

    Args:
        picture: to cut from.
        square: left, top and side in pixels of the picture.
        size_px: side of the result.

    Returns:
        (size_px, size_px, 3) uint8.
    """
    return picture.square(*square, size_px)


def _even(value: float) -> int:
    return 2 * round(value / 2)

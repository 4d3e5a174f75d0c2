"""The pictures of a stream with what was recognised drawn in, as an mp4: one for each slot."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.container import OutputContainer
from av.video.stream import VideoStream

from edge_aver.files import atomic_path
from edge_aver.media.picture import Picture
from edge_aver.runtime.stream.font import text_mask
from edge_aver.runtime.stream.results import WindowResult

__all__ = ["Annotator", "annotated_video", "draw"]

_BOX = (64, 220, 120)
_BAR = (250, 190, 60)
_INK = (255, 255, 255)
_HIGHEST_PX = 720

Square = tuple[int, int, int]
Image = npt.NDArray[np.uint8]


@contextmanager
def annotated_video(path: Path, slot_s: float) -> "Iterator[Annotator]":
    """Write a video; it stands at `path` once the stream has ended, however it did."""
    with atomic_path(path) as temporary:
        annotator = Annotator(temporary, slot_s)
        failure: BaseException | None = None
        try:
            yield annotator
        except BaseException as error:
            failure = error
        annotator.close()
    if failure is not None:
        raise failure


class Annotator:
    """Encodes annotated pictures.

    Args:
        path: of the mp4.
        slot_s: how long each is shown.
    """

    def __init__(self, path: Path, slot_s: float) -> None:
        self._tick_s = Fraction(slot_s).limit_denominator(1000)
        self._container: OutputContainer = av.open(str(path), "w", format="mp4")
        self._stream: VideoStream | None = None
        self._last: Image | None = None

    def add(self, slot: int, picture: Picture | None, square: Square | None, result: WindowResult | None) -> None:
        """Draw the next slot; one without a picture is black.

        Args:
            slot: its number.
            picture: that it shows.
            square: of the face in it.
            result: the latest answer.
        """
        if picture is None and self._stream is None:
            return  # no size yet
        if self._stream is None and picture is not None:
            self._begin(*_size(picture))
        if self._stream is None:
            return
        height, width = self._stream.height, self._stream.width
        if picture is None:
            image, scale = np.zeros((height, width, 3), dtype=np.uint8), 1.0
        else:
            image, scale = picture.scaled(height, width), height / picture.height
        box = None if square is None else tuple(round(edge * scale) for edge in square)
        draw(image, (box[0], box[1], box[2]) if box else None, result)
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts, frame.time_base = slot, self._tick_s
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Finish the file."""
        if self._stream is None:
            self._begin(64, 64)
        if self._stream is not None:
            self._container.mux(self._stream.encode(None))
        self._container.close()

    def _begin(self, height: int, width: int) -> None:
        stream = self._container.add_stream("libx264", rate=1 / self._tick_s, options={"preset": "ultrafast"})
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        stream.codec_context.time_base = self._tick_s
        stream.codec_context.thread_count = 1
        self._stream = stream


def draw(image: Image, square: Square | None, result: WindowResult | None) -> None:
    """Draw into an RGB image (height, width, 3): the face's square, the label, and a bar as long as its probability."""
    if square is not None:
        left, top, side = square
        for x, y, width, height in (
            (left, top, side, 2),
            (left, top + side - 2, side, 2),
            (left, top, 2, side),
            (left + side - 2, top, 2, side),
        ):
            _fill(image, x, y, width, height, _BOX)
    if result is None:
        return
    height, width = image.shape[:2]
    scale = max(1, height // 180)
    top = height - 18 * scale
    _fill(image, 0, top, width, 18 * scale, (0, 0, 0))
    share = max(result.probabilities.values()) if result.probabilities else 0.0
    words = "no face" if result.label is None else f"{result.label} {share:.0%}"
    mask = text_mask(words, scale)[:, : width - 4 * scale]
    image[top + 3 * scale :][: mask.shape[0], 4 * scale : 4 * scale + mask.shape[1]][mask] = _INK
    _fill(image, 0, top + 13 * scale, round(width * share), 3 * scale, _BAR)


def _fill(image: Image, left: int, top: int, width: int, height: int, colour: tuple[int, int, int]) -> None:
    image[max(0, top) : max(0, top + height), max(0, left) : max(0, left + width)] = colour


def _size(picture: Picture) -> tuple[int, int]:
    """Even, and no higher than 720."""
    shrink = min(1.0, _HIGHEST_PX / picture.height)
    return max(2, 2 * round(picture.height * shrink / 2)), max(2, 2 * round(picture.width * shrink / 2))

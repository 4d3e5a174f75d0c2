"""One decoded picture, in the pixel format of its codec until somebody asks for colours, and always upright."""

import threading
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, VideoReformatter

__all__ = ["Picture"]

_CHROMA_ROWS = {"yuv420p": 2, "yuvj420p": 2, "yuv422p": 1, "yuvj422p": 1}
"""Rows of luma to one of chroma, in the pixel formats a region can be cut out of; across it is always 2."""

_GRID_PX = 64
"""Columns are cut to whole steps of this, so that every pixel meets the same vector code as in the whole picture."""

_TAIL_PX = 16
"""The last columns of a row may be converted by scalar code, which rounds otherwise: never those of a region."""

Box = tuple[int, int, int, int]


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """A picture of a video; colours are made when they are asked for. One thread at a time may ask.

    Attributes:
        frame: as the decoder gave it.
        quarter_turns: counterclockwise, which put it upright.
    """

    frame: VideoFrame
    quarter_turns: int

    @classmethod
    def from_frame(cls, frame: VideoFrame) -> "Picture":
        """A decoded frame, turned as its metadata say."""
        return cls(frame=frame, quarter_turns=round(frame.rotation / 90) % 4)

    @classmethod
    def from_rgb(cls, image: npt.NDArray[np.uint8]) -> "Picture":
        """An upright RGB image (height, width, 3) uint8, which is copied."""
        return cls(frame=VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24"), quarter_turns=0)

    @property
    def height(self) -> int:
        """In pixels, upright."""
        return self.frame.width if self.quarter_turns % 2 else self.frame.height

    @property
    def width(self) -> int:
        """In pixels, upright."""
        return self.frame.height if self.quarter_turns % 2 else self.frame.width

    def rgb(self) -> npt.NDArray[np.uint8]:
        """The whole picture: (height, width, 3) uint8 RGB."""
        return _turned(_converted(self.frame), self.quarter_turns)

    def scaled(self, height: int, width: int) -> npt.NDArray[np.uint8]:
        """The whole picture at another size: (height, width, 3) uint8 RGB, each pixel the mean of those it covers."""
        rows, columns = (width, height) if self.quarter_turns % 2 else (height, width)
        return _turned(_converted(self.frame, height=rows, width=columns), self.quarter_turns)

    def resized(self, height: int, width: int) -> npt.NDArray[np.uint8]:
        """As `scaled`, by a triangle as wide as two pixels of the coarser of both grids: smooth where it enlarges."""
        rows, columns = (width, height) if self.quarter_turns % 2 else (height, width)
        return _turned(_converted(self.frame, height=rows, width=columns, method="BILINEAR"), self.quarter_turns)

    def square(self, left: int, top: int, side: int, size_px: int) -> npt.NDArray[np.uint8]:
        """A square brought to `size_px` pixels a side, as by `resized`; black where it lies outside the picture.

        Even edges are the fast ones: video commonly has one sample of colour for two by two pixels.

        Args:
            left: first column; it may lie outside.
            top: first row; the same.
            side: in pixels.
            size_px: of the result.

        Returns:
            (size_px, size_px, 3) uint8 RGB.
        """
        box = (left, top, left + side, top + side)
        part = _framed(self.frame, _before_turn(box, self.frame, self.quarter_turns))
        if part is not None:
            return _turned(_colours(_reformatted(part, size_px, size_px, "rgb24", "BILINEAR")), self.quarter_turns)
        image = np.zeros((side, side, 3), dtype=np.uint8)
        if (seen := _inside(box, self.height, self.width)) is not None:
            image[seen[1] - top : seen[3] - top, seen[0] - left : seen[2] - left] = self.region(*seen)
        return Picture.from_rgb(image).resized(size_px, size_px)

    def region(self, left: int, top: int, right: int, bottom: int) -> npt.NDArray[np.uint8]:
        """What `rgb()[top:bottom, left:right]` holds, bit for bit; no more than this is converted where that is easy.

        Args:
            left: first column.
            top: first row.
            right: column after the last one.
            bottom: row after the last one.

        Returns:
            (bottom - top, right - left, 3) uint8 RGB.

        Raises:
            ValueError: the rectangle is empty, or reaches out of the picture.
        """
        if not (0 <= left < right <= self.width and 0 <= top < bottom <= self.height):
            msg = f"no region ({left}, {top}, {right}, {bottom}) in a picture of {self.width} x {self.height}"
            raise ValueError(msg)
        left, top, right, bottom = _before_turn((left, top, right, bottom), self.frame, self.quarter_turns)
        part, (x, y) = _cut(self.frame, (left, top, right, bottom))
        image = _converted(part)[top - y : bottom - y, left - x : right - x]
        return _turned(image, self.quarter_turns)


def _inside(box: Box, height: int, width: int) -> Box | None:
    """The part of a box that lies in a picture; None where none does."""
    left, top, right, bottom = max(box[0], 0), max(box[1], 0), min(box[2], width), min(box[3], height)
    return (left, top, right, bottom) if left < right and top < bottom else None


def _framed(frame: VideoFrame, box: Box) -> VideoFrame | None:
    """A box of even edges as a frame of its own, black where this one ends; None for other pixel formats."""
    rows = _CHROMA_ROWS.get(frame.format.name)
    if rows is None or any(edge % 2 for edge in (*box, frame.width, frame.height)):
        return None
    part = _blank(frame, box[2] - box[0], box[3] - box[1])
    seen = _inside(box, frame.height, frame.width)
    if seen is None:
        return part
    for plane, (across, down) in enumerate(((1, 1), (2, rows), (2, rows))):
        left, top, right, bottom = (edge // step for edge, step in zip(seen, (across, down) * 2, strict=True))
        x, y = left - box[0] // across, top - box[1] // down
        source = _pixels(frame, plane)[top:bottom, left:right]
        _pixels(part, plane)[y : y + bottom - top, x : x + right - left] = source
    return part


def _blank(frame: VideoFrame, width: int, height: int) -> VideoFrame:
    """A black frame in the format and colours of another."""
    part = VideoFrame(width, height, frame.format.name)
    part.colorspace, part.color_range = frame.colorspace, frame.color_range
    full = frame.format.name.startswith("yuvj") or frame.color_range == ColorRange.JPEG
    for plane, black in enumerate((0 if full else 16, 128, 128)):
        _pixels(part, plane)[:] = black
    return part


def _converted(
    frame: VideoFrame, *, height: int | None = None, width: int | None = None, method: str = "AREA"
) -> npt.NDArray[np.uint8]:
    """Colours of a frame as it lies; one thread, since starting more takes longer than the work."""
    rows, columns = height or frame.height, width or frame.width
    if (rows, columns) != (frame.height, frame.width):
        # In the codec's own format first: there are half as many values, and fewer pixels are left to colour.
        frame = _reformatted(frame, columns, rows, frame.format.name, method)
    result = _reformatted(frame, columns, rows, "rgb24", "BILINEAR")
    image = _colours(result)
    return image.copy() if result is frame else image


def _colours(frame: VideoFrame) -> npt.NDArray[np.uint8]:
    return frame.to_ndarray().astype(np.uint8, copy=False)


def _reformatted(frame: VideoFrame, width: int, height: int, name: str, method: str) -> VideoFrame:
    task = (frame.width, frame.height, frame.format.name, width, height, name, method)
    return _reformatter(threading.get_ident(), task).reformat(
        frame, width, height, name, interpolation=method, threads=1
    )


@lru_cache(maxsize=64)
def _reformatter(thread: int, task: tuple[object, ...]) -> VideoReformatter:
    """A scaler keeps the tables of its last task: one for each task, and each thread has its own."""
    return VideoReformatter()


def _turned(image: npt.NDArray[np.uint8], quarter_turns: int) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(np.rot90(image, quarter_turns))


def _before_turn(box: Box, frame: VideoFrame, quarter_turns: int) -> Box:
    """Where a box of the upright picture lies in the frame."""
    left, top, right, bottom = box
    width, height = frame.width, frame.height
    if quarter_turns == 1:
        return width - bottom, left, width - top, right
    if quarter_turns == 2:
        return width - right, height - bottom, width - left, height - top
    if quarter_turns == 3:
        return top, height - right, bottom, height - left
    return box


def _cut(frame: VideoFrame, box: Box) -> tuple[VideoFrame, tuple[int, int]]:
    """A frame that holds a box of this one, and the column and row at which it begins; the frame itself if unsure."""
    if frame.width % 2 or frame.height % 2:  # the scaler takes another way for odd sizes
        return frame, (0, 0)
    left, right = _columns(box[0], box[2], frame.width)
    top, bottom = box[1] // 2 * 2, -(-box[3] // 2) * 2
    part = _framed(frame, (left, top, right, bottom))
    return (frame, (0, 0)) if part is None else (part, (left, top))


def _columns(left: int, right: int, width: int) -> tuple[int, int]:
    """Columns that hold these, such that their number differs by whole steps of the grid from all there are."""
    end = width - max(0, width - right - _TAIL_PX) // _GRID_PX * _GRID_PX
    return left // _GRID_PX * _GRID_PX, end


def _pixels(frame: VideoFrame, plane: int) -> npt.NDArray[np.uint8]:
    """The bytes of a plane, (rows, bytes to a row with padding), to read and to write."""
    memory = frame.planes[plane]
    return np.frombuffer(memoryview(memory), dtype=np.uint8).reshape(-1, memory.line_size)

"""Small JPEG pictures of faces, by the codecs that decode the clips: no imaging library."""

from fractions import Fraction

import numpy as np
import numpy.typing as npt
from av.codec import CodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

__all__ = ["jpeg"]

_FULL_RANGE = 2
"""Of FFmpeg's AVCOL_RANGE_JPEG: JPEG's luma is 0 to 255."""
_FINEST, _COARSEST = 2, 4
"""Quantizers of FFmpeg's MJPEG encoder, of 2 to 31."""


def jpeg(picture: npt.NDArray[np.uint8], *, side_px: int) -> bytes:
    """A picture as the bytes of a JPEG file.

    Args:
        picture: (h, w, 3) uint8 RGB.
        side_px: width and height of the result, an even number.
    """
    encoder = CodecContext.create("mjpeg", "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.width = encoder.height = side_px
    encoder.pix_fmt, encoder.color_range = "yuvj420p", _FULL_RANGE
    encoder.time_base = Fraction(1, 25)
    encoder.qmin, encoder.qmax = _FINEST, _COARSEST
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    small = frame.reformat(width=side_px, height=side_px, format="yuvj420p", interpolation="AREA")
    return b"".join(bytes(packet) for packet in (*encoder.encode(small), *encoder.encode(None)))

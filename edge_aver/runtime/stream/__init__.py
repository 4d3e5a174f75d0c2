"""Recognising a stream as it comes: each frame encoded once, a window that slides, an answer at every hop."""

from edge_aver.runtime.stream.network import SplitNetwork, open_split, open_split_bundle, with_parts
from edge_aver.runtime.stream.results import StreamSummary, WindowResult
from edge_aver.runtime.stream.stream import StreamOptions, recognise_stream

__all__ = [
    "SplitNetwork",
    "StreamOptions",
    "StreamSummary",
    "WindowResult",
    "open_split",
    "open_split_bundle",
    "recognise_stream",
    "with_parts",
]

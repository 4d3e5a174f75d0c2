"""A smaller memory footprint for a process that recognises a few clips and ends."""

import ctypes

__all__ = ["share_one_heap"]

_M_ARENA_MAX = -8
"""Of mallopt(3), glibc's malloc.h."""


def share_one_heap() -> None:
    """Let all threads allocate from one heap, where the C library has several; call it before threads start.

    glibc gives threads heaps of their own, and what one thread frees in its heap is of no use to another: decoder,
    face detector and network would each keep the peak of its own stage. Elsewhere this does nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)

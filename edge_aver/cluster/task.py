"""What runs on a worker of a cluster: jobs, and answers about the machine they are to run on."""

import contextlib
import ctypes
import functools
import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

__all__ = ["missing_files", "run_batch"]

J = TypeVar("J")
R = TypeVar("R")

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Of mallopt, in glibc's malloc.h."""

_KEPT_BYTES = 32 << 20
"""What glibc itself goes up to on 64 bits."""

_one_at_a_time = threading.Lock()
"""A worker may have several threads; front ends and runtimes take one clip at a time."""


def run_batch(task: Callable[[J], R], jobs: Sequence[J]) -> tuple[list[R], float]:
    """Results of the jobs, in order, and how many seconds they took together."""
    with _one_at_a_time:
        _keep_memory()
        started = time.perf_counter()
        results = [task(job) for job in jobs]
        return results, time.perf_counter() - started


@functools.cache
def _keep_memory() -> None:
    """Let the C library keep freed blocks of a picture's size, as it does by itself in any other process.

    Dask's nanny sets MALLOC_TRIM_THRESHOLD_, which also pins the size from which a block is mapped and unmapped each
    time (glibc's mallopt): decoding and detection then spend their time in page faults.
    """
    with contextlib.suppress(OSError, AttributeError):  # no glibc
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)
        mallopt(_M_TRIM_THRESHOLD, 4 * _KEPT_BYTES)


def missing_files(paths: Sequence[str]) -> list[str]:
    """Those that cannot be read here."""
    return [path for path in paths if not os.access(path, os.R_OK)]

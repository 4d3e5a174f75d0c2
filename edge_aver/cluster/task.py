"""What runs on a worker of a cluster: jobs, and answers about the machine they are to run on."""

import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

__all__ = ["missing_files", "run_batch"]

J = TypeVar("J")
R = TypeVar("R")

_one_at_a_time = threading.Lock()
"""A worker may have several threads; front ends and runtimes take one clip at a time."""


def run_batch(task: Callable[[J], R], jobs: Sequence[J]) -> tuple[list[R], float]:
    """Results of the jobs, in order, and how many seconds they took together."""
    with _one_at_a_time:
        started = time.perf_counter()
        results = [task(job) for job in jobs]
        return results, time.perf_counter() - started


def missing_files(paths: Sequence[str]) -> list[str]:
    """Those that cannot be read here."""
    return [path for path in paths if not os.access(path, os.R_OK)]

"""Throughput with all clips at hand: batches of them, asked by one thread or several."""

import itertools
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from edge_aver import runtime
from edge_aver.benchmarks.feeds import Feed, feeds_of
from edge_aver.benchmarks.machine import cpu_time, cpu_use
from edge_aver.benchmarks.request import Request
from edge_aver.benchmarks.runs import ThroughputRun
from edge_aver.benchmarks.suites import OfflinePart

__all__ = ["ThroughputAnswer", "combinations", "measure_throughput"]


@dataclass(frozen=True, kw_only=True)
class ThroughputAnswer:
    """What one process managed."""

    throughput: ThroughputRun


def combinations(part: OfflinePart | None) -> tuple[tuple[int, int], ...]:
    """Batch and callers of each process that a suite asks for."""
    return () if part is None else tuple(itertools.product(part.batches, part.callers))


def measure_throughput(request: Request) -> ThroughputAnswer:
    """Ask for batches until the time is over; every caller finishes what it began.

    Raises:
        EdgeAverError: whatever the artifact, its runtime or the store raise (a batch that an engine does not take).
    """
    _, clips = feeds_of(request)
    batches = [_batch(clips, start, request.batch) for start in range(len(clips))]
    with runtime.load(request.artifact, threads=request.threads) as model:
        for faces, audio in batches[: max(1, request.warmup_queries)]:
            model.predict_tensors(faces, audio)
        ticks, started = cpu_time(), time.perf_counter()
        deadline = started + request.min_duration_s
        numbers, lock = itertools.count(), threading.Lock()

        def ask() -> int:
            answered = 0
            while True:
                with lock:
                    number = next(numbers)
                faces, audio = batches[number % len(batches)]
                answered += len(model.predict_tensors(faces, audio))
                if time.perf_counter() >= deadline:
                    return answered

        with ThreadPoolExecutor(request.callers) as pool:
            answered = sum(task.result() for task in [pool.submit(ask) for _ in range(request.callers)])
        wall_s, use = time.perf_counter() - started, cpu_use(ticks, cpu_time())
    run = ThroughputRun(batch=request.batch, callers=request.callers, clips=answered, wall_s=wall_s, cpu_use=use)
    return ThroughputAnswer(throughput=run)


def _batch(clips: Sequence[Feed], start: int, size: int) -> Feed:
    chosen = list(itertools.islice(itertools.cycle(clips), start, start + size))
    return np.concatenate([faces for faces, _ in chosen]), np.concatenate([audio for _, audio in chosen])

"""Clips a second, from what processes with all clips at hand managed."""

from collections.abc import Iterable
from dataclasses import dataclass

from edge_aver.benchmarks.runs import ThroughputRun

__all__ = ["Throughput", "throughputs"]


@dataclass(frozen=True, kw_only=True)
class Throughput:
    """Clips a second by batch and number of callers."""

    batch: int
    callers: int
    clips_per_s: float


def throughputs(runs: Iterable[ThroughputRun]) -> tuple[Throughput, ...]:
    """Clips a second of each combination, over all of its processes; the fastest first."""
    grouped: dict[tuple[int, int], list[ThroughputRun]] = {}
    for run in runs:
        grouped.setdefault((run.batch, run.callers), []).append(run)
    found = [
        Throughput(
            batch=batch,
            callers=callers,
            clips_per_s=sum(run.clips for run in group) / sum(run.wall_s for run in group),
        )
        for (batch, callers), group in grouped.items()
    ]
    return tuple(sorted(found, key=lambda item: -item.clips_per_s))

"""Our latency over that of others, from what was measured by turns or by the library's own program."""

from dataclasses import dataclass
from statistics import median

from edge_aver.benchmarks.decision import decide
from edge_aver.benchmarks.results import Result
from edge_aver.benchmarks.runs import NetworkRun, OverheadRun
from edge_aver.benchmarks.speed import Speedup, speedup_of_pairs, speedup_of_rounds

__all__ = ["Overhead", "overheads_of"]


@dataclass(frozen=True, kw_only=True)
class Overhead:
    """Our median latency over that of `other`, with its 95 % interval, and the suite's limit."""

    other: str
    ratio: Speedup
    limit: float | None

    @property
    def verdict(self) -> str | None:
        """PASS where the whole interval lies within the limit, FAIL where beyond; None: no limit."""
        return None if self.limit is None else decide(self.ratio.interval, self.limit)


def overheads_of(result: Result) -> tuple[Overhead, ...]:
    """Our latency against every other that was measured on the same file in the same run."""
    limit = result.suite.overhead.max_over_other if result.suite.overhead else None
    found = []
    if result.overhead:
        ours, other = ([s for run in result.overhead for s in side(run)] for side in (_ours, _other))
        found.append(Overhead(other=result.overhead[0].other, ratio=speedup_of_rounds(ours, other), limit=limit))
    if result.tools:
        others = [NetworkRun(latency_s=(median(run.latency_s),), load_s=1.0) for run in result.tools if run.latency_s]
        if ratio := speedup_of_pairs(result.network, others):
            found.append(Overhead(other=result.tools[0].tool, ratio=ratio, limit=limit))
    return tuple(found)


def _ours(run: OverheadRun) -> tuple[float, ...]:
    return run.ours_s


def _other(run: OverheadRun) -> tuple[float, ...]:
    return run.other_s

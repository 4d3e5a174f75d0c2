"""How many times as fast one artifact is as another, with an interval that fits how they were measured."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, median, variance

from edge_aver.benchmarks.paired_stats import LEVEL, signed_rank, student_t
from edge_aver.benchmarks.results import NetworkRun
from edge_aver.benchmarks.stats import Interval, percentile

__all__ = ["Speedup", "speedup_of_pairs", "speedup_of_rounds", "speedup_of_runs"]

_RESAMPLES, _SEED = 2000, 1


@dataclass(frozen=True, kw_only=True)
class Speedup:
    """Median latency of the baseline over the candidate's, with its 95 % interval and what it was drawn `over`."""

    value: float
    interval: Interval
    over: str


def speedup_of_runs(baseline: Sequence[NetworkRun], candidate: Sequence[NetworkRun]) -> Speedup | None:
    """From processes that were measured by turns; None where either has no queries.

    With two processes or more of each, the process is the unit: the difference of the mean logarithms of their p50s,
    with Welch's interval and its degrees of freedom rounded down. With one of either there is only the spread of its
    queries, which says nothing of other processes: a bootstrap of the ratio of medians over queries, and said so.
    """
    ours = [[run.latency_s for run in runs if run.latency_s] for runs in (baseline, candidate)]
    if not all(ours):
        return None
    if min(map(len, ours)) < 2:
        first, second = ([value for run in runs for value in run] for runs in ours)
        return _bootstrapped(first, second, paired=False, over="queries of one process")
    logs = [[math.log(percentile(run, 0.5)) for run in runs] for runs in ours]
    difference = mean(logs[0]) - mean(logs[1])
    reach = _welch_reach(logs[0], logs[1])
    return Speedup(
        value=math.exp(difference),
        interval=Interval(low=math.exp(difference - reach), high=math.exp(difference + reach)),
        over=f"{len(logs[0])} and {len(logs[1])} processes",
    )


def speedup_of_pairs(baseline: Sequence[NetworkRun], candidate: Sequence[NetworkRun]) -> Speedup | None:
    """From processes of both that followed one another, the first of each first: what slowed both cancels.

    The pair is the unit: the Hodges-Lehmann estimate of the logarithm of the ratio of p50s, with the interval of
    Wilcoxon's signed-rank test. A machine that changes its speed between the two processes of a pair then weighs no
    more than any other pair. Where pairs are broken (a process failed), as `speedup_of_runs`.
    """
    if len(baseline) != len(candidate) or not all(run.latency_s for run in (*baseline, *candidate)):
        return speedup_of_runs(baseline, candidate)
    logs = [[math.log(percentile(run.latency_s, 0.5)) for run in runs] for runs in (baseline, candidate)]
    found = signed_rank([first - second for first, second in zip(*logs, strict=True)])
    if found is None:
        return speedup_of_runs(baseline, candidate)
    ends = Interval(low=math.exp(found.interval.low), high=math.exp(found.interval.high))
    return Speedup(value=math.exp(found.value), interval=ends, over=f"{len(baseline)} pairs of processes")


def speedup_of_rounds(baseline: Sequence[float], candidate: Sequence[float]) -> Speedup:
    """From one process that asked both by turns: the ratio of medians, bootstrapped over whole rounds.

    Args:
        baseline: seconds in each round, at least one.
        candidate: seconds in the same rounds.
    """
    return _bootstrapped(baseline, candidate, paired=True, over=f"{len(baseline)} rounds")


def _welch_reach(first: Sequence[float], second: Sequence[float]) -> float:
    """Half the width of Welch's interval of the difference of two means."""
    shares = [variance(values) / len(values) for values in (first, second)]
    if not (total := sum(shares)):
        return 0.0
    counted = sum(share**2 / (len(values) - 1) for share, values in zip(shares, (first, second), strict=True))
    degrees = max(1, math.floor(total**2 / counted))
    return student_t(0.5 + LEVEL / 2, degrees) * math.sqrt(total)


def _bootstrapped(first: Sequence[float], second: Sequence[float], *, paired: bool, over: str) -> Speedup:
    chance = random.Random(_SEED)
    ratios = []
    for _ in range(_RESAMPLES):
        rounds = chance.choices(range(len(first)), k=len(first))
        others = rounds if paired else chance.choices(range(len(second)), k=len(second))
        ratios.append(median([first[i] for i in rounds]) / median([second[i] for i in others]))
    low, high = (percentile(sorted(ratios), quantile) for quantile in ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return Speedup(value=median(first) / median(second), interval=Interval(low=low, high=high), over=over)

"""Intervals and percentiles, computed from raw values whenever they are read and never stored alone."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist, geometric_mean

__all__ = [
    "Estimate",
    "Interval",
    "Percentiles",
    "bootstrap_mean",
    "minimum_queries",
    "percentile",
    "percentile_interval",
    "percentiles",
    "wilson_interval",
]

_RISK = 0.01
"""How often an upper bound of a percentile may be wrong: LoadGen's confidence of 99 %."""

_RESAMPLES, _BOOTSTRAP_SEED = 2000, 1


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A closed interval; for a rate both ends lie in [0, 1]."""

    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A figure over `count` clips, with the interval that clips drawn anew would mostly fall into."""

    value: float
    interval: Interval
    count: int


@dataclass(frozen=True, kw_only=True)
class Percentiles:
    """p50, p90 and p99 of `count` values; None where `count` is too small to claim one (`minimum_queries`).

    Each has the 95 % interval of the percentile that it estimates (`percentile_interval`).
    """

    count: int
    p50: float | None
    p90: float | None
    p99: float | None
    p50_interval: Interval | None = None
    p90_interval: Interval | None = None
    p99_interval: Interval | None = None


def wilson_interval(successes: float, total: int, *, level: float) -> Interval:
    """Wilson score interval of a success rate (paper, equation 5).

    The critical value is the exact normal quantile (1.959964 at 95 %, 2.326348 at 98 %), where the paper rounds to
    1.96 and 2.33: a bound moves by less than 0.003 points at the paper's N of 3,589. Successes are taken as
    independent; clips of one actor are not quite, so the true uncertainty is somewhat larger.

    Args:
        successes: how many of `total` succeeded; not whole where a rounded rate is all that was published.
        total: number of trials, at least 1.
        level: confidence level, between 0 and 1 (0.95).

    Raises:
        ValueError: no trials, or more successes than trials.
    """
    if not 0 <= successes <= total or total == 0:
        raise ValueError(f"{successes} successes of {total} trials")
    z = NormalDist().inv_cdf(0.5 + level / 2)
    rate, spread = successes / total, z * z / total
    centre = rate + spread / 2
    margin = z * math.sqrt(rate * (1 - rate) / total + spread / (4 * total))
    # At rates of 0 and 1 the bound is exact; rounding must not leave [0, 1].
    low = 0.0 if successes == 0 else (centre - margin) / (1 + spread)
    high = 1.0 if successes == total else (centre + margin) / (1 + spread)
    return Interval(low=low, high=high)


def bootstrap_mean(values: Sequence[float], *, level: float = 0.95) -> Estimate:
    """Geometric mean of ratios or times, one a clip, with its percentile bootstrap interval over clips.

    Geometric, because a ratio and its inverse must tell the same. Clips of one actor are not quite independent, so the
    true uncertainty is somewhat larger. Equal values give equal intervals.

    Args:
        values: above 0, at least one; with one alone the interval has no width.
        level: confidence level, between 0 and 1.
    """
    chance, count = random.Random(_BOOTSTRAP_SEED), len(values)
    means = sorted(geometric_mean(chance.choices(values, k=count)) for _ in range(_RESAMPLES))
    low, high = (percentile(means, quantile) for quantile in ((1 - level) / 2, (1 + level) / 2))
    return Estimate(value=geometric_mean(values), interval=Interval(low=low, high=high), count=count)


def percentile(values: Sequence[float], quantile: float) -> float:
    """Nearest-rank percentile: the smallest value that at least `quantile` of all values do not exceed.

    It is always a value that was measured, as in MLPerf's LoadGen; nothing is interpolated and none is dropped.

    Args:
        values: in any order, at least one.
        quantile: above 0, at most 1 (0.9 for p90).

    Raises:
        ValueError: no values, or a quantile outside (0, 1].
    """
    if not values or not 0 < quantile <= 1:
        raise ValueError(f"quantile {quantile} of {len(values)} values")
    # 1e-9 forgives a product such as 0.9 * 10 that lands above the integer it means.
    rank = math.ceil(quantile * len(values) - 1e-9)
    return sorted(values)[rank - 1]


def minimum_queries(quantile: float) -> int:
    """Fewest queries from which a percentile may be claimed, by the rule of MLPerf's LoadGen.

    The smallest n for which at most one of n queries exceeds the true percentile with a probability of at most 1 %:
    (q^n + n (1 - q) q^(n - 1)) <= 0.01. Then the second slowest query is an upper bound at 99 % confidence. It gives
    11 for p50, 64 for p90 and 662 for p99.
    """
    count = 2
    while quantile**count + count * (1 - quantile) * quantile ** (count - 1) > _RISK:
        count += 1
    return count


def percentile_interval(values: Sequence[float], quantile: float, *, level: float = 0.95) -> Interval | None:
    """Interval of a percentile from order statistics, free of any distribution (David and Nagaraja 2003, 7.1).

    Of n values the number at or below the true percentile is binomial; both ends are values that were measured, each
    exceeded with half of 1 - `level` at most. Values are taken as independent: queries of one process are not quite.

    Args:
        values: in any order.
        quantile: above 0, below 1.
        level: confidence level, between 0 and 1.

    Returns:
        None where there are too few values for an end to exist.
    """
    count, risk = len(values), (1 - level) / 2
    low_rank, high_rank, below = 0, None, 0.0
    # Beyond ten standard deviations nothing adds up.
    reach = 10 * math.sqrt(count * quantile * (1 - quantile)) + 10
    first, last = max(0, math.floor(count * quantile - reach)), min(count, math.ceil(count * quantile + reach))
    for successes in range(first, last + 1):
        # P(fewer than `successes` values lie at or below the percentile), before this term is added.
        if below <= risk:
            low_rank = successes
        below += _binomial(count, successes, quantile)
        if high_rank is None and below >= 1 - risk:
            high_rank = successes + 1
    if low_rank < 1 or high_rank is None or high_rank > count:
        return None
    ordered = sorted(values)
    return Interval(low=ordered[low_rank - 1], high=ordered[high_rank - 1])


@lru_cache(maxsize=1 << 14)
def _binomial(count: int, successes: int, chance: float) -> float:
    log = math.lgamma(count + 1) - math.lgamma(successes + 1) - math.lgamma(count - successes + 1)
    return math.exp(log + successes * math.log(chance) + (count - successes) * math.log1p(-chance))


def percentiles(values: Sequence[float]) -> Percentiles:
    """p50, p90 and p99 of `values`, each only where there are enough of them, with their intervals."""
    claimed = [q for q in (0.5, 0.9, 0.99) if len(values) >= minimum_queries(q)]
    found = {q: percentile(values, q) for q in claimed}
    ends = {q: percentile_interval(values, q) for q in claimed}
    return Percentiles(
        count=len(values),
        p50=found.get(0.5),
        p90=found.get(0.9),
        p99=found.get(0.99),
        p50_interval=ends.get(0.5),
        p90_interval=ends.get(0.9),
        p99_interval=ends.get(0.99),
    )

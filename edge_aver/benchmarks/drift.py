"""Whether values that were measured one after the other drift: a trend test that single outliers cannot sway."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from statistics import NormalDist, median

__all__ = ["Trend", "trend_of"]

_MOST_BLOCKS = 32
_FEWEST = 8
"""Values below which even a perfect order is too likely by chance."""


@dataclass(frozen=True, kw_only=True)
class Trend:
    """From the first value to the last: `change` as a share of the median, and how likely chance alone is, `p`."""

    change: float
    p: float


def trend_of(values: Sequence[float]) -> Trend | None:
    """The trend of `values` in their order; None of fewer than eight.

    Many values are first replaced by the medians of at most 32 blocks that follow each other, so that a few slow ones
    make no trend. Then Mann and Kendall's test, two-sided with the normal approximation and its correction for
    continuity (Mann 1945; Kendall 1975), and the slope of Theil (1950) and Sen (1968): the median of all slopes between
    two of them.
    """
    if len(values) < _FEWEST:
        return None
    blocks = min(_MOST_BLOCKS, len(values))
    edges = [round(index * len(values) / blocks) for index in range(blocks + 1)]
    levels = [median(values[start:end]) for start, end in pairwise(edges)]
    slopes = [(levels[j] - levels[i]) / (j - i) for i, j in combinations(range(blocks), 2)]
    score = sum((slope > 0) - (slope < 0) for slope in slopes)
    spread = math.sqrt(blocks * (blocks - 1) * (2 * blocks + 5) / 18)
    p = 2 * (1 - NormalDist().cdf(max(0, abs(score) - 1) / spread))
    return Trend(change=median(slopes) * (blocks - 1) / median(levels), p=p)

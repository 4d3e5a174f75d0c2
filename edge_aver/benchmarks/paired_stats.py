"""Statistics of two networks on the same clips: McNemar's test, intervals of the difference, clips needed.

Throughout, a clip's difference is 1 where only B is right, -1 where only A is right and 0 otherwise; the difference of
the accuracies, B - A, is its mean.
"""

import math
from collections.abc import Iterator, Sequence
from statistics import NormalDist, median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_aver.benchmarks.stats import Estimate, Interval

__all__ = [
    "FEW_ACTORS",
    "LEVEL",
    "actor_interval",
    "clip_interval",
    "clips_needed",
    "clips_without_a_flip",
    "design_effect",
    "mcnemar_p",
    "signed_rank",
    "student_t",
]

LEVEL = 0.95
"""Two-sided, so that non-inferiority is tested at 2.5 % on its one side, as ICH E9 (1998, 5.5) advises."""

FEW_ACTORS = 8
"""Below this the bootstrap has too few different samples for its percentiles to be the ones they are called."""

_POWER = 0.80
_BLOCK = 4_000_000
"""Values of one block of bootstrap samples: 32 MB."""

Array = NDArray[Any]


def mcnemar_p(lost: int, won: int) -> float:
    """Exact two-sided McNemar test: the binomial test of `lost` against `won` at one half.

    p = min(1, 2 P(X <= min(lost, won))) for X ~ Binomial(lost + won, 1/2), summed in whole numbers and divided once,
    so nothing is rounded on the way; 1 where no clip changed sides. (McNemar 1947; the exact form as in Fay 2010.)

    Args:
        lost: clips that A alone has right.
        won: clips that B alone has right.
    """
    total, term, tail = lost + won, 1, 0
    for k in range(min(lost, won) + 1):
        tail += term
        term = term * (total - k) // (k + 1)
    outcomes: int = 1 << total
    return min(1.0, 2 * tail / outcomes)


def actor_interval(sums: Array, clips: Array, *, draws: int, seed: int) -> Interval:
    """Interval of the difference at `LEVEL`, by resampling whole actors with replacement.

    Clips of one actor resemble each other, so actors are drawn and not clips (cluster bootstrap; Field and Welsh
    2007), and each sample's difference is its sum over its clips. The plain percentile interval is too narrow for few
    clusters, by about sqrt((G - 1) / G) and the normal quantile where Student's t belongs. Therefore:

    - from `FEW_ACTORS` actors: the expanded percentile interval (Hesterberg 2015), whose percentiles are
      Phi(-+ t sqrt(G / (G - 1))) with t the quantile of Student's t at G - 1 degrees of freedom;
    - below: difference -+ t sqrt(G / (G - 1)) times the bootstrap's standard error, since even the most extreme of so
      few actors would be passed too often.

    Where no clip changed sides, or the same share of every actor's clips, it has no width: see `clip_interval`.

    Args:
        sums: (actors,) sum of the clips' differences of each actor.
        clips: (actors,) clips of each actor, at least 1.
        draws: bootstrap samples.
        seed: of the samples; the same seed gives the same interval.

    Raises:
        ValueError: fewer than two actors.
    """
    actors = len(sums)
    if actors < 2:
        raise ValueError(f"{actors} actors; an interval over actors needs two")
    samples = np.concatenate(list(_resampled(sums, clips, draws, seed)))
    spread = student_t(0.5 + LEVEL / 2, actors - 1) * math.sqrt(actors / (actors - 1))
    if actors < FEW_ACTORS:
        difference, reach = float(sums.sum() / clips.sum()), spread * float(samples.std())
        low, high = difference - reach, difference + reach
    else:
        tail = NormalDist().cdf(-spread)
        low, high = map(float, np.quantile(samples, (tail, 1 - tail)))
    return Interval(low=max(-1.0, low), high=min(1.0, high))


def _resampled(sums: Array, clips: Array, draws: int, seed: int) -> Iterator[Array]:
    """Differences of bootstrap samples, a block at a time: how often each actor was drawn, times its sums."""
    generator, actors = np.random.default_rng(seed), len(sums)
    block = max(1, _BLOCK // actors)
    for start in range(0, draws, block):
        times = generator.multinomial(actors, np.full(actors, 1 / actors), size=min(block, draws - start))
        yield (times @ sums) / (times @ clips)


def clip_interval(lost: int, won: int, total: int) -> Interval:
    """Interval of the difference at `LEVEL` that holds for few flips, and for none, with clips as independent.

    The exact (Clopper-Pearson) intervals of the two rates, lost / total and won / total, are combined by square and add
    (MOVER; Newcombe 1998, Zou and Donner 2008). Without a flip the ends are -+(1 - 0.025^(1 / total)), a rule of three:
    no flip among few clips says little, where a bootstrap would claim certainty.

    Args:
        lost: clips that A alone has right.
        won: clips that B alone has right.
        total: clips, at least 1.
    """
    lost_rate, won_rate = lost / total, won / total
    lost_limits, won_limits = _clopper_pearson(lost, total), _clopper_pearson(won, total)
    difference = won_rate - lost_rate
    low = difference - math.hypot(lost_limits.high - lost_rate, won_rate - won_limits.low)
    high = difference + math.hypot(lost_rate - lost_limits.low, won_limits.high - won_rate)
    return Interval(low=max(-1.0, low), high=min(1.0, high))


def clips_without_a_flip(margin: float) -> int:
    """How many clips without any flip rule out a loss of `margin` (a rate) at `LEVEL`: 368 for 0.01."""
    return math.floor(math.log((1 - LEVEL) / 2) / math.log1p(-margin)) + 1


def design_effect(sums: Array, clips: Array, lost: int, won: int) -> float:
    """How many times the variance of the difference is that of as many independent clips; at least 1.

    The variance with actors as clusters is G / (G - 1) sum((sum_g - difference * clips_g)^2) / N^2 (linearised ratio).
    1 where there is one actor or no flip, since nothing can be told.

    Args:
        sums: (actors,) sum of the clips' differences of each actor.
        clips: (actors,) clips of each actor.
        lost: clips that A alone has right.
        won: clips that B alone has right.
    """
    actors, total = len(sums), int(clips.sum())
    variance = _clip_variance(lost, won, total)
    if actors < 2 or variance == 0:
        return 1.0
    residuals = sums - (won - lost) / total * clips
    return max(1.0, actors / (actors - 1) * float(residuals @ residuals) / (total * variance))


def clips_needed(lost: int, won: int, total: int, *, margin: float, effect: float) -> int:
    """How many clips would decide, with a probability of 80 %, between PASS and FAIL at `margin`.

    N = (z_0.975 + z_0.80)^2 * s^2 * effect / d^2, where s^2 is the observed variance of a clip's difference and d how
    far the assumed difference lies from -margin. Assumed is the observed difference, or none where B looks better
    than A: a gain seen by chance promises nothing. d is at least half a clip's worth, all that the data can resolve.
    N is more than the clips at hand, and no fewer than `clips_without_a_flip` where the assumed difference is a PASS.
    It counts clips of more actors, with as many clips of each.

    Args:
        lost: clips that A alone has right.
        won: clips that B alone has right.
        total: clips at hand.
        margin: a rate, above 0.
        effect: as `design_effect` returned it.
    """
    assumed = min(won - lost, 0) / total
    distance = max(0.5 / total, abs(assumed + margin))
    quantiles = NormalDist().inv_cdf(0.5 + LEVEL / 2) + NormalDist().inv_cdf(_POWER)
    count = math.ceil(quantiles**2 * _clip_variance(lost, won, total) * effect / distance**2)
    return max(count, total + 1, clips_without_a_flip(margin) if assumed > -margin else 0)


def _clip_variance(lost: int, won: int, total: int) -> float:
    """Of one clip's difference; 0 for a single clip."""
    difference = (won - lost) / total
    return ((won + lost) / total - difference**2) * total / max(1, total - 1)


def _clopper_pearson(successes: int, total: int) -> Interval:
    """Exact interval of a rate at `LEVEL`: each end leaves (1 - level) / 2 of the binomial beyond the count."""
    return Interval(low=1 - _upper_limit(total - successes, total), high=_upper_limit(successes, total))


def _upper_limit(successes: int, total: int) -> float:
    """The rate at which `successes` or fewer of `total` have the probability (1 - level) / 2."""
    if successes == total:
        return 1.0
    index = np.arange(1, successes + 1)
    logarithms = np.concatenate(([0.0], np.cumsum(np.log((total - index + 1) / index))))
    index = np.arange(successes + 1)

    def tail(rate: float) -> float:
        terms = logarithms + index * math.log(rate) + (total - index) * math.log1p(-rate)
        return float(np.exp(terms).sum())

    low, high = successes / total, 1.0
    while (middle := (low + high) / 2) not in (low, high):
        low, high = (middle, high) if tail(middle) > (1 - LEVEL) / 2 else (low, middle)
    return high


def signed_rank(differences: Sequence[float]) -> Estimate | None:
    """The Hodges-Lehmann estimate of the centre of paired differences, with the exact interval of the signed-rank test.

    The estimate is the median of the means of all pairs of differences, a value with itself included; the interval ends
    at the means that Wilcoxon's test at 5 % no longer refuses (Hollander, Wolfe and Chicken 2014, 3.2 and 3.3).

    Args:
        differences: drawn alike, from something symmetric; None comes of fewer than six, which are too few for 5 %.
    """
    count = len(differences)
    means = sorted((one + other) / 2 for place, one in enumerate(differences) for other in differences[place:])
    # ways[s]: subsets of the ranks 1 to `count` that sum to s.
    ways = [1] + [0] * len(means)
    for rank in range(1, count + 1):
        for total in range(len(means), rank - 1, -1):
            ways[total] += ways[total - rank]
    allowed, tail, left_out = (1 - LEVEL) / 2 * 2**count, 0, -1
    while tail + ways[left_out + 1] <= allowed:
        left_out += 1
        tail += ways[left_out]
    if left_out < 0:
        return None
    ends = Interval(low=means[left_out], high=means[-1 - left_out])
    return Estimate(value=median(means), interval=ends, count=count)


def student_t(probability: float, degrees: int) -> float:
    """Quantile of Student's t for whole degrees of freedom, `probability` above 0.5; by bisection."""
    low, high = 0.0, 1.0
    while _student_inside(high, degrees) < 2 * probability - 1:
        high *= 2
    while (middle := (low + high) / 2) not in (low, high):
        low, high = (middle, high) if _student_inside(middle, degrees) < 2 * probability - 1 else (low, middle)
    return high


def _student_inside(t: float, degrees: int) -> float:
    """P(|T| < t), by the finite series for whole degrees of freedom (Abramowitz and Stegun, 26.7.3 and 26.7.4)."""
    angle = math.atan2(t, math.sqrt(degrees))
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = degrees % 2
    term, series = (cosine if odd else 1.0), 0.0
    for k in range(1 + odd, degrees, 2):
        series += term
        term *= cosine**2 * k / (k + 1)
    return 2 / math.pi * (angle + sine * series) if odd else sine * series

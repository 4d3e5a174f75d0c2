import random
from statistics import NormalDist

import pytest

from edge_aver.benchmarks.stats import (
    bootstrap_mean,
    minimum_queries,
    percentile,
    percentile_interval,
    percentiles,
    wilson_interval,
)


# Bounds from scipy.stats.binomtest(...).proportion_ci(method="wilson").
@pytest.mark.parametrize(
    ("successes", "total", "level", "low", "high"),
    [
        (2512, 3589, 0.98, 0.681829865, 0.717400953),
        (54, 64, 0.95, 0.735719382, 0.912851577),
        (54, 64, 0.98, 0.712080651, 0.921816470),
        (64, 64, 0.95, 0.943375940, 1.0),
        (0, 10, 0.98, 0.0, 0.351150500),
        (1, 1, 0.95, 0.206549314, 1.0),
    ],
)
def test_wilson_interval_agrees_with_scipy(successes: int, total: int, level: float, low: float, high: float) -> None:
    interval = wilson_interval(successes, total, level=level)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-10)


def test_exact_quantile_stays_near_the_papers_rounded_one() -> None:
    rate, total, z = 2512 / 3589, 3589, 2.33
    centre = (rate + z * z / (2 * total)) / (1 + z * z / total)
    margin = z * (rate * (1 - rate) / total + z * z / (4 * total**2)) ** 0.5 / (1 + z * z / total)
    interval = wilson_interval(2512, total, level=0.98)
    assert interval.low == pytest.approx(centre - margin, abs=3e-5)
    assert interval.high == pytest.approx(centre + margin, abs=3e-5)


def test_the_papers_conclusion_of_figure_7() -> None:
    # Table 2; the models the paper names as overlapping with EfficientNetV2-B0 at 98 %, N = 3,589.
    accuracies = {"VGG16": 71.18, "InceptionResNetV2": 70.29, "ConvNeXt Base": 70.32, "VGG19": 71.46}
    intervals = {
        name: wilson_interval(round(value / 100 * 3589), 3589, level=0.98)
        for name, value in {**accuracies, "EfficientNetV2-B0": 70.00, "MobileNet": 66.11}.items()
    }
    chosen = intervals["EfficientNetV2-B0"]
    assert all(intervals[name].low < chosen.high for name in accuracies)
    assert intervals["MobileNet"].high < chosen.low


@pytest.mark.parametrize(("successes", "total"), [(1, 0), (3, 2), (-1, 5)])
def test_impossible_counts_are_refused(successes: int, total: int) -> None:
    with pytest.raises(ValueError, match="trials"):
        wilson_interval(successes, total, level=0.95)


def test_wilson_interval_covers_as_often_as_it_says() -> None:
    chance, total, rate, trials = random.Random(4), 240, 0.85, 2000
    inside = 0
    for _ in range(trials):
        interval = wilson_interval(sum(chance.random() < rate for _ in range(total)), total, level=0.95)
        inside += interval.low <= rate <= interval.high
    assert 0.93 < inside / trials < 0.97


def test_percentile_is_a_measured_value() -> None:
    values = [float(value) for value in range(10, 0, -1)]
    assert [percentile(values, q) for q in (0.5, 0.9, 0.91, 0.99, 1.0)] == [5.0, 9.0, 10.0, 10.0, 10.0]
    assert percentile([3.0], 0.5) == 3.0


@pytest.mark.parametrize(("values", "quantile"), [([], 0.5), ([1.0], 0.0), ([1.0], 1.1)])
def test_percentile_of_nothing_is_refused(values: list[float], quantile: float) -> None:
    with pytest.raises(ValueError, match="quantile"):
        percentile(values, quantile)


def test_minimum_queries_are_those_of_loadgen() -> None:
    assert [minimum_queries(q) for q in (0.5, 0.9, 0.99)] == [11, 64, 662]


def test_p99_is_claimed_from_662_queries() -> None:
    values = [float(value) for value in range(1, 663)]
    assert percentiles(values).p99 == 656.0
    assert percentiles(values[:-1]).p99 is None
    assert percentiles(values[:-1]).p90 == 595.0


def test_too_few_values_claim_no_percentile() -> None:
    few = percentiles([1.0] * 10)
    assert (few.count, few.p50, few.p90, few.p99) == (10, None, None, None)
    assert percentiles([1.0] * 11).p50 == 1.0


def test_normal_quantiles_are_those_documented() -> None:
    assert NormalDist().inv_cdf(0.975) == pytest.approx(1.959964, abs=1e-6)
    assert NormalDist().inv_cdf(0.99) == pytest.approx(2.326348, abs=1e-6)


def test_a_bootstrap_interval_holds_its_mean_and_narrows_with_more_clips() -> None:
    chance = random.Random(4)
    few = [chance.lognormvariate(2, 0.3) for _ in range(10)]
    many = [chance.lognormvariate(2, 0.3) for _ in range(200)]
    widths = []
    for values in (few, many):
        estimate = bootstrap_mean(values)
        assert estimate.interval.low < estimate.value < estimate.interval.high
        assert estimate.count == len(values)
        widths.append(estimate.interval.high - estimate.interval.low)
    assert widths[1] < widths[0] / 2


def test_a_bootstrap_interval_covers_as_often_as_it_says() -> None:
    chance = random.Random(5)
    hits = 0
    for _ in range(60):
        interval = bootstrap_mean([chance.lognormvariate(1, 0.4) for _ in range(25)]).interval
        hits += interval.low <= 2.718281828 <= interval.high
    assert 50 <= hits <= 60


def test_a_ratio_and_its_inverse_tell_the_same() -> None:
    values = [2.0, 3.0, 8.0]
    estimate, inverse = bootstrap_mean(values), bootstrap_mean([1 / value for value in values])
    assert estimate.value == pytest.approx(1 / inverse.value) == pytest.approx(48 ** (1 / 3))
    assert bootstrap_mean(values) == estimate


def test_one_clip_has_no_width() -> None:
    estimate = bootstrap_mean([4.0])
    assert (estimate.value, estimate.interval.low, estimate.interval.high) == pytest.approx((4.0, 4.0, 4.0))


@pytest.mark.parametrize(
    ("count", "quantile", "ranks"),
    # Ranks from scipy.stats.binom.ppf: 64 values at p90, 128 and 21 at p50; of 10 values p90 has no upper end.
    [(128, 0.5, (53, 76)), (21, 0.5, (6, 16)), (64, 0.9, (53, 63)), (10, 0.9, None), (1024, 0.99, (1007, 1020))],
)
def test_a_percentile_lies_between_values_that_were_measured(
    count: int, quantile: float, ranks: tuple[int, int] | None
) -> None:
    values = list(range(count, 0, -1))
    interval = percentile_interval(values, quantile)
    assert (None if interval is None else (interval.low, interval.high)) == ranks


def test_the_interval_of_a_percentile_covers_it_as_often_as_it_says() -> None:
    chance, covered = random.Random(5), 0
    for _ in range(1000):
        interval = percentile_interval([chance.expovariate(1) for _ in range(64)], 0.9)
        assert interval is not None
        covered += interval.low <= 2.302585 <= interval.high
    assert 940 <= covered <= 985


def test_percentiles_carry_their_intervals() -> None:
    found = percentiles([float(value) for value in range(1, 65)])
    assert found.p90 is not None
    assert found.p90_interval is not None
    assert found.p90_interval.low < found.p90 < found.p90_interval.high
    assert (found.p99, found.p99_interval) == (None, None)

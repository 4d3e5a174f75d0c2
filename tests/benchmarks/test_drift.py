import random

import pytest

from edge_aver.benchmarks.drift import trend_of


def test_a_slow_rise_under_noise_is_found() -> None:
    chance = random.Random(1)
    values = [0.1 * (1 + 0.2 * i / 255) + chance.expovariate(500) for i in range(256)]
    trend = trend_of(values)
    assert trend is not None
    assert trend.change == pytest.approx(0.2, abs=0.04)
    assert trend.p < 1e-6
    fall = trend_of(values[::-1])
    assert fall is not None
    assert fall.change < -0.15


def test_outliers_make_no_trend() -> None:
    chance = random.Random(2)
    values = [0.1 + chance.expovariate(500) for _ in range(256)]
    usual = trend_of(values)
    slow_end = trend_of([*values[:-3], 9.0, 9.0, 9.0])
    assert usual is not None
    assert slow_end is not None
    assert abs(usual.change) < 0.03
    assert abs(slow_end.change) < 0.03


def test_a_steady_machine_is_rarely_suspected() -> None:
    chance = random.Random(3)
    trends = [trend_of([0.1 + chance.expovariate(80) for _ in range(32)]) for _ in range(500)]
    assert sum(item is not None and item.p < 0.001 for item in trends) <= 2


def test_equal_values_have_no_trend() -> None:
    trend = trend_of([0.1] * 64)
    assert trend is not None
    assert (trend.change, trend.p) == (0.0, 1.0)


def test_eight_in_perfect_order_are_enough_and_seven_are_not() -> None:
    trend = trend_of(list(range(1, 9)))
    assert trend is not None
    assert trend.p < 0.001
    assert trend_of(list(range(1, 8))) is None

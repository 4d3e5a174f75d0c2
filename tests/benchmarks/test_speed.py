import math
import random
from collections.abc import Sequence

import pytest

from edge_aver.benchmarks.results import NetworkRun
from edge_aver.benchmarks.speed import speedup_of_pairs, speedup_of_rounds, speedup_of_runs


def _runs(*medians: float, queries: int = 21) -> list[NetworkRun]:
    """Processes whose p50 is the value given, among queries 10 % to either side."""
    spread = [0.9 + 0.2 * index / (queries - 1) for index in range(queries)]
    return [NetworkRun(latency_s=tuple(value * share for share in spread), load_s=1.0) for value in medians]


def test_processes_are_the_unit_where_there_are_several() -> None:
    found = speedup_of_runs(_runs(0.20, 0.21, 0.19), _runs(0.10, 0.105, 0.095))
    assert found is not None
    assert found.value == pytest.approx(2.0)
    # Welch by hand: equal variances v of three logarithms each, 4 degrees of freedom, t = 2.776445.
    logs = [math.log(value) for value in (0.20, 0.21, 0.19)]
    middle = sum(logs) / 3
    variance = sum((value - middle) ** 2 for value in logs) / 2
    reach = 2.776445 * math.sqrt(2 * variance / 3)
    assert found.interval.low == pytest.approx(2 * math.exp(-reach), rel=1e-4)
    assert found.interval.high == pytest.approx(2 * math.exp(reach), rel=1e-4)
    assert found.over == "3 and 3 processes"


def test_processes_that_differ_widen_the_interval() -> None:
    alike = speedup_of_runs(_runs(0.20, 0.201), _runs(0.10, 0.1005))
    apart = speedup_of_runs(_runs(0.20, 0.30), _runs(0.10, 0.1005))
    assert alike is not None
    assert apart is not None
    assert alike.interval.low > 1.8
    assert apart.interval.low < 1


def test_one_process_has_the_spread_of_its_queries_alone() -> None:
    found = speedup_of_runs(_runs(0.2), _runs(0.1, 0.1))
    assert found is not None
    assert found.value == pytest.approx(2.0)
    assert 1.8 < found.interval.low < 2 < found.interval.high < 2.2
    assert found.over == "queries of one process"


def test_pairs_share_what_slowed_both() -> None:
    """Phases of the machine that make processes differ by 30 % do not widen the interval of pairs."""
    phases = (0.2, 0.2, 0.26, 0.26, 0.2, 0.26)
    ours, other = _runs(*(value * 1.01 for value in phases)), _runs(*phases)
    found, apart = speedup_of_pairs(ours, other), speedup_of_runs(ours, other)
    assert found is not None
    assert apart is not None
    assert (found.value, found.interval.low, found.interval.high) == pytest.approx((1.01, 1.01, 1.01))
    assert found.over == "6 pairs of processes"
    assert apart.interval.low < 0.9


def test_a_pair_in_which_the_machine_changed_its_speed_weighs_no_more_than_others() -> None:
    steady = _runs(*(0.2 + 0.001 * step for step in range(12)))
    found = speedup_of_pairs([*_runs(0.26), *steady[1:]], steady)
    assert found is not None
    assert (found.value, found.interval.low, found.interval.high) == pytest.approx((1.0, 1.0, 1.0))


def test_few_pairs_are_compared_as_processes() -> None:
    found = speedup_of_pairs(_runs(0.2, 0.21, 0.2), _runs(0.1, 0.1, 0.1))
    assert found is not None
    assert found.over == "3 and 3 processes"


def test_broken_pairs_are_compared_as_processes_apart() -> None:
    found = speedup_of_pairs(_runs(0.2, 0.21, 0.2), _runs(0.1, 0.1))
    assert found is not None
    assert found.over == "3 and 2 processes"


def test_nothing_measured_is_no_figure() -> None:
    assert speedup_of_runs(_runs(0.2), []) is None


def test_rounds_share_what_slowed_both() -> None:
    chance = random.Random(1)
    load = [chance.choice((1.0, 3.0)) for _ in range(20)]
    base: Sequence[float] = [0.2 * factor for factor in load]
    found = speedup_of_rounds(base, [value / 2 for value in base])
    assert (found.value, found.interval.low, found.interval.high) == pytest.approx((2.0, 2.0, 2.0))
    assert found.over == "20 rounds"

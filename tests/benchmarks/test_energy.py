from collections.abc import Callable
from dataclasses import replace

import pytest

from edge_aver.benchmarks.energy import energy_of
from edge_aver.benchmarks.readings import Reading
from edge_aver.benchmarks.results import Result
from edge_aver.benchmarks.sensors import QuerySpan, SensorLog, SensorSample, join_logs


def test_a_device_that_tells_nothing_has_no_energy(make_result: Callable[..., Result]) -> None:
    assert energy_of(make_result()) == ()


def test_counters_of_the_processor_are_divided_by_the_queries(make_result: Callable[..., Result]) -> None:
    result = make_result()
    start = Reading(monotonic_s=0.0, wall_s=0.0, energy_j={"package-0": 1.0}, energy_range_j={"package-0": 1e5})
    runs = tuple(
        replace(run, before=start, after=replace(start, energy_j={"package-0": 1.0 + joules}))
        for run, joules in zip(result.network, (32.0, 48.0), strict=True)
    )
    (energy,) = energy_of(replace(result, network=runs))
    assert (energy.joules, energy.of, energy.processes) == (1.25, "processor packages (RAPL)", 2)
    assert energy.interval is not None
    # Student's t at one degree of freedom is 12.706; the standard error is 0.25.
    assert energy.interval.high == pytest.approx(1.25 + 12.706 * 0.25, abs=1e-3)
    assert energy.interval.low == 0.0


def _log(watts: list[float], queries: int) -> SensorLog:
    samples = tuple(SensorSample(time_s=index / 2, power_w={"VDD_IN": value}) for index, value in enumerate(watts))
    return SensorLog(source="tegrastats", samples=samples, spans=(QuerySpan(start_s=1.0, end_s=3.0, queries=queries),))


def test_power_counts_only_while_a_process_asked(make_result: Callable[..., Result]) -> None:
    # Loading takes 99 W here, and the queries 10 and 20 W.
    first, second = (_log([99.0, 99.0, *[watts] * 5], 40) for watts in (10.0, 20.0))
    (energy,) = energy_of(make_result(sensors=join_logs(first, second)))
    assert energy.of == "VDD_IN (tegrastats)"
    assert (energy.joules, energy.processes) == (pytest.approx(0.75), 2)
    (alone,) = energy_of(make_result(sensors=first))
    assert (alone.joules, alone.interval) == (pytest.approx(0.5), None)


def test_too_few_readings_are_no_measurement(make_result: Callable[..., Result]) -> None:
    log = replace(_log([9.0] * 7, 40), spans=(QuerySpan(start_s=1.1, end_s=1.6, queries=4),))
    assert energy_of(make_result(sensors=log)) == ()

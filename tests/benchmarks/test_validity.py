from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from edge_aver.benchmarks.front_end_results import FrontEndMeasurements
from edge_aver.benchmarks.machine import CpuUse
from edge_aver.benchmarks.readings import Reading
from edge_aver.benchmarks.results import Gap, Result
from edge_aver.benchmarks.sensors import QuerySpan, SensorLog, SensorSample
from edge_aver.benchmarks.summary import summarize
from edge_aver.benchmarks.validity import invalid_reasons


def test_a_full_run_on_a_quiet_machine_is_valid(make_result: Callable[..., Result]) -> None:
    assert invalid_reasons(make_result()) == ()


def test_too_few_queries_and_too_short_a_run_are_named(make_result: Callable[..., Result]) -> None:
    result = make_result()
    reasons = invalid_reasons(replace(result, network=result.network[:1]))
    assert reasons[0] == "32 network queries, suite smoke asks for 64"
    assert reasons[1].endswith("s of network queries, suite smoke asks for 6 s")


def test_too_few_clips_end_to_end_are_named(make_result: Callable[..., Result]) -> None:
    result = make_result()
    reasons = invalid_reasons(replace(result, end_to_end=result.end_to_end[:5]))
    assert reasons == ("5 clips end to end, suite smoke asks for 12",)


@pytest.mark.parametrize(
    ("use", "reason"),
    [
        (CpuUse(others_share=0.25, stolen_share=0.0), "other processes used 25%"),
        (CpuUse(others_share=0.0, stolen_share=0.2), "20% of the processor time was taken"),
    ],
)
def test_a_busy_machine_is_named(make_result: Callable[..., Result], use: CpuUse, reason: str) -> None:
    result = make_result()
    runs = (result.network[0], replace(result.network[1], cpu_use=use))
    assert reason in invalid_reasons(replace(result, network=runs))[0]


def _read(result: Result, **changes: Any) -> Result:
    """With readings around the queries of every process; those after them of the last are changed."""
    before = Reading(
        monotonic_s=50.0,
        wall_s=1e9,
        cpu_mhz=3000.0,
        throttled=4,
        temperature_c=60.0,
        swapped_in_pages=7,
        major_faults=9,
    )
    after = replace(before, monotonic_s=60.0, wall_s=1e9 + 10)
    runs = [replace(run, before=before, after=after) for run in result.network]
    return replace(result, network=(*runs[:-1], replace(runs[-1], after=replace(after, **changes))))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"cpu_mhz": 2400.0}, "the processor's clock fell from 3,000 to 2,400 MHz during the queries"),
        ({"throttled": 6}, "heat: the processor throttled 2 times during the queries"),
        ({"swapped_in_pages": 1207}, "swapping: 1,200 pages were read back from swap during the queries"),
        ({"major_faults": 60}, "memory: a process waited for a disk 51 times during its queries"),
        ({"wall_s": 1e9 + 70}, "the clock jumped by +60.0 s during the queries"),
        ({"wall_s": 1e9 - 3590}, "the clock jumped by -3600.0 s during the queries"),
    ],
)
def test_what_changed_during_the_queries_is_named(
    make_result: Callable[..., Result], changes: dict[str, Any], reason: str
) -> None:
    assert invalid_reasons(_read(make_result(), **changes)) == (reason,)


def test_what_stays_within_bounds_and_what_is_not_told_is_no_reason(make_result: Callable[..., Result]) -> None:
    usual = {"cpu_mhz": 2900.0, "temperature_c": 75.0, "major_faults": 12, "wall_s": 1e9 + 10.05}
    assert invalid_reasons(_read(make_result(), **usual)) == ()
    untold = dict.fromkeys(("cpu_mhz", "throttled", "temperature_c", "swapped_in_pages", "major_faults"))
    assert invalid_reasons(_read(make_result(), **untold)) == ()


def test_latency_that_drifts_within_a_process_is_named(make_result: Callable[..., Result]) -> None:
    result = make_result()
    rising = tuple(0.1 * (1 + 0.3 * index / 31) for index in range(32))
    runs = (result.network[0], replace(result.network[1], latency_s=rising))
    (reason,) = invalid_reasons(replace(result, network=runs))
    assert reason.startswith("drift: latency rose by 26% within a process")


def test_latency_that_drifts_from_process_to_process_is_named(make_result: Callable[..., Result]) -> None:
    result = make_result()
    runs = tuple(replace(result.network[0], latency_s=(0.2 - 0.01 * index,) * 32) for index in range(8))
    (reason,) = invalid_reasons(replace(result, network=runs))
    assert reason.startswith("drift: latency fell by 42% from the first process to the last")
    assert invalid_reasons(replace(result, network=(runs[0], runs[7]))) == ()


def test_a_gpu_that_slowed_down_is_named(make_result: Callable[..., Result]) -> None:
    clocks = [300.0] * 4 + [1900.0] * 6 + [1500.0] * 6
    samples = tuple(SensorSample(time_s=index / 2, clock_mhz={"sm": value}) for index, value in enumerate(clocks))
    log = SensorLog(source="nvidia-smi", samples=samples, spans=(QuerySpan(start_s=2.0, end_s=8.0, queries=64),))
    (reason,) = invalid_reasons(make_result(sensors=log))
    assert reason == "the GPU's clock fell from 1,900 to 1,500 MHz during the queries"
    steady = replace(log, spans=(QuerySpan(start_s=2.0, end_s=4.9, queries=64),))
    assert invalid_reasons(make_result(sensors=steady)) == ()


def test_a_machine_that_was_busy_in_one_round_of_a_stack_is_named(
    front_end: FrontEndMeasurements, front_end_result: Callable[[FrontEndMeasurements], Result]
) -> None:
    assert invalid_reasons(front_end_result(front_end)) == ()
    busy = replace(front_end.rounds[4], cpu_use=CpuUse(others_share=0.25, stolen_share=0.0))
    rounds = (*front_end.rounds[:4], busy, *front_end.rounds[5:])
    (reason,) = invalid_reasons(front_end_result(replace(front_end, rounds=rounds)))
    assert "other processes used 25%" in reason


def test_a_failure_is_invalid_and_what_could_not_be_measured_is_missing(make_result: Callable[..., Result]) -> None:
    failed = Gap(case="accuracy", reason="killed", failed=True)
    absent = Gap(case="end_to_end", reason="media are elsewhere", failed=False)
    summary = summarize(make_result(gaps=(failed, absent), predictions=(), end_to_end=()))
    assert summary.invalid == ("accuracy failed: killed",)
    assert summary.missing == ("end to end: media are elsewhere",)
    assert summary.accuracy is None


def test_a_summary_is_computed_from_raw_values(make_result: Callable[..., Result]) -> None:
    result = make_result(correct=52)
    summary = summarize(result)
    values = sorted(value for run in result.network for value in run.latency_s)
    assert summary.network_s.p50 == values[31]
    assert summary.network_s.p90 == values[57]
    assert summary.network_s.p99 is None
    assert summary.accuracy is not None
    assert (summary.accuracy.correct, summary.accuracy.total) == (52, 64)
    assert [sum(row) for row in summary.accuracy.confusion] == [8] * 8
    assert sum(summary.accuracy.confusion[i][i] for i in range(8)) == 52
    mean_total = sum(query.total_s for query in result.end_to_end) / 12
    assert sum(summary.stages_s.values()) == pytest.approx(mean_total)
    assert list(summary.stages_s) == ["decode", "faces", "audio", "network", "other"]
    assert summary.peak_bytes == 251_000_000

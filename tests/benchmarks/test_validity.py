from collections.abc import Callable
from dataclasses import replace

import pytest

from edge_aver.benchmarks.front_end_results import FrontEndMeasurements
from edge_aver.benchmarks.machine import CpuUse
from edge_aver.benchmarks.results import Gap, Result
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

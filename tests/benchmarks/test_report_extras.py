"""Tables that only some suites and devices fill: throughput, overhead, energy, accuracy over folds."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from edge_aver.benchmarks.readings import Reading
from edge_aver.benchmarks.report_cells import Row, Table, name_rows
from edge_aver.benchmarks.report_extras import energy_table, folds_table, overhead_table, throughput_table
from edge_aver.benchmarks.results import Result
from edge_aver.benchmarks.runs import OverheadRun, ThroughputRun, ToolRun
from edge_aver.benchmarks.stats import wilson_interval
from edge_aver.benchmarks.suites import load_suite
from edge_aver.benchmarks.summary import summarize


def _rows(*results: Result) -> tuple[Row, ...]:
    return name_rows([summarize(result) for result in results])


def _texts(table: Table) -> list[list[str]]:
    """As people read it, without the cells that name the rows."""
    for row in table.rows:
        assert len(row) == len(table.columns)
    return [[cell.text for cell in row[1:]] for row in table.rows]


def test_throughput_is_clips_over_seconds_of_all_processes_the_fastest_first(
    make_result: Callable[..., Result],
) -> None:
    runs = (
        ThroughputRun(batch=1, callers=1, clips=50, wall_s=10.0),
        ThroughputRun(batch=4, callers=2, clips=90, wall_s=10.0),
        ThroughputRun(batch=4, callers=2, clips=30, wall_s=10.0),
        ThroughputRun(batch=8, callers=2, clips=9996, wall_s=10.0),
    )
    table = throughput_table(_rows(make_result(throughput=runs), make_result("fp32")))
    assert _texts(table) == [["8", "2", "1,000"], ["4", "2", "6"], ["1", "1", "5"]]
    assert [row[3].value for row in table.rows] == [999.6, 6.0, 5.0]


@pytest.mark.parametrize(("ours_s", "verdict", "mood"), [(0.102, "PASS", "good"), (0.108, "FAIL", "bad")])
def test_overhead_is_held_to_the_suites_limit(
    make_result: Callable[..., Result], ours_s: float, verdict: str, mood: str
) -> None:
    run = OverheadRun(other="bare loop", ours_s=(ours_s,) * 8, other_s=(0.1,) * 8)
    table = overhead_table(_rows(make_result(suite=load_suite("full"), overhead=(run,)), make_result("fp32")))
    assert _texts(table) == [["bare loop", f"{ours_s / 0.1:.3f}", "1.030", verdict]]
    assert table.rows[0][4].mood == mood
    assert table.rows[0][2].small == (f"{ours_s / 0.1:.3f} to {ours_s / 0.1:.3f}", "over 8 rounds")


def test_overhead_without_a_limit_has_no_verdict(make_result: Callable[..., Result]) -> None:
    tool = ToolRun(tool="benchmark_app 2026.1", latency_s=(0.1,), queries=64)
    table = overhead_table(_rows(make_result(tools=(tool,))))
    ((beside, ratio, limit, verdict),) = _texts(table)
    assert (beside, limit, verdict) == ("benchmark_app 2026.1", "none", "no limit")
    assert float(ratio) > 1


def test_a_device_that_tells_no_energy_says_so_in_its_row(make_result: Callable[..., Result]) -> None:
    start = Reading(monotonic_s=0.0, wall_s=0.0, energy_j={"package-0": 1.0}, energy_range_j={"package-0": 1e5})
    result = make_result()
    runs = tuple(
        replace(run, before=start, after=replace(start, energy_j={"package-0": 1.0 + joules}))
        for run, joules in zip(result.network, (32.0, 33.0), strict=True)
    )
    table = energy_table(_rows(replace(result, network=runs), make_result("fp32")))
    assert _texts(table) == [
        ["processor packages (RAPL)", "1.02", "2"],
        ["the device tells nothing", "not measured", "not measured"],
    ]
    assert table.rows[0][2].value == pytest.approx(65 / 64)
    assert table.rows[0][2].ends is not None
    assert table.rows[1][2].value is None


def test_folds_stand_each_and_together_with_intervals(make_result: Callable[..., Result]) -> None:
    one, three = (
        replace(result, spec=replace(result.spec, fold=fold))
        for fold, result in ((1, make_result(correct=52)), (3, make_result(correct=40)))
    )
    alone = make_result("fp32")
    table = folds_table(_rows(one, three, alone))
    assert [column.title for column in table.columns[1:3]] == ["Fold 1", "Fold 3"]
    assert _texts(table)[0][:4] == ["81.2", "62.5", "71.9", "71.9"]
    wide = wilson_interval(92, 128, level=0.98)
    assert table.rows[0][3].small[1:] == (f"98 %: {100 * wide.low:.1f} to {100 * wide.high:.1f}", "92 of 128")
    assert not folds_table(_rows(one, alone)).rows

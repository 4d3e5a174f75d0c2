from collections.abc import Callable
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from edge_aver.benchmarks.front_end_results import FrontEndMeasurements
from edge_aver.benchmarks.results import Gap, Result
from edge_aver.benchmarks.tables import print_results
from edge_aver.spec import provenance_note


def _printed(*results: Result, width: int = 80) -> str:
    console = Console(file=StringIO(), width=width)
    print_results(console, results)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize("width", [80, 120])
def test_every_figure_stands_in_the_table(make_result: Callable[..., Result], width: int) -> None:
    text = _printed(make_result(), width=width)
    for part in (
        *("sa int8 VALID", "openvino-cpu", "synthetic, fold 1", "ran 123 i8, 20 f32"),
        *("81.2 %", "70.0 to 88.9", "52/64 clips", "14.2 MB file", "13.66 M deployed", "14.95 M by paper"),
        *("peak RSS 251 MB", "network p50 ", "network p90 ", "end to end p50 1,8"),
    ):
        assert part in text
    assert "not measured" in " ".join(text[text.index("network p99") :].split())
    assert max(map(len, text.splitlines())) <= width


def test_the_note_of_each_corpus_is_printed(make_result: Callable[..., Result]) -> None:
    assert "say nothing about people" in " ".join(_printed(make_result()).split())
    composite = make_result(spec=replace(make_result().spec, corpus="composite"))
    assert f"{provenance_note('composite')}" in " ".join(_printed(composite).split())


def test_a_failed_artifact_is_a_row_with_its_reason(make_result: Callable[..., Result]) -> None:
    gaps = tuple(Gap(case=case, reason="killed by SIGKILL", failed=True) for case in ("network", "accuracy"))
    failed = make_result("fp32", network=(), predictions=(), gaps=gaps, executed_precisions={})
    text = " ".join(_printed(make_result(), failed, width=100).split())
    assert "sa fp32 INVALID" in text
    assert "INVALID, sa fp32 on openvino-cpu: network failed: killed by SIGKILL" in text
    assert "sa int8 VALID" in text


def test_the_precision_to_ship_is_the_last_word(make_result: Callable[..., Result]) -> None:
    text = " ".join(_printed(make_result("fp32"), make_result(scale=2.0)).split())
    last = text[text.index("Ship fp32 of sa, synthetic fold 1 on openvino-cpu: INT8 is not worth it here: 0.5") :]
    assert last.endswith("28.4 MB instead of 14.2")


def test_markup_in_names_is_shown_as_it_stands(make_result: Callable[..., Result]) -> None:
    assert "sa [red]x" in _printed(make_result("[red]x"))


@pytest.mark.parametrize("width", [80, 120])
def test_a_front_end_is_printed_with_its_limits(
    front_end: FrontEndMeasurements, front_end_result: Callable[[FrontEndMeasurements], Result], width: int
) -> None:
    text = _printed(front_end_result(replace(front_end, given=True)), width=width)
    flat = " ".join(text.split())
    for part in (
        *("sa int8 on openvino-cpu VALID", "3 media files given by hand (1280 x 720 pixels)", "11.8", "≥ 8", "≥ 25"),
        *("≤ 1.4", "≤ 0.15", "none", "200", "≤ 300", "≥ 99", "≥ 0.93", "≥ 0.85", "3 of 3 clips"),
        *("No accuracy is claimed", "say nothing about people"),
    ):
        assert part in flat
    assert flat.count("PASS") == 12
    assert "FAIL" not in flat
    assert "Accuracy with its 95 % Wilson interval" not in flat
    assert max(map(len, text.splitlines())) <= width


def test_a_missed_limit_and_a_missing_figure_are_seen(
    front_end: FrontEndMeasurements, front_end_result: Callable[[FrontEndMeasurements], Result]
) -> None:
    slow = tuple(replace(run, wall_s=2.5) for run in front_end.fresh_runs)
    gaps = (Gap(case="reference", reason="the checkpoint is not in the workspace", failed=False),)
    ours = tuple(item for item in front_end.rounds if item.stack == "ours")
    result = front_end_result(replace(front_end, fresh_runs=slow, rounds=ours))
    text = " ".join(_printed(replace(result, gaps=gaps), width=120).split())
    assert (text.count("FAIL"), text.count("PASS")) == (1, 9)
    assert "Not measured, sa int8 on openvino-cpu: reference: the checkpoint is not in the workspace" in text


def test_both_kinds_of_suite_are_printed_together(
    make_result: Callable[..., Result],
    front_end: FrontEndMeasurements,
    front_end_result: Callable[[FrontEndMeasurements], Result],
) -> None:
    text = " ".join(_printed(make_result(), front_end_result(front_end), width=120).split())
    assert "52/64 clips" in text
    assert text.count("PASS") == 12

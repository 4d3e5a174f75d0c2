from collections.abc import Callable
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

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


def test_markup_in_names_is_shown_as_it_stands(make_result: Callable[..., Result]) -> None:
    assert "sa [red]x" in _printed(make_result("[red]x"))

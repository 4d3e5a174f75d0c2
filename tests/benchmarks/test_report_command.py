"""`edge-aver report` from the command line: its formats, and every kind of file that is no sound result."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from outcomes import check_error

from edge_aver import cli
from edge_aver.benchmarks.results import Gap, Result, write_result

Report = Callable[..., tuple[int, str, str]]


@pytest.fixture
def report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Report:
    """Run the command on a workspace of its own: (status, standard output, standard error)."""

    def run(*arguments: object) -> tuple[int, str, str]:
        status = cli._run(["report", *map(str, arguments), "--workspace", str(tmp_path)])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.fixture
def pair(make_result: Callable[..., Result], tmp_path: Path) -> tuple[Path, Path]:
    """Two results in the workspace."""
    first, second = (
        write_result(result, tmp_path / "results") for result in (make_result("fp32", scale=2.0), make_result())
    )
    return first, second


def test_without_options_the_workspaces_results_become_one_page(
    report: Report, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    page = tmp_path / "reports" / "report.html"
    assert report() == (0, f"{page}\n", "")
    assert [path.name for path in page.parent.iterdir()] == ["report.html"]
    assert "Ship int8" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("formats", ["html", "md", "csv", "md,csv", "csv,html,md"])
def test_every_format_is_written_under_one_name_in_the_order_asked(
    report: Report, pair: tuple[Path, Path], tmp_path: Path, formats: str
) -> None:
    names = {"html": "mine.html", "md": "mine.md", "csv": "mine-csv"}
    out = tmp_path / "out" / "mine.html"
    status, told, err = report(*pair, "--format", formats, "-o", out)
    assert (status, err) == (0, "")
    asked = [out.parent / names[kind] for kind in formats.split(",")]
    assert told.split() == [str(path) for path in asked]
    assert sorted(out.parent.iterdir()) == sorted(asked)


def test_all_formats_tell_the_same_figures(report: Report, pair: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "out" / "mine.html"
    assert report(*pair, "--format", "html,md,csv", "-o", out)[0] == 0
    with (out.parent / "mine-csv" / "verdict.csv").open(encoding="utf-8", newline="") as file:
        (verdict,) = csv.DictReader(file)
    assert (verdict["Ship"], verdict["Status"]) == ("int8", "VALID")
    with (out.parent / "mine-csv" / "glance.csv").open(encoding="utf-8", newline="") as file:
        p50s = [float(row["Network p50 (ms)"]) for row in csv.DictReader(file)]
    assert len(p50s) == 2
    for text in (out.read_text("utf-8"), out.with_suffix(".md").read_text("utf-8")):
        assert all(f"{value:,.0f}" in text for value in p50s)
        assert verdict["Why"][1:40] in text


@pytest.mark.parametrize("formats", ["", "pdf", "html,", "md,md", "md, csv", "HTML"])
def test_an_unknown_format_is_a_usage_error(
    report: Report, pair: tuple[Path, Path], tmp_path: Path, formats: str
) -> None:
    check_error(report(*pair, "--format", formats), 2, repr(formats), "html, md, csv", "report --help")
    assert not (tmp_path / "reports").exists()


def _faster(table: dict[str, Any]) -> None:
    table["network"][0]["latency_s"][0] *= 0.5


def _not_a_number(table: dict[str, Any]) -> None:
    table["network"][0]["latency_s"][0] = float("nan")


def _back_in_time(table: dict[str, Any]) -> None:
    table["network"][0]["latency_s"][0] = -0.1


def _empty(table: dict[str, Any]) -> None:
    table.update(network=[], predictions=[], end_to_end=[])


BAD = {
    "edited by hand": (_faster, "changed since it was written"),
    "not a number": (_not_a_number, "NaN is not a measured value"),
    "a clock that jumps": (_back_in_time, "did a clock jump?"),
    "an empty run": (_empty, "an empty run"),
    "another schema": (lambda table: table.update(schema_version=99), "schema_version 99"),
}


def _spoil(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    table = json.loads(path.read_text(encoding="utf-8"))
    change(table)
    path.write_text(json.dumps(table), encoding="utf-8")


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_that_was_named_is_refused(
    report: Report, pair: tuple[Path, Path], tmp_path: Path, kind: str
) -> None:
    change, message = BAD[kind]
    _spoil(pair[1], change)
    check_error(report(*pair), 1, pair[1].name, message)
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_of_the_workspace_is_an_invalid_row(
    report: Report, pair: tuple[Path, Path], tmp_path: Path, kind: str
) -> None:
    change, message = BAD[kind]
    _spoil(pair[1], change)
    status, _, err = report("--format", "html,csv")
    assert status == 0
    assert f"{pair[1].name}: refused and shown as INVALID: " in err
    assert message in err
    with (tmp_path / "reports" / "report-csv" / "refused.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["File"], row["Status"]) == (pair[1].name, "INVALID")
    assert message in row["Why"]
    page = (tmp_path / "reports" / "report.html").read_text(encoding="utf-8")
    assert "1 file refused." in page
    assert "Ship int8" not in page


def test_a_killed_process_is_an_invalid_row_and_no_advice(
    report: Report, make_result: Callable[..., Result], tmp_path: Path
) -> None:
    killed = (Gap(case="network", reason="the process was killed by SIGKILL", failed=True),)
    for result in (make_result("fp32"), make_result("int8", network=(), gaps=killed)):
        write_result(result, tmp_path / "results")
    assert report("--format", "csv")[0] == 0
    folder = tmp_path / "reports" / "report-csv"
    with (folder / "glance.csv").open(encoding="utf-8", newline="") as file:
        assert [row["Status"] for row in csv.DictReader(file)] == ["VALID", "INVALID"]
    with (folder / "verdict.csv").open(encoding="utf-8", newline="") as file:
        (verdict,) = csv.DictReader(file)
    assert (verdict["Ship"], verdict["Status"]) == ("no advice", "INVALID: int8")
    assert "killed by SIGKILL" in verdict["Why"]


def test_results_of_other_clips_are_not_compared_and_the_reason_is_told(
    report: Report, make_result: Callable[..., Result], tmp_path: Path
) -> None:
    other = make_result("int8")
    clips = tuple(replace(clip, tensors_sha256="ef" * 32) for clip in other.predictions)
    for result in (make_result("fp32"), replace(other, predictions=clips)):
        write_result(result, tmp_path / "results")
    assert report("--format", "md")[0] == 0
    text = (tmp_path / "reports" / "report.md").read_text(encoding="utf-8")
    section = text[text.index("## Against fp32") :]
    assert "not compared; clip clip-00: A and B were measured on different tensors" in section
    assert "accuracy not compared" in text[: text.index("## Against fp32")]

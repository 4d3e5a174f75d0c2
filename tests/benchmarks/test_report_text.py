import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edge_aver.benchmarks.front_end_results import FrontEndMeasurements
from edge_aver.benchmarks.report import write_reports
from edge_aver.benchmarks.results import Gap, Result
from edge_aver.benchmarks.stats import percentile
from edge_aver.spec import provenance_note


@pytest.fixture
def pair(make_result: Callable[..., Result]) -> list[Result]:
    return [make_result("fp32", scale=2.0), make_result("int8", end_to_end=())]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def test_csv_holds_every_digit_and_both_ends(pair: list[Result], tmp_path: Path) -> None:
    (folder,) = write_reports(pair, tmp_path / "report.html", formats=("csv",))
    assert folder == tmp_path / "report-csv"
    glance = rows(folder / "glance.csv")
    latencies = [value for run in pair[1].network for value in run.latency_s]
    assert glance[1]["Artifact"] == "sa int8, openvino-cpu"
    assert float(glance[1]["Network p50 (ms)"]) == 1e3 * percentile(latencies, 0.5)
    assert glance[1]["End to end p50 (ms)"] == ""
    assert float(glance[1]["Accuracy (%, 95 % interval)"]) == 100 * 52 / 64
    assert glance[1]["Accuracy (%, 95 % interval), low"].startswith("70.0")
    assert not (tmp_path / "report.html").exists()


def test_csv_takes_nothing_away_from_a_folder_that_was_there(pair: list[Result], tmp_path: Path) -> None:
    (tmp_path / "report-csv").mkdir()
    (tmp_path / "report-csv" / "mine.txt").write_text("kept")
    write_reports(pair, tmp_path / "report.html", formats=("csv",))
    assert (tmp_path / "report-csv" / "mine.txt").read_text() == "kept"


def test_a_spreadsheet_runs_nothing(make_result: Callable[..., Result], tmp_path: Path) -> None:
    result = make_result()
    evil = replace(result, executed_precisions={"=cmd": 3}, gaps=(Gap(case="x", reason="@evil", failed=True),))
    evil = replace(evil, spec=replace(evil.spec, architecture="=HYPERLINK(1)"))
    (folder,) = write_reports([evil], tmp_path / "report.html", formats=("csv",))
    for path in folder.iterdir():
        for row in rows(path):
            assert not any(cell.startswith(("=", "@", "+")) for cell in row.values())
    assert rows(folder / "glance.csv")[0]["Artifact"].startswith("'=HYPERLINK")


def test_markdown_holds_the_tables_notes_and_reasons(pair: list[Result], tmp_path: Path) -> None:
    failed = replace(pair[1], gaps=(Gap(case="network", reason="killed | by *hand*", failed=True),))
    written = write_reports(
        [pair[0], failed], tmp_path / "report.html", formats=("md",), refused=[("bad.json", "edited")]
    )
    text = written[0].read_text(encoding="utf-8")
    assert written == (tmp_path / "report.md",)
    assert f"> **{provenance_note('synthetic')}**" in text
    assert "| bad.json | INVALID | edited |" in text
    assert "| sa int8; openvino-cpu | INVALID; 1 reason, on top |" in text
    assert (
        "- INVALID, sa int8, openvino-cpu: network failed: killed | by *hand*".replace("|", r"\|").replace("*", r"\*")
        in text
    )
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert len(tables) > 20
    widths = {line.replace(r"\|", "").count("|") for line in tables if "Wrong to right" in line}
    assert widths == {8}


def test_front_ends_of_two_artifacts_share_a_file(
    front_end: FrontEndMeasurements, front_end_result: Callable[[FrontEndMeasurements], Result], tmp_path: Path
) -> None:
    first = front_end_result(front_end)
    second = replace(first, artifact=replace(first.artifact, precision="fp32"))
    (folder,) = write_reports([first, second], tmp_path / "report.html", formats=("csv",))
    found = rows(folder / "front-end.csv")
    assert {row["Of"] for row in found} == {"Front end of sa int8, openvino-cpu", "Front end of sa fp32, openvino-cpu"}
    assert {path.name for path in folder.iterdir()} == {"front-end.csv", "front-end-stages.csv"}


def test_the_same_results_give_the_same_bytes(pair: list[Result], tmp_path: Path) -> None:
    one = write_reports(pair, tmp_path / "a.html", formats=("md", "csv"))
    two = write_reports(pair, tmp_path / "b.html", formats=("md", "csv"))
    assert one[0].read_bytes() == two[0].read_bytes()
    assert {p.name: p.read_bytes() for p in one[1].iterdir()} == {p.name: p.read_bytes() for p in two[1].iterdir()}

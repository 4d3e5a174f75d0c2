"""A study's pages: every row with its reasons, what follows from it, honest about its weights, and fit to be opened."""

from dataclasses import replace

import pytest
from browser import chromium
from outcomes import check_error

from edge_aver import cli
from edge_aver.benchmarks.backbone_choice import load_published_backbones
from edge_aver.benchmarks.backbone_report import write_study_pages
from edge_aver.benchmarks.backbone_results import BackboneStudy, Cell, FerAccuracy, write_study
from edge_aver.benchmarks.machine import ProcessMemory, describe_machine
from edge_aver.benchmarks.runs import NetworkRun
from edge_aver.benchmarks.suites import load_suite
from edge_aver.models.fer_protocol import FerOutcome

PAPER = load_published_backbones()
OUTCOME = FerOutcome(
    correct=1200,
    total=3589,
    train_faces=2000,
    parameters=7_800_000,
    file_bytes=31_300_000,
    epochs=2,
    weights="random",
    frozen=False,
)


def memory(peak):
    return ProcessMemory(resident_bytes=peak, peak_bytes=peak)


def cell(network="MobileNet", precision="fp32", **changes):
    run = NetworkRun(latency_s=(0.0101, 0.0102, 0.0104) * 12, load_s=0.1, after_queries=memory(123_000_000))
    values = {
        "network": network,
        "target": "openvino-cpu",
        "precision": precision,
        "paper_parameters": 4_231_976,
        "parameters": 3_206_976,
        "file_bytes": 12_900_000,
        "executed_precisions": {"f32": 30, "i8": 3},
        "runs": (run,),
    }
    return Cell(**(values | changes))


def study(**changes):
    suite = replace(load_suite("backbones-trial"), min_duration_s=0.1)
    failed = cell("ConvNeXt Tiny", "int8", runs=(), file_bytes=None, failed=("the process <was> killed by SIGKILL",))
    made = BackboneStudy(
        suite=suite,
        machine=describe_machine(),
        tool_versions={"timm": "1"},
        started_utc="2026-11-25T01:02:03.004Z",
        faces="16 faces of FER2013's train part",
        faces_sha256="0" * 64,
        weights="random",
        cells=(cell(), cell(precision="int8"), failed),
        accuracies=(
            FerAccuracy(network="MobileNet", outcome=OUTCOME),
            FerAccuracy(network="EfficientNetV2-B0", outcome=replace(OUTCOME, correct=1000)),
            FerAccuracy(network="ConvNeXt Tiny", failed="took longer than the suite's 3600 s and was stopped"),
        ),
    )
    return replace(made, **changes)


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    return write_study_pages(study(), PAPER, tmp_path_factory.mktemp("reports") / "backbones.html")


def lines(path, start):
    return [line for line in path.read_text().splitlines() if line.startswith(start)]


def test_both_pages_are_written_beside_each_other(pages):
    assert [path.name for path in pages] == ["backbones.html", "backbones.md"]


def test_costs_stand_in_their_columns(pages):
    row = lines(pages[1], "| MobileNet | openvino-cpu | fp32 |")[0].split(" | ")
    assert row[3:9] == ["4.23", "3.21", "12.9", "10.2; 10.1 to 10.4", "36", "123"]
    assert row[9:] == ["30 f32, 3 i8", "VALID |"]


def test_what_failed_is_a_row_and_its_reason_stands_above(pages):
    row = lines(pages[1], "| ConvNeXt Tiny | openvino-cpu | int8 |")[0]
    assert "not measured" in row
    assert "INVALID" in row
    text = " ".join(pages[1].read_text().split())
    assert "INVALID, ConvNeXt Tiny int8 on openvino-cpu: the process \\<was\\> killed by SIGKILL" in text
    assert "ConvNeXt Tiny: not trained: took longer than the suite's 3600 s" in text
    assert "the process &lt;was&gt; killed" in pages[0].read_text()


def test_accuracies_are_ranked_judged_and_labelled(pages):
    text = pages[1].read_text()
    rows = text.partition("measured here\n")[2].splitlines()
    named = [row.split(" | ") for row in rows if row.startswith("| ") and "Backbone" not in row][:3]
    assert [row[0] for row in named] == [
        "| MobileNet; chosen",
        "| EfficientNetV2-B0",
        "| ConvNeXt Tiny; failed, see above",
    ]
    assert named[0][1] == "33.4; 31.6 to 35.3"
    assert [row[3] for row in named[:2]] == ["yes", "no"]
    assert "2 of 2 networks were trained from random weights, on at most 2,000 faces" in " ".join(text.split())
    assert "By accuracies measured here: Tied with MobileNet at 98 %: none. Best within 150 MB: MobileNet" in text


def test_without_training_the_papers_accuracies_lead(tmp_path):
    _, text = write_study_pages(study(accuracies=()), PAPER, tmp_path / "b.html")
    told = text.read_text()
    assert "No accuracy was measured here" in told
    assert "Best within 150 MB: EfficientNetV2-B0 (tied with the best)" in told.replace("\\", "")
    assert "measured here\n" not in told


def test_the_paper_is_quoted_with_its_conclusion(pages):
    assert len(lines(pages[1], "| ")) >= 16
    row = lines(pages[1], "| EfficientNetV2-B0; chosen | 70.0; 68.2 to 71.7 | 139.0 | yes | yes, the best |")
    assert len(row) == 1


def test_a_browser_shows_the_page_without_errors_or_requests(pages, tmp_path):
    with chromium(tmp_path / "profile") as page:
        for width in (360, 1280):
            page.open(pages[0], width=width)
            assert page.console == []
            assert page.ask("document.documentElement.scrollWidth") <= width
        assert page.ask("performance.getEntriesByType('resource').length") == 0
        assert page.ask("document.querySelectorAll('svg').length") == 2


def test_the_command_makes_the_pages_of_a_study_anew(tmp_path, capsys):
    path = write_study(study(), tmp_path / "results")
    page = tmp_path / "reports" / f"{path.stem}.html"
    write_study_pages(study(), PAPER, first := tmp_path / "first.html")
    assert cli._run(["report", str(path), "--workspace", str(tmp_path)]) == 0
    assert capsys.readouterr().out.split() == [str(page), str(page.with_suffix(".md"))]
    assert page.read_bytes() == first.read_bytes()


def test_a_study_is_not_mixed_with_results_of_artifacts(tmp_path, capsys):
    path, other = write_study(study(), tmp_path / "results"), tmp_path / "other.json"
    other.write_text("{}")
    status = cli._run(["report", str(path), str(other), "--workspace", str(tmp_path)])
    check_error((status, *capsys.readouterr()), 1, "has a report of its own; give it alone")


def test_an_edited_study_is_refused(tmp_path, capsys):
    path = write_study(study(), tmp_path / "results")
    path.write_text(path.read_text(encoding="utf-8").replace("0.0101", "0.0001"), encoding="utf-8")
    status = cli._run(["report", str(path), "--workspace", str(tmp_path)])
    check_error((status, *capsys.readouterr()), 1, "it was changed since it was written")

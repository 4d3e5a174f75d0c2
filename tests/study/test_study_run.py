"""A study of backbones: what is built, measured, resumed and refused, with real runtimes and a real small network."""

import json
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from edge_aver import cli, study
from edge_aver.benchmarks.backbone_choice import load_published_backbones
from edge_aver.benchmarks.backbone_results import BackboneStudy, FerAccuracy, read_study
from edge_aver.benchmarks.backbone_suite import StudyNetwork
from edge_aver.benchmarks.backbone_tables import conclusions, print_study
from edge_aver.benchmarks.suites import load_suite
from edge_aver.corpora.study_faces import StudyFaces
from edge_aver.errors import ArtifactError, DeclarationError, MeasurementError

SUITE = replace(
    load_suite("backbones"), network_queries=4, min_duration_s=0.0, processes=2, warmup_queries=1, timeout_s=300.0
)
NETWORK = StudyNetwork(name="MobileNet", timm="mobilenetv1_100")
FACES = StudyFaces(
    pixels=np.random.default_rng(0).integers(0, 255, (2, 224, 224, 3)).astype(np.uint8), origin="2 test faces"
)


def request(**changes):
    values = {"networks": (NETWORK,), "targets": ("openvino-cpu",), "precisions": ("fp32",), "faces": FACES}
    return study.StudyRequest(suite=SUITE, **(values | changes))


def answers(monkeypatch, failing=""):
    """Stand in for the processes; gives the names of the cases that were asked."""
    asked = []

    def ask(table, timeout_s):
        asked.append(f"{table['case']} {table.get('precision', '')}".strip())
        if table["case"] == failing:
            return {"error": "the process was killed by SIGKILL (out of memory?)"}
        if table["case"] == "build":
            return {"path": "x", "file_bytes": 12_000_000, "parameters": {"deployed": 3_000_000, "paper": 4_000_000}}
        return {"run": {"latency_s": [0.01, 0.02], "load_s": 0.1}, "executed_precisions": {"f32": 3}}

    monkeypatch.setattr(study, "_ask", ask)
    return asked


def test_a_study_is_written_and_read_back_as_it_was(tmp_path, monkeypatch):
    answers(monkeypatch)
    done, path = study.run_study(request(), results=tmp_path / "results", cache=tmp_path / "cache")
    assert read_study(path) == done
    assert path.parent == tmp_path / "results" / "backbones"
    (cell,) = done.cells
    assert (cell.parameters, cell.paper_parameters, cell.file_bytes) == (3_000_000, 4_000_000, 12_000_000)
    assert (cell.p50_s, cell.invalid(SUITE)) == (pytest.approx(0.015), ())
    assert not list((tmp_path / "cache" / "backbones").iterdir())
    table = json.loads(path.read_text())
    table["cells"][0]["file_bytes"] = 1
    path.write_text(json.dumps(table))
    with pytest.raises(ArtifactError, match="changed since it was written"):
        read_study(path)


def test_a_killed_study_goes_on_with_what_is_missing(tmp_path, monkeypatch):
    asked = answers(monkeypatch)
    places = {"results": tmp_path / "results", "cache": tmp_path / "cache"}
    ask, patience = study._ask, 2

    def dies(table, timeout_s):
        if len(asked) == patience:
            raise KeyboardInterrupt
        return ask(table, timeout_s)

    monkeypatch.setattr(study, "_ask", dies)
    with pytest.raises(KeyboardInterrupt):
        study.run_study(request(), **places)
    assert asked == ["build fp32", "measure"]
    patience = 99
    done, _ = study.run_study(request(), **places)
    assert asked == ["build fp32", "measure", "measure"]
    assert len(done.cells[0].runs) == 2


def test_what_fails_is_a_row_with_its_reason(tmp_path, monkeypatch):
    answers(monkeypatch, failing="build")
    done, _ = study.run_study(request(), results=tmp_path, cache=tmp_path)
    assert done.cells[0].failed == ("the process was killed by SIGKILL (out of memory?)",)
    text = printed(done)
    assert "INVALID, MobileNet fp32 on openvino-cpu: the process was killed by SIGKILL" in text


def printed(done: BackboneStudy) -> str:
    console = Console(file=StringIO(), width=160)
    print_study(console, done, load_published_backbones())
    return " ".join(console.file.getvalue().split())


def test_accuracies_measured_here_decide_before_the_papers(tmp_path, monkeypatch):
    answers(monkeypatch)
    done, _ = study.run_study(request(), results=tmp_path, cache=tmp_path)
    assert "best within 150 MB: MobileNet" in " ".join(conclusions(done, load_published_backbones()))
    measured = replace(
        done,
        accuracies=(
            FerAccuracy(network="a", correct=2500, total=3589, file_bytes=200_000_000),
            FerAccuracy(network="b", correct=2490, total=3589, file_bytes=100_000_000),
            FerAccuracy(network="c", failed="killed"),
        ),
    )
    (line,) = conclusions(measured, load_published_backbones())
    assert line.startswith("By accuracies measured here: Tied with a at 98 %: b.")
    assert line.endswith("Best within 150 MB: b (tied with the best).")


def test_made_up_faces_calibrate_nothing(tmp_path):
    stand_in = replace(FACES, real=False)
    with pytest.raises(MeasurementError, match="only real faces calibrate"):
        study.run_study(request(faces=stand_in, precisions=("fp32", "int8")), results=tmp_path, cache=tmp_path)


def test_the_suite_names_the_papers_networks_in_its_order():
    part = load_suite("backbones").backbones
    assert [item.name for item in part.networks] == [item.name for item in load_published_backbones().networks]
    assert [item.timm for item in part.named(("efficientnetv2-b0", "vgg16"))] == ["tf_efficientnetv2_b0", "vgg16"]
    with pytest.raises(DeclarationError, match="unknown backbone 'resnet18'"):
        part.named(("resnet18",))


def test_the_command_concludes_what_the_paper_does(tmp_path, capsys):
    arguments = ["benchmark", "--suite", "backbones", "--published", "--workspace", str(tmp_path), "--json", "-"]
    assert cli._run(arguments) == 0
    table = json.loads(capsys.readouterr().out)
    assert (table["best"], table["chosen"]) == ("ConvNeXt XLarge", "EfficientNetV2-B0")
    assert "EfficientNetV2-B0 (chosen)" in (tmp_path / "reports" / "backbones-published.svg").read_text()


@pytest.mark.parametrize(
    "options", [["--train"], ["--epochs", "2"], ["--arch", "sa"], ["--published", "--backbone", "VGG16"]]
)
def test_options_that_do_not_go_together_are_usage_errors(tmp_path, options):
    assert cli._run(["benchmark", "--suite", "backbones", *options, "--workspace", str(tmp_path)]) == 2


def test_options_of_the_study_are_refused_by_other_suites(tmp_path):
    assert cli._run(["benchmark", "--suite", "smoke", "--backbone", "VGG16", "--workspace", str(tmp_path)]) == 2


@pytest.mark.slow
def test_a_real_network_is_built_and_measured_at_both_precisions(tmp_path):
    both = {"targets": ("openvino-cpu", "onnxruntime-cpu"), "precisions": ("fp32", "int8"), "threads": 1}
    done, _ = study.run_study(request(**both), results=tmp_path / "results", cache=tmp_path / "cache")
    assert [cell.failed for cell in done.cells] == [()] * 4
    sizes = {(cell.target, cell.precision): cell.file_bytes for cell in done.cells}
    for target in both["targets"]:
        assert sizes[target, "int8"] < 0.4 * sizes[target, "fp32"]
    assert any("i8" in cell.executed_precisions for cell in done.cells if cell.precision == "int8")
    assert {cell.parameters for cell in done.cells} == {3_206_976}

"""A study of backbones: what is built, measured, resumed and refused, with real runtimes and a real small network."""

import json
from dataclasses import asdict, replace
from io import StringIO

import numpy as np
import pytest
from fer_faces import faces, write_csv
from rich.console import Console

from edge_aver import cli
from edge_aver.benchmarks.backbone_choice import load_published_backbones
from edge_aver.benchmarks.backbone_results import BackboneStudy, FerAccuracy, read_study
from edge_aver.benchmarks.backbone_suite import StudyNetwork
from edge_aver.benchmarks.backbone_tables import conclusions, print_study
from edge_aver.benchmarks.suites import load_suite
from edge_aver.corpora.study_faces import StudyFaces
from edge_aver.declarations import declaration_path
from edge_aver.errors import ArtifactError, DeclarationError, MeasurementError
from edge_aver.models.fer_protocol import FerOutcome
from edge_aver.study import cases, run
from edge_aver.study.request import StudyRequest, Training
from edge_aver.study.run import run_study

SUITE = replace(
    load_suite("backbones"), network_queries=4, min_duration_s=0.0, processes=2, warmup_queries=1, timeout_s=300.0
)
NETWORK = StudyNetwork(name="MobileNet", timm="mobilenetv1_100")
FACES = StudyFaces(
    pixels=np.random.default_rng(0).integers(0, 255, (2, 224, 224, 3)).astype(np.uint8), origin="2 test faces"
)
OUTCOME = FerOutcome(
    correct=2500,
    total=3589,
    train_faces=28709,
    parameters=25_000_000,
    file_bytes=100_000_000,
    epochs=3,
    weights="mobilenetv1_100.of_timm",
    frozen=False,
)


def request(**changes):
    values = {"networks": (NETWORK,), "targets": ("openvino-cpu",), "precisions": ("fp32",), "faces": FACES}
    return StudyRequest(suite=SUITE, **(values | changes))


def answers(monkeypatch, failing=""):
    """Stand in for the processes; gives the names of the cases that were asked."""
    asked = []

    def ask(table, timeout_s, heard=None):
        asked.append(f"{table['case']} {table.get('precision', '')}".strip())
        if table["case"] == failing:
            return {"error": "the process was killed by SIGKILL (out of memory?)"}
        if table["case"] == "fetch":
            return {"weights": "mobilenetv1_100.of_timm"}
        if table["case"] == "train":
            return asdict(OUTCOME)
        if table["case"] == "build":
            return {"path": "x", "file_bytes": 12_000_000, "parameters": {"deployed": 3_000_000, "paper": 4_000_000}}
        return {"run": {"latency_s": [0.01, 0.02], "load_s": 0.1}, "executed_precisions": {"f32": 3}}

    monkeypatch.setattr(cases, "ask_worker", ask)
    return asked


def test_a_study_is_written_and_read_back_as_it_was(tmp_path, monkeypatch):
    answers(monkeypatch)
    done, path = run_study(request(), results=tmp_path / "results", cache=tmp_path / "cache")
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
    ask, patience = cases.ask_worker, 2

    def dies(table, timeout_s, heard=None):
        if len(asked) == patience:
            raise KeyboardInterrupt
        return ask(table, timeout_s)

    monkeypatch.setattr(cases, "ask_worker", dies)
    with pytest.raises(KeyboardInterrupt):
        run_study(request(), **places)
    assert asked == ["build fp32", "measure"]
    patience = 99
    done, _ = run_study(request(), **places)
    assert asked == ["build fp32", "measure", "measure"]
    assert len(done.cells[0].runs) == 2


def training(path, **changes):
    return Training(data=path, plan=replace(SUITE.backbones.training, **changes))


def test_networks_are_trained_where_that_is_asked_for(tmp_path, monkeypatch):
    asked = answers(monkeypatch)
    data = write_csv(tmp_path / "f.csv", [])
    done, path = run_study(request(training=training(data)), results=tmp_path, cache=tmp_path)
    assert asked == ["fetch", "build fp32", "measure", "measure", "train"]
    assert done.accuracies == (FerAccuracy(network="MobileNet", outcome=OUTCOME),)
    assert read_study(path) == done
    assert "trained from mobilenetv1_100.of_timm weights, 3 epochs on 28,709 faces" in printed(done)


def test_weights_that_cannot_be_fetched_end_a_study_before_it_builds(tmp_path, monkeypatch):
    asked = answers(monkeypatch, failing="fetch")
    data = write_csv(tmp_path / "f.csv", [])
    with pytest.raises(MeasurementError, match="MobileNet cannot be trained: the process was killed"):
        run_study(request(training=training(data)), results=tmp_path, cache=tmp_path)
    assert asked == ["fetch"]


def test_random_weights_are_not_fetched_and_a_training_that_fails_is_a_row(tmp_path, monkeypatch):
    asked = answers(monkeypatch, failing="train")
    data = write_csv(tmp_path / "f.csv", [])
    done, _ = run_study(request(training=training(data, weights="random")), results=tmp_path, cache=tmp_path)
    assert "fetch" not in asked
    assert "MobileNet: not trained: the process was killed by SIGKILL" in printed(done)
    assert done.cells[0].failed == ()


def test_what_failed_is_tried_again_by_a_study_that_goes_on(tmp_path, monkeypatch, capsys):
    places = {"results": tmp_path / "results", "cache": tmp_path / "cache"}
    answers(monkeypatch, failing="measure")
    monkeypatch.setattr(run, "write_study", stops)
    with pytest.raises(KeyboardInterrupt):
        run_study(request(), **places)
    monkeypatch.undo()
    asked = answers(monkeypatch)
    done, _ = run_study(request(), **places)
    assert asked == ["measure", "measure"]
    assert "Going on with an interrupted study: 1 cases are done" in capsys.readouterr().err
    assert done.cells[0].failed == ()


def stops(*_):
    raise KeyboardInterrupt


def test_a_study_is_found_again_by_what_its_files_hold(tmp_path):
    data = write_csv(tmp_path / "f.csv", faces(7, 7))
    asked = request(training=training(data))
    moved = write_csv(tmp_path / "elsewhere" / "g.csv", faces(7, 7))
    changed = write_csv(tmp_path / "h.csv", faces(7, 7, seed=1))
    assert asked.key() == request(training=training(moved)).key()
    keys = {
        asked.key(),
        request().key(),
        request(training=training(changed)).key(),
        request(training=training(data, epochs=2)).key(),
        request(threads=1).key(),
        request(precisions=("int8",)).key(),
        request(faces=replace(FACES, pixels=FACES.pixels[:1])).key(),
    }
    assert len(keys) == 7


def test_a_suite_and_a_target_that_moved_are_the_same_and_changed_ones_are_not(tmp_path):
    found, keys = declaration_path("benchmarks/suites", "backbones").read_text(), []
    profile = declaration_path("targets/devices", "openvino-cpu").read_text()
    for name, budget in (("a", "150.0"), ("b", "150.0"), ("c", "99.0")):
        (tmp_path / f"{name}.toml").write_text(found.replace("budget_mb = 150.0", f"budget_mb = {budget}"))
        (tmp_path / name).mkdir()
        target = tmp_path / name / "mine.toml"
        target.write_text(profile)
        suite = load_suite(tmp_path / f"{name}.toml")
        keys.append(replace(request(), suite=suite, targets=(str(target),)).key())
    assert keys[0] == keys[1] != keys[2]
    before = replace(request(), targets=(str(target),)).key()
    target.write_text(profile.replace('title = "', 'title = "Another '))
    assert before != replace(request(), targets=(str(target),)).key()


def test_what_fails_is_a_row_with_its_reason(tmp_path, monkeypatch):
    answers(monkeypatch, failing="build")
    done, _ = run_study(request(), results=tmp_path, cache=tmp_path)
    assert done.cells[0].failed == ("the process was killed by SIGKILL (out of memory?)",)
    text = printed(done)
    assert "INVALID, MobileNet fp32 on openvino-cpu: the process was killed by SIGKILL" in text


def printed(done: BackboneStudy) -> str:
    console = Console(file=StringIO(), width=160)
    print_study(console, done, load_published_backbones())
    return " ".join(console.file.getvalue().split())


def test_accuracies_measured_here_decide_before_the_papers(tmp_path, monkeypatch):
    answers(monkeypatch)
    done, _ = run_study(request(), results=tmp_path, cache=tmp_path)
    assert "best within 150 MB: MobileNet" in " ".join(conclusions(done, load_published_backbones()))
    measured = replace(
        done,
        accuracies=(
            FerAccuracy(network="a", outcome=replace(OUTCOME, file_bytes=200_000_000)),
            FerAccuracy(network="b", outcome=replace(OUTCOME, correct=2490)),
            FerAccuracy(network="c", failed="killed"),
        ),
    )
    (line,) = conclusions(measured, load_published_backbones())
    assert line.startswith("By accuracies measured here: Tied with a at 98 %: b.")
    assert line.endswith("Best within 150 MB: b (tied with the best).")


def test_made_up_faces_calibrate_nothing(tmp_path):
    stand_in = replace(FACES, real=False)
    with pytest.raises(MeasurementError, match="only real faces calibrate"):
        run_study(request(faces=stand_in, precisions=("fp32", "int8")), results=tmp_path, cache=tmp_path)


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
    done, _ = run_study(request(**both), results=tmp_path / "results", cache=tmp_path / "cache")
    assert [cell.failed for cell in done.cells] == [()] * 4
    sizes = {(cell.target, cell.precision): cell.file_bytes for cell in done.cells}
    for target in both["targets"]:
        assert sizes[target, "int8"] < 0.4 * sizes[target, "fp32"]
    in_8_bits = {
        (cell.target, cell.precision): sum(cell.executed_precisions.get(name, 0) for name in ("i8", "u8", "uint8"))
        for cell in done.cells
    }
    for target in both["targets"]:
        assert in_8_bits[target, "int8"] > 20 + in_8_bits[target, "fp32"]
    assert {cell.parameters for cell in done.cells} == {3_206_976}

"""`benchmark`, `report` and `compare` on artifacts of a network that is not ours: its labels, features and clips."""

import importlib
import json
import shutil
import sys

import pytest

pytest.importorskip("nncf", reason="needs the extra that exports")
pytest.importorskip("onnxruntime")

from own_networks import write_network, write_store, write_weights

from edge_aver import cli
from edge_aver.benchmarks.conditions import check_applies
from edge_aver.errors import MeasurementError
from edge_aver.export.detector import ensure_detector

BODY = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hear = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU())
        self.judge = nn.Linear(16, 3)

    def forward(self, audio):
        return self.judge(self.hear(audio).mean(dim=1))


def network():
    return Net()
"""

TOML = """
inputs = ["audio"]
audio_features = 12
labels = ["neutral", "happy", "sad"]

[preprocessing]
frames = 8
face_size_px = 16
"""

SUITE = """
name = "tiny"
network_queries = 11
min_duration_s = 0.0
processes = 1
warmup_queries = 1
end_to_end_clips = 2
timeout_s = 120.0
seed = 1
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The folder of a workspace with fp32 and int8 for ONNX Runtime, the spec and a suite."""
    pytest.importorskip("facenet_pytorch", reason="the face detector's weights come with it")
    folder = tmp_path_factory.mktemp("own")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "path", [str(folder), *sys.path])
        importlib.invalidate_caches()
        toml, spec = write_network(folder, "overheard", BODY, TOML)
        weights = write_weights(folder, "overheard")
        (folder / "workspace" / "artifacts").mkdir(parents=True)
        ensure_detector(folder / "workspace" / "artifacts")
        write_store(folder / "workspace", spec, each=2)
        (folder / "tiny.toml").write_text(SUITE)
        words = ["export", "--model", "overheard:network", "--model-spec", str(toml), "--checkpoint", str(weights)]
        words += ["--precision", "fp32", "--precision", "int8", "--calibration-clips", "16"]
        assert cli._run([*words, "--target", "onnxruntime-cpu"]) == 0
    sys.modules.pop("overheard", None)
    return folder, spec


@pytest.fixture
def place(exported, monkeypatch):
    monkeypatch.chdir(exported[0])
    return exported[0]


def benchmark(*options):
    return cli._run(["benchmark", "--arch", "overheard", "--suite", "tiny.toml", *options])


def test_it_is_measured_reported_and_compared(place, capsys):
    assert benchmark("--json", "measured.json") == 0, capsys.readouterr().err
    printed = capsys.readouterr().out
    assert "M deployed" in printed
    assert "by paper" not in printed

    paths = sorted((place / "workspace" / "results").rglob("*.json"))
    results = {card["artifact"]["precision"]: card for card in map(lambda path: json.loads(path.read_text()), paths)}
    assert set(results) == {"fp32", "int8"}
    for card in results.values():
        predictions = card["predictions"]
        # Of the test actors' clips, those whose emotion the network can name.
        assert predictions
        assert {clip["label"] for clip in predictions} <= {"neutral", "happy", "sad"}
        assert {clip["actor"] for clip in predictions} <= {1, 2}
        assert all(len(clip["logits"]) == 3 for clip in predictions)
        assert len(card["network"][0]["latency_s"]) >= 11

    one, other = (str(path) for path in paths)
    assert cli._run(["compare", one, other, "--json", "verdict.json"]) == 0, capsys.readouterr().err
    assert json.loads((place / "verdict.json").read_text())["verdict"] in ("PASS", "FAIL", "INCONCLUSIVE")
    assert cli._run(["report", "--format", "md,csv"]) == 0, capsys.readouterr().err
    assert "overheard int8" in (place / "workspace" / "reports" / "report.md").read_text()


def test_a_condition_that_means_nothing_for_it_is_told_in_its_row(place, capsys):
    shutil.rmtree(place / "workspace" / "results", ignore_errors=True)
    assert benchmark("--precision", "fp32", "--modality", "both,visual") == 0

    said = capsys.readouterr()
    assert "overheard takes audio alone: faces alone tells nothing" in " ".join((said.out + said.err).split())
    assert "INVALID" in said.out


@pytest.mark.parametrize("condition", ["missing-faces-5"])
def test_missing_faces_are_counted_of_fifteen(exported, condition):
    from dataclasses import replace

    from edge_aver.spec import ModelSpec

    spec = ModelSpec(architecture="mine", corpus="synthetic", fold=1)
    check_applies(condition, spec)
    with pytest.raises(MeasurementError, match="mine looks at 8 frames; leave --missing-faces out"):
        check_applies(condition, replace(spec, preprocessing=exported[1].preprocessing))

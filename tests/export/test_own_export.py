"""Networks that are not ours, from `--model` to artifacts: shapes of their own, recipes, splits and refusals."""

import importlib
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from own_networks import write_network, write_store, write_weights

import edge_aver.runtime
from edge_aver import cli
from edge_aver.bundle import open_artifact
from edge_aver.corpora.store import PreparedStore, store_name
from edge_aver.errors import ArtifactError
from edge_aver.quantize import load_recipe

AUDIO = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(40)
        first, second = nn.Conv1d(40, 32, 3, padding=1), nn.Conv1d(32, 32, 3, padding=1)
        self.hear = nn.Sequential(first, nn.ReLU(), second, nn.ReLU())
        self.attend = nn.MultiheadAttention(32, 4, batch_first=True)
        self.classify = nn.Linear(32, 5)

    def forward(self, audio):
        heard = self.hear(self.norm(audio.transpose(1, 2))).transpose(1, 2)
        attended, _ = self.attend(heard, heard, heard, need_weights=False)
        return self.classify((heard + attended).mean(dim=1))


def network():
    return Net()
"""

AUDIO_TOML = """
inputs = ["audio"]
audio_features = 40
labels = ["neutral", "happy", "sad", "angry", "fearful"]

[preprocessing]
frames = 8
face_size_px = 16
"""

FACES = """
class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        first, second = nn.Conv2d(3, 8, 3, stride=4), nn.Conv2d(8, 16, 3, stride=4)
        self.layers = nn.Sequential(first, nn.BatchNorm2d(8), nn.ReLU(), second)

    def forward(self, frames):
        pixels = frames.permute(0, 3, 1, 2) / 255 - 0.5
        return self.layers(pixels).mean(dim=(2, 3))


class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(16)
        self.classify = nn.Linear(16, 8)

    def forward(self, features):
        return self.classify(self.norm(features).mean(dim=1))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.see = Encoder()
        self.judge = Head()

    def forward(self, faces):
        frames = faces.to(torch.float32).reshape(-1, 112, 112, 3)
        return self.judge(self.see(frames).reshape(-1, 8, 16))


def network():
    return Net()
"""

FACES_TOML = """
inputs = ["faces"]

[preprocessing]
frames = 8
face_size_px = 112
"""

RECIPE = """
name = "mine"
title = "A recipe of a stranger's"
default = "fp32"

[blocks]
"see.layers" = "int8"

[calibration]
clips = 4

[parity]
clips = 4
min_sqnr_db = {limit}
"""


@pytest.fixture
def place(tmp_path, monkeypatch, detectors):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(detectors, tmp_path / "workspace" / "artifacts")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    importlib.invalidate_caches()
    yield tmp_path
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def export(place, capsys):
    """Write a network, its weights and its clips, and run the command on it; gives its status and what it printed."""

    def run(name, body, toml, *options, precision=("--precision", "int8")):
        path, spec = write_network(place, name, body, toml)
        weights = write_weights(place, name)
        write_store(place / "workspace", spec)
        capsys.readouterr()
        words = ["export", "--model", f"{name}:network", "--model-spec", str(path), "--checkpoint", str(weights)]
        words += [*precision, "--calibration-clips", "6", *options]
        try:
            status = cli._run(words)
        except Exception as error:
            raise AssertionError(f"a traceback instead of a line: {error!r}") from error
        return status, capsys.readouterr()

    return run


def artifact(place, name):
    return place / "workspace" / "artifacts" / name


def logits_of(network, *inputs):
    with torch.inference_mode():
        return network(*map(torch.from_numpy, inputs)).numpy()


def loaded_network(name, place):
    network = importlib.import_module(name).network().eval()
    network.load_state_dict(torch.load(place / f"{name}.pt", weights_only=True))
    return network


@pytest.mark.parametrize("target", ["openvino-cpu", "onnxruntime-cpu"])
def test_audio_alone_with_features_and_labels_of_ones_own(place, export, target):
    pytest.importorskip(target.split("-")[0])
    status, said = export("heard", AUDIO, AUDIO_TOML, "--precision", "fp32", "--target", target)

    assert status == 0, said.err
    suffix = "openvino" if target == "openvino-cpu" else "onnx"
    path = artifact(place, f"aver-heard-synthetic-fold1-int8.{suffix}")
    spec = open_artifact(path).spec
    assert [(item.name, item.shape) for item in spec.inputs] == [("audio", ("batch", 8, 40))]
    assert set(spec.calibration.actors) <= set(range(9, 25))
    store = PreparedStore.open(place / "workspace" / "prepared" / store_name("synthetic", spec.preprocessing))
    audio = np.stack([store.load(record.id).audio for record in store.records()[:3]])
    wanted = logits_of(loaded_network("heard", place), audio)
    for precision, most in (("fp32", 1e-4), ("int8", 0.2)):
        with edge_aver.runtime.load(path.with_name(path.name.replace("int8", precision))) as model:
            got = model.predict_tensors(np.zeros((3, 0), np.uint8), audio)
            with pytest.raises(ArtifactError, match="takes audio of 8 x 40, which its preprocessing constants do not"):
                model.predict(b"whatever it is")
        assert got.shape == (3, 5)
        assert np.abs(got - wanted).max() < most * np.abs(wanted).max()


def test_only_weighted_operators_are_int8_and_the_first_behind_raw_features_are_not(place, export):
    onnx = pytest.importorskip("onnx")
    assert export("heard", AUDIO, AUDIO_TOML, "--target", "onnxruntime-cpu")[0] == 0

    graph = onnx.load(artifact(place, "aver-heard-synthetic-fold1-int8.onnx")).graph
    makers = {name: node for node in graph.node for name in node.output}
    constants = {item.name for item in graph.initializer}
    fed = {
        node.name: makers[node.input[0]].op_type == "DequantizeLinear"
        for node in graph.node
        if node.input and node.input[0] in makers and node.op_type not in ("QuantizeLinear", "DequantizeLinear")
    }
    assert not fed.get("hear.0/Conv_0", False), "raw features share one scale"
    assert fed["hear.2/Conv_0"]
    assert any(name.startswith("classify/") and value for name, value in fed.items())
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in makers:
            weight = makers[node.input[1]]
            if weight.op_type != "DequantizeLinear" or weight.input[0] not in constants:
                assert not fed.get(node.name), f"{node.name}: a product of two activations"


def test_what_needs_media_is_refused_for_features_that_no_front_end_makes(place, export, capsys):
    assert export("heard", AUDIO, AUDIO_TOML, "--target", "onnxruntime-cpu", precision=("--precision", "fp32"))[0] == 0
    path = artifact(place, "aver-heard-synthetic-fold1-fp32.onnx")

    assert cli._run(["verify", str(path)]) == 0
    capsys.readouterr()
    for words in (["bundle", str(path), "-o", "x.aver"], ["run", "clip.mp4", "--artifact", str(path)]):
        assert cli._run(words) == 1
        line = capsys.readouterr().err.strip().splitlines()[-1]
        assert "takes audio of 8 x 40" in line
    status, said = export("heard", AUDIO, AUDIO_TOML, "--target", "jetson-orin-nano")
    assert status == 1
    assert "no kit for jetson-orin-nano, whose device is held to golden clips: heard takes audio" in said.err


def test_faces_alone_in_two_parts_that_give_what_the_whole_gives(place, export):
    pytest.importorskip("openvino")
    status, said = export("seen", FACES, FACES_TOML, "--split", "encoder=see,fusion=judge")

    assert status == 0, said.err
    faces = np.random.default_rng(2).integers(0, 256, (2, 8, 112, 112, 3), dtype=np.uint8)
    for suffix in ("onnx", "openvino"):
        path = artifact(place, f"aver-seen-synthetic-fold1-int8.{suffix}")
        with edge_aver.runtime.load(path) as model:
            whole = model.predict_tensors(faces, np.zeros(0, np.float32))
        parts = [
            artifact(place, f"aver-seen-synthetic-fold1-int8.{part}.{suffix}") for part in ("frame_encoder", "fusion")
        ]
        cards = [open_artifact(part) for part in parts]
        assert [card.part for card in cards] == ["frame_encoder", "fusion"]
        module = edge_aver.targets.runtime_module(cards[0].runtime)
        with module.open_runner(parts[0]) as encoder, module.open_runner(parts[1]) as fusion:
            frames = faces.reshape(-1, 112, 112, 3)
            features = np.concatenate([encoder.infer({"faces": frames[i : i + 1]})["features"] for i in range(16)])
            got = fusion.infer({"features": features.reshape(2, 8, 16)})["logits"]
        np.testing.assert_allclose(got, whole, atol=2e-2 * np.abs(whole).max())


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "pixels = frames",
            "frames = frames - frames.mean(dim=0)\n        pixels = frames",
            "frames are not independent: see on one frame at a time differs by",
        ),
        (
            "frames = faces.to(torch.float32).reshape",
            "frames = (faces.to(torch.float32) - faces.to(torch.float32).mean(dim=1, keepdim=True)).reshape",
            "frames are not independent: see of frame 0 beside black ones differs by",
        ),
        (
            "self.judge(self.see(frames).reshape(-1, 8, 16))",
            "self.judge(self.see(frames).reshape(-1, 8, 16)) + faces.to(torch.float32).mean(dim=(1, 2, 3))[:, :1]",
            "the network on other faces, with the same features for judge, differs by",
        ),
        (
            "self.see(frames).reshape(-1, 8, 16)",
            "self.see(frames).reshape(-1, 8, 16).flip(1)",
            "judge is not given what see gives",
        ),
    ],
    ids=["inside", "before", "beside", "between"],
)
def test_frames_that_are_not_independent_are_refused_with_the_difference(place, export, old, new, said):
    assert old in FACES

    status, printed = export("seen", FACES.replace(old, new), FACES_TOML, "--split", "encoder=see,fusion=judge")

    assert status == 1
    assert said in printed.err
    assert not list((place / "workspace" / "artifacts").glob("aver-*"))


@pytest.mark.parametrize(
    ("split", "said"),
    [
        ("encoder=see", "expected encoder=MODULE,fusion=MODULE"),
        ("encoder=sea,fusion=judge", "the network has no module 'sea'; it has see, judge"),
        ("encoder=judge,fusion=see", "expected a row for each of its 8 frames"),
    ],
)
def test_parts_that_the_network_does_not_have_are_refused(export, split, said):
    status, printed = export("seen", FACES, FACES_TOML, "--split", split)

    assert (status, said in printed.err) == (1, True), printed.err


def test_a_recipe_of_ones_own_names_modules_by_their_paths(place, export):
    (place / "mine.toml").write_text(RECIPE.format(limit=10))

    status, said = export("seen", FACES, FACES_TOML, "--target", "onnxruntime-cpu", precision=("--recipe", "mine.toml"))

    assert status == 0, said.err
    assert "recipe mine on this network: int8 in see.layers; the rest in fp32" in said.err
    assert artifact(place, "aver-seen-synthetic-fold1-mine.onnx").is_file()


def test_a_parity_failure_names_the_childs_block(place, export):
    (place / "mine.toml").write_text(RECIPE.format(limit=150))

    status, said = export("seen", FACES, FACES_TOML, "--target", "onnxruntime-cpu", precision=("--recipe", "mine.toml"))

    assert status == 3
    assert "parity failed at step 'quantized'" in said.err
    assert "first diverging block: see" in said.err


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        (("--precision", "int8-mixed"), "recipe int8-mixed names stage5, of the paper's backbone"),
        (("--recipe", "mine.toml"), "unknown block 'hear'; of this network any module by its path (see, judge)"),
    ],
)
def test_a_recipe_for_another_network_is_refused(place, export, recipe, said):
    (place / "mine.toml").write_text(RECIPE.format(limit=10).replace('"see.layers"', "hear"))

    status, printed = export("seen", FACES, FACES_TOML, precision=recipe)

    assert (status, said in printed.err) == (1, True), printed.err


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("--arch", "sa"), 2, "give --arch, or --model"),
        (("--model-spec",), 2, "requires an argument"),
    ],
)
def test_options_that_do_not_go_together_are_usage_errors(capsys, words, status, said):
    assert cli._run(["export", "--precision", "int8", "--model", "a:b", *words]) == status
    assert said in capsys.readouterr().err


def test_a_store_with_other_constants_is_asked_for(place, capsys):
    path, _ = write_network(place, "seen", FACES, FACES_TOML)
    weights = write_weights(place, "seen")
    words = ["export", "--model", "seen:network", "--model-spec", str(path), "--checkpoint", str(weights)]

    assert cli._run([*words, "--precision", "int8"]) == 1
    line = capsys.readouterr().err.strip()
    assert "make them with: edge-aver prepare --corpus synthetic --model-spec TOML" in line


def test_tensors_of_other_shapes_than_the_spec_says_are_refused(place, export):
    status, said = export("heard", AUDIO, AUDIO_TOML, "--target", "onnxruntime-cpu", precision=("--precision", "fp32"))
    assert status == 0, said.err
    Path("heard.toml").write_text(Path("heard.toml").read_text().replace("= 40", "= 41"))

    words = ["export", "--model", "heard:network", "--model-spec", "heard.toml", "--checkpoint", "heard.pt"]
    status = cli._run([*words, "--precision", "fp32"])

    assert status == 1


def test_the_sidecar_says_where_the_network_came_from(place, export):
    assert export("seen", FACES, FACES_TOML, "--target", "onnxruntime-cpu", precision=("--precision", "fp32"))[0] == 0
    card = json.loads(artifact(place, "aver-seen-synthetic-fold1-fp32.onnx.json").read_text())

    assert card["spec"]["network"] == "seen:network"
    assert card["spec"]["preprocessing"]["face_size_px"] == 112
    assert load_recipe("fp32").name == card["precision"]

"""Networks that are not ours: how their factories are found, their weights read, and their faults told."""

import importlib
import importlib.metadata
import sys

import pytest
import torch
from own_networks import write_network, write_weights

from edge_aver.calibration.folds import load_fold
from edge_aver.errors import CheckpointError, ExportError
from edge_aver.export.trace import onnx_from_torch
from edge_aver.models.own import load_own

GOOD = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(40, 16), nn.ReLU())
        self.classify = nn.Linear(16, 5)

    def forward(self, audio):
        return self.classify(self.encode(audio).mean(dim=1))


def network():
    return Net()
"""

TOML = """
inputs = ["audio"]
audio_features = 40
labels = ["neutral", "happy", "sad", "angry", "fearful"]

[preprocessing]
frames = 8
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty current directory that modules are imported from, and forgotten with."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    known = set(sys.modules)
    importlib.invalidate_caches()
    yield tmp_path
    for name in set(sys.modules) - known:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]


def line_of(here, text):
    """Number of the first line of the stranger's file that holds a text."""
    lines = (here / "stranger.py").read_text().splitlines()
    return next(number for number, line in enumerate(lines, start=1) if text in line)


def load(here, body=GOOD, toml=TOML, *, name="stranger", model=None, weights=None):
    spec = write_network(here, name, body, toml)[1]
    sys.path.insert(0, str(here))
    fold = load_fold(spec.corpus, spec.fold)
    return load_own(model or f"{name}:network", weights or write_weights(here, name), spec, fold)


def test_a_factory_of_the_current_directory_gives_a_network_with_its_weights_and_the_folds_actors(here):
    loaded = load(here)

    assert not loaded.network.training
    assert loaded.spec.network == "stranger:network"
    assert loaded.spec.parameters.deployed == 40 * 16 + 16 + 16 * 5 + 5
    assert loaded.spec.test_actors == (1, 2, 3, 4)
    stored = torch.load(loaded.path, weights_only=True)
    assert all(torch.equal(value, stored[key]) for key, value in loaded.network.state_dict().items())


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("nowhere.at_all:network", "no module nowhere in the current directory"),
        ("stranger:nothing", "stranger has no nothing"),
        ("stranger:torch.pi", "is a float"),
        ("stranger:HEADER", "stranger has no HEADER"),
        ("stranger:needs", "calling it without arguments failed: TypeError"),
        ("stranger:gives_three", "gave a int, expected a torch.nn.Module"),
        ("stranger:stops", "in stops: SystemExit: 4"),
        (":network", "expected package.module:factory"),
        ("no-such-entry", "no entry point of edge_aver.models (installed:"),
    ],
)
def test_what_is_no_factory_is_refused_in_one_line(here, model, said):
    body = GOOD + "\n\ndef needs(width): ...\ndef stops(): raise SystemExit(4)\ndef gives_three(): return 3\n"

    with pytest.raises(ExportError) as caught:
        load(here, body, model=model)

    assert said in str(caught.value)


def test_a_module_that_fails_on_import_is_told_by_file_and_line(here):
    (here / "broken.py").write_text("import torch\n\nwidth = 1 / 0\n")
    (here / "needy.py").write_text("import a_library_that_nobody_has\n")
    (here / "unread.py").write_text("def network(:\n")

    for name, said in (
        ("broken", "broken.py:3 in <module>: ZeroDivisionError"),
        ("needy", "needy.py:1 in <module>: ModuleNotFoundError: No module named 'a_library_that_nobody_has'"),
        ("unread", "unread.py:1: SyntaxError"),
    ):
        with pytest.raises(ExportError) as caught:
            load(here, model=f"{name}:network")
        assert said in str(caught.value)


def test_an_entry_point_names_a_factory(here, monkeypatch):
    entry = importlib.metadata.EntryPoint(name="mine", value="stranger:network", group="edge_aver.models")
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda *, group: [entry] if "models" in group else [])

    assert load(here, model="mine").spec.network == "mine"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda state: state.pop("classify.bias"), "lacks tensor classify.bias"),
        (lambda state: state.update(more=torch.zeros(1)), "holds unknown tensor more"),
        (
            lambda state: state.update({"classify.weight": torch.zeros(5, 17)}),
            "tensor classify.weight has shape (5, 17), expected (5, 16)",
        ),
        (lambda state: state["classify.bias"].fill_(float("nan")), "tensor classify.bias holds NaN"),
    ],
)
def test_a_checkpoint_of_another_network_is_told_by_the_tensor(here, change, said):
    load(here)
    state = torch.load(here / "stranger.pt", weights_only=True)
    change(state)
    torch.save(state, here / "other.pt")

    with pytest.raises(CheckpointError, match="as stranger:network") as caught:
        load(here, weights=here / "other.pt")

    assert said in str(caught.value)


class Evil:
    def __reduce__(self):
        return (print, ("run",))


def test_a_pickle_of_code_is_never_run(here, capsys):
    torch.save({"classify.bias": Evil()}, here / "evil.pt")

    with pytest.raises(CheckpointError):
        load(here, weights=here / "evil.pt")

    assert "run" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("forward", "said"),
    [
        ("return self.encode(audio)", "forward gave (2, 8, 16) float32, expected logits (2, 5) float32: 5 labels"),
        ("return {'logits': audio}", "forward gave a dict"),
        (
            "return self.classify(self.encode(audio.transpose(1, 2)).mean(dim=1))",
            "stranger.py:LINE in forward: RuntimeError: mat1 and mat2 shapes cannot be multiplied",
        ),
        ("return self.missing(audio)", "stranger.py:LINE in forward: AttributeError"),
    ],
)
def test_a_forward_that_is_not_what_the_spec_says_is_told_with_the_shapes(here, forward, said):
    body = GOOD.replace("return self.classify(self.encode(audio).mean(dim=1))", forward)

    with pytest.raises(ExportError) as caught:
        load(here, body)

    assert said.replace("LINE", str(line_of(here, "forward(self") + 1)) in str(caught.value)
    assert "audio (2, 8, 40) float32" in str(caught.value)


DYNAMIC = """
class Gate(nn.Module):
    def forward(self, audio):
        if audio.mean() > 0:
            return audio
        return -audio


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.ModuleDict({"gate": Gate()})
        self.classify = nn.Linear(40, 5)

    def forward(self, audio):
        return self.classify(self.inner["gate"](audio).mean(dim=1))


def network():
    return Net()
"""


@pytest.mark.parametrize(
    ("body", "marked", "said"),
    [
        (DYNAMIC, "if audio", "stranger.py:LINE in forward (module inner.gate): PyTorch cannot trace the network"),
        (
            GOOD.replace("self.encode(audio).mean(dim=1)", "self.encode(audio).mean(dim=1).reshape(2, 16)"),
            "",
            "forward must take any number of clips, but fixes the batch",
        ),
        (
            GOOD.replace(
                "self.encode(audio).mean(dim=1)", "torch.linalg.eigvals(self.encode(audio)[:, :, :8]).real @ self.fit"
            ).replace("super().__init__()", "super().__init__()\n        self.fit = nn.Parameter(torch.ones(8, 16))"),
            "eigvals",
            "stranger.py:LINE in forward: PyTorch cannot trace the network to ONNX: DispatchError",
        ),
    ],
    ids=["control flow", "batch", "no ONNX operator"],
)
def test_a_network_that_cannot_be_traced_is_told_by_file_line_and_module(here, tmp_path, body, marked, said):
    loaded = load(here, body)

    with pytest.raises(ExportError) as caught:
        onnx_from_torch(loaded.network, tmp_path / "traced.onnx", loaded.spec)

    assert said.replace("LINE", str(line_of(here, marked))) in str(caught.value)
    assert not (tmp_path / "traced.onnx").exists()

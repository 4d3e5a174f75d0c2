"""The worked example of export/OWN_NETWORK.md: its code and commands, from `--model` to engines for every target."""

import importlib
import re
import shlex
import sys

import numpy as np
import pytest
import typer.main

from edge_aver import cli

pytest.importorskip("onnx", reason="needs the extra that exports")
torch = pytest.importorskip("torch")

from own_networks import write_store  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

import edge_aver.runtime  # noqa: E402
from edge_aver.bundle import open_artifact  # noqa: E402
from edge_aver.calibration.folds import FOLDS_FILE, read_folds  # noqa: E402
from edge_aver.errors import MissingLibraryError  # noqa: E402
from edge_aver.spec_file import load_spec  # noqa: E402
from edge_aver.targets import runtime_module  # noqa: E402

COMMANDS = typer.main.get_command(cli.app).commands


def documented(repository):
    return (repository / "export" / "OWN_NETWORK.md").read_text()


def commands(repository):
    blocks = re.findall(r"```console\n(.*?)```", documented(repository), re.DOTALL)
    return [shlex.split(line)[1:] for block in blocks for line in block.splitlines()]


@pytest.fixture
def example(repository, tmp_path, monkeypatch):
    """The example's files as the document has them, with random weights and drawn clips, in the current directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    text = documented(repository)
    (tmp_path / "iaf.py").write_text(re.search(r"`iaf.py`:\n\n```python\n(.*?)```", text, re.DOTALL)[1])
    (tmp_path / "iaf.toml").write_text(re.search(r"`iaf.toml`:\n\n```toml\n(.*?)```", text, re.DOTALL)[1])
    monkeypatch.syspath_prepend(str(tmp_path))
    torch.manual_seed(0)
    network = importlib.import_module("iaf").network().eval()
    save_file(network.state_dict(), tmp_path / "iaf.safetensors")
    write_store(tmp_path / "workspace", load_spec(tmp_path / "iaf.toml"))
    yield network
    sys.modules.pop("iaf", None)


def test_every_command_and_option_that_it_shows_exists(repository):
    lines = commands(repository)

    assert {words[0] for words in lines} == {"prepare", "export", "run"}
    for command, *words in lines:
        known = {option for parameter in COMMANDS[command].params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known


def test_its_exports_run_and_give_what_the_network_gives(repository, example, tmp_path, capsys):
    for library in ("openvino", "onnxruntime"):
        pytest.importorskip(library)
    exports = [words for words in commands(repository) if words[0] == "export"]
    assert len(exports) == 3
    for words in exports:
        if "rtx-4090" in words and not installed("tensorrt-rtx"):
            continue
        assert cli._run([*words, "--calibration-clips", "8"]) == 0, capsys.readouterr().err

    folder = tmp_path / "workspace" / "artifacts"
    random = np.random.default_rng(0)
    faces = random.integers(0, 256, (2, 15, 112, 112, 3), dtype=np.uint8)
    audio = random.normal(size=(2, 15, 128)).astype(np.float32)
    with torch.inference_mode():
        wanted = example(torch.from_numpy(faces), torch.from_numpy(audio)).numpy()
    for suffix in ("openvino", "onnx"):
        path = folder / f"aver-iaf-ravdess-fold1-int8.{suffix}"
        assert open_artifact(path).parity[-1]["sqnr_db"] >= 15
        with edge_aver.runtime.load(path) as model:
            got = model.predict_tensors(faces, audio)
        assert 0 < np.abs(got - wanted).max() < 0.25 * np.abs(wanted).max()
    if installed("tensorrt-rtx"):
        engine = open_artifact(folder / "aver-iaf-ravdess-fold1-int8.rtx-4090.engine")
        assert engine.build["layers"]["INT8"] > 0
        for part in ("frame_encoder", "fusion"):
            assert open_artifact(folder / f"aver-iaf-ravdess-fold1-fp16.rtx-4090.{part}.engine").part == part


def installed(runtime):
    try:
        runtime_module(runtime)
    except MissingLibraryError:
        return False
    return True


def test_prepare_makes_a_store_with_the_constants_of_a_spec_beside_the_papers(tmp_path, capsys):
    pytest.importorskip("facenet_pytorch", reason="needs the extra reference")
    from edge_aver.corpora.store import PreparedStore, store_name
    from edge_aver.corpora.synthetic import write_clip
    from edge_aver.corpora.synthetic.generate import MARKER

    data, place = tmp_path / "data", tmp_path / "workspace"
    data.mkdir()
    (data / MARKER).touch()
    for actor in (1, 2):
        write_clip(data / f"01-01-03-01-01-01-{actor:02}.mp4", actor=actor, emotion=2, intensity=2)
    toml = tmp_path / "small.toml"
    toml.write_text(
        'architecture = "small"\n[preprocessing]\nframes = 8\nface_size_px = 112\n'
        "n_mfcc = 6\nsegment_offsets = [-1, 0]\n"
    )

    words = ["prepare", "--corpus", "synthetic", "--data", str(data), "--model-spec", str(toml)]
    assert cli._run([*words, "--workspace", str(place)]) == 0, capsys.readouterr().err

    spec = load_spec(toml)
    store = PreparedStore.open(place / "prepared" / store_name("synthetic", spec.preprocessing), spec.preprocessing)
    clip = store.load(store.records()[0].id)
    assert (clip.faces.shape, clip.audio.shape) == ((8, 112, 112, 3), (8, 40))
    assert not (place / "prepared" / "synthetic").exists()


def test_clips_of_ones_own_have_a_store_with_the_constants_of_a_spec_and_the_same_folds(tmp_path, capsys):
    pytest.importorskip("facenet_pytorch", reason="needs the extra reference")
    from edge_aver.corpora.store import PreparedStore, store_name
    from edge_aver.corpora.synthetic import write_clip

    rows = ["path,label,subject"]
    for subject in range(1, 5):
        write_clip(tmp_path / f"{subject}.mp4", actor=subject, emotion=2, intensity=2)
        rows.append(f"{subject}.mp4,{('dull', 'keen')[subject % 2]},person {subject}")
    (tmp_path / "clips.csv").write_text("\n".join(rows) + "\n")
    toml, place = tmp_path / "small.toml", tmp_path / "workspace"
    toml.write_text('architecture = "small"\n[preprocessing]\nframes = 8\nface_size_px = 112\n')

    words = ["prepare", "--corpus", "manifest", "--data", str(tmp_path / "clips.csv"), "--name", "office"]
    words += ["--workspace", str(place)]
    assert cli._run([*words, "--folds", "4", "--seed", "3"]) == 0, capsys.readouterr().err
    assert cli._run([*words, "--model-spec", str(toml)]) == 0, capsys.readouterr().err

    spec = load_spec(toml)
    usual, own = place / "prepared" / "office", place / "prepared" / store_name("office", spec.preprocessing)
    store = PreparedStore.open(own, spec.preprocessing)
    assert store.labels == ("dull", "keen")
    assert {store.load(record.id).faces.shape for record in store.records()} == {(8, 112, 112, 3)}
    assert read_folds(own / FOLDS_FILE).folds == read_folds(usual / FOLDS_FILE).folds

"""One case from (kind, seed, index): what is made of it, how it is opened, and what came of that."""

import json
import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from io import StringIO
from pathlib import Path
from unittest import mock

import fuzz_mutators as mutators
import numpy as np
from bundles import foreign_zip
from fuzz_base import DECLARATIONS, FACES, members_of

from edge_aver import cli, runtime
from edge_aver.benchmarks.suites import load_suite
from edge_aver.bundle import find_artifacts, open_detector, write_bundle
from edge_aver.bundle.archive import write_archive
from edge_aver.calibration.folds import load_fold
from edge_aver.calibration.verify import verify_artifact
from edge_aver.errors import EdgeAverError
from edge_aver.media.clip import ClipTensors, FrontEnd
from edge_aver.media.decode import decode_speech, probe_duration_s
from edge_aver.media.front_end import ClipFrontEnd
from edge_aver.quantize import load_recipe
from edge_aver.runtime.front_end import fast_plan
from edge_aver.runtime.replay import verify_bundle
from edge_aver.spec import LABELS, Preprocessing
from edge_aver.targets import load_profile

KINDS = {"media": 5000, "bundles": 2000, "declarations": 1000}
"""How many cases there are of each; `make test` runs the first tenth."""

SEED = 20_260

CONSTANTS = Preprocessing()


def run_case(kind: str, seed: int, index: int, base: Path, place: Path) -> str:
    """Make the case in the empty folder `place` and open it.

    Returns:
        `valid` where something sound came of it, else the error's class.

    Raises:
        Exception: whatever a person should never see; AssertionError for a result that is not sound.
    """
    rng = random.Random(f"{kind} {seed} {index}")
    try:
        {"media": _media, "bundles": _bundle, "declarations": _declaration, **_MISDEEDS}[kind](rng, base, place)
    except EdgeAverError as error:
        _check_message(str(error))
        return type(error).__name__
    return "valid"


def _check_message(text: str) -> None:
    assert text.strip(), "an error without a message"
    assert text.isprintable(), f"a message with control characters: {text!r}"
    assert len(text) < 5000, f"a message of {len(text)} characters"


# Media


class _Middle:
    """A detector that costs nothing: the middle of every picture."""

    def detect(self, pictures):
        return [np.array([p.width / 4, p.height / 4, p.width / 1.5, p.height / 1.5], np.float32) for p in pictures]


@cache
def _media_files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@cache
def _front_end(artifacts: Path, *, real: bool) -> FrontEnd:
    detector = fast_plan(artifacts, "onnxruntime").load_detector(1) if real else _Middle()
    return ClipFrontEnd(CONSTANTS, detector, threads=1)


def _media(rng: random.Random, base: Path, place: Path) -> None:
    files = _media_files(base / "media")
    real = rng.random() < 0.1
    name = FACES if real else rng.choice(sorted(files))
    boxed = Path(name).suffix in (".mp4", ".mov")
    data = mutators.mutated_bytes(rng, files[name], list(files.values()), [mutators.edit_box] if boxed else [])
    path = place / name
    path.write_bytes(data)
    source = path if rng.random() < 0.7 else data
    way = rng.random()
    if way < 0.05:
        _, end_s = speech = decode_speech(source, CONSTANTS)
        assert speech[0].shape == (57_600,)
        assert np.isfinite(speech[0]).all()
        assert 0 <= end_s <= CONSTANTS.window_s
    elif way < 0.08:
        assert 0 <= probe_duration_s(source) < float("inf")
    elif way < 0.1:
        _run(["run", str(path), "--artifact", str(next((base / "artifacts").glob("*.onnx"))), "--threads", "1"])
    else:
        start_s = rng.choice((0.0,) * 8 + (0.5, 2.0, 3.9, 1e9))
        _check_tensors(_front_end(base / "artifacts", real=real)(source, start_s=start_s))


def _check_tensors(tensors: ClipTensors) -> None:
    assert (tensors.faces.shape, tensors.faces.dtype) == ((15, 224, 224, 3), np.uint8)
    assert (tensors.audio.shape, tensors.audio.dtype) == ((15, 128), np.float32)
    assert np.isfinite(tensors.audio).all()
    assert tensors.face_found.shape == (15,)


def _run(arguments: list[str]) -> None:
    """A command of edge-aver: it ends in a result, or in one line that says `error:`."""
    with mock.patch("sys.stdout", StringIO()) as out, mock.patch("sys.stderr", StringIO()) as errors:
        status = cli._run(arguments)
    if status == 0:
        assert out.getvalue()
        return
    lines = [line for line in errors.getvalue().splitlines() if line.startswith("error: ")]
    assert status in (1, 3), f"exit status {status}"
    if status == 1:
        assert len(lines) == 1, errors.getvalue()
        raise EdgeAverError(lines[0])
    raise EdgeAverError("a gate failed")


# Bundles


@cache
def _bundle_files(folder: Path) -> dict[str, tuple[bytes, dict[str, bytes]]]:
    return {path.name: (path.read_bytes(), members_of(path)) for path in sorted(folder.glob("*.aver"))}


def _bundle(rng: random.Random, base: Path, place: Path) -> None:
    files = _bundle_files(base / "bundles")
    name = "one.aver" if rng.random() < 0.8 else "both.aver"
    data, members = files[name]
    path = place / "x.aver"
    how = rng.random()
    if how < 0.5:
        path.write_bytes(mutators.mutated_bytes(rng, data, [b[0] for b in files.values()], [mutators.edit_record]))
    elif how < 0.6:
        listed, compression = mutators.foreign_members(rng, members)
        with mock.patch("warnings.warn"):
            foreign_zip(path, *listed, compression=compression)
    else:
        _rebuild(rng, path, members)
    _open_bundle(rng, base, path, honest=how >= 0.6)


def _rebuild(rng: random.Random, path: Path, members: dict[str, bytes]) -> None:
    """A bundle of hostile content whose hashes are all right; the networks are left as they are: they are code."""
    members = dict(members)
    text = members.pop("manifest.json")
    artifacts = tuple(json.loads(text)["artifacts"])
    if rng.random() < 0.2:
        write_archive(path, {"manifest.json": mutators.mutated_json(rng, text), **dict(sorted(members.items()))})
        return
    names = [name for name in members if not name.endswith((".onnx", "model.xml", "model.bin"))]
    names += [name for name in names if name.endswith(".json")] * 3
    name = rng.choice(names)
    change = mutators.mutated_json if name.endswith(".json") else mutators.mutated_bytes
    members[name] = change(rng, members[name])
    write_bundle(path, members, artifacts)


def _open_bundle(rng: random.Random, base: Path, path: Path, *, honest: bool) -> None:
    way = rng.random()
    if way < 0.1:
        verify_bundle(path, threads=1)
    elif way < 0.15:
        _run(["verify", str(path), "--threads", "1"])
    else:
        with runtime.load(path, threads=1) as model:
            _check_model(model)
            if way < 0.3:
                _check_prediction(model.predict(_media_files(base / "media")[FACES]))
    assert honest, "a bundle was taken though its bytes are not those that were written"


def _check_model(model: runtime.Model) -> None:
    faces = np.full((1, 15, 224, 224, 3), 99, np.uint8)
    logits = model.predict_tensors(faces, np.full((1, 15, 128), 0.5, np.float32))
    assert logits.shape == (1, len(LABELS))
    assert np.isfinite(logits).all()


def _check_prediction(prediction: runtime.Prediction) -> None:
    assert prediction.label in LABELS
    assert abs(sum(prediction.probabilities.values()) - 1) < 1e-6


# Sidecars and TOML


def _folds(name: str) -> None:
    load_fold("ravdess", 1, folds=name)


_LOADERS: dict[str, Callable[[str], object]] = dict(
    zip(DECLARATIONS, (load_suite, _folds, load_recipe, load_profile), strict=True)
)


def _declaration(rng: random.Random, base: Path, place: Path) -> None:
    if rng.random() < 0.5:
        kind = rng.choice(DECLARATIONS)
        source = rng.choice(sorted((base / "declarations" / kind).glob("*.toml")))
        path = place / source.name.replace(".toml", "-mine.toml")
        path.write_bytes(mutators.mutated_toml(rng, source.read_bytes()))
        _LOADERS[kind](str(path))
        return
    shutil.copytree(base / "artifacts", place / "artifacts", copy_function=lambda a, b: Path(b).hardlink_to(a))
    name = rng.choice(
        sorted(path.name for path in (base / "artifacts").glob("*.json")) * 2 + ["mtcnn.detector/detector.json"]
    )
    path = place / "artifacts" / name
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(mutators.mutated_json(rng, data))
    if path.name == "detector.json":
        open_detector(path.parent)
        return
    artifact = path.with_suffix("")
    way = rng.random()
    if way < 0.3:
        verify_artifact(artifact)
    elif way < 0.4:
        find_artifacts(path.parent, target="openvino-cpu")
    elif way < 0.5:
        _run(["verify", str(artifact)])
    elif way < 0.6:
        _run(["run", str(base / "media" / FACES), "--artifact", str(artifact), "--threads", "1"])
    else:
        with runtime.load(artifact, threads=1) as model:
            _check_model(model)
            _check_prediction(model.predict(base / "media" / FACES))


_MISDEEDS: dict[str, Callable[..., object]] = {
    "abort": lambda *_: os.abort(),
    "hang": lambda *_: time.sleep(600),
    "traceback": lambda *_: 1 / 0,
    "memory": lambda *_: np.ones(1 << 40, np.uint8),
    "write": lambda _, base, __: (base.parent / "escaped").write_text("x"),
    "leave": lambda *_: tempfile.mkdtemp(),
}
"""Not of the cases: what tests of the pool ask for."""


@contextmanager
def emptied(place: Path) -> Iterator[Path]:
    """A folder for one case, gone afterwards."""
    place.mkdir(parents=True)
    try:
        yield place
    finally:
        shutil.rmtree(place)

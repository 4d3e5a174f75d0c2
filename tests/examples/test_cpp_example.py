"""The example in C++: built by the commands it shows, run on a real bundle, a spoiled one, and one's own tensors."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the detector is exported on a workstation")
pytest.importorskip("facenet_pytorch", reason="carries the detector's weights: needs the extra reference")
pytest.importorskip("openvino", reason="openvino is not installed: its wheel has the headers and libraries")

from contract_tables import commands, contract_tables, told_member
from runtime_models import example_feed, expected_logits, tiny_artifact

from edge_aver.export.detector import ensure_detector
from edge_aver.runtime.make_bundle import make_bundle
from edge_aver.spec import LABELS

ARTIFACT = "aver-sa-synthetic-fold1-fp32.openvino"
BY_GCC, BY_CMAKE, USE = range(3)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A bundle, as `edge-aver bundle` makes it."""
    folder = tmp_path_factory.mktemp("artifacts")
    ensure_detector(folder)
    artifacts = [tiny_artifact(folder, target=target) for target in ("onnxruntime-cpu", "openvino-cpu")]
    make_bundle([item.path for item in artifacts], folder / "sa.aver")
    return folder / "sa.aver"


@pytest.fixture
def bundle(made, tmp_path):
    """The folder that it was unpacked to, which a test may spoil."""
    with zipfile.ZipFile(made) as whole:
        whole.extractall(tmp_path / "a folder" / "sa")
    return tmp_path / "a folder" / "sa"


def build(repository, folder, which, tool):
    if shutil.which(tool) is None:
        pytest.skip(f"no {tool} here to build the example with")
    if not (Path(importlib.util.find_spec("openvino").origin).parent / "include" / "openvino").is_dir():
        pytest.skip("this openvino comes without its C++ headers")
    (folder / "examples").symlink_to(repository / "examples")
    script = commands((repository / "examples" / "cpp" / "README.md").read_text())[which]
    # The python that the commands find is the one that runs these tests.
    (folder / "bin").mkdir()
    (folder / "bin" / "python3").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (folder / "bin" / "python3").chmod(0o755)
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-e", "-c", script], cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr
    return folder


@pytest.fixture(scope="module")
def program(repository, tmp_path_factory):
    return build(repository, tmp_path_factory.mktemp("a program"), BY_GCC, "g++") / "aver"


def run(program, *words, status=0):
    # No Python, and no path to libraries but the program's own.
    done = subprocess.run([program, *map(str, words)], capture_output=True, text=True, env={}, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    if status == 0:
        assert done.stderr == ""
    return done


def refused(program, *words, status=1):
    """The one line that a refusal is told in."""
    (line,) = run(program, *words, status=status).stderr.splitlines()
    return line


def read_clips(lines):
    """Label and probabilities by label of every clip that was printed."""
    clips = []
    for line in lines:
        if line.startswith("  "):
            label, value = line.split()
            clips[-1][1][label] = float(value)
        else:
            clips.append((line, {}))
    return clips


def assert_answers(clips, logits):
    assert len(clips) == len(logits)
    for (label, probabilities), row in zip(clips, logits.astype(np.float64), strict=True):
        wanted = np.exp(row - row.max()) / np.exp(row - row.max()).sum()
        assert label == LABELS[row.argmax()]
        assert tuple(probabilities) == LABELS
        np.testing.assert_allclose(list(probabilities.values()), wanted, atol=1e-3)


def golden_logits(bundle):
    told = json.loads((bundle / "golden" / "golden.json").read_text())["logits"][ARTIFACT]
    path = bundle / "golden" / told["file"]
    return path, np.fromfile(path, "<f4").reshape(told["shape"])


def change_json(path, change):
    table = json.loads(path.read_text())
    change(table)
    path.write_text(json.dumps(table))


def test_the_golden_clip_is_answered_as_expected(program, bundle):
    first, *rest = run(program, bundle).stdout.splitlines()
    assert first.startswith(f"ok: logits of {ARTIFACT}: largest difference ")
    assert_answers(read_clips(rest), golden_logits(bundle)[1])


def test_the_commands_of_use_do_what_they_say(program, made, bundle, repository, tmp_path):
    if shutil.which("unzip") is None:
        pytest.skip("no unzip here")
    for name in ("faces.bin", "audio.bin"):
        shutil.copy(bundle / "golden" / name, tmp_path)
    shutil.copy(made, tmp_path / "sa.aver")
    shutil.copy(program, tmp_path / "aver")
    script = commands((repository / "examples" / "cpp" / "README.md").read_text())[USE]
    done = subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    first, *rest = done.stdout.splitlines()
    assert first.startswith("ok: ")
    assert rest[: len(LABELS) + 1] == rest[len(LABELS) + 1 :]


def test_tensors_of_ones_own_are_answered_as_in_python(program, bundle, tmp_path):
    feed = example_feed(3)
    for name, values in feed.items():
        values.tofile(tmp_path / name)
    words = ("--faces", tmp_path / "faces", "--audio", tmp_path / "audio", "--artifact", ARTIFACT)
    assert_answers(read_clips(run(program, bundle, *words).stdout.splitlines()), expected_logits(feed))


@pytest.mark.parametrize("off", [0.01, np.nan, np.inf])
def test_logits_that_differ_end_in_three(program, bundle, off):
    path, logits = golden_logits(bundle)
    logits[0, 3] += off
    logits.tofile(path)
    assert refused(program, bundle, status=3).startswith(f"error: {bundle}: logits of {ARTIFACT} differ")


def test_a_golden_face_that_was_changed_ends_in_three(program, bundle):
    path = bundle / "golden" / "faces.bin"
    faces = np.fromfile(path, np.uint8)
    faces[: 224 * 224 * 3] = 0
    faces.tofile(path)
    refused(program, bundle, status=3)


@pytest.mark.parametrize(("factor", "status"), [(1.1, 0), (1.3, 3)])
def test_signal_to_noise_is_held_where_the_bundle_says_so(program, bundle, factor, status):
    """As an INT8 network's is: 20.8 dB are enough, 12.7 are not."""
    limits = {"max_abs_diff": None, "min_sqnr_db": 15.0}
    change_json(bundle / "golden" / "golden.json", lambda card: card["logits"][ARTIFACT].update(tolerance=limits))
    path, logits = golden_logits(bundle)
    (logits * np.float32(factor)).tofile(path)
    told = run(program, bundle, status=status).stdout.splitlines()[0]
    assert told.endswith(f"SQNR {20 * np.log10(factor / (factor - 1)):.1f} dB")


@pytest.mark.parametrize(
    "name",
    [
        *("manifest.json", "spec.json", "golden/golden.json", "golden/faces.bin", "golden/audio.bin"),
        *(f"artifacts/{ARTIFACT}/model.xml", f"artifacts/{ARTIFACT}/model.bin"),
    ],
)
def test_a_missing_file_is_named(program, bundle, name):
    (bundle / name).unlink()
    assert refused(program, bundle) == f"error: {bundle / name}: no such file"


@pytest.mark.parametrize("name", ["manifest.json", "spec.json", "golden/golden.json"])
@pytest.mark.parametrize(
    "text", ["", "{", "[" * 100_000, '{"format_version": 1}', '{"format_version": 1} x', '{"a": nul}']
)
def test_json_that_is_none_is_one_line(program, bundle, name, text):
    (bundle / name).write_text(text)
    assert refused(program, bundle).startswith("error: ")


@pytest.mark.parametrize("name", ["manifest.json", "spec.json", "golden/golden.json"])
def test_another_version_is_refused(program, bundle, name):
    change_json(bundle / name, lambda table: table.update(format_version=2))
    assert refused(program, bundle) == f"error: {bundle / name}: format_version 2, this program reads 1"


def test_a_network_that_openvino_cannot_read_is_one_line(program, bundle):
    (bundle / "artifacts" / ARTIFACT / "model.xml").write_text("<net")
    assert refused(program, bundle).startswith("error: ")


@pytest.mark.parametrize("spoil", ["too short", "empty", "other number"])
def test_tensors_of_another_size_are_one_line(program, bundle, tmp_path, spoil):
    sizes = {"too short": (2_257_919, 7_680), "empty": (0, 7_680), "other number": (2_257_920, 2 * 7_680)}[spoil]
    for name, size in zip(("faces", "audio"), sizes, strict=True):
        (tmp_path / name).write_bytes(bytes(size))
    line = refused(program, bundle, "--faces", tmp_path / "faces", "--audio", tmp_path / "audio")
    assert ("not of the same number of clips" if spoil == "other number" else "2257920 for each clip") in line


def test_an_artifact_that_is_not_for_openvino_is_refused(program, bundle):
    assert "no artifact for OpenVINO" in refused(program, bundle, "--artifact", ARTIFACT.replace("openvino", "onnx"))


@pytest.mark.parametrize("words", [(), ("--help",), ("a", "b"), ("a", "--faces", "b"), ("a", "--artifact")])
def test_a_wrong_call_ends_in_two(program, words):
    assert run(program, *words, status=2).stderr.startswith("usage: aver FOLDER")


def test_cmake_builds_it_too(repository, bundle, tmp_path):
    folder = tmp_path / "b y cmake"
    folder.mkdir()
    if shutil.which("g++") is None:
        pytest.skip("no compiler here that CMake would find")
    assert run(build(repository, folder, BY_CMAKE, "cmake") / "build" / "aver", bundle).stdout.startswith("ok: ")


def test_the_contract_tells_what_is_in_a_real_bundle(bundle):
    tables = contract_tables((bundle / "CONTRACT.md").read_text())
    names = [path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file()]
    assert not [name for name in names if not told_member(name, tables["member"])]
    told = {row[0]: [row[1], [int(size) for size in row[2].split(", ")]] for row in tables["tensor of dtype"]}
    card = json.loads((bundle / "golden" / "golden.json").read_text())["tensors"]
    assert told == {name: [item["dtype"], item["shape"]] for name, item in card.items()}

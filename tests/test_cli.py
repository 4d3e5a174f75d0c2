"""Every mistake a person can make at the command line: one clear line, the right exit status, nothing half-written."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from media_files import numbered, tone, write_media
from outcomes import check_error
from runtime_models import tiny_artifact

from edge_aver.benchmarks import measure
from edge_aver.commands import installed
from edge_aver.corpora.synthetic import write_clip
from edge_aver.export.detector import ensure_detector
from edge_aver.models.checkpoint import save_checkpoint
from edge_aver.models.network import build_network
from edge_aver.spec import ModelSpec

PICTURES = [np.repeat(np.repeat(numbered(i), 2, axis=0), 2, axis=1) for i in range(30)]


@pytest.fixture
def artifact(tmp_path):
    folder = tmp_path / "workspace" / "artifacts"
    folder.mkdir(parents=True)
    ensure_detector(folder)
    return tiny_artifact(folder, target="onnxruntime-cpu")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("checkpoint") / "aver-ca-synthetic-fold1.safetensors"
    save_checkpoint(path, build_network("ca"), ModelSpec(architecture="ca", corpus="synthetic", fold=1))
    return path


def bad_clips(folder):
    """One file for each way in which a media file can be no clip, by the word that its message must say."""
    whole = write_clip_file(folder / "whole.mp4")
    paths = {
        "no audio": write_media(folder / "silent.mp4", pictures=PICTURES),
        "no video": write_media(folder / "blind.mp4", sound=tone(1.2)),
        "no face": write_media(folder / "faceless.mp4", pictures=PICTURES, sound=tone(1.2)),
    }
    for word, content in (("not a", b"These are words."), ("empty", b""), ("truncated", whole.read_bytes()[:-9000])):
        paths[word] = folder / f"{word.replace(' ', '-')}.mp4"
        paths[word].write_bytes(content)
    whole.unlink()
    return paths


def write_clip_file(path):
    write_clip(path, actor=1, emotion=2)
    return path


@pytest.mark.parametrize("kind", ["not a", "empty", "truncated", "no audio", "no video", "no face"])
def test_run_refuses_what_is_no_clip(edge_aver, artifact, tmp_path, kind):
    path = bad_clips(tmp_path)[kind]

    outcome = edge_aver("run", path)

    check_error(outcome, 1, str(path))


def test_run_names_a_file_that_is_missing(edge_aver, artifact):
    check_error(edge_aver("run", "nowhere.mp4"), 1, "nowhere.mp4")


def test_one_bad_clip_never_stops_a_corpus(edge_aver, tmp_path):
    data = tmp_path / "data" / "Actor_01"
    data.mkdir(parents=True)
    write_clip(data / "01-01-03-01-01-01-01.mp4", actor=1, emotion=2)
    for number, path in enumerate(bad_clips(tmp_path).values(), start=1):
        path.rename(data / f"01-01-04-01-01-01-{number:02}.mp4")
    (data / "holiday.mp4").write_bytes(b"")

    status, out, err = edge_aver("prepare", "--corpus", "ravdess", "--data", data.parent, "--workers", "2")

    refused = [line for line in err.splitlines() if line.startswith("refused: ")]
    assert status == 0
    assert out == "1 clips prepared, 0 already there, 7 refused\n"
    assert len(refused) == 7
    assert any("holiday.mp4" in line and "modality" in line for line in refused)
    assert not list((tmp_path / "workspace").rglob(".writing-*"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("prepare", "--corpus", "ravdess", "--data", "empty"), ("empty", "no ")),
        (("prepare", "--corpus", "ravdess", "--data", "nowhere"), ("nowhere",)),
        (("prepare", "--corpus", "ravdess"), ("--data",)),
        (("train", "--arch", "sa"), ("ravdess", "edge-aver prepare")),
        (("train", "--arch", "sa", "--fold", "6", "--corpus", "synthetic"), ("--corpus synthetic",)),
        (("benchmark", "--precision", "int7"), ("int7", "edge-aver export")),
        (("export", "--arch", "sa", "--precision", "int8"), ("edge-aver train", "--checkpoint", "edge-aver demo")),
        (("benchmark",), ("edge-aver export",)),
        (("report",), ("edge-aver benchmark",)),
        (("run", "clip.mp4"), ("edge-aver export",)),
    ],
)
def test_what_is_not_there_is_named_with_the_way_to_get_it(edge_aver, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()

    check_error(edge_aver(*arguments), 1, *words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("export", "--arch", "sa", "--precision", "int4"), ("int4", "fp16, fp32, int8")),
        (("export", "--arch", "sa", "--precision", "int8", "--target", "tpu"), ("tpu", "openvino-cpu")),
        (("export", "--arch", "xl", "--precision", "int8"), ("xl", "ca, id, sa")),
        (("export", "--arch", "sa"), ("--precision",)),
        (("prepare", "--corpus", "imdb"), ("imdb", "ravdess")),
        (("benchmark", "--suite", "huge"), ("huge", "full, overhead, quick, smoke")),
        (("benchmark", "--modality", "both,smell"), ("smell", "both, audio, visual")),
        (("benchmark", "--missing-faces", "5,0"), ("'0'", "1 to 14")),
        (("benchmark", "--missing-faces", "few"), ("'few'", "1 to 14")),
        (("train", "--arch", "sa", "--fold", "zero"), ("--fold", "integer")),
        (("train",), ("--arch",)),
        (("run",), ("CLIP",)),
        (("run", "clip.mp4", "--artifact", "a.onnx", "--precision", "int8"), ("--artifact",)),
        (("fly",), ("fly",)),
        (("run", "clip.mp4", "--wings"), ("--wings",)),
    ],
)
def test_a_wrong_command_line_is_a_usage_error(edge_aver, arguments, words):
    check_error(edge_aver(*arguments), 2, *words, "--help")


def test_media_files_belong_to_the_suite_of_the_front_end(edge_aver, artifact, tmp_path):
    outcome = edge_aver("benchmark", "--suite", "smoke", "--data", tmp_path)
    check_error(outcome, 1, "smoke", "--data")
    check_error(edge_aver("benchmark", "--suite", "end-to-end", "--data", tmp_path / "nowhere"), 1, "no such folder")
    check_error(edge_aver("benchmark", "--suite", "end-to-end", "--data", tmp_path / "workspace"), 1, "no media files")


@pytest.mark.parametrize(
    ("options", "conditions"),
    [
        ((), ("both",)),
        (("--modality", "both,audio", "--modality", "visual"), ("both", "audio", "visual")),
        (("--missing-faces", "5,10"), ("both", "missing-faces-5", "missing-faces-10")),
        (("--modality", "audio", "--missing-faces", "5"), ("audio", "missing-faces-5")),
    ],
)
def test_conditions_are_lists_and_may_be_repeated(edge_aver, artifact, monkeypatch, options, conditions):
    asked = []
    monkeypatch.setattr(measure, "run_benchmark", lambda *_, **values: asked.append(values["conditions"]) or ())

    assert edge_aver("benchmark", "--json", "-", *options)[0] == 0
    assert asked == [conditions]


def test_a_checkpoint_of_another_architecture_is_refused(edge_aver, checkpoint):
    outcome = edge_aver("export", "--arch", "sa", "--precision", "int8", "--checkpoint", checkpoint)

    check_error(outcome, 1, checkpoint.name, "ca", "sa")


@pytest.mark.parametrize("damage", ["cut", "words", "empty", "missing"])
def test_a_corrupt_checkpoint_is_refused(edge_aver, checkpoint, tmp_path, damage):
    path = tmp_path / "weights.safetensors"
    contents = {"cut": checkpoint.read_bytes()[:-100], "words": b"These are words.", "empty": b""}
    if damage in contents:
        path.write_bytes(contents[damage])

    check_error(edge_aver("export", "--arch", "ca", "--precision", "int8", "--checkpoint", path), 1, path.name)


def test_a_recipe_with_a_slip_is_refused(edge_aver, checkpoint, tmp_path):
    recipe = tmp_path / "mine.toml"
    recipe.write_text('name = "mine"\ntitle = "t"\ndefault = "int8"\nblocs = 1\n')

    outcome = edge_aver("export", "--arch", "ca", "--recipe", recipe, "--checkpoint", checkpoint)

    check_error(outcome, 1, "mine.toml", "unknown key 'blocs'")


def test_a_read_only_workspace_is_named(edge_aver):
    check_error(edge_aver("prepare", "--corpus", "synthetic", "--workspace", "/proc/edge-aver"), 1, "/proc")


def test_a_full_disk_ends_in_one_line_and_nothing_half_written(edge_aver, artifact, tmp_path):
    """A file size limit stands for the full disk: a real write fails half-way, in a real process."""
    out = tmp_path / "prediction.json"
    clip = write_clip_file(tmp_path / "clip.mp4")
    command = [
        sys.executable,
        "-m",
        "edge_aver",
        "run",
        str(clip),
        "--artifact",
        str(artifact.path),
        "--json",
        str(out),
    ]

    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)),
    )

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert "File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert not out.exists()
    assert not list(tmp_path.glob(".writing-*"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_prepare_leaves_whole_clips_and_goes_on(edge_aver, tmp_path, number):
    data = tmp_path / "data"
    for actor in range(1, 7):
        write_clip(data / f"01-01-03-01-01-01-{actor:02}.mp4", actor=actor, emotion=2)
    command = ["prepare", "--corpus", "ravdess", "--data", str(data), "--workers", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "edge_aver", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    store = tmp_path / "workspace" / "prepared" / "ravdess"
    while not list((store / "clips").glob("*.npz")) and process.poll() is None:
        time.sleep(0.05)
    (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
    out, err = process.communicate(timeout=60)

    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[-1].startswith("error: interrupted")
    assert "Traceback" not in err
    assert not list(tmp_path.rglob(".writing-*"))
    status, out, _ = edge_aver(*command)
    assert status == 0
    prepared, reused = map(int, re.findall(r"\d+", out)[:2])
    assert reused >= 1
    assert prepared + reused == 6


def test_run_prints_label_probabilities_and_stages(edge_aver, artifact, tmp_path):
    clip = write_clip_file(tmp_path / "clip.mp4")

    status, out, _ = edge_aver("run", clip)
    quiet_status, quiet, _ = edge_aver("run", clip, "--json", "-")

    table = json.loads(quiet)
    assert (status, quiet_status) == (0, 0)
    assert table["label"] in out.splitlines()[0]
    assert sum(table["probabilities"].values()) == pytest.approx(1.0)
    assert list(table["stages_s"]) == ["audio", "decode", "faces", "network"]
    assert table["total_s"] > 0
    assert "Synthetic actors" in out
    assert "Synthetic actors" in table["note"]


def test_generated_clips_do_not_pass_for_recordings(edge_aver, tmp_path):
    folder = tmp_path / "clips"
    folder.mkdir()
    (folder / "SYNTHETIC.json").write_text("{}")

    check_error(edge_aver("prepare", "--corpus", "ravdess", "--data", folder), 1, "generated", "--corpus synthetic")
    (folder / "SYNTHETIC.json").unlink()
    check_error(edge_aver("prepare", "--corpus", "synthetic", "--data", folder), 1, "no clips that edge-aver generated")


def test_without_a_command_the_help_is_printed(edge_aver):
    status, out, err = edge_aver()

    assert (status, err) == (0, "")
    assert len(out.splitlines()) > 10
    assert "prepare" in out


def test_a_checkpoint_on_a_full_disk_is_an_error_of_the_disk(checkpoint, tmp_path):
    """A file size limit stands for the full disk, in a process of its own."""
    code = (
        "import resource, sys; from pathlib import Path;"
        "from edge_aver.models.checkpoint import load_checkpoint, save_checkpoint;"
        "read = load_checkpoint(Path(sys.argv[1]));"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000));"
        "save_checkpoint(Path(sys.argv[2]), read.network, read.spec)"
    )
    out = tmp_path / "weights.safetensors"

    done = subprocess.run(
        [sys.executable, "-c", code, str(checkpoint), str(out)], capture_output=True, text=True, check=False
    )

    assert "OSError: [Errno 27] File too large" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_version_targets_and_doctor(edge_aver):
    assert edge_aver("--version")[1].startswith("edge-aver 0.")
    assert "openvino-cpu" in edge_aver("targets")[1]
    state = json.loads(edge_aver("doctor", "--json", "-")[1])
    assert {need["activity"] for need in state["needs"]} == {"prepare", "train", "export", "report"}
    assert "8-bit dot products" in state["int8"]
    assert {target["target"] for target in state["targets"]} >= {"openvino-cpu", "onnxruntime-cpu"}


def test_a_bug_keeps_its_traceback(monkeypatch, edge_aver):
    monkeypatch.setattr(installed, "targets_table", lambda: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        edge_aver("targets")

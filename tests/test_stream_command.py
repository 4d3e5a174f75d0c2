"""Streams with real networks, real files and real time: equal to clips, and every mistake in one line."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from outcomes import check_error

pytest.importorskip("torch", reason="torch makes the network of this test")

from stream_fakes import CONSTANTS, GRID, WholePicture, slot_picture, slot_sound
from stream_models import split_artifacts

from edge_aver import cli, runtime
from edge_aver.bundle import part_path, sidecar_path
from edge_aver.corpora.synthetic import write_clip
from edge_aver.errors import ArtifactError
from edge_aver.media.audio import segments
from edge_aver.media.picture import Picture
from edge_aver.media.speech import speech_steps
from edge_aver.runtime.stream import StreamOptions, open_split, recognise_stream
from edge_aver.runtime.stream.clock import SystemClock
from edge_aver.runtime.stream.recogniser import Recogniser
from edge_aver.spec import LABELS

TARGETS = ("onnxruntime-cpu", "openvino-cpu")
CLIP = {"actor": 2, "emotion": 2, "intensity": 2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("workspace") / "artifacts"


@pytest.fixture(scope="module")
def artifacts(folder):
    folder.mkdir()
    return split_artifacts(folder)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("media") / "clip.mp4"
    write_clip(path, **CLIP)
    return path


@pytest.fixture
def edge_aver(artifacts, folder, capsys):
    def run(*arguments):
        status = cli._run([*map(str, arguments), "--workspace", str(folder.parent)])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def records(out, event="window"):
    return [table for table in map(json.loads, out.splitlines()) if table["event"] == event]


@pytest.mark.parametrize("target", TARGETS)
def test_given_the_same_crops_a_window_has_the_logits_of_the_clip(artifacts, target):
    chance = np.random.default_rng(5)
    crops = chance.integers(0, 256, (20, 224, 224, 3), dtype=np.uint8)
    sound = (0.1 * chance.standard_normal(20 * GRID.samples)).astype(np.float32)
    results = []
    with open_split(artifacts[target].path, threads=1) as network:
        stream = Recogniser(network, WholePicture(), hop_slots=1, clock=SystemClock())
        for j in range(20):
            stream.see(slot_picture(j, Picture.from_rgb(crops[j])))
            stream.hear(slot_sound(j, sound))
            results += stream.answers()
    assert len(results) == 6
    with runtime.load(artifacts[target].path) as model:
        for first, result in enumerate(results):
            speech = sound[first * GRID.samples :][: 15 * GRID.samples]
            audio = segments(speech_steps(speech, CONSTANTS), CONSTANTS)
            (logits,) = model.predict_tensors(crops[None, first : first + 15], audio[None])
            np.testing.assert_allclose(result.logits, logits, rtol=0, atol=1e-3)
            assert result.label == LABELS[int(logits.argmax())]


def test_a_file_at_real_speed(edge_aver, clip, tmp_path):
    began_s = time.monotonic()
    status, out, err = edge_aver("run", "--stream", clip, "--target", "openvino-cpu", "--hop", "0.48")
    assert status == 0
    assert time.monotonic() - began_s > 3.5
    (head,), (summary,), windows = records(out, "stream"), records(out, "summary"), records(out)
    assert head["hop_s"] == 0.48
    assert windows[0]["start_s"] == 0.0
    assert windows[0]["end_s"] == 3.6
    assert windows[0]["label"] in LABELS
    assert sum(windows[0]["probabilities"].values()) == pytest.approx(1.0, abs=1e-4)
    assert sum(windows[0]["face_found"]) >= 13
    assert summary["ended"] == "end"
    assert summary["windows"] == len(windows)
    assert summary["dropped"] == summary["late"] == summary["damaged"] == 0
    assert "Synthetic actors" in err
    assert err.splitlines()[-1].startswith("end after ")


def test_the_label_of_a_stream_is_that_of_the_clip(edge_aver, artifacts, clip):
    _, out, _ = edge_aver("run", "--stream", clip, "--target", "onnxruntime-cpu", "--hop", "3.6")
    with runtime.load(artifacts["onnxruntime-cpu"].path) as model:
        prediction = model.predict(clip)
    first = records(out)[0]
    assert first["label"] == prediction.label
    for label, value in prediction.probabilities.items():
        assert first["probabilities"][label] == pytest.approx(value, abs=0.05)


def test_an_annotated_video_and_a_file_of_records(edge_aver, clip, tmp_path):
    import av

    video, lines = tmp_path / "annotated.mp4", tmp_path / "records.jsonl"
    status, out, _ = edge_aver(
        "run", "--stream", clip, "--duration", 2.4, "--annotate", video, "--json", lines, "--precision", "fp32"
    )
    assert (status, out) == (0, "")
    (summary,), (window,) = records(lines.read_text(), "summary"), records(lines.read_text())
    assert summary["ended"] == "duration"
    assert window["padded"]
    with av.open(str(video)) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert float(container.streams.video[0].average_rate) == pytest.approx(25 / 6, abs=0.01)
    assert len(pictures) == 10
    green = (np.abs(pictures[5].astype(int) - (64, 220, 120)).max(axis=2) < 60).sum()
    assert green > 60
    assert not list(tmp_path.glob(".writing-*"))


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--stream", "x.mp4", "--hop", "0.25"], 2, ["--hop 0.25", "multiple of 0.24"]),
        (["--stream", "x.mp4", "--hop", "0"], 2, ["multiple of 0.24"]),
        (["clip.mp4", "--stream", "x.mp4"], 2, ["CLIP is not for --stream"]),
        (["clip.mp4", "--hop", "0.24"], 2, ["--hop is not for a clip"]),
        ([], 2, ["give CLIP, or --stream SOURCE"]),
        (["--stream", "x.mp4", "--annotate", "x.avi"], 2, ["ends in .mp4"]),
        (["--stream", "nowhere.mp4"], 1, ["nowhere.mp4", "cannot be opened"]),
        (["--stream", "rtsp://127.0.0.1:9/none", "--timeout", "1"], 1, ["cannot be opened"]),
        (["--stream", "x.mp4", "--artifact", "nowhere.openvino"], 1, ["no such artifact"]),
    ],
)
def test_mistakes_are_one_line(edge_aver, arguments, status, words):
    check_error(edge_aver("run", *arguments), status, *words)


def test_an_artifact_that_is_whole_alone_says_how_to_split_it(artifacts, tmp_path):
    whole = artifacts["onnxruntime-cpu"].path
    copy = tmp_path / whole.name
    shutil.copyfile(whole, copy)
    shutil.copyfile(sidecar_path(whole), sidecar_path(copy))
    command = "edge-aver export --arch sa --precision fp32 --target onnxruntime-cpu --split"
    with pytest.raises(ArtifactError, match=command):
        open_split(copy)


def test_a_part_of_another_network_is_refused(artifacts, tmp_path):
    whole = artifacts["onnxruntime-cpu"].path
    paths = [whole, part_path(whole, "frame_encoder"), part_path(whole, "fusion")]
    for path in paths:
        shutil.copyfile(path, tmp_path / path.name)
        text = sidecar_path(path).read_text()
        if path is paths[2]:
            text = text.replace('"fold": 1', '"fold": 2')
        sidecar_path(tmp_path / path.name).write_text(text)
    with pytest.raises(ArtifactError, match=r"fusion\.onnx: not the fusion of aver-sa"):
        open_split(tmp_path / whole.name)


def test_a_bundle_with_both_parts_streams_and_one_without_says_so(
    edge_aver, artifacts, clip, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("EDGE_AVER_CACHE", str(tmp_path / "cache"))
    whole = artifacts["openvino-cpu"].path
    parts = [part_path(whole, part) for part in ("frame_encoder", "fusion")]
    for name, paths in (("split", [whole, *parts]), ("whole", [whole])):
        assert cli._run(["bundle", *map(str, paths), "-o", str(tmp_path / f"{name}.aver")]) == 0
    assert cli._run(["verify", str(tmp_path / "split.aver")]) == 0
    capsys.readouterr()
    status, out, _ = edge_aver("run", "--stream", clip, "--bundle", tmp_path / "split.aver", "--duration", 1.2)
    assert (status, len(records(out))) == (0, 1)
    failed = edge_aver("run", "--stream", clip, "--bundle", tmp_path / "whole.aver")
    check_error(failed, 1, "holds no network in two parts", "--split")


def start(folder, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "edge_aver", "run", "--workspace", str(folder.parent), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def test_ctrl_c_ends_it_well(artifacts, folder, clip, tmp_path):
    video = tmp_path / "annotated.mp4"
    process = start(folder, "--stream", clip, "--hop", "0.24", "--annotate", video)
    first = process.stdout.readline()
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert json.loads(first)["event"] == "stream"
    assert process.returncode == 0
    assert records(out, "summary")[0]["ended"] == "interrupted"
    assert "Traceback" not in err
    assert video.is_file()


def test_a_pipe_that_stalls_ends_in_one_line_after_what_it_gave(artifacts, folder, tmp_path):
    from media_files import moving, tone, write_media

    media = write_media(tmp_path / "clip.ts", pictures=[moving(k) for k in range(150)], sound=tone(6.0))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    process = start(folder, "--stream", pipe, "--timeout", "2")
    with pipe.open("wb") as file:
        data = media.read_bytes()
        for at in range(0, len(data), 1 << 14):
            file.write(data[at : at + (1 << 14)])
            file.flush()
            time.sleep(0.02)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.splitlines()[-1].startswith(f"error: {pipe}: stalled: nothing came for 2 s")
    assert [table["event"] for table in map(json.loads, out.splitlines())][-2:] == ["stalled", "summary"]
    assert records(out, "summary")[0]["ended"] == "failed"
    assert records(out, "summary")[0]["frames"] > 50


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg sends the stream of this test")
def test_a_stream_over_udp(artifacts, clip):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["ffmpeg", "-v", "error", "-re", "-stream_loop", "4", "-i", str(clip), "-c:v", "libx264", "-preset"]
    command += ["ultrafast", "-g", "12", "-c:a", "aac", "-f", "mpegts", f"udp://127.0.0.1:{port}?pkt_size=1316"]
    found = []
    sender = subprocess.Popen(command)
    try:
        with open_split(artifacts["openvino-cpu"].path, threads=1) as network:
            summary = recognise_stream(
                f"udp://127.0.0.1:{port}",
                network,
                StreamOptions(duration_s=6.0, timeout_s=20.0),
                lambda event, fields: found.append((event, fields)),
            )
    finally:
        sender.kill()
        sender.wait()
    windows = [fields for event, fields in found if event == "window"]
    assert summary.ended == "duration"
    assert summary.windows == len(windows) >= 8
    assert sum(sum(fields["face_found"]) for fields in windows) > 8 * len(windows)
    assert {fields["sound"] for fields in windows} <= {"heard", "partial"}
    assert threading.active_count() < 6

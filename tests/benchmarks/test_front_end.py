"""Whole stacks and their agreement; the parts of people's libraries are replaced where they are not under test."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from media_files import numbered, read_number, tone, write_media
from runtime_models import tiny_artifact

from edge_aver import runtime
from edge_aver.benchmarks import front_end
from edge_aver.benchmarks.agreement import agreement_of
from edge_aver.benchmarks.front_end import compare_front_ends, time_ours, time_reference
from edge_aver.benchmarks.front_end_processes import run_fresh
from edge_aver.benchmarks.request import MediaClip, Request
from edge_aver.bundle import Artifact
from edge_aver.errors import ClipError, MeasurementError
from edge_aver.spec import LABELS, Preprocessing


@pytest.fixture
def clips(tmp_path: Path) -> tuple[MediaClip, ...]:
    """Three files that hold their own names; no stack under test here decodes them."""
    found = []
    for name in ("one", "two", "bad"):
        (tmp_path / f"{name}.mp4").write_text(name)
        found.append(MediaClip(id=name, path=str(tmp_path / f"{name}.mp4"), width_px=64, height_px=48, sha256=""))
    return tuple(found)


def _request(tiny: tuple[Artifact, Path], case: str, media: tuple[MediaClip, ...], **values: Any) -> Request:
    return Request(case=case, artifact=str(tiny[0].path), store=str(tiny[1]), threads=1, media=media, **values)


class _Stack:
    """Says what is in a file, and keeps what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    def __call__(self, data: bytes) -> tuple[str, Mapping[str, float]]:
        self.asked.append(data)
        if data == b"bad":
            raise ClipError("the clip: no face found in any of 15 frames")
        return data.decode(), {"decode": 0.25, "network": 0.5}


def test_every_clip_goes_through_every_stack_once_after_one_that_warms_up(
    tiny: tuple[Artifact, Path], clips: tuple[MediaClip, ...]
) -> None:
    stacks = {"ours": _Stack(), "reference_singly": _Stack()}
    rounds = front_end._rounds(stacks, _request(tiny, "ours", clips, seed=1))
    assert [item.stack for item in rounds] == ["ours", "reference_singly"]
    for item, stack in zip(rounds, stacks.values(), strict=True):
        assert {query.id: query.prediction for query in item.queries} == {"one": "one", "two": "two"}
        assert item.refused == {"bad": "the clip: no face found in any of 15 frames"}
        assert all(query.total_s > 0 for query in item.queries)
        assert stack.asked[0] == b"one", "one warms up"
        assert sorted(stack.asked[1:]) == [b"bad", b"one", b"two"]


def test_the_order_of_clips_is_seeded(tiny: tuple[Artifact, Path], clips: tuple[MediaClip, ...]) -> None:
    def order(seed: int) -> list[bytes]:
        stack = _Stack()
        front_end._rounds({"ours": stack}, _request(tiny, "ours", clips, seed=seed))
        return stack.asked[1:]

    assert order(3) == order(3)
    assert len({tuple(order(seed)) for seed in range(8)}) > 2


def test_a_clip_that_cannot_warm_up_leaves_it_to_the_next(
    tiny: tuple[Artifact, Path], clips: tuple[MediaClip, ...]
) -> None:
    (item,) = front_end._rounds({"ours": _Stack()}, _request(tiny, "ours", clips[::-1]))
    assert len(item.queries) == 2
    with pytest.raises(MeasurementError, match=r"no clip could be brought to a label; the last, bad: .*no face"):
        front_end._rounds({"ours": _Stack()}, _request(tiny, "ours", clips[2:]))
    with pytest.raises(MeasurementError, match="no media file"):
        front_end._rounds({"ours": _Stack()}, _request(tiny, "ours", ()))


def test_our_stack_takes_the_bytes_of_a_file(
    tiny: tuple[Artifact, Path], clips: tuple[MediaClip, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = SimpleNamespace(label="sad", stages_s={"faces": 0.5})
    monkeypatch.setattr(runtime.Model, "predict", lambda _, source: answer if isinstance(source, bytes) else None)
    (item,) = time_ours(_request(tiny, "ours", clips[:2])).rounds
    assert item.stack == "ours"
    assert {(query.prediction, query.stages_s["faces"]) for query in item.queries} == {("sad", 0.5)}


@pytest.mark.parametrize(("case", "perform"), [("reference", time_reference), ("parity", compare_front_ends)])
def test_without_facenet_nothing_is_compared(
    tiny: tuple[Artifact, Path],
    clips: tuple[MediaClip, ...],
    monkeypatch: pytest.MonkeyPatch,
    case: str,
    perform: Any,
) -> None:
    monkeypatch.setitem(sys.modules, "facenet_pytorch", None)
    answer = perform(_request(tiny, case, clips, checkpoint="weights"))
    assert "needs facenet_pytorch" in answer.not_measured
    assert "edge-aver[reference]" in answer.not_measured


def test_all_frames_are_compared_as_far_apart_as_samples_are(tmp_path: Path) -> None:
    """At 25 pictures a second a window samples every sixth; 97 pictures are one full block of 90 and seven more."""
    path = write_media(tmp_path / "clip.mp4", pictures=[numbered(index) for index in range(97)], sound=tone(3.9))
    groups = [[read_number(picture.rgb()) for picture in group] for group in front_end._groups(path, Preprocessing())]
    assert sorted(number for group in groups for number in group) == list(range(97))
    assert groups[0] == list(range(0, 90, 6))
    assert groups[5] == list(range(5, 90, 6))
    assert groups[6:] == [[90, 96], [91], [92], [93], [94], [95]]


def test_boxes_are_stored_for_frames_with_a_face_alone() -> None:
    boxes = [None, np.array([1.234, -5.0, 9.999, 20.0], dtype=np.float32), None]
    assert front_end._flags(boxes) == "010"
    assert front_end._rounded(boxes) == ((1.23, -5.0, 10.0, 20.0),)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[Artifact, Path, MediaClip]:
    """A tiny artifact with the real face detector beside it, a real (untrained) checkpoint, and a generated clip."""
    pytest.importorskip("facenet_pytorch", reason="carries the detector's weights")
    from edge_aver.corpora.synthetic import write_clip
    from edge_aver.export.detector import ensure_detector
    from edge_aver.models.checkpoint import save_checkpoint
    from edge_aver.models.network import build_network

    folder = tmp_path_factory.mktemp("real")
    artifact = tiny_artifact(folder, target="onnxruntime-cpu")
    ensure_detector(folder)
    save_checkpoint(folder / "net.safetensors", build_network("ca"), replace(artifact.spec, architecture="ca"))
    write_clip(folder / "clip.mp4", actor=1, emotion=2)
    clip = MediaClip(id="clip", path=str(folder / "clip.mp4"), width_px=320, height_px=240, sha256="")
    return artifact, folder / "net.safetensors", clip


def _asked(real: tuple[Artifact, Path, MediaClip], case: str) -> Request:
    artifact, checkpoint, clip = real
    return Request(
        case=case, artifact=str(artifact.path), store="", threads=2, media=(clip,), checkpoint=str(checkpoint)
    )


def test_real_stacks_bring_a_clip_to_a_label(real: tuple[Artifact, Path, MediaClip]) -> None:
    rounds = [*time_ours(_asked(real, "ours")).rounds, *time_reference(_asked(real, "reference")).rounds]
    assert [item.stack for item in rounds] == ["ours", "reference_together", "reference_singly"]
    for item in rounds:
        (query,) = item.queries
        assert query.prediction in LABELS
        assert list(query.stages_s) == ["decode", "faces", "audio", "network"]
        assert 0 < sum(query.stages_s.values()) <= query.total_s
    assert rounds[1].queries[0].prediction == rounds[2].queries[0].prediction


def test_real_front_ends_see_the_same_face_in_every_frame(real: tuple[Artifact, Path, MediaClip]) -> None:
    (clip,) = compare_front_ends(_asked(real, "front_end_parity")).clips
    with av.open(real[2].path) as container:
        frames = sum(1 for _ in container.decode(video=0))
    agreement = agreement_of([clip])
    assert agreement is not None
    assert agreement.frames == frames
    assert agreement.same_found > 0.9 * frames
    middle = agreement.iou(0.5)
    assert middle is not None
    assert middle > 0.8
    assert np.allclose(clip.logits, clip.reference_logits, atol=0.5)


def test_a_real_fresh_process_runs_the_artifact(real: tuple[Artifact, Path, MediaClip]) -> None:
    run = run_fresh(_asked(real, "fresh_run")).run
    assert {"numpy", "av", "onnxruntime"} <= set(run.modules)
    assert not {"torch", "torchvision", "librosa", "numba", "sklearn"} & set(run.modules)
    assert run.peak_bytes is not None
    assert run.wall_s > 0

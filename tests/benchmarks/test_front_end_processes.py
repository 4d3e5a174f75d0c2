from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from edge_aver.benchmarks import front_end_processes
from edge_aver.benchmarks.front_end_processes import run_fresh, scale_prepare
from edge_aver.benchmarks.request import MediaClip, Request
from edge_aver.bundle import Artifact
from edge_aver.errors import MeasurementError
from edge_aver.media.clip import ClipTensors
from edge_aver.spec import Preprocessing


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """Makes tensors of nothing, in worker processes too."""

    name: str = "fake"

    def load(self, constants: Preprocessing, threads: int | None) -> "_Plan":
        return self

    def __call__(self, source: Path | bytes, *, start_s: float = 0.0, end_s: float | None = None) -> ClipTensors:
        return ClipTensors(
            faces=np.zeros((15, 224, 224, 3), np.uint8),
            audio=np.zeros((15, 128), np.float32),
            face_found=np.ones(15, bool),
            stages_s={},
        )


def _request(artifact: Artifact, *media: MediaClip, queries: int = 0, rounds: int = 1) -> Request:
    return Request(
        case="fresh_run", artifact=str(artifact.path), store="", threads=1, media=media, queries=queries, rounds=rounds
    )


def test_a_process_tells_what_it_came_to_hold() -> None:
    wall_s, told = front_end_processes._watch(["--version"])
    assert {"edge_aver", "typer", "sys"} <= set(told["modules"])
    assert not {"torch", "librosa", "av"} & set(told["modules"])
    assert 10_000_000 < told["peak_bytes"] < 150_000_000
    assert wall_s > 0.05


def test_memory_of_this_process_is_not_counted() -> None:
    """getrusage's peak survives exec; what the process reads of itself does not."""
    ballast = np.ones(400_000_000, np.uint8)
    _, told = front_end_processes._watch(["--version"])
    assert told["peak_bytes"] < 200_000_000 < ballast.nbytes


def test_a_command_that_fails_is_no_run(tiny: tuple[Artifact, Path], tmp_path: Path) -> None:
    clip = MediaClip(id="clip", path=str(tmp_path / "clip.mp4"), width_px=1, height_px=1, sha256="")
    gone = replace(tiny[0], path=tmp_path / "gone.onnx")
    with pytest.raises(MeasurementError, match=r"edge-aver run ended with status 1: error: .*gone\.onnx: no such"):
        run_fresh(_request(gone, clip))
    with pytest.raises(MeasurementError, match="no media file"):
        run_fresh(_request(tiny[0]))


def test_one_and_two_workers_take_turns_on_the_same_clips(
    tiny: tuple[Artifact, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front_end_processes, "fast_plan", lambda folder, runtime: _Plan())
    runs = scale_prepare(_request(tiny[0], queries=2, rounds=2)).runs
    assert [run.workers for run in runs] == [1, 2, 1, 2]
    assert {run.clips for run in runs} == {2}
    assert all(run.wall_s > 0 for run in runs)

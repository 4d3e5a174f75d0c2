"""Engines beside other artifacts: what is taken by default, and what a person must vouch for."""

import os

import pytest

pytest.importorskip("onnx", reason="onnx builds the graphs of this test")

from runtime_models import tiny_artifact
from trt_graphs import NEEDS_RTX, engine_artifact

from edge_aver import cli, runtime
from edge_aver.bundle import find_artifacts, sidecar_path
from edge_aver.errors import ArtifactError, TargetError
from edge_aver.runtime.front_end import fast_plan
from edge_aver.runtime.trusted import trusted_artifact
from edge_aver.spec import LABELS
from edge_aver.targets import devices

pytestmark = NEEDS_RTX


@pytest.fixture
def no_gpu(monkeypatch):
    def none():
        raise TargetError("No NVIDIA driver")

    monkeypatch.setattr(devices, "cuda_device", none)


def test_an_engine_that_cannot_run_here_is_passed_over(tmp_path, no_gpu):
    onnx = tiny_artifact(tmp_path, target="onnxruntime-cpu").path
    os.utime(sidecar_path(onnx), (1000, 1000))
    engine = engine_artifact(tmp_path).path
    assert runtime.newest(tmp_path) == onnx
    assert runtime.newest(tmp_path, target="rtx-4090") == engine


def test_a_part_is_not_taken_for_the_network(tmp_path):
    engine_artifact(tmp_path, part="fusion")
    assert find_artifacts(tmp_path) == ()


def test_what_no_sidecar_describes_is_assumed_to_be_standard(tmp_path, capsys):
    path = engine_artifact(tmp_path).path
    assert trusted_artifact(path).precision == "fp16"
    sidecar_path(path).unlink()
    assumed = trusted_artifact(path)
    assert (assumed.runtime, assumed.spec.labels) == ("tensorrt-rtx", LABELS)
    assert "assumed" in capsys.readouterr().err


def test_trust_is_for_engines_that_are_there(tmp_path):
    with pytest.raises(ArtifactError, match="no such artifact"):
        trusted_artifact(tmp_path / "gone.engine")
    (tmp_path / "mine.onnx").write_bytes(b"x")
    with pytest.raises(ArtifactError, match="has no sidecar"):
        trusted_artifact(tmp_path / "mine.onnx")


def test_the_detector_of_an_engine_runs_on_the_cpu(tmp_path):
    assert fast_plan(tmp_path, "tensorrt-rtx").runtime in ("openvino", "onnxruntime")


def test_the_command_refuses_what_nobody_vouches_for(tmp_path, capsys):
    path = engine_artifact(tmp_path).path
    sidecar_path(path).unlink()
    assert cli._run(["run", "clip.mp4", "--artifact", str(path)]) == 1
    assert "has no sidecar" in capsys.readouterr().err
    assert cli._run(["run", "clip.mp4", "--trust"]) == 2
    assert "say which with --artifact" in capsys.readouterr().err

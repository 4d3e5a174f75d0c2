import json
import re
import shutil
import sys
from collections import namedtuple
from types import SimpleNamespace

import numpy as np
import pytest
from kits import tiny_golden, tiny_kit
from outcomes import check_error

from edge_aver import cli
from edge_aver.bundle import open_artifact
from edge_aver.bundle.kit import CLIP, block_key, tensor_key
from edge_aver.errors import ArtifactError, ParityError, TargetError
from edge_aver.runtime import build_kit as module
from edge_aver.runtime.build_kit import build_kit
from edge_aver.targets import runtime_module
from edge_aver.targets.cuda import CudaDevice, cuda_device
from edge_aver.targets.trt_build import built_platform

ENGINE = "aver-sa-synthetic-fold1-fp32.stand-in-tensorrt-rtx.engine"
GPU = CudaDevice(name="Made-up GPU", capability=(8, 7), memory_bytes=8 << 30, driver_cuda=(12, 6))


@pytest.fixture
def on_cpu(monkeypatch):
    """ONNX Runtime in the place of TensorRT and a GPU: what is built can be run, and so verified, here."""
    pytest.importorskip("onnxruntime", reason="the engines of these tests run in ONNX Runtime")
    real = runtime_module("onnxruntime")
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", SimpleNamespace(__version__="1.2.3"))
    builds = []

    def build(lowered, out, **options):
        builds.append(lowered.name)
        real.build(lowered, out, **options)
        return {"library": "tensorrt_rtx", "library_version": "1.2.3", "layers": {"FP32": 3}}

    Stand = namedtuple("Stand", "build open_runner suffix")
    monkeypatch.setattr(module, "runtime_module", lambda name: Stand(build, real.open_runner, ".engine"))
    monkeypatch.setattr(module, "cuda_device", lambda: GPU)
    return builds


def test_what_answers_as_expected_is_put_in_place_and_says_so(tmp_path, on_cpu):
    built = build_kit(tiny_kit(tmp_path), stand_in=True)
    assert built.not_verified is None
    assert built.checks[0].sqnr_db > 100
    engine = open_artifact(tmp_path / ENGINE)
    assert engine == built.engines[0]
    assert engine.build["verification"] == "passed"
    assert engine.build["verified"]["graph"] == CLIP
    assert on_cpu == ["clip.onnx"]
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(
    ("wrong", "guilty"),
    [
        ((tensor_key(CLIP, "logits"), block_key("colours")), r"first block that differs: colours \(layer picture: "),
        ((tensor_key(CLIP, "logits"),), r"first block that differs: none by itself"),
    ],
)
def test_what_differs_is_not_put_in_place_and_the_block_is_named(tmp_path, on_cpu, wrong, guilty):
    golden = {name: value * 1.01 if name in wrong else value for name, value in tiny_golden().items()}
    path = tiny_kit(tmp_path, golden=golden)
    with pytest.raises(ParityError, match=guilty) as caught:
        build_kit(path, stand_in=True)
    assert "signal to noise 40.1 dB (at least 60)" in str(caught.value)
    # Built a second time, with the blocks' tensors as outputs, because the check failed.
    assert on_cpu == ["clip.onnx", "clip.onnx"]
    assert sorted(item.name for item in tmp_path.iterdir()) == [path.name, f"{path.name}.json"]


def test_an_answer_that_is_not_finite_differs(tmp_path, on_cpu):
    golden = tiny_golden()
    golden[tensor_key(CLIP, "audio")] = np.full_like(golden[tensor_key(CLIP, "audio")], np.inf)
    with pytest.raises(ParityError, match="signal to noise -300"):
        build_kit(tiny_kit(tmp_path, golden=golden), stand_in=True)


def test_engines_of_the_very_kit_are_kept_and_others_built_anew(tmp_path, on_cpu):
    path = tiny_kit(tmp_path)
    build_kit(path, stand_in=True)
    assert build_kit(path, stand_in=True, reuse=True).reused
    assert on_cpu == ["clip.onnx"]
    (tmp_path / ENGINE).write_bytes(b"changed")
    assert not build_kit(path, stand_in=True, reuse=True).reused
    shutil.rmtree(path)
    tiny_kit(tmp_path, workspace_mb=9.0)
    assert not build_kit(path, stand_in=True, reuse=True).reused
    assert len(on_cpu) == 3


@pytest.fixture
def rtx():
    return pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX is not installed")


def test_a_stand_in_builds_without_a_gpu_and_does_not_look_verified(tmp_path, rtx, capsys, monkeypatch):
    def no_gpu():
        raise TargetError("no NVIDIA driver")

    monkeypatch.setattr(module, "cuda_device", no_gpu)
    path = tiny_kit(tmp_path)
    assert cli._run(["build", str(path), "--stand-in"]) == 4
    out, err = capsys.readouterr()
    assert out.startswith("STAND-IN: TensorRT-RTX in place of TensorRT; no Jetson runs these engines\n")
    assert "error: built, NOT verified: not measured: no GPU here (no NVIDIA driver)" in err
    engine = open_artifact(tmp_path / ENGINE)
    assert (engine.target, engine.runtime) == ("stand-in-tensorrt-rtx", "tensorrt-rtx")
    assert engine.build["verification"].startswith("not measured: no GPU here")
    assert engine.build["stand_in"] is True
    assert engine.build["compute_capabilities"] == ["8.6"]
    assert not [item for item in tmp_path.iterdir() if "jetson" in item.name and "engine" in item.name]
    # Not verified, so a later build does not keep it.
    assert not build_kit(path, stand_in=True, reuse=True).reused


def test_tensorrt_takes_the_inner_tensors_as_outputs(tmp_path, rtx):
    from dataclasses import replace

    from edge_aver.bundle import open_kit
    from edge_aver.declarations import parse
    from edge_aver.targets import DeviceProfile
    from edge_aver.targets.onnx_bytes import extra_outputs
    from edge_aver.targets.trt_build import build_plan

    path = tiny_kit(tmp_path)
    _, kit = open_kit(path)
    profile = replace(parse(DeviceProfile, kit.profile, where="kit"), compute_capabilities=("8.6",))
    marked = tmp_path / "marked.onnx"
    blocks = {block.tensor: block.dtype for block in kit.graphs[0].blocks}
    marked.write_bytes((path / "clip.onnx").read_bytes() + extra_outputs(blocks))
    plain, more = (build_plan(rtx, source, profile).plan for source in (path / "clip.onnx", marked))
    assert more.count(b"picture") > plain.count(b"picture")


@pytest.fixture
def jetson(monkeypatch, tmp_path_factory):
    """A machine that looks like the kit's device: processor, TensorRT of a version, GPU."""

    def make(*, version="10.3.0", capability=(8, 7), gpu=True):
        folder = tmp_path_factory.mktemp("libraries")
        (folder / "tensorrt").mkdir()
        (folder / "tensorrt" / "__init__.py").write_text(f"__version__ = {version!r}\n")
        monkeypatch.syspath_prepend(str(folder))
        monkeypatch.delitem(sys.modules, "tensorrt", raising=False)
        monkeypatch.setattr(module, "built_platform", lambda: "linux-aarch64")
        device = CudaDevice(name="Made-up GPU", capability=capability, memory_bytes=1, driver_cuda=(12, 6))
        if gpu:
            monkeypatch.setattr(module, "cuda_device", lambda: device)

    yield make
    sys.modules.pop("tensorrt", None)


def test_another_processor_is_refused(tmp_path):
    with pytest.raises(TargetError, match=rf"is for jetson-orin-nano \(linux-riscv\), this is {built_platform()}"):
        build_kit(tiny_kit(tmp_path, built_on="linux-riscv"))


def test_a_missing_tensorrt_is_told_with_how_to_have_it(tmp_path, monkeypatch):
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(TargetError, match=r"JetPack brings it .* --system-site-packages"):
        build_kit(tiny_kit(tmp_path, built_on=built_platform()))


@pytest.mark.parametrize("version", ["8.6.2", "10.2.1", "11.0.0"])
def test_a_version_outside_the_kits_range_is_refused(tmp_path, jetson, version):
    jetson(version=version)
    with pytest.raises(TargetError, match=rf">=10\.3,<11; {version} is installed here"):
        build_kit(tiny_kit(tmp_path))


def test_another_gpu_is_refused(tmp_path, jetson):
    jetson(capability=(11, 0))
    with pytest.raises(TargetError, match=r"compute capability 8\.7\), this is Made-up GPU \(11\.0\)"):
        build_kit(tiny_kit(tmp_path))


def test_a_device_without_a_driver_is_told_so(tmp_path, jetson):
    try:
        cuda_device()
    except TargetError as error:
        jetson(gpu=False)
        with pytest.raises(TargetError, match=re.escape(str(error))):
            build_kit(tiny_kit(tmp_path))
    else:
        pytest.skip("there is a driver here")


def test_a_full_disk_is_refused_before_the_build(tmp_path, monkeypatch, on_cpu):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: usage(10, 9, 1))
    with pytest.raises(TargetError, match=r"0 MB free, building takes \d+ MB; make room"):
        build_kit(tiny_kit(tmp_path), stand_in=True)
    assert on_cpu == []


def test_a_disk_that_fills_up_meanwhile_leaves_nothing(tmp_path, on_cpu, monkeypatch, capsys):
    path = tiny_kit(tmp_path)

    def full(*arguments, **options):
        raise OSError(28, "No space left on device", "engine")

    monkeypatch.setattr(module, "check_graph", full)
    assert cli._run(["build", str(path), "--stand-in"]) == 1
    assert "error: engine: No space left on device" in capsys.readouterr().err
    assert sorted(item.name for item in tmp_path.iterdir()) == [path.name, f"{path.name}.json"]


def test_a_profile_from_a_later_version_is_told_so(tmp_path):
    with pytest.raises(ArtifactError, match="this edge-aver is older than the kit's"):
        build_kit(tiny_kit(tmp_path, power="lots"))


def test_mistakes_end_in_one_line(tmp_path, capsys):
    status = cli._run(["build", str(tmp_path / "x.kit")])
    check_error((status, *capsys.readouterr()), 1, "no such kit")


def test_the_result_as_json(tmp_path, on_cpu, capsys):
    assert cli._run(["build", str(tiny_kit(tmp_path)), "--stand-in", "--json", "-"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert (table["verified"], table["stand_in"], table["reused"]) == (True, True, False)
    assert table["checks"][0]["graph"] == CLIP

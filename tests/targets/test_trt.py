"""Real engines of small graphs, compiled without a GPU, and everything that is refused before one is loaded."""

import json
from dataclasses import replace

import pytest

pytest.importorskip("onnx", reason="onnx builds the graphs of this test")

from trt_graphs import NEEDS_RTX, engine_artifact, small_graph

from edge_aver.bundle import sidecar_path
from edge_aver.errors import EdgeAverError, TargetError
from edge_aver.files import sha256_file
from edge_aver.targets import load_profile, runtime_module, trt, trt_process
from edge_aver.targets.trt_check import check_device, check_plan, read_plan
from edge_aver.targets.trt_header import read_header

pytestmark = NEEDS_RTX

RTX = {"rtx-2080": ("7.5",), "rtx-3090": ("8.6",), "rtx-4090": ("8.9",), "rtx-5090": ("12.0",)}
VERSION = "1.7.1.116"
REBUILD = "rebuild it: edge-aver export --arch sa --precision fp16 --corpus synthetic --fold 1 --target"


class Library:
    """What is asked of the library before it sees an engine."""

    def __init__(self, version):
        self.__name__, self.__version__ = "tensorrt_rtx", version


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """An artifact with a real engine for Ada."""
    return engine_artifact(tmp_path_factory.mktemp("engine"))


@pytest.fixture
def copy(engine, tmp_path):
    """The artifact once more, to be spoiled."""
    path = tmp_path / engine.path.name
    path.write_bytes(engine.path.read_bytes())
    sidecar_path(path).write_text(sidecar_path(engine.path).read_text())
    return path


def build(lowered, out, target):
    return runtime_module("tensorrt-rtx").build(lowered, out, metadata={}, profile=load_profile(target))


def opened(path, **options):
    """The one line that opening ends in: nothing runs here without a driver."""
    with pytest.raises(EdgeAverError) as caught:
        runtime_module("tensorrt-rtx").open_runner(path, **options).close()
    return str(caught.value)


@pytest.mark.parametrize("target", sorted(RTX))
def test_the_head_of_an_engine_tells_version_and_gpu(tmp_path, target):
    told = build(small_graph(tmp_path / "small.onnx"), tmp_path / "out.engine", target)
    head = read_header((tmp_path / "out.engine").read_bytes(), "it")
    assert (head.version, head.capabilities) == (VERSION, RTX[target])
    assert told["compute_capabilities"] == list(RTX[target])


def test_one_engine_serves_several_gpus(tmp_path):
    build(small_graph(tmp_path / "small.onnx"), tmp_path / "out.engine", "rtx-any")
    head = read_header((tmp_path / "out.engine").read_bytes(), "it")
    assert head.capabilities == load_profile("rtx-any").compute_capabilities == ("8.0", "8.6", "8.9", "12.0")


def test_a_build_tells_what_runs_in_which_type(tmp_path):
    told = build(small_graph(tmp_path / "small.onnx", "int8"), tmp_path / "out.engine", "rtx-4090")
    assert told["products"] == {"INT8": ["stem/Conv_0"], "FP16": ["head/MatMul_0"]}
    assert told["layers"]["INT8"] >= 1
    assert told["engine_bytes"] == (tmp_path / "out.engine").stat().st_size
    assert told["engine_seconds"] > 0
    assert (told["dla"], told["library_version"]) == ("off", VERSION)


@pytest.mark.parametrize(("precision", "kind"), [("fp32", "FP32"), ("fp16", "FP16")])
def test_types_are_those_of_the_file(tmp_path, precision, kind):
    told = build(small_graph(tmp_path / "small.onnx", precision), tmp_path / "out.engine", "rtx-4090")
    assert told["products"] == {kind: ["head/MatMul_0", "stem/Conv_0"]}


def test_a_rebuild_is_byte_identical(tmp_path):
    lowered = small_graph(tmp_path / "small.onnx", "int8")
    for name in ("a", "b"):
        told = build(lowered, tmp_path / name, "rtx-3090")
        if told["rebuild_note"]:
            pytest.skip(told["rebuild_note"])
        assert told["rebuild_identical"] is True
    assert sha256_file(tmp_path / "a") == sha256_file(tmp_path / "b")


def test_a_rebuild_that_differs_is_told(tmp_path, monkeypatch):
    built = []

    def other(*arguments):
        built.append(trt_process.build_apart(*arguments))
        return replace(built[-1], plan=built[-1].plan + bytes(len(built)))

    monkeypatch.setattr(trt, "build_apart", other)
    told = build(small_graph(tmp_path / "small.onnx"), tmp_path / "a", "rtx-3090")
    assert told["rebuild_identical"] is False
    assert (told["rebuild_note"] is None) is built[0].steady


def test_turing_refuses_fp32_in_plain_words(tmp_path):
    profile = load_profile("rtx-2080")
    with pytest.raises(
        TargetError, match=r"rtx-2080 does not take fp32: .*Turing.*; ask for --precision fp16 or int8$"
    ):
        profile.check_precision("fp32")
    with pytest.raises(TargetError, match=r"cannot build small.onnx: .*head/MatMul_0.*FP32 GEMM is not supported"):
        build(small_graph(tmp_path / "small.onnx", "fp32"), tmp_path / "out.engine", "rtx-2080")


def test_a_gpu_that_the_library_does_not_know_is_one_line(tmp_path):
    orin = replace(load_profile("rtx-4090"), name="mine", compute_capabilities=("8.7",))
    with pytest.raises(
        TargetError, match=r"builds nothing for compute capability 8\.7 \(mine\); it builds for 7\.5, 8\.0"
    ):
        runtime_module("tensorrt-rtx").build(
            small_graph(tmp_path / "small.onnx"), tmp_path / "out.engine", metadata={}, profile=orin
        )


def test_a_version_outside_the_profile_is_one_line(tmp_path):
    other = replace(load_profile("rtx-4090"), library_versions=">=1.8,<2")
    with pytest.raises(TargetError, match=rf"is built with TensorRT-RTX >=1\.8,<2; {VERSION} is installed here"):
        runtime_module("tensorrt-rtx").build(tmp_path / "small.onnx", tmp_path / "out", metadata={}, profile=other)


def test_what_is_no_graph_is_one_line(tmp_path):
    (tmp_path / "small.onnx").write_bytes(b"no graph")
    with pytest.raises(TargetError, match=r"cannot read small\.onnx"):
        build(tmp_path / "small.onnx", tmp_path / "out.engine", "rtx-4090")


def test_a_compiler_that_crashes_ends_its_own_process_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(trt_process.sys, "executable", "/bin/false")
    with pytest.raises(TargetError, match=r"the build of small\.onnx crashed \(status 1\)"):
        build(small_graph(tmp_path / "small.onnx"), tmp_path / "out.engine", "rtx-4090")


def test_without_a_driver_a_verified_engine_ends_in_one_line(engine):
    assert "driver" in opened(engine.path)


def test_a_bare_engine_needs_trust(copy):
    sidecar_path(copy).unlink()
    assert "has no sidecar" in opened(copy)
    assert opened(copy).endswith("An engine is code: it is loaded only as its export left it, or with --trust")
    assert "driver" in opened(copy, trust=True)


def test_a_tampered_engine_is_refused_and_named(copy):
    data = bytearray(copy.read_bytes())
    data[-1] ^= 1
    copy.write_bytes(data)
    assert "not the file its sidecar describes" in opened(copy)
    assert "with --trust" in opened(copy)


def test_a_truncated_engine_is_refused_even_when_trusted(copy):
    copy.write_bytes(copy.read_bytes()[:-100])
    assert "changed or truncated" in opened(copy)
    assert "(cut off?); export it again" in opened(copy, trust=True)
    copy.write_bytes(b"vtrt")
    assert "4 bytes are no engine" in opened(copy, trust=True)


def test_a_missing_engine_is_named(tmp_path):
    assert opened(tmp_path / "gone.engine").endswith("gone.engine: no such engine; make one with edge-aver export")


def test_an_engine_of_another_version_says_what_was_built_what_is_here_and_how_to_rebuild(engine):
    plan, artifact = read_plan(engine.path, trust=False)
    with pytest.raises(TargetError) as caught:
        check_plan(plan, engine.path, artifact, Library("1.8.0.5"))
    assert f"built by tensorrt_rtx {VERSION} for compute capability 8.9; here is tensorrt_rtx 1.8.0.5" in str(
        caught.value
    )
    assert str(caught.value).endswith(f"{REBUILD} rtx-4090")


def test_an_engine_of_another_machine_is_refused(engine):
    plan, artifact = read_plan(engine.path, trust=False)
    moved = replace(artifact, build={**artifact.build, "platform": "windows-amd64"})
    with pytest.raises(TargetError, match=r"built on windows-amd64 .*; here is linux-"):
        check_plan(plan, engine.path, moved, Library(VERSION))


@pytest.mark.parametrize(("capability", "said"), [("8.6", f"{REBUILD} rtx-3090"), ("9.0", "no target of tensorrt-rtx")])
def test_an_engine_for_another_gpu_names_the_target_that_serves_it(engine, capability, said):
    plan, artifact = read_plan(engine.path, trust=False)
    built = check_plan(plan, engine.path, artifact, Library(VERSION))
    check_device(built, "8.9")
    with pytest.raises(
        TargetError, match=rf"for compute capability 8\.9; the GPU here has compute capability {capability}"
    ) as caught:
        check_device(built, capability)
    assert said in str(caught.value)


def test_the_head_vouches_where_no_sidecar_does(copy):
    sidecar_path(copy).unlink()
    plan, artifact = read_plan(copy, trust=True)
    assert artifact is None
    with pytest.raises(TargetError, match=r"here is tensorrt_rtx 1\.6\.0.*export it again with edge-aver export"):
        check_plan(plan, copy, artifact, Library("1.6.0"))


def test_a_head_of_another_layout_tells_nothing():
    assert read_header(b"ftrt" + bytes(100), "it").version is None


def test_the_sidecar_holds_what_the_build_told(engine):
    table = json.loads(sidecar_path(engine.path).read_text())
    assert table["build"]["products"] == {"FP16": ["head/MatMul_0", "stem/Conv_0"]}
    assert table["build"]["rebuild_identical"] is True

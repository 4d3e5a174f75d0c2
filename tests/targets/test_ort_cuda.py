"""What the CUDA target refuses: tested with the ONNX Runtime that is here, whichever build that is."""

import dataclasses
import importlib.metadata

import numpy as np
import pytest
from runtime_models import example_feed, expected_logits, tiny_onnx

from edge_aver.errors import MissingLibraryError, TargetError
from edge_aver.targets import RUNTIMES, cuda, load_profile, runtime_module

onnxruntime = pytest.importorskip("onnxruntime", reason="runtime onnxruntime is not installed")

from edge_aver.targets import ort_cuda  # noqa: E402
from edge_aver.targets.ort import OrtRunner  # noqa: E402


@pytest.fixture
def model(tmp_path):
    return tiny_onnx(tmp_path / "tiny.onnx")


@pytest.fixture
def nodes(model, tmp_path):
    """What a real session on the CPU tells of its nodes."""
    with OrtRunner(model, threads=1, profile=tmp_path / "profile") as runner:
        return runner.executed_nodes()


def test_nodes_tell_their_provider_and_type(nodes):
    assert {node.provider for node in nodes} == {"CPUExecutionProvider"}
    assert {node.precision for node in nodes} >= {"float", "uint8"}
    assert any("MatMul" in node.name or "Gemm" in node.name or "logits" in node.name for node in nodes)


def test_a_network_that_strays_to_the_cpu_is_refused_by_node(nodes):
    computing = [node for node in nodes if node.precision not in ("int64", "int32", "bool")]
    with pytest.raises(TargetError, match=rf"would run {len(computing)} nodes on the CPU, ") as caught:
        ort_cuda.check_placement(nodes)
    assert f"{computing[0].name} ({computing[0].precision}) first" in str(caught.value)


def test_a_network_on_the_gpu_may_compute_shapes_on_the_cpu(nodes):
    on_gpu = [dataclasses.replace(node, provider="CUDAExecutionProvider") for node in nodes]
    shape = dataclasses.replace(nodes[0], precision="int64")
    ort_cuda.check_placement([*on_gpu, shape])
    stray = dataclasses.replace(nodes[0], precision="float16", name="stem")
    with pytest.raises(TargetError, match=r"1 nodes on the CPU, stem \(float16\)"):
        ort_cuda.check_placement([*on_gpu, stray])


def test_a_silent_fallback_of_a_real_session_is_refused(model):
    with OrtRunner(model, threads=1) as runner:
        assert runner.providers == ("CPUExecutionProvider",)
        with pytest.raises(TargetError, match=r"fell back to CPUExecutionProvider, .*: no libcudnn\. pip install"):
            ort_cuda.check_provider(runner.providers, "no libcudnn.")
    ort_cuda.check_provider(("CUDAExecutionProvider", "CPUExecutionProvider"), "")


def test_opening_says_what_is_missing_here(model):
    """The CPU's build, or a GPU's build without a driver; a machine with both is the `gpu` tests' part."""
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        said = r"here is the CPU's build: pip uninstall onnxruntime, then pip install 'edge-aver\[onnxruntime-cuda\]'"
    else:
        try:
            cuda.cuda_device()
        except TargetError as error:
            said = str(error)
        else:
            pytest.skip("this machine has an NVIDIA GPU")
    with pytest.raises(TargetError, match=said) as caught:
        ort_cuda.open_runner(model)
    assert "\n" not in str(caught.value)


def test_the_cpus_distribution_does_not_stand_for_the_gpus(monkeypatch):
    def only_the_cpus(name):
        if name == "onnxruntime-gpu":
            raise importlib.metadata.PackageNotFoundError(name)
        return "1.31.1"

    monkeypatch.setattr(importlib.metadata, "version", only_the_cpus)
    assert RUNTIMES["onnxruntime"].version == "1.31.1"
    assert RUNTIMES["onnxruntime-cuda"].version is None
    with pytest.raises(MissingLibraryError, match=r"onnxruntime-gpu, .* 'edge-aver\[onnxruntime-cuda\]'"):
        runtime_module("onnxruntime-cuda")


def test_what_is_built_is_the_file_that_the_cpu_runs_too(model, tmp_path):
    out = tmp_path / "out.onnx"
    profile = load_profile("onnxruntime-cuda")
    ort_cuda.build(model, out, metadata={"key": "value"}, profile=profile)
    assert ort_cuda.read_metadata(out, "key") == "value"
    feed = example_feed(1)
    with OrtRunner(out, threads=1) as runner:
        np.testing.assert_allclose(runner.infer(feed)["logits"], expected_logits(feed), atol=1e-4)


def test_int8_is_refused_with_the_reason():
    with pytest.raises(TargetError, match=r"does not take int8: .*no 8-bit convolutions; ask for .*fp32 or fp16"):
        load_profile("onnxruntime-cuda").check_precision("int8")

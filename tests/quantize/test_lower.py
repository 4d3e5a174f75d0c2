"""One recipe for every family: int8 with an fp32 remainder, with an fp16 one for TensorRT, and refusals."""

import re
from dataclasses import replace

import numpy as np
import onnx
import pytest
from graphs import save
from lowering import CLASSIFIER, CONVS, NORM, clips, small_network
from onnx import TensorProto, numpy_helper

from edge_aver.errors import ExportError
from edge_aver.export.parity import sqnr_db
from edge_aver.quantize import load_recipe
from edge_aver.quantize.lint import lint_qdq
from edge_aver.quantize.lower import lower
from edge_aver.targets import runtime_module

INT8 = load_recipe("int8")
HALF, SINGLE = TensorProto.FLOAT16, TensorProto.FLOAT


@pytest.fixture
def source(tmp_path):
    return save(small_network(), tmp_path / "fp32.onnx")


@pytest.fixture
def forms(source, tmp_path):
    """The lowered file of each family."""

    def make(runtime, recipe=INT8):
        folder = tmp_path / runtime
        folder.mkdir()
        return lower(source, folder, recipe, runtime, clips(4))

    return make


def logits(path):
    with runtime_module("onnxruntime").open_runner(path, exact=True) as runner:
        return np.concatenate([runner.infer(feed)["y"] for feed in clips(8, seed=2)])


def input_types(path, *, operators=None):
    """Type of the first input of each node that reads a float."""
    model = onnx.shape_inference.infer_shapes(onnx.load(path))
    infos = (*model.graph.input, *model.graph.value_info, *model.graph.output)
    types = {info.name: info.type.tensor_type.elem_type for info in infos}
    return {
        node.name: types[node.input[0]]
        for node in model.graph.node
        if operators is None or node.op_type in operators
        if types.get(node.input[0]) in (HALF, SINGLE)
    }


def test_tensorrt_gets_the_same_8_bits_with_an_explicit_fp16_remainder(forms):
    path = forms("tensorrt-rtx").path
    types = input_types(path)

    assert {types[name] for name in (*CONVS, CLASSIFIER)} == {HALF}
    assert types[NORM] == SINGLE
    assert {types[name] for name in types if "act/" in name} == {HALF}
    assert sorted(input_types(path, operators=["QuantizeLinear"]).values()) == [SINGLE, SINGLE, HALF]
    assert lint_qdq(onnx.load(path), runtime="tensorrt-rtx") == []


def test_no_cast_stands_between_an_8_bit_operator_and_its_pairs(forms):
    graph = onnx.load(forms("tensorrt").path).graph
    makers = {name: node for node in graph.node for name in node.output}
    for node in graph.node:
        if node.op_type == "Conv":
            assert [makers[name].op_type for name in node.input[:2]] == ["DequantizeLinear"] * 2


def test_the_fp16_remainder_costs_next_to_nothing_beside_the_8_bits(forms, source):
    wanted = logits(source)
    reference, mixed = logits(forms("onnxruntime").reference), logits(forms("tensorrt").reference)

    assert sqnr_db(wanted, mixed) > sqnr_db(wanted, reference) - 0.5
    assert sqnr_db(reference, mixed) > 40


def test_scales_are_the_same_number_in_both_types(forms):
    graph = onnx.load(forms("tensorrt").path).graph
    scales = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    both = [name for name in scales if f"{name}/fp16" in scales]

    assert both
    for name in both:
        np.testing.assert_array_equal(scales[name], scales[f"{name}/fp16"].astype(np.float32))


def test_a_large_node_stays_in_fp32_with_its_dequantizers(tmp_path):
    source = save(small_network(gain=2.0**14), tmp_path / "large.onnx")
    reference = lower(source, tmp_path, INT8, "onnxruntime", clips(4)).path.rename(tmp_path / "reference.onnx")
    lowered = lower(source, tmp_path, INT8, "tensorrt", clips(4))

    types = input_types(lowered.path)
    assert {types[name] for name in CONVS} == {SINGLE}
    assert types[CLASSIFIER] == HALF
    assert sqnr_db(logits(reference), logits(lowered.reference)) > 40


def test_a_block_named_fp32_is_fp32_on_tensorrt_too(forms):
    recipe = replace(INT8, blocks={**INT8.blocks, "classifier": "fp32"})

    assert input_types(forms("tensorrt", recipe).path)[CLASSIFIER] == SINGLE


@pytest.mark.parametrize("integer_kernels", [False, True])
def test_int8_and_fp16_blocks_in_one_recipe_are_lowered_for_onnx_runtime(forms, source, integer_kernels):
    recipe = replace(INT8, blocks={**INT8.blocks, "classifier": "fp16"}, integer_kernels=integer_kernels)
    path = forms("onnxruntime", recipe).path
    types = input_types(path)

    assert types[CLASSIFIER] == HALF
    assert {types[name] for name in CONVS} == {SINGLE}
    assert sqnr_db(logits(source), logits(path)) > 20


def test_openvino_refuses_int8_and_fp16_blocks_in_one_recipe(source, tmp_path):
    recipe = replace(INT8, blocks={**INT8.blocks, "classifier": "fp16"})

    with pytest.raises(ExportError, match=r"OpenVINO's int8 form has no fp16 blocks \(classifier\)"):
        lower(source, tmp_path, recipe, "openvino", clips(1))


def test_fp16_without_clips_is_refused(source, tmp_path):
    with pytest.raises(ExportError, match="fp16 needs calibration clips"):
        lower(source, tmp_path, load_recipe("fp16"), "onnxruntime", ())


def test_fp32_needs_no_other_form(source, tmp_path):
    assert lower(source, tmp_path, load_recipe("fp32"), "tensorrt-rtx", ()).path == source


def test_tensorrt_rtx_builds_the_mixed_form_and_runs_its_8_bits(forms):
    layers = built_layers(forms("tensorrt-rtx").path, minimum=(1, 16, 8, 8))

    assert any("Int8" in read for read, _ in layers)
    assert any("Half" in written for _, written in layers)


@pytest.mark.slow
@pytest.mark.parametrize("capability", ["SM75", "SM86"])
def test_tensorrt_rtx_builds_the_mixed_form_of_a_whole_network(capability, tmp_path):
    torch = pytest.importorskip("torch", reason="needs the extras that export")
    from edge_aver.export.simplify import simplify
    from edge_aver.export.trace import onnx_from_torch
    from edge_aver.models.network import build_network

    torch.manual_seed(0)
    onnx_from_torch(build_network("sa").eval(), tmp_path / "traced.onnx")
    simplify(tmp_path / "traced.onnx", tmp_path / "fp32.onnx")
    chance = np.random.default_rng(0)
    feeds = [
        {
            "faces": chance.integers(0, 256, (1, 15, 224, 224, 3), dtype=np.uint8),
            "audio": chance.normal(size=(1, 15, 128)).astype(np.float32),
        }
        for _ in range(2)
    ]
    path = lower(tmp_path / "fp32.onnx", tmp_path, INT8, "tensorrt-rtx", feeds).path

    layers = built_layers(path, capability=capability)

    assert sum("Int8" in read for read, _ in layers) > 40
    assert sum("Half" in read for read, _ in layers) > 40


def built_layers(path, *, capability="SM86", minimum=None):
    """Types that each layer reads and writes, as TensorRT-RTX tells while it builds."""
    pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx is not installed")
    import tensorrt_rtx as trt

    class Log(trt.ILogger):
        def __init__(self):
            super().__init__()
            self.messages = []

        def log(self, severity, message):
            self.messages.append(message)

    log = Log()
    builder = trt.Builder(log)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, log)
    assert parser.parse_from_file(str(path)), parser.get_error(0).desc()
    config = builder.create_builder_config()
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    config.num_compute_capabilities = 1
    assert config.set_compute_capability(getattr(trt.ComputeCapability, capability), 0)
    profile = builder.create_optimization_profile()
    for i in range(network.num_inputs):
        shape = (1, *network.get_input(i).shape[1:])
        profile.set_shape(network.get_input(i).name, shape, shape, shape)
    config.add_optimization_profile(profile)
    assert builder.build_serialized_network(network, config) is not None
    told = next(message for message in log.messages if message.startswith("Layers:"))
    found = re.findall(r"Inputs: \[(.*?)\], Constants: .*?Outputs: \[(.*?)\], Tactic", told)
    return [tuple(set(re.findall(r"Datatype: (\w+)", part)) for part in layer) for layer in found]

import numpy as np
import onnx
import pytest
from graphs import make_model, save
from onnx import TensorProto, helper, numpy_helper

from edge_aver.quantize.fp16 import convert_fp16
from edge_aver.targets import runtime_module


def two_blocks(weight=0.5):
    """Two fp32 readers (layer norms) of one fp16 tensor, and a constant that both types read."""
    nodes = [
        helper.make_node("Mul", ["x", "w"], ["stem"], name="frame_encoder.backbone.bn1/Mul_0"),
        helper.make_node("Mul", ["stem", "w"], ["a"], name="fusion.audio_self.0.norm/Mul_0"),
        helper.make_node("Add", ["stem", "w"], ["b"], name="fusion.audio_self.1.norm/Add_0"),
        helper.make_node("Add", ["a", "b"], ["y"], name="fusion.classifier/Add_0"),
    ]
    return make_model(nodes, {"w": np.full(4, weight, np.float32)})


@pytest.fixture
def converted(tmp_path):
    half = ["frame_encoder.backbone.bn1/Mul_0", "fusion.classifier/Add_0"]
    convert_fp16(save(two_blocks(), tmp_path / "fp32.onnx"), tmp_path / "fp16.onnx", half)
    return tmp_path / "fp16.onnx"


def test_one_cast_for_each_tensor_and_type(converted):
    graph = onnx.load(converted).graph
    casts = [(node.input[0], node.output[0], node.attribute[0].i) for node in graph.node if node.op_type == "Cast"]

    assert casts == [
        ("x", "x/fp16", TensorProto.FLOAT16),
        ("stem", "stem/fp32", TensorProto.FLOAT),
        ("a", "a/fp16", TensorProto.FLOAT16),
        ("b", "b/fp16", TensorProto.FLOAT16),
        ("y/fp16", "y", TensorProto.FLOAT),
    ]


def test_constants_exist_in_the_types_that_are_read(converted):
    types = {item.name: item.data_type for item in onnx.load(converted).graph.initializer}

    assert types == {"w": TensorProto.FLOAT, "w/fp16": TensorProto.FLOAT16}


def test_inputs_and_outputs_keep_their_types_and_values(converted):
    x = np.float32([[1, 2, 3, 4]])

    with runtime_module("onnxruntime").open_runner(converted) as runner:
        y = runner.infer({"x": x})["y"]

    assert y.dtype == np.float32
    np.testing.assert_allclose(y, 0.25 * x + 0.5 * x + 0.5, rtol=2e-3)


def test_scales_too_small_for_fp16_do_not_become_zero(tmp_path):
    """A channel of tiny weights keeps its values to half a step of the smallest scale that fp16 has."""
    stored = np.int8([[127, -64, 3, 0], [100, 50, -127, 1]]).T
    scales = np.float32([1e-9, 0.01])
    nodes = [
        helper.make_node("DequantizeLinear", ["stored", "scales", "zeros"], ["w"], name="Dequantize", axis=-1),
        helper.make_node("MatMul", ["x", "w"], ["y"], name="fusion.classifier/MatMul_0"),
    ]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 2])]
    constants = {"stored": stored, "scales": scales, "zeros": np.zeros(2, np.int8)}
    source = save(make_model(nodes, constants, outputs=outputs), tmp_path / "int8.onnx")

    convert_fp16(source, tmp_path / "mixed.onnx", ["fusion.classifier/MatMul_0"])

    found = {item.name: numpy_helper.to_array(item) for item in onnx.load(tmp_path / "mixed.onnx").graph.initializer}
    assert found["scales/fp16"].dtype == np.float16
    assert (found["scales/fp16"] > 0).all()
    np.testing.assert_array_equal(found["stored"][:, 0], [2, -1, 0, 0])
    np.testing.assert_array_equal(found["stored"][:, 1], stored[:, 1])

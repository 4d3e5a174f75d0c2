import numpy as np
import pytest
from graphs import make_model, qdq_model
from onnx import TensorProto, helper

from edge_aver.quantize.lint import lint_qdq


def test_signed_symmetric_pairs_pass():
    assert lint_qdq(qdq_model()) == []


@pytest.mark.parametrize(
    ("arguments", "word"),
    [({"kind": np.uint8}, "UINT8"), ({"zero": 3}, "non-zero"), ({"with_zero": False}, "not a constant")],
)
def test_each_breach_is_named_by_its_node(arguments, word):
    problems = lint_qdq(qdq_model(**arguments))

    assert len(problems) == 2
    assert problems[0].startswith("stem/Quantize: ")
    assert all(word in problem for problem in problems)


def test_quantized_bias_is_a_breach():
    bias = helper.make_node("DequantizeLinear", ["bias", "scale", "zero"], ["b"], name="head/Bias")
    add = helper.make_node("Add", ["x", "b"], ["y"])
    constants = {"bias": np.arange(4, dtype=np.int32), "scale": np.float32([0.1]), "zero": np.int32([0])}

    problems = lint_qdq(make_model([bias, add], {name: np.asarray(value) for name, value in constants.items()}))

    assert problems == ["head/Bias: int32 (a quantized bias); biases stay in fp32"]


def test_tensorrt_wants_the_scale_in_the_type_of_the_tensor():
    model = qdq_model()
    model.graph.node.insert(0, helper.make_node("Cast", ["x"], ["half"], name="Cast", to=TensorProto.FLOAT16))
    model.graph.node[1].input[0] = "half"

    assert lint_qdq(model) == []
    assert lint_qdq(model, runtime="tensorrt") == ["stem/Quantize: reads half in fp16 and scale in fp32"]
    assert lint_qdq(qdq_model(), runtime="tensorrt-rtx") == []


def test_tensorrt_takes_no_mixed_sum():
    cast = helper.make_node("Cast", ["x"], ["half"], name="Cast", to=TensorProto.FLOAT16)
    add = helper.make_node("Add", ["half", "x"], ["y"], name="head/Add")

    assert lint_qdq(make_model([cast, add], {}), runtime="tensorrt") == ["head/Add: reads half in fp16 and x in fp32"]


@pytest.mark.parametrize(("operator", "problems"), [("Cast", 0), ("Identity", 1)])
def test_tensorrt_reads_a_uint8_input_by_a_cast_alone(operator, problems):
    options = {"to": TensorProto.FLOAT} if operator == "Cast" else {}
    node = helper.make_node(operator, ["x"], ["y"], name="network/First", **options)
    inputs = [helper.make_tensor_value_info("x", TensorProto.UINT8, ["batch", 4])]

    found = lint_qdq(make_model([node], {}, inputs=inputs), runtime="tensorrt")

    assert len(found) == problems
    assert all(item.startswith("network/First: Identity reads a UINT8 input") for item in found)


@pytest.mark.parametrize("runtime", ["tensorrt", "tensorrt-rtx"])
def test_tensorrt_refuses_what_the_reference_does(runtime):
    assert "UINT8" in lint_qdq(qdq_model(kind=np.uint8), runtime=runtime)[0]

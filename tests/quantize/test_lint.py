import numpy as np
import pytest
from graphs import make_model, qdq_model
from onnx import helper

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

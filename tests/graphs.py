"""Small ONNX graphs for tests of the linter, the casts and the parity ladder."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def make_model(nodes, constants, *, inputs=None, outputs=None):
    """A model of `nodes`; constants are arrays by name; inputs and outputs default to float x (N, 4) and y (N, 4)."""
    inputs = inputs or [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4])]
    outputs = outputs or [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 4])]
    graph = helper.make_graph(
        nodes, "test", inputs, outputs, [numpy_helper.from_array(array, name) for name, array in constants.items()]
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def qdq_model(*, zero=0, kind=np.int8, with_zero=True):
    """x -> QuantizeLinear -> DequantizeLinear -> y."""
    ends = ["scale", "zero"] if with_zero else ["scale"]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", *ends], ["q"], name="stem/Quantize"),
        helper.make_node("DequantizeLinear", ["q", *ends], ["y"], name="stem/Dequantize"),
    ]
    constants = {"scale": np.float32(0.1), "zero": kind(zero)}
    return make_model(nodes, {name: np.asarray(constants[name]) for name in ends})


def save(model, path):
    """Check and write a model; gives the path back."""
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path

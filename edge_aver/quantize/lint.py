"""Rules that a Q/DQ graph must keep to mean the same in every runtime; each breach is named by its node."""

from collections.abc import Iterator

import onnx
from onnx import numpy_helper

__all__ = ["lint_qdq"]


def lint_qdq(model: onnx.ModelProto) -> list[str]:
    """Breaches, one line each: unsigned tensors, non-zero zero points, quantized (int32) biases, missing constants."""
    constants = {item.name: item for item in model.graph.initializer}
    return [
        f"{node.name}: {problem}"
        for node in model.graph.node
        if node.op_type in ("QuantizeLinear", "DequantizeLinear")
        for problem in _problems(node, constants)
    ]


def _problems(node: onnx.NodeProto, constants: dict[str, onnx.TensorProto]) -> Iterator[str]:
    zero = constants.get(node.input[2]) if len(node.input) > 2 else None
    if zero is None:
        yield "zero point is not a constant of the file (unsigned by default)"
        return
    if zero.data_type == onnx.TensorProto.UINT8:
        yield "UINT8; TensorRT reads it as INT8"
    if zero.data_type == onnx.TensorProto.INT32:
        yield "int32 (a quantized bias); biases stay in fp32"
    if numpy_helper.to_array(zero).any():
        yield "non-zero zero point; only symmetric quantization is lowered"

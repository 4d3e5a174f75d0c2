"""Rules that make a Q/DQ graph mean the same in every runtime of its family; each breach is named by its node."""

from collections.abc import Iterator, Mapping
from typing import Protocol

import onnx
from onnx import TensorProto, numpy_helper

__all__ = ["lint_qdq"]


def lint_qdq(model: onnx.ModelProto, *, runtime: str | None = None) -> list[str]:
    """Breaches, one line each.

    In every family constants must be in the file and activations have one scale a tensor: TensorRT takes no other, and
    ONNX Runtime's integer kernels neither. The reference and TensorRT are signed and symmetric with biases in fp32;
    ONNX Runtime takes unsigned activations with any zero point, and int32 biases, but its weights are as symmetric.

    Args:
        model: a Q/DQ graph.
        runtime: key of the table of runtimes whose form it is; None for the reference.
    """
    constants = {item.name: item for item in model.graph.initializer}
    problems = _ort_problems if runtime == "onnxruntime" else _reference_problems
    quantizers = [node for node in model.graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    return [f"{node.name}: {problem}" for node in quantizers for problem in _problems(node, constants, problems)]


class _Rules(Protocol):
    def __call__(self, zero: TensorProto, *, is_constant: bool) -> Iterator[str]: ...


def _problems(node: onnx.NodeProto, constants: Mapping[str, TensorProto], rules: _Rules) -> Iterator[str]:
    zero = constants.get(node.input[2]) if len(node.input) > 2 else None
    if zero is None:
        yield "zero point is not a constant of the file (unsigned by default)"
        return
    scale = constants.get(node.input[1])
    if node.op_type == "QuantizeLinear" and (scale is None or numpy_helper.to_array(scale).size != 1):
        yield "an activation with several scales (or none in the file); activations are quantized by tensor"
    yield from rules(zero, is_constant=node.input[0] in constants)


def _reference_problems(zero: TensorProto, *, is_constant: bool) -> Iterator[str]:
    if zero.data_type == TensorProto.UINT8:
        yield "UINT8; TensorRT reads it as INT8"
    if zero.data_type == TensorProto.INT32:
        yield "int32 (a quantized bias); biases stay in fp32"
    if numpy_helper.to_array(zero).any():
        yield "non-zero zero point; only symmetric quantization is lowered"


def _ort_problems(zero: TensorProto, *, is_constant: bool) -> Iterator[str]:
    if is_constant and zero.data_type == TensorProto.UINT8:
        yield "UINT8 weights; ONNX Runtime's kernels for symmetric int8 weights would not run"
    if is_constant and numpy_helper.to_array(zero).any():
        yield "non-zero zero point of a constant; weights and biases are symmetric"

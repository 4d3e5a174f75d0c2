"""Rules that make a Q/DQ graph mean the same in every runtime of its family; each breach is named by its node."""

from collections.abc import Iterator, Mapping
from typing import Protocol

import onnx
from onnx import TensorProto, numpy_helper

__all__ = ["TENSORRT", "lint_qdq"]

TENSORRT = ("tensorrt", "tensorrt-rtx")
"""Keys of the table of runtimes that read strongly typed networks."""

_FLOATS = {TensorProto.FLOAT: "fp32", TensorProto.FLOAT16: "fp16"}
_MIXED_BY_MEANING = ("Cast", "DequantizeLinear")


def lint_qdq(model: onnx.ModelProto, *, runtime: str | None = None) -> list[str]:
    """Breaches, one line each.

    In every family constants must be in the file and activations have one scale a tensor: TensorRT takes no other, and
    ONNX Runtime's integer kernels neither. The reference and TensorRT are signed and symmetric with biases in fp32;
    ONNX Runtime takes unsigned activations with any zero point, and int32 biases, but its weights are as symmetric.
    TensorRT networks are strongly typed besides: the floats that a node reads are of one type, and a UINT8 input is
    read by casts alone.

    Args:
        model: a Q/DQ graph.
        runtime: key of the table of runtimes whose form it is; None for the reference.
    """
    constants = {item.name: item for item in model.graph.initializer}
    problems = _ort_problems if runtime == "onnxruntime" else _reference_problems
    quantizers = [node for node in model.graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    found = [f"{node.name}: {problem}" for node in quantizers for problem in _problems(node, constants, problems)]
    return found + (list(_type_problems(model)) if runtime in TENSORRT else [])


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


def _type_problems(model: onnx.ModelProto) -> Iterator[str]:
    """Nodes that read fp32 and fp16 together (a scale of another type than its tensor's too), or UINT8 without a cast.

    Types are passed on from node to node here: ONNX's own inference gives up at the first one that breaks a rule.
    """
    graph = model.graph
    types = {item.name: item.data_type for item in graph.initializer}
    types |= {item.name: item.type.tensor_type.elem_type for item in graph.input}
    raw = {name for name, kind in types.items() if kind == TensorProto.UINT8} & {item.name for item in graph.input}
    for node in graph.node:
        read = {name: _FLOATS[types[name]] for name in node.input if types.get(name) in _FLOATS}
        if len(set(read.values())) > 1 and node.op_type not in _MIXED_BY_MEANING:
            yield f"{node.name}: reads {' and '.join(f'{name} in {kind}' for name, kind in read.items())}"
        if raw & set(node.input) and node.op_type != "Cast":
            yield f"{node.name}: {node.op_type} reads a UINT8 input; TensorRT takes a Cast only"
        types.update(dict.fromkeys(node.output, _output_type(node, types)))


def _output_type(node: onnx.NodeProto, types: Mapping[str, int]) -> int:
    if node.op_type == "Cast":
        return next(int(item.i) for item in node.attribute if item.name == "to")
    if node.op_type == "QuantizeLinear":
        return types.get(node.input[2], TensorProto.INT8) if len(node.input) > 2 else TensorProto.UINT8
    if node.op_type == "DequantizeLinear":
        return types.get(node.input[1], TensorProto.UNDEFINED)
    return types.get(node.input[0], TensorProto.UNDEFINED)

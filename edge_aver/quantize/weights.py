"""Weights in 8 bits: symmetric, one scale an output channel, small enough in pairs for CPUs without 8-bit dot products.

Where a CPU has no VNNI, 8-bit kernels multiply an unsigned activation (at most 255) with a signed weight and add two
such products in 16 bits, which saturate: two neighbouring weights of one sign must not exceed 128 together. Libraries
halve all weights for that (NNCF's overflow fix); a scale chosen by the largest pair of each output channel is enough,
and costs next to nothing.
"""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from edge_aver.quantize.recipes import Recipe

__all__ = ["bound_weights", "largest_pair", "store_weights"]

Array = npt.NDArray[Any]

_WEIGHED = ("Conv", "Gemm", "MatMul")
_MOST = 127
"""Of one weight, and of a pair of one sign before rounding, which may add one."""


def bound_weights(model: onnx.ModelProto, source: onnx.ModelProto) -> None:
    """Quantize the weights that meet 8-bit activations anew, so that no pair of them can saturate.

    Args:
        model: a Q/DQ graph; changed in place.
        source: the fp32 graph that it was made of. Where a tool changed a weight, what it made of it is bounded.
    """
    constants = {item.name: item for item in model.graph.initializer}
    makers = {node.output[0]: node for node in model.graph.node if node.op_type == "DequantizeLinear"}
    floats = {item.name: numpy_helper.to_array(item) for item in source.graph.initializer}
    weights = {node.name: floats[node.input[1]] for node in _weighed(source) if node.input[1] in floats}
    for node in _weighed(model):
        stored = makers.get(node.input[1])
        if stored is not None and node.input[0] in makers and stored.input[0] in constants:
            _bound(stored, constants, weights.get(node.name), _output_axis(node))


def store_weights(model: onnx.ModelProto, recipe: Recipe) -> None:
    """Store the weights that NNCF left in fp32 as int8 with their dequantizer.

    Those are the convolutions of squeeze-excite, which work on one pixel, and the blocks that the recipe keeps in fp32
    arithmetic with 8-bit weights.
    """
    constants = {item.name: item for item in model.graph.initializer}
    only_stored = set(recipe.blocks_in("int8-weights"))
    stored: dict[tuple[str, int], str] = {}
    nodes = []
    for node in model.graph.node:
        blocks = only_stored | set(recipe.blocks_in("int8")) if node.op_type == "Conv" else only_stored
        if (
            node.op_type in _WEIGHED
            and node.input[1] in constants
            and recipe.layout.block_of(node.name) in blocks
            and constants[node.input[1]].data_type == onnx.TensorProto.FLOAT
            and len(constants[node.input[1]].dims) > 1
        ):
            # Modules of one's own may share a weight.
            key = (node.input[1], _output_axis(node))
            if key not in stored:
                nodes.append(_dequantizer(model.graph, constants[node.input[1]], key[1]))
                stored[key] = nodes[-1].output[0]
            node.input[1] = stored[key]
        nodes.append(onnx.NodeProto.FromString(node.SerializeToString()))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    _drop_unread(model.graph, {name for name, _ in stored})


def largest_pair(weight: Array, axis: int) -> Array:
    """Largest sum of magnitudes of two neighbouring weights of one sign, for each output channel; (O,).

    Kernels pair inputs 2k and 2k + 1 of one output channel and, in a convolution, of one place of the window.
    """
    rows = np.moveaxis(weight, axis, 0).astype(np.float64)
    if rows.shape[1] % 2:
        rows = np.concatenate([rows, np.zeros_like(rows[:, :1])], axis=1)
    parts = (np.maximum(sign * rows, 0) for sign in (1, -1))
    sums = [(part[:, ::2] + part[:, 1::2]).reshape(len(rows), -1).max(axis=1) for part in parts]
    largest: Array = np.maximum(*sums)
    return largest


def _weighed(model: onnx.ModelProto) -> Collection[onnx.NodeProto]:
    return [node for node in model.graph.node if node.op_type in _WEIGHED]


def _output_axis(node: onnx.NodeProto) -> int:
    """Of a node's weight: (O, ...) of a convolution, (I, O) of a product, either of a Gemm."""
    transposed = any(item.name == "transB" and item.i for item in node.attribute)
    return 0 if node.op_type == "Conv" or transposed else 1


def _bound(
    stored: onnx.NodeProto, constants: Mapping[str, onnx.TensorProto], original: Array | None, axis: int
) -> None:
    steps, scales = (numpy_helper.to_array(constants[name]) for name in stored.input[:2])
    shape = [1] * steps.ndim
    shape[axis] = -1
    values = steps * scales.reshape(shape)
    if original is not None and np.allclose(values, original, rtol=0, atol=scales.max()):
        values = original
    quantized, bounded = _quantized(values, axis, np.maximum(_largest(values, axis), largest_pair(values, axis)))
    constants[stored.input[0]].CopyFrom(numpy_helper.from_array(quantized, stored.input[0]))
    constants[stored.input[1]].CopyFrom(numpy_helper.from_array(bounded, stored.input[1]))


def _dequantizer(graph: onnx.GraphProto, weight: onnx.TensorProto, axis: int) -> onnx.NodeProto:
    """Add a weight's int8 form and give the node that reads it."""
    values = numpy_helper.to_array(weight)
    stored, scales = _quantized(values, axis, _largest(values, axis))
    taken = any(item.name == f"{weight.name}/int8" for item in graph.initializer)
    form = f"{weight.name}/axis{axis}" if taken else weight.name
    names = [f"{form}/{part}" for part in ("int8", "scale", "zero")]
    parts = (stored, scales, np.zeros(len(scales), np.int8))
    graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in zip(names, parts, strict=True))
    return helper.make_node(
        "DequantizeLinear", names, [f"{form}/dequantized"], name=f"{form}/DequantizeLinear", axis=axis
    )


def _drop_unread(graph: onnx.GraphProto, names: Collection[str]) -> None:
    read = {name for node in graph.node for name in node.input}
    kept = [item for item in graph.initializer if item.name in read or item.name not in names]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _largest(values: Array, axis: int) -> Array:
    largest: Array = np.abs(np.moveaxis(values, axis, 0)).reshape(values.shape[axis], -1).max(axis=1)
    return largest


def _quantized(values: Array, axis: int, largest: Array) -> tuple[Array, Array]:
    """Weights and scales, where `largest` of each channel of `axis` becomes 127 steps."""
    scales = np.where(largest > 0, largest / _MOST, 1.0).astype(np.float32)
    shape = [1] * values.ndim
    shape[axis] = -1
    return np.clip(np.round(values / scales.reshape(shape)), -_MOST, _MOST).astype(np.int8), scales

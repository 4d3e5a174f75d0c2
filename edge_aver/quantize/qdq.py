"""int8 as explicit Q/DQ in ONNX: signed, symmetric, per-channel weights; the reference form, and ONNX Runtime's."""

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from edge_aver.errors import ExportError
from edge_aver.quantize.blocks import block_of
from edge_aver.quantize.lint import lint_qdq
from edge_aver.quantize.ptq import Feed, post_training_quantize
from edge_aver.quantize.recipes import Recipe

__all__ = ["quantize_qdq"]


def quantize_qdq(source: Path, out: Path, recipe: Recipe, calibration: Collection[Feed]) -> None:
    """Quantize an fp32 ONNX file by a recipe.

    NNCF's ONNX backend writes unsigned 8-bit activations after ReLU, Sigmoid and Softmax whatever the target; TensorRT
    reads them as signed and loses the signal. They are rewritten as signed with their scale times 255/127, which
    covers the same range in half the steps.

    Args:
        source: the simplified graph, nodes named for their modules.
        out: written as it is; the caller makes it atomic.
        recipe: which blocks run in int8; the others stay fp32.
        calibration: inputs by name, batch 1; iterated more than once.

    Raises:
        ExportError: NNCF refused the graph, or what it wrote is not signed symmetric Q/DQ.
    """
    model = onnx.load(source)
    nodes = [node.name for node in model.graph.node]
    quantized = post_training_quantize(model, nodes, recipe, calibration, by_tensor=True)
    _make_signed(quantized)
    _store_in_8_bits(quantized, recipe)
    quantized.metadata_props.extend(item for item in model.metadata_props if item not in quantized.metadata_props)
    if problems := lint_qdq(quantized):
        raise ExportError(f"{source.name}: the quantized graph breaks the Q/DQ rules: {problems[0]}")
    onnx.save(quantized, out)


def _store_in_8_bits(model: onnx.ModelProto, recipe: Recipe) -> None:
    """Store the weights of int8 blocks that NNCF leaves in fp32 (squeeze-excite) as int8 with their dequantizer.

    NNCF keeps those convolutions in fp32, since they work on one pixel; their weights are a fifth of the file.
    """
    constants = {item.name: item for item in model.graph.initializer}
    int8 = set(recipe.blocks_in("int8"))
    nodes = []
    for node in model.graph.node:
        if node.op_type == "Conv" and node.input[1] in constants and block_of(node.name) in int8:
            nodes.append(_dequantizer(model.graph, constants[node.input[1]]))
            node.input[1] = nodes[-1].output[0]
        nodes.append(onnx.NodeProto.FromString(node.SerializeToString()))
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _dequantizer(graph: onnx.GraphProto, weight: onnx.TensorProto) -> onnx.NodeProto:
    """Replace a weight (O, ...) by its int8 form, one scale an output channel, and give the node that reads it."""
    values = numpy_helper.to_array(weight)
    scales = np.abs(values).reshape(len(values), -1).max(axis=1) / 127
    scales = np.where(scales > 0, scales, 1.0).astype(np.float32)
    stored = np.round(values / scales.reshape(-1, *[1] * (values.ndim - 1))).astype(np.int8)
    names = [f"{weight.name}/{part}" for part in ("int8", "scale", "zero")]
    parts = (stored, scales, np.zeros(len(scales), np.int8))
    graph.initializer.remove(weight)
    graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in zip(names, parts, strict=True))
    output = f"{weight.name}/dequantized"
    return helper.make_node("DequantizeLinear", names, [output], name=f"{weight.name}/DequantizeLinear", axis=0)


def _make_signed(model: onnx.ModelProto) -> None:
    constants = {item.name: item for item in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "QuantizeLinear" and len(node.input) == 3:
            zero = constants[node.input[2]]
            if zero.data_type == onnx.TensorProto.UINT8:
                _make_pair_signed(constants, node.input[1], node.input[2])
    # The types recorded for the quantized tensors are stale now; a reader infers them.
    kept = [info for info in model.graph.value_info if info.type.tensor_type.elem_type != onnx.TensorProto.UINT8]
    del model.graph.value_info[:]
    model.graph.value_info.extend(kept)


def _make_pair_signed(constants: Mapping[str, onnx.TensorProto], scale: str, zero: str) -> None:
    """Rewrite the scale and zero point that a quantizer and its dequantizer share."""
    zeros, scales = numpy_helper.to_array(constants[zero]), numpy_helper.to_array(constants[scale])
    if zeros.any():
        raise ExportError(f"{zero}: unsigned with a non-zero zero point; only symmetric quantization is lowered")
    constants[zero].CopyFrom(numpy_helper.from_array(np.zeros_like(zeros, dtype=np.int8), zero))
    constants[scale].CopyFrom(numpy_helper.from_array((scales * (255 / 127)).astype(np.float32), scale))

"""int8 as explicit Q/DQ in ONNX: signed, symmetric, per-channel weights; CPU runtimes read this reference as it is."""

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from edge_aver.errors import ExportError
from edge_aver.quantize.lint import lint_qdq
from edge_aver.quantize.ptq import Feed, post_training_quantize
from edge_aver.quantize.recipes import Recipe
from edge_aver.quantize.weights import bound_weights, store_weights

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
    quantized = post_training_quantize(model, recipe, calibration)
    _make_signed(quantized)
    bound_weights(quantized, onnx.load(source))
    store_weights(quantized, recipe)
    quantized.metadata_props.extend(item for item in model.metadata_props if item not in quantized.metadata_props)
    if problems := lint_qdq(quantized):
        raise ExportError(f"{source.name}: the quantized graph breaks the Q/DQ rules: {problems[0]}")
    onnx.save(quantized, out)


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

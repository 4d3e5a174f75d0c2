"""ONNX Runtime's form of a Q/DQ graph: 8 bits on both sides of every convolution, so that its integer kernels run.

ONNX Runtime runs a convolution in 8 bits only between a dequantizer and a quantizer; elsewhere it multiplies in fp32
and pays for the casts. NNCF quantizes the inputs of convolutions and leaves what lies between them (SiLU, the gates of
squeeze-excite, residual sums) in fp32. Activations are unsigned here, the type of its fast kernels on x86.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from edge_aver.errors import ExportError
from edge_aver.quantize.lint import lint_qdq
from edge_aver.quantize.ptq import Feed

__all__ = ["close_qdq", "measure_ranges", "open_tensors", "quantize_for_ort"]

Array = npt.NDArray[Any]
Range = tuple[float, float]

_UNIT: Range = (0.0, 1.0)
"""Of a sigmoid's output; it need not be measured."""

_JOINS = ("Mul", "Add")
_MEASURED_CLIPS = 32
"""The draw is stratified: its beginning is spread over actors and emotions like the whole."""


def quantize_for_ort(source: Path, reference: Path, out: Path, calibration: Iterable[Feed]) -> None:
    """Write ONNX Runtime's form of a reference Q/DQ graph.

    Args:
        source: the fp32 graph that the reference was made of.
        reference: signed symmetric Q/DQ.
        out: written as it is; the caller makes it atomic.
        calibration: the clips that calibrated the reference; the ranges of further tensors are measured on the first.

    Raises:
        ExportError: the result breaks the rules of ONNX Runtime's family.
    """
    model = onnx.load(reference)
    sigmoids = {node.output[0] for node in model.graph.node if node.op_type == "Sigmoid"}
    tensors = open_tensors(model)
    measured = measure_ranges(
        source, [name for name in tensors if name not in sigmoids], islice(calibration, _MEASURED_CLIPS)
    )
    close_qdq(model, {name: measured.get(name, _UNIT) for name in tensors})
    _quantize_biases(model.graph)
    if problems := lint_qdq(model, runtime="onnxruntime"):
        raise ExportError(f"{source.name}: ONNX Runtime's form breaks the Q/DQ rules: {problems[0]}")
    onnx.save(model, out)


def open_tensors(model: onnx.ModelProto) -> list[str]:
    """Tensors that the 8-bit kernels around convolutions read and write, in order of execution."""
    constants = {item.name for item in model.graph.initializer}
    sources = _dequantized_sources(model.graph)
    chosen: dict[str, None] = {}
    for node in model.graph.node:
        inputs = [sources.get(name, name) for name in node.input if name not in constants]
        if node.op_type == "Conv" and all(name in sources for name in node.input[:2]):
            chosen.update(dict.fromkeys((inputs[0], node.output[0])))
        elif node.op_type == "Sigmoid" and inputs[0] in chosen:
            chosen[node.output[0]] = None
        elif node.op_type in _JOINS and len(inputs) > 1 and any(name in chosen for name in inputs):
            chosen.update(dict.fromkeys((*inputs, node.output[0])))
    results = {item.name for item in model.graph.output}
    return [name for name in chosen if name not in results]


def measure_ranges(source: Path, tensors: Sequence[str], feeds: Iterable[Feed]) -> dict[str, Range]:
    """Range of inner (N, C, H, W) tensors of an fp32 graph: a clip's smallest and largest value, averaged over clips.

    One clip is in memory at a time. The mean keeps the step small where one clip is an outlier.
    """
    if not tensors:
        return {}
    model = onnx.load(source)
    names = [output for name in tensors for output in _add_extremes(model.graph, name)]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    seen = [[float(part.max()) for part in session.run(names, dict(feed))] for feed in feeds]
    extremes = np.mean(seen, axis=0).tolist()
    return {name: (-low, high) for name, low, high in zip(tensors, extremes[0::2], extremes[1::2], strict=True)}


def close_qdq(model: onnx.ModelProto, ranges: Mapping[str, Range]) -> None:
    """Put an unsigned Q/DQ pair on each tensor of `ranges`, in place of the one it may have; all readers share it."""
    graph = model.graph
    sources = _dequantized_sources(graph)
    given = [item.name for item in graph.input if item.name in ranges]
    nodes = [pair for name in given for pair in _pair(name, ranges[name], graph)]
    for node in graph.node:
        if not _is_replaced(node, sources, ranges):
            for i, name in enumerate(node.input):
                if (tensor := sources.get(name, name)) in ranges:
                    node.input[i] = f"{tensor}/dequantized"
            nodes.append(onnx.NodeProto.FromString(node.SerializeToString()))
            nodes += [pair for name in node.output if name in ranges for pair in _pair(name, ranges[name], graph)]
    del graph.node[:], graph.value_info[:]
    graph.node.extend(nodes)
    _drop_unused(graph)


def _quantize_biases(graph: onnx.GraphProto) -> None:
    """Write the biases of 8-bit Gemms as int32 in steps of input times weight: only so does their kernel run."""
    constants = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    scales = {node.output[0]: constants[node.input[1]] for node in graph.node if node.op_type == "DequantizeLinear"}
    nodes = []
    for node in graph.node:
        if node.op_type == "Gemm" and all(name in scales for name in node.input[:2]) and node.input[2] in constants:
            bias = constants[node.input[2]]
            steps = np.broadcast_to((scales[node.input[0]] * scales[node.input[1]]).astype(np.float32), bias.shape)
            nodes.append(_bias_dequantizer(graph, node.name, bias, steps))
            node.input[2] = nodes[-1].output[0]
        nodes.append(onnx.NodeProto.FromString(node.SerializeToString()))
    del graph.node[:]
    graph.node.extend(nodes)
    _drop_unused(graph)


def _bias_dequantizer(graph: onnx.GraphProto, gemm: str, bias: Array, steps: Array) -> onnx.NodeProto:
    names = [f"{gemm}/bias/{part}" for part in ("int32", "scale", "zero")]
    parts = (np.round(bias / steps).astype(np.int32), steps.copy(), np.zeros(bias.shape, np.int32))
    graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in zip(names, parts, strict=True))
    return helper.make_node(
        "DequantizeLinear", names, [f"{gemm}/bias/dequantized"], name=f"{gemm}/bias/DequantizeLinear", axis=0
    )


def _add_extremes(graph: onnx.GraphProto, name: str) -> tuple[str, str]:
    """Add outputs with the largest values of `-name` and of `name` by image and channel.

    Pooling has a fast kernel in ONNX Runtime; ReduceMin and ReduceMax over all axes take many times as long.
    """
    negative, low, high = (f"{name}/{word}" for word in ("negative", "lowest", "highest"))
    graph.node.append(helper.make_node("Neg", [name], [negative], name=negative))
    for tensor, output in ((negative, low), (name, high)):
        graph.node.append(helper.make_node("GlobalMaxPool", [tensor], [output], name=output))
        graph.output.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, None))
    return low, high


def _is_replaced(node: onnx.NodeProto, sources: Mapping[str, str], ranges: Collection[str]) -> bool:
    if node.op_type == "QuantizeLinear":
        return node.input[0] in ranges
    return node.op_type == "DequantizeLinear" and sources[node.output[0]] in ranges


def _pair(name: str, extent: Range, graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    scale, zero = f"{name}/scale", f"{name}/zero"
    low, high = min(extent[0], 0.0), max(extent[1], 0.0)
    step = (high - low) / 255 or 1.0
    graph.initializer.append(numpy_helper.from_array(np.array(step, np.float32), scale))
    graph.initializer.append(numpy_helper.from_array(np.array(round(-low / step), np.uint8), zero))
    for operator, source, output in (
        ("Quantize", name, "quantized"),
        ("Dequantize", f"{name}/quantized", "dequantized"),
    ):
        yield helper.make_node(
            f"{operator}Linear", [source, scale, zero], [f"{name}/{output}"], name=f"{name}/{operator}Linear"
        )


def _dequantized_sources(graph: onnx.GraphProto) -> dict[str, str]:
    """The tensor that a dequantizer's output stands for: what was quantized, or an 8-bit constant."""
    quantized = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "QuantizeLinear"}
    return {
        node.output[0]: quantized.get(node.input[0], node.input[0])
        for node in graph.node
        if node.op_type == "DequantizeLinear"
    }


def _drop_unused(graph: onnx.GraphProto) -> None:
    read = {name for node in graph.node for name in node.input}
    kept = [item for item in graph.initializer if item.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)

"""Nodes that may leave fp16's range, found from their weights and from what they compute on the calibration clips."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from edge_aver.quantize.ptq import Feed

__all__ = ["SAFE_MAGNITUDE", "float_tensors", "large_nodes"]

SAFE_MAGNITUDE = 65504 / 4
"""Largest magnitude seen in calibration that a node in fp16 may have: clips that nobody saw have a factor of 4 left."""

_MEASURED_CLIPS = 32
"""The draw is stratified: its beginning is spread over actors and emotions like the whole."""


def large_nodes(source: Path, feeds: Iterable[Feed]) -> frozenset[str]:
    """Names of the nodes of an fp32 graph that should not run in fp16.

    A node is large where a constant, an input or an output exceeds `SAFE_MAGNITUDE`, or the sum of magnitudes that an
    average makes inside. Products of matrices and convolutions are judged by their results alone: runtimes add them
    up in fp32.

    Args:
        source: the graph; every constant is an initializer.
        feeds: network inputs, batch 1; one at a time is in memory, and one value by tensor.
    """
    model = onnx.shape_inference.infer_shapes(onnx.load(source))
    largest = _constants(model.graph) | _measured(model, islice(feeds, _MEASURED_CLIPS))
    large = {name for name, magnitude in largest.items() if not magnitude <= SAFE_MAGNITUDE}
    return frozenset(
        node.name for node in model.graph.node if large & {*node.input, *node.output, _inside(node) or node.name}
    )


def float_tensors(graph: onnx.GraphProto) -> dict[str, int]:
    """Type by name of the fp32 tensors that nodes read or write, constants apart; needs inferred shapes."""
    infos = (*graph.input, *graph.value_info, *graph.output)
    types: Mapping[str, int] = {info.name: info.type.tensor_type.elem_type for info in infos}
    return {name: kind for name, kind in types.items() if kind == TensorProto.FLOAT}


def _constants(graph: onnx.GraphProto) -> dict[str, float]:
    floats = (item for item in graph.initializer if item.data_type == TensorProto.FLOAT)
    return {item.name: float(np.abs(numpy_helper.to_array(item)).max(initial=0.0)) for item in floats}


def _measured(model: onnx.ModelProto, feeds: Iterable[Feed]) -> dict[str, float]:
    """Largest magnitude of each tensor, and of the sums inside of averages, over the clips."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    graph = model.graph
    tensors = [*float_tensors(graph), *_add_sums(graph)]
    graph.initializer.append(numpy_helper.from_array(np.array([-1]), _FLAT))
    graph.initializer.append(numpy_helper.from_array(np.array([0]), _AXIS))
    outputs = [output for name in tensors for output in _add_extremes(graph, name)]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    largest = np.zeros(len(outputs))
    for feed in feeds:
        largest = np.maximum(largest, np.abs(session.run(outputs, dict(feed))))
    return dict(zip(tensors, largest.reshape(-1, 2).max(axis=1).tolist(), strict=True))


_FLAT, _AXIS = "extremes/flat", "extremes/axis"


def _inside(node: onnx.NodeProto) -> str | None:
    return f"{node.name}/sum" if node.op_type == "ReduceMean" else None


def _add_sums(graph: onnx.GraphProto) -> Iterator[str]:
    """Add the sum of magnitudes beside each average; the result has one value for each that the average has."""
    for node in list(graph.node):
        if name := _inside(node):
            made = graph.node.add()
            made.CopyFrom(node)
            made.op_type, made.name = "ReduceL1", name
            made.output[:] = [name]
            yield name


def _add_extremes(graph: onnx.GraphProto, name: str) -> Iterator[str]:
    """Add outputs with the smallest and the largest value of a tensor.

    ONNX Runtime reduces one flat axis many times faster than several.
    """
    flat = f"{name}/flat"
    graph.node.append(helper.make_node("Reshape", [name, _FLAT], [flat], name=flat))
    for operator in ("ReduceMin", "ReduceMax"):
        output = f"{name}/{operator}"
        graph.node.append(helper.make_node(operator, [flat, _AXIS], [output], name=output, keepdims=0))
        graph.output.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, None))
        yield output

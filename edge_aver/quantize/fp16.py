"""fp16 in ONNX: weights and arithmetic of chosen nodes, Q/DQ pairs between them included; every cast in the file."""

from collections.abc import Collection, Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge_aver.quantize.large import float_tensors

__all__ = ["convert_fp16", "write_rounded"]

_NAMES = {TensorProto.FLOAT: "fp32", TensorProto.FLOAT16: "fp16"}
_FP16_SCALES_OPSET = 19
"""First whose quantizers take fp16; the other operators of our graphs mean in it what they mean in 18."""


def convert_fp16(source: Path, out: Path, half: Collection[str]) -> None:
    """Convert nodes of an fp32 or Q/DQ ONNX file; inputs and outputs keep their types.

    A quantizer takes the type of what it reads, a dequantizer that of its readers, so that no cast stands between an
    8-bit operator and its Q/DQ pairs. Their scales are rounded to what fp16 holds, in both types alike.

    ONNX Runtime's own converter writes an invalid file where two nodes kept in fp32 read one fp16 tensor (each gets a
    cast of the same name), so the casts are placed here: one for each tensor and type.

    Args:
        source: the graph, nodes named for their modules.
        out: written as it is; the caller makes it atomic.
        half: names of the nodes that run in fp16; their constants must fit into it.
    """
    model = onnx.shape_inference.infer_shapes(onnx.load(source))
    graph = model.graph
    named = {node.name for node in graph.node if node.name in half and node.op_type != "Cast"}
    linear = _half_linear(graph, named)
    if linear:
        _round_scales(graph, {node.input[1] for node in linear})
        model.opset_import[0].version = max(model.opset_import[0].version, _FP16_SCALES_OPSET)
    casts = _Casts(graph)
    named |= {node.name for node in linear}
    nodes = [new for node in graph.node for new in _converted(node, casts, to_half=node.name in named)]
    nodes += _restored(graph.output, casts)
    del graph.node[:], graph.value_info[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(casts.used_constants())
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, out)


def write_rounded(source: Path, out: Path) -> None:
    """Write the graph so that ONNX Runtime on a CPU, optimizations off, rounds every fp16 tensor.

    Its CPU provider computes fp16 operators in fp32 and drops the casts between two of them, so that values beyond
    fp16 pass and nothing is rounded but weights. Identities in fp16 after each operator keep its tensor; two, since it
    brings one that stands alone between fp32 operators to fp32 too.

    Args:
        source: a graph with fp16 nodes.
        out: written as it is; for reference runs only.
    """
    model = onnx.load(source)
    inferred = onnx.shape_inference.infer_shapes(model).graph.value_info
    half = {info.name for info in inferred if info.type.tensor_type.elem_type == TensorProto.FLOAT16}
    nodes = []
    for node in model.graph.node:
        nodes.append(node)
        for i, name in enumerate(node.output):
            if name in half:
                node.output[i] = f"{name}/unrounded"
                chain = (node.output[i], f"{name}/rounded", name)
                nodes += [helper.make_node("Identity", [a], [b], name=f"{b}/round") for a, b in pairwise(chain)]
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:], model.graph.value_info[:]
    model.graph.node.extend(copies)
    onnx.save(model, out)


def _half_linear(graph: onnx.GraphProto, half: Collection[str]) -> list[onnx.NodeProto]:
    """The quantizers of what fp16 nodes write, and the dequantizers of what they read."""
    written = {name for node in graph.node if node.name in half for name in node.output}
    read = {name for node in graph.node if node.name in half for name in node.input}
    quantizers = [node for node in graph.node if node.op_type == "QuantizeLinear" and node.input[0] in written]
    return quantizers + [node for node in graph.node if node.op_type == "DequantizeLinear" and node.output[0] in read]


def _round_scales(graph: onnx.GraphProto, scales: Collection[str]) -> None:
    """Round scales to values of fp16 (never to 0), and 8-bit constants to the steps that these make."""
    constants = {item.name: item for item in graph.initializer}
    old = {name: numpy_helper.to_array(constants[name]) for name in scales}
    new = {name: _representable(values) for name, values in old.items()}
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[1] in scales and node.input[0] in constants:
            stored = numpy_helper.to_array(constants[node.input[0]])
            ratio = _along(old[node.input[1]] / new[node.input[1]], node, stored.ndim)
            rounded = np.clip(np.round(stored * ratio), -127, 127).astype(stored.dtype)
            constants[node.input[0]].CopyFrom(numpy_helper.from_array(rounded, node.input[0]))
    for name, values in new.items():
        constants[name].CopyFrom(numpy_helper.from_array(values, name))


def _along(values: npt.NDArray[np.float32], node: onnx.NodeProto, rank: int) -> npt.NDArray[np.float32]:
    """One value a channel, shaped to multiply the constant (of `rank` axes) that a dequantizer reads."""
    axis = next((item.i for item in node.attribute if item.name == "axis"), 1) % rank if rank else 0
    return values.reshape([-1 if i == axis else 1 for i in range(rank)]) if values.size > 1 else values.reshape(())


def _representable(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.maximum(values.astype(np.float16), np.finfo(np.float16).smallest_subnormal).astype(np.float32)


class _Casts:
    """Which float tensor exists in which type, and the casts and constants that bring it into the other."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.constants = {item.name: item for item in graph.initializer}
        self.outputs = {item.name for item in graph.output}
        self.types = float_tensors(graph)
        self._made: dict[tuple[str, int], str] = {}
        self._used: dict[str, TensorProto] = {}

    def name(self, tensor: str, wanted: int) -> tuple[str, onnx.NodeProto | None]:
        """Name under which `tensor` exists as `wanted`, and the cast to insert first where it did not exist yet."""
        if tensor in self.constants:
            return self._constant(tensor, wanted), None
        if self.types.get(tensor, wanted) == wanted:
            return tensor, None
        if (tensor, wanted) in self._made:
            return self._made[tensor, wanted], None
        made = self._made[tensor, wanted] = f"{tensor}/{_NAMES[wanted]}"
        return made, helper.make_node("Cast", [tensor], [made], name=f"{made}/Cast", to=wanted)

    def used_constants(self) -> Iterable[TensorProto]:
        """Every constant in the types that are read."""
        return self._used.values()

    def _constant(self, tensor: str, wanted: int) -> str:
        item = self.constants[tensor]
        if item.data_type == TensorProto.FLOAT and wanted == TensorProto.FLOAT16:
            name = f"{tensor}/fp16"
            if name not in self._used:
                self._used[name] = _half(item, name)
            return name
        self._used[tensor] = item
        return tensor


def _converted(node: onnx.NodeProto, casts: _Casts, *, to_half: bool) -> Iterator[onnx.NodeProto]:
    """The node reading and writing its floats in one type, after the casts it needs."""
    wanted = TensorProto.FLOAT16 if to_half else TensorProto.FLOAT
    for i, tensor in enumerate(node.input):
        if tensor in casts.types or tensor in casts.constants:
            node.input[i], cast = casts.name(tensor, wanted)
            if cast is not None:
                yield cast
    for i, tensor in enumerate(node.output):
        if tensor in casts.types:
            casts.types[tensor] = wanted
            if to_half and tensor in casts.outputs:
                node.output[i] = f"{tensor}/fp16"
    yield node


def _restored(outputs: Iterable[onnx.ValueInfoProto], casts: _Casts) -> Iterator[onnx.NodeProto]:
    for output in outputs:
        if casts.types.get(output.name) == TensorProto.FLOAT16:
            half = f"{output.name}/fp16"
            yield helper.make_node("Cast", [half], [output.name], name=f"{output.name}/Cast", to=TensorProto.FLOAT)


def _half(item: TensorProto, name: str) -> TensorProto:
    return numpy_helper.from_array(numpy_helper.to_array(item).astype(np.float16), name)

"""fp16 in ONNX: weights and arithmetic of the blocks that the recipe names, every cast written into the file."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge_aver.errors import ExportError
from edge_aver.quantize.blocks import nodes_of
from edge_aver.quantize.recipes import Recipe

__all__ = ["convert_fp16"]

_NAMES = {TensorProto.FLOAT: "fp32", TensorProto.FLOAT16: "fp16"}


def convert_fp16(source: Path, out: Path, recipe: Recipe) -> None:
    """Convert an fp32 ONNX file by a recipe; inputs and outputs keep their types.

    ONNX Runtime's own converter writes an invalid file where two nodes kept in fp32 read one fp16 tensor (each gets a
    cast of the same name), so the casts are placed here: one for each tensor and type.

    Args:
        source: the simplified graph, nodes named for their modules.
        out: written as it is; the caller makes it atomic.
        recipe: whose fp16 blocks are converted.

    Raises:
        ExportError: a weight does not fit into fp16.
    """
    model = onnx.shape_inference.infer_shapes(onnx.load(source))
    graph = model.graph
    names = [node.name for node in graph.node if node.op_type != "Cast"]
    half = set(nodes_of(names, recipe.blocks_in("fp16")))
    casts = _Casts(graph)
    nodes = [new for node in graph.node for new in _converted(node, casts, to_half=node.name in half)]
    nodes += _restored(graph.output, casts)
    del graph.node[:], graph.value_info[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(casts.used_constants())
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, out)


class _Casts:
    """Which float tensor exists in which type, and the casts and constants that bring it into the other."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.constants = {item.name: item for item in graph.initializer}
        self.outputs = {item.name for item in graph.output}
        self.types = _float_tensors(graph)
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


def _float_tensors(graph: onnx.GraphProto) -> dict[str, int]:
    infos = (*graph.input, *graph.value_info, *graph.output)
    types: Mapping[str, int] = {info.name: info.type.tensor_type.elem_type for info in infos}
    return {name: kind for name, kind in types.items() if kind == TensorProto.FLOAT}


def _half(item: TensorProto, name: str) -> TensorProto:
    values = numpy_helper.to_array(item)
    if values.size and np.abs(values).max() > np.finfo(np.float16).max:
        raise ExportError(f"{item.name}: {np.abs(values).max():.3g} does not fit into fp16; keep its block in fp32")
    return numpy_helper.from_array(values.astype(np.float16), name)

"""One recipe lowered per family of runtimes, its precision written into the file."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import onnx

from edge_aver.errors import ExportError
from edge_aver.quantize.fp16 import convert_fp16, write_rounded
from edge_aver.quantize.large import large_nodes
from edge_aver.quantize.lint import TENSORRT, lint_qdq
from edge_aver.quantize.ptq import Feed
from edge_aver.quantize.qdq import quantize_qdq
from edge_aver.quantize.recipes import Recipe

__all__ = ["Lowered", "lower"]

_REMAINDER_FP32 = ("normalisation", "softmax", "layer_norm")
"""int8 blocks whose arithmetic outside 8 bits stays in fp32 on TensorRT too: they sum many terms or span a large range,
as the recipe `fp16` has it."""


@dataclass(frozen=True, kw_only=True)
class Lowered:
    """What a recipe made of a graph.

    Attributes:
        path: the form that the runtime takes; the source where nothing changes.
        reference: the ONNX file that says in explicit numbers what `path` should compute; None where `path` is the
            source.
    """

    path: Path
    reference: Path | None = None


def lower(source: Path, folder: Path, recipe: Recipe, runtime: str, calibration: Collection[Feed]) -> Lowered:
    """Write the form of a graph that a runtime takes under a recipe; what an earlier call wrote serves again.

    OpenVINO reads the same Q/DQ file as ONNX Runtime does: it runs as fast as what NNCF would make of OpenVINO's own
    graph, computes what the reference says, and is calibrated once.

    Args:
        source: the simplified fp32 ONNX file.
        folder: where to write; the caller owns it, one for each network and calibration.
        recipe: the policy.
        runtime: key of the table of runtimes.
        calibration: inputs by name, batch 1; empty for recipes that calibrate nothing.

    Raises:
        ExportError: a tool refused the graph, or a rule of the lowered form is broken.
    """
    if recipe.blocks_in("int8"):
        return _int8(source, folder, recipe, runtime, calibration)
    if recipe.blocks_in("fp16"):
        # One form for every family: OpenVINO keeps the casts and fp16 weights of the file.
        out = folder / f"{recipe.name}.lowered.onnx"
        _convert(source, source, out, recipe, recipe.blocks_in("fp16"), calibration)
        _check_tensorrt(out, runtime)
        return Lowered(path=out, reference=_reference(out))
    return Lowered(path=source)


def _int8(source: Path, folder: Path, recipe: Recipe, runtime: str, calibration: Collection[Feed]) -> Lowered:
    quantized = folder / f"{recipe.name}.qdq.onnx"
    if not quantized.is_file():
        quantize_qdq(source, quantized, recipe, calibration)
    half = _half_blocks(recipe, runtime)
    reference = folder / f"{recipe.name}.lowered{'-tensorrt' if runtime in TENSORRT else ''}.onnx"
    if not reference.is_file():
        _convert(source, quantized, reference, recipe, half, calibration)
    _check_tensorrt(reference, runtime)
    if runtime != "onnxruntime" or not recipe.integer_kernels:
        return Lowered(path=reference, reference=_reference(reference) if half else reference)
    from edge_aver.quantize.ort_form import quantize_for_ort

    closed, out = folder / f"{recipe.name}.closed.onnx", folder / f"{recipe.name}.onnxruntime.onnx"
    quantize_for_ort(source, quantized, closed, calibration)
    _convert(source, closed, out, recipe, half, calibration)
    return Lowered(path=out, reference=_reference(reference) if half else reference)


def _half_blocks(recipe: Recipe, runtime: str) -> tuple[str, ...]:
    """Blocks whose arithmetic outside 8 bits is fp16: those named so; on TensorRT also what 8-bit blocks leave over.

    A block that the recipe names fp32 is fp32 in every family.
    """
    left = (*recipe.blocks_in("int8"), *recipe.blocks_in("int8-weights")) if runtime in TENSORRT else ()
    return (*recipe.blocks_in("fp16"), *(block for block in left if block not in _REMAINDER_FP32))


def _convert(
    source: Path, graph: Path, out: Path, recipe: Recipe, blocks: Collection[str], calibration: Collection[Feed]
) -> None:
    """Bring the nodes of blocks to fp16, those apart that leave its range in the fp32 graph (`source`)."""
    half: frozenset[str] = frozenset()
    if blocks:
        if not calibration:
            raise ExportError(f"recipe {recipe.name}: fp16 needs calibration clips, to see which nodes leave its range")
        names = [node.name for node in onnx.load(source).graph.node]
        half = frozenset(recipe.layout.nodes_of(names, blocks)) - large_nodes(source, calibration)
    if half:
        convert_fp16(graph, out, half)
    else:
        onnx.save(onnx.load(graph), out)


def _reference(lowered: Path) -> Path:
    """The form of a file with fp16 nodes in which ONNX Runtime rounds as they do."""
    out = lowered.with_suffix(".rounded.onnx")
    write_rounded(lowered, out)
    return out


def _check_tensorrt(path: Path, runtime: str) -> None:
    if runtime in TENSORRT and (problems := lint_qdq(onnx.load(path), runtime=runtime)):
        raise ExportError(f"{path.name}: TensorRT would not take it: {problems[0]}")

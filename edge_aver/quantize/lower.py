"""One recipe lowered per family of runtimes, its precision written into the file."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from edge_aver.quantize.fp16 import convert_fp16
from edge_aver.quantize.ptq import Feed
from edge_aver.quantize.qdq import quantize_qdq
from edge_aver.quantize.recipes import Recipe

__all__ = ["Lowered", "lower"]


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
        convert_fp16(source, out, recipe)
        return Lowered(path=out, reference=out)
    return Lowered(path=source)


def _int8(source: Path, folder: Path, recipe: Recipe, runtime: str, calibration: Collection[Feed]) -> Lowered:
    reference = folder / f"{recipe.name}.lowered.onnx"
    if not reference.is_file():
        quantize_qdq(source, reference, recipe, calibration)
    if runtime != "onnxruntime" or not recipe.integer_kernels:
        return Lowered(path=reference, reference=reference)
    from edge_aver.quantize.ort_form import quantize_for_ort

    out = folder / f"{recipe.name}.onnxruntime.onnx"
    quantize_for_ort(source, reference, out, calibration)
    return Lowered(path=out, reference=reference)

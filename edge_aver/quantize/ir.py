"""OpenVINO's form of an int8 recipe: IR from NNCF under the same policy."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import openvino

from edge_aver.errors import ExportError
from edge_aver.quantize.ptq import Feed, post_training_quantize
from edge_aver.quantize.recipes import Recipe

__all__ = ["quantize_ir"]


def quantize_ir(source: Path, out: Path, recipe: Recipe, calibration: Collection[Feed]) -> None:
    """Quantize an fp32 ONNX file to IR (`out` is the `.xml`; its `.bin` stands beside it).

    Raises:
        ExportError: NNCF refused the graph, or the file cannot be written.
    """
    model: Any = openvino.Core().read_model(source)
    names = [node.get_friendly_name() for node in model.get_ordered_ops()]
    quantized = post_training_quantize(model, names, recipe, calibration)
    try:
        openvino.save_model(quantized, out, compress_to_fp16=False)
    except RuntimeError as error:
        raise ExportError(f"OpenVINO cannot write {out.name}: {error}") from error

"""OpenVINO's form of a recipe: IR from NNCF under the same policy, or with fp16 weights."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import openvino

from edge_aver.quantize.ptq import Feed, post_training_quantize
from edge_aver.quantize.recipes import Recipe

__all__ = ["compress_ir", "quantize_ir"]


def quantize_ir(source: Path, out: Path, recipe: Recipe, calibration: Collection[Feed]) -> None:
    """Quantize an fp32 ONNX file to IR (`out` is the `.xml`; its `.bin` stands beside it).

    Raises:
        ExportError: NNCF refused the graph.
    """
    model: Any = openvino.Core().read_model(source)
    names = [node.get_friendly_name() for node in model.get_ordered_ops()]
    quantized = post_training_quantize(model, names, recipe, calibration)
    openvino.save_model(quantized, out, compress_to_fp16=False)


def compress_ir(source: Path, out: Path) -> None:
    """IR with fp16 weights: half the bytes; a CPU without fp16 arithmetic still computes in fp32."""
    openvino.save_model(openvino.Core().read_model(source), out, compress_to_fp16=True)

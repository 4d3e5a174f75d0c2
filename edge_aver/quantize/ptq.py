"""Post-training quantization by NNCF under a recipe's policy, the same for ONNX and OpenVINO graphs."""

import contextlib
import importlib
import io
import logging
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy.typing as npt

from edge_aver.errors import ExportError
from edge_aver.quantize.blocks import nodes_of
from edge_aver.quantize.recipes import Recipe

__all__ = ["Feed", "post_training_quantize"]

Feed = Mapping[str, npt.NDArray[Any]]
"""Network inputs by name, batch 1."""


def post_training_quantize(
    model: Any, nodes: Iterable[str], recipe: Recipe, calibration: Collection[Feed], *, by_tensor: bool = False
) -> Any:
    """Quantize the int8 blocks of a recipe: symmetric (PERFORMANCE), attention patterns kept whole (TRANSFORMER).

    Args:
        model: `onnx.ModelProto` or `openvino.Model`.
        nodes: names of the model's nodes.
        recipe: whose other blocks are left alone.
        calibration: iterated more than once, one clip at a time; none is kept.
        by_tensor: one scale for each activation; else NNCF gives the inputs of depthwise convolutions one a channel.

    Raises:
        ExportError: NNCF refused the graph.
    """
    nncf = _quiet_nncf()
    ignored = nodes_of(nodes, {*recipe.blocks_in("fp32"), *recipe.blocks_in("fp16")})
    try:
        # NNCF draws progress bars of its own on standard output, which belongs to results.
        with contextlib.redirect_stdout(io.StringIO()):
            return nncf.quantize(
                model,
                nncf.Dataset(calibration, dict),
                preset=nncf.QuantizationPreset.PERFORMANCE,
                subset_size=len(calibration),
                model_type=nncf.ModelType.TRANSFORMER,
                ignored_scope=nncf.IgnoredScope(names=ignored, validate=False),
                advanced_parameters=_advanced(nncf, recipe, by_tensor=by_tensor),
            )
    except nncf.InternalError as error:
        raise ExportError(f"NNCF cannot quantize the graph: {error}") from error


def _advanced(nncf: Any, recipe: Recipe, *, by_tensor: bool) -> Any:
    parameters = importlib.import_module("nncf.quantization.advanced_parameters").QuantizationParameters
    return nncf.AdvancedQuantizationParameters(
        overflow_fix=nncf.OverflowFix.ENABLE if recipe.overflow_fix else nncf.OverflowFix.DISABLE,
        activations_quantization_params=parameters(per_channel=False) if by_tensor else None,
    )


def _quiet_nncf() -> Any:
    # Imported with NNCF, this module warns where a CUDA toolkit is installed without a GPU.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    nncf = importlib.import_module("nncf")
    nncf.set_log_level(logging.ERROR)
    return nncf

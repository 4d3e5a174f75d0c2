"""Post-training quantization by NNCF under a recipe's policy."""

import contextlib
import importlib
import io
import logging
from collections.abc import Collection, Mapping
from typing import Any

import numpy.typing as npt
import onnx

from edge_aver.errors import ExportError
from edge_aver.quantize.own import spared_nodes
from edge_aver.quantize.recipes import Recipe

__all__ = ["Feed", "post_training_quantize"]

Feed = Mapping[str, npt.NDArray[Any]]
"""Network inputs by name, batch 1."""


def post_training_quantize(model: onnx.ModelProto, recipe: Recipe, calibration: Collection[Feed]) -> onnx.ModelProto:
    """Quantize the int8 blocks of a recipe: symmetric (PERFORMANCE), attention patterns kept whole (TRANSFORMER).

    Each activation has one scale; left to itself NNCF gives the inputs of depthwise convolutions one a channel. In a
    network of one's own it covers the extremes of all clips.

    Args:
        model: fp32, nodes named for their modules.
        recipe: whose other blocks are left alone.
        calibration: iterated more than once, one clip at a time; none is kept.

    Raises:
        ExportError: NNCF refused the graph.
    """
    nncf = _quiet_nncf()
    names, layout = [node.name for node in model.graph.node], recipe.layout
    ignored = layout.nodes_of(names, set(layout.patterns) - set(recipe.blocks_in("int8")))
    if layout.weighted_only:
        ignored = list(dict.fromkeys([*ignored, *spared_nodes(model, recipe)]))
        if len(ignored) == len(names):
            raise ExportError(f"recipe {recipe.name}: no convolution or product with constant weights is left for int8")
    try:
        # NNCF draws progress bars of its own on standard output, which belongs to results.
        with contextlib.redirect_stdout(io.StringIO()):
            quantized: onnx.ModelProto = nncf.quantize(
                model,
                nncf.Dataset(calibration, dict),
                preset=nncf.QuantizationPreset.PERFORMANCE,
                subset_size=len(calibration),
                model_type=nncf.ModelType.TRANSFORMER,
                ignored_scope=nncf.IgnoredScope(names=ignored, validate=False),
                advanced_parameters=_advanced(nncf, own_network=layout.weighted_only),
            )
            return quantized
    except nncf.InternalError as error:
        raise ExportError(f"NNCF cannot quantize the graph: {error}") from error


def _advanced(nncf: Any, *, own_network: bool) -> Any:
    parameters = importlib.import_module("nncf.quantization.advanced_parameters")
    advanced = nncf.AdvancedQuantizationParameters(
        # Weights are bounded afterwards, at less loss (`quantize.weights`).
        overflow_fix=nncf.OverflowFix.DISABLE,
        activations_quantization_params=parameters.QuantizationParameters(per_channel=False),
    )
    if own_network:
        # Left to itself NNCF takes the mean of the clips' extremes, and cuts the louder half of clips that differ.
        ranges = importlib.import_module("nncf.quantization.range_estimator").RangeEstimatorParametersSet
        advanced.activations_range_estimator_params = ranges.MINMAX
        # It scales the inputs of products channel by channel, which OpenVINO joins with a mean before it, wrongly.
        advanced.smooth_quant_alphas = parameters.AdvancedSmoothQuantParameters(convolution=-1, matmul=-1)
    return advanced


def _quiet_nncf() -> Any:
    # Imported with NNCF, this module warns where a CUDA toolkit is installed without a GPU.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    nncf = importlib.import_module("nncf")
    nncf.set_log_level(logging.ERROR)
    return nncf

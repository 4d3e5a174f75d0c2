"""Small graphs that TensorRT-RTX compiles in a moment, and what tests of engines share."""

import importlib.util

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from runtime_models import SPEC

from edge_aver.bundle import Artifact, open_artifact, write_artifact
from edge_aver.targets import load_profile, runtime_module

NEEDS_RTX = pytest.mark.skipif(
    importlib.util.find_spec("tensorrt_rtx") is None, reason="tensorrt_rtx is not installed (extra tensorrt-rtx)"
)

_TYPES = {"fp32": (np.float32, TensorProto.FLOAT), "fp16": (np.float16, TensorProto.FLOAT16)}


def small_graph(path, precision="fp16", *, zero=0, kind=np.int8):
    """Write pixels -> convolution -> pooling -> matrix product; `int8` quantizes the convolution, the rest is fp16."""
    array, tensor = _TYPES["fp16" if precision == "int8" else precision]
    random = np.random.default_rng(0)
    constants = {
        "kernel": random.normal(size=(16, 16, 3, 3)).astype(array),
        "table": random.normal(size=(16, 8)).astype(array),
    }
    nodes = [helper.make_node("Cast", ["x"], ["pixels"], name="stem/Cast_0", to=tensor)]
    source, kernel = "pixels", "kernel"
    if precision == "int8":
        constants |= {
            "kernel": random.integers(-127, 128, size=(16, 16, 3, 3)).astype(np.int8),
            "kernel_scale": np.full(16, 0.01, array),
            "kernel_zero": np.zeros(16, np.int8),
            "scale": np.array(0.1, array),
            "zero": np.array(zero, kind),
        }
        nodes += [
            helper.make_node("QuantizeLinear", ["pixels", "scale", "zero"], ["q"], name="stem/Quantize_0"),
            helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["d"], name="stem/Dequantize_0"),
            helper.make_node("DequantizeLinear", ["kernel", "kernel_scale", "kernel_zero"], ["k"], name="k", axis=0),
        ]
        source, kernel = "d", "k"
    nodes += [
        helper.make_node("Conv", [source, kernel], ["c"], name="stem/Conv_0", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"], name="stem/Relu_0"),
        helper.make_node("GlobalAveragePool", ["r"], ["p"], name="head/Pool_0"),
        helper.make_node("Flatten", ["p"], ["f"], name="head/Flatten_0"),
        helper.make_node("MatMul", ["f", "table"], ["y0"], name="head/MatMul_0"),
        helper.make_node("Cast", ["y0"], ["y"], name="head/Cast_0", to=TensorProto.FLOAT),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, ["batch", 16, 32, 32])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 8])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9), path)
    return path


def engine_artifact(folder, *, part="clip"):
    """Write an artifact whose file is a real engine of the small graph, for Ada."""
    lowered, built = small_graph(folder / "small.onnx"), folder / "small.engine"
    told = runtime_module("tensorrt-rtx").build(lowered, built, metadata={}, profile=load_profile("rtx-4090"))
    name = "aver-sa-synthetic-fold1-fp16.rtx-4090" + ("" if part == "clip" else f".{part}")
    artifact = Artifact(
        path=folder / f"{name}.engine",
        target="rtx-4090",
        runtime="tensorrt-rtx",
        precision="fp16",
        spec=SPEC,
        build=told,
        part=part,
    )
    with write_artifact(artifact, folder=False) as place:
        built.rename(place)
    return open_artifact(artifact.path)

import os
import platform
import subprocess
import sys

import numpy as np
import onnx
import pytest
from graphs import make_model, save
from onnx import TensorProto, helper, numpy_helper

from edge_aver.quantize import load_recipe
from edge_aver.quantize.weights import bound_weights, largest_pair, store_weights

CONV = "frame_encoder.backbone.conv_stem/Conv_0"
CHANCE = np.random.default_rng(0)
# Neighbouring inputs weigh alike: the worst for sums of pairs.
WEIGHT = np.repeat(CHANCE.normal(size=(16, 16, 3, 3)), 2, axis=1).astype(np.float32)
INPUT = np.abs(CHANCE.normal(size=(1, 32, 8, 8))).astype(np.float32).clip(0, 2)


def ends():
    shapes = (("x", ["batch", 32, 8, 8]), ("y", ["batch", 16, 6, 6]))
    return [[helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)] for name, shape in shapes]


def fp32():
    inputs, outputs = ends()
    return make_model(
        [helper.make_node("Conv", ["x", "w"], ["y"], name=CONV)], {"w": WEIGHT}, inputs=inputs, outputs=outputs
    )


def quantized(stored, scales):
    """x and weights in 8 bits, a convolution."""
    inputs, outputs = ends()
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "sx", "zx"], ["qx"], name="q"),
        helper.make_node("DequantizeLinear", ["qx", "sx", "zx"], ["dx"], name="dq"),
        helper.make_node("DequantizeLinear", ["wq", "sw", "zw"], ["dw"], name="dqw", axis=0),
        helper.make_node("Conv", ["dx", "dw"], ["y"], name=CONV),
    ]
    constants = {
        "sx": np.float32(2 / 127),
        "zx": np.int8(0),
        "wq": stored,
        "sw": scales,
        "zw": np.zeros(16, np.int8),
    }
    arrays = {name: np.asarray(value) for name, value in constants.items()}
    return make_model(nodes, arrays, inputs=inputs, outputs=outputs)


def by_largest(weight):
    """What quantizers do: the largest weight of a channel becomes 127."""
    scales = (np.abs(weight).reshape(16, -1).max(axis=1) / 127).astype(np.float32)
    return quantized(np.round(weight / scales.reshape(-1, 1, 1, 1)).astype(np.int8), scales)


def constants_of(model):
    return {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}


def test_pairs_of_one_sign_are_added_within_a_channel_and_place():
    weight = np.zeros((2, 4, 1, 2), np.float32)
    weight[0, :, 0, 0] = [1, 2, -5, 4]
    weight[1, 1:3, 0, 1] = [3, 4]  # neighbours, but not one pair

    assert largest_pair(weight, 0).tolist() == [5, 4]


def test_an_odd_last_input_stands_alone_and_other_axes_are_told():
    weight = np.array([[1.0, -1.0], [1.5, -7.0], [9.0, 0.5]])

    assert largest_pair(weight, 1).tolist() == [9.0, 8.0]
    assert largest_pair(weight.T, 0).tolist() == [9.0, 8.0]


def test_bounded_weights_hold_the_limit_and_stay_within_half_a_step():
    model = by_largest(WEIGHT)
    assert largest_pair(constants_of(model)["wq"], 0).max() > 128

    bound_weights(model, fp32())

    bounded = constants_of(model)
    assert largest_pair(bounded["wq"], 0).max() <= 128
    steps = bounded["sw"].reshape(-1, 1, 1, 1)
    assert np.abs(bounded["wq"] * steps - WEIGHT).max() <= steps.max() * 0.51


def test_a_weight_that_a_tool_changed_is_not_taken_back():
    changed = WEIGHT * 3
    model = by_largest(changed)

    bound_weights(model, fp32())

    bounded = constants_of(model)
    np.testing.assert_allclose(
        bounded["wq"] * bounded["sw"].reshape(-1, 1, 1, 1), changed, atol=1.1 * bounded["sw"].max()
    )


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the instructions that saturate are x86's")
@pytest.mark.parametrize(("bounded", "holds"), [(False, False), (True, True)])
def test_a_cpu_without_dot_products_computes_what_the_file_says(tmp_path, bounded, holds):
    model = by_largest(WEIGHT)
    if bounded:
        bound_weights(model, fp32())
    save(model, tmp_path / "model.onnx")
    np.save(tmp_path / "x.npy", INPUT)

    got = run_without_dot_products(tmp_path)

    stored = constants_of(model)
    exact = convolve(np.round(INPUT * 127 / 2) * 2 / 127, stored["wq"] * stored["sw"].reshape(-1, 1, 1, 1))
    error = np.abs(got - exact).max() / np.abs(exact).max()
    assert (error < 1e-4) == holds, error


def run_without_dot_products(folder):
    """OpenVINO in a process that is denied the newer instructions, which only the environment can do."""
    script = (
        "import sys, numpy as np, openvino\n"
        "options = {'INFERENCE_PRECISION_HINT': 'f32'}\n"
        "compiled = openvino.Core().compile_model(sys.argv[1] + '/model.onnx', 'CPU', options)\n"
        "np.save(sys.argv[1] + '/y.npy', compiled([np.load(sys.argv[1] + '/x.npy')])[0])\n"
    )
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"}
    subprocess.run([sys.executable, "-c", script, str(folder)], env=environment, check=True, capture_output=True)
    return np.load(folder / "y.npy")


def convolve(x, weight):
    windows = np.lib.stride_tricks.sliding_window_view(x[0].astype(np.float64), (3, 3), axis=(1, 2))
    return np.einsum("ihwkl,oikl->ohw", windows, weight.astype(np.float64))[None]


@pytest.mark.parametrize(
    ("operator", "attributes", "axis"), [("Gemm", {"transB": 1}, 0), ("Gemm", {}, 1), ("MatMul", {}, 1)]
)
def test_weights_of_fp32_arithmetic_are_stored_in_8_bits(tmp_path, operator, attributes, axis):
    weight = CHANCE.normal(size=(4, 4)).astype(np.float32) * np.array([1, 10, 100, 1000], np.float32)
    weight = weight if axis else weight.T
    model = make_model(
        [helper.make_node(operator, ["x", "w"], ["y"], name="fusion.classifier/Product_0", **attributes)], {"w": weight}
    )

    store_weights(model, load_recipe("int8"))

    stored = constants_of(onnx.load(save(model, tmp_path / "stored.onnx")))
    assert stored["w/int8"].dtype == np.int8
    steps = np.expand_dims(stored["w/scale"], 1 - axis)
    assert (np.abs(stored["w/int8"] * steps - weight) <= steps * 0.51).all()
    assert "w" not in stored


def test_blocks_in_fp32_keep_their_weights():
    node = helper.make_node("MatMul", ["x", "w"], ["y"], name="fusion.audio_self.0.norm/MatMul_0")
    model = make_model([node], {"w": np.eye(4, dtype=np.float32)})

    store_weights(model, load_recipe("int8"))

    assert list(constants_of(model)) == ["w"]

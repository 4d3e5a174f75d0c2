"""ONNX Runtime's form: what lies between convolutions gets 8 bits, and the integer kernels then really run."""

import numpy as np
import onnx
import pytest
from graphs import make_model, save
from onnx import TensorProto, helper, numpy_helper

from edge_aver.quantize.lint import lint_qdq
from edge_aver.quantize.ort_form import close_qdq, measure_ranges, open_tensors, quantize_for_ort
from edge_aver.targets import runtime_module

WEIGHTS = np.random.default_rng(0).normal(size=(2, 16, 16, 3, 3)).astype(np.float32) / 8


def silu_network(*, quantized):
    """Two convolutions with SiLU between them; quantized, only their inputs and weights are, as NNCF leaves them."""
    nodes, constants, tensor = [], {}, "x"
    for i, weight in enumerate(WEIGHTS):
        constants[f"w{i}"], source, kernel = weight, tensor, f"w{i}"
        if quantized:
            scales = np.abs(weight).max(axis=(1, 2, 3)) / 127
            constants[f"w{i}"] = np.round(weight / scales[:, None, None, None]).astype(np.int8)
            constants |= {f"ws{i}": scales, f"wz{i}": np.zeros(16, np.int8)}
            constants |= {f"s{i}": np.array(4 / 127, np.float32), f"z{i}": np.array(0, np.int8)}
            nodes += [
                helper.make_node("QuantizeLinear", [tensor, f"s{i}", f"z{i}"], [f"q{i}"], name=f"Q{i}"),
                helper.make_node("DequantizeLinear", [f"q{i}", f"s{i}", f"z{i}"], [f"d{i}"], name=f"D{i}"),
                helper.make_node("DequantizeLinear", [f"w{i}", f"ws{i}", f"wz{i}"], [f"dw{i}"], name=f"W{i}", axis=0),
            ]
            source, kernel = f"d{i}", f"dw{i}"
        nodes += [
            helper.make_node("Conv", [source, kernel], [f"c{i}"], name=f"Conv{i}", pads=[1, 1, 1, 1]),
            helper.make_node("Sigmoid", [f"c{i}"], [f"g{i}"], name=f"Sigmoid{i}"),
            helper.make_node("Mul", [f"c{i}", f"g{i}"], [f"y{i}" if i == 0 else "y"], name=f"Mul{i}"),
        ]
        tensor = f"y{i}"
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 16, 8, 8]) for name in ("x", "y")]
    return make_model(nodes, constants, inputs=ends[:1], outputs=ends[1:])


@pytest.fixture
def files(tmp_path):
    return save(silu_network(quantized=False), tmp_path / "fp32.onnx"), save(
        silu_network(quantized=True), tmp_path / "reference.onnx"
    )


@pytest.fixture
def feeds():
    chance = np.random.default_rng(1)
    return [{"x": chance.normal(size=(1, 16, 8, 8)).astype(np.float32)} for _ in range(4)]


def test_the_tensors_around_convolutions_are_found():
    assert open_tensors(silu_network(quantized=True)) == ["x", "c0", "g0", "y0", "c1", "g1"]
    assert open_tensors(silu_network(quantized=False)) == []


def test_ranges_are_means_of_the_extremes_of_clips(files, feeds):
    low, high = measure_ranges(files[0], ["x"], iter(feeds))["x"]

    assert low == pytest.approx(np.mean([feed["x"].min() for feed in feeds]))
    assert high == pytest.approx(np.mean([feed["x"].max() for feed in feeds]))


def test_a_shared_pair_replaces_the_old_one_and_is_unsigned():
    model = silu_network(quantized=True)
    close_qdq(model, dict.fromkeys(open_tensors(model), (-1.0, 3.0)))
    onnx.checker.check_model(model, full_check=True)

    constants = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    assert lint_qdq(model, runtime="onnxruntime") == []
    assert "UINT8" in lint_qdq(model)[0]
    assert (constants["y0/zero"].dtype, constants["y0/zero"], constants["y0/scale"]) == (
        np.uint8,
        64,
        pytest.approx(4 / 255),
    )
    assert "s1" not in constants
    assert sum(node.op_type == "QuantizeLinear" for node in model.graph.node) == 6


def test_the_integer_kernels_run_and_compute_what_the_network_does(files, feeds, tmp_path):
    quantize_for_ort(*files, tmp_path / "ort.onnx", feeds)

    ort = runtime_module("onnxruntime")
    with ort.open_runner(files[0]) as exact, ort.open_runner(tmp_path / "ort.onnx") as closed:
        wanted, got = exact.infer(feeds[0])["y"], closed.infer(feeds[0])["y"]
    assert 10 * np.log10(np.square(wanted).sum() / np.square(wanted - got).sum()) > 25
    operators = {node.op_type for node in optimized(tmp_path / "ort.onnx", tmp_path).graph.node}
    assert {"QLinearConv", "QLinearSigmoid", "QLinearMul"} <= operators
    assert not {"Conv", "FusedConv", "Sigmoid"} & operators


def optimized(path, folder):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(folder / "optimized.onnx")
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return onnx.load(folder / "optimized.onnx")

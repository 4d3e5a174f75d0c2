"""int8 of a network that nobody looked into: what it leaves alone, what its scales cover, and that OpenVINO agrees."""

import numpy as np
import onnx
import pytest
from graphs import make_model, save
from onnx import TensorProto, helper, numpy_helper

from edge_aver.quantize import load_recipe
from edge_aver.quantize.own import fit_recipe, spared_nodes
from edge_aver.targets import runtime_module

pytest.importorskip("nncf", reason="needs the extra that exports")

from edge_aver.quantize.qdq import quantize_qdq

RECIPE = fit_recipe(
    load_recipe("int8", own_network=True),
    children=("hear", "judge"),
    modules={"hear": "Linear", "judge": "Linear"},
    shipped=True,
)
CHANCE = np.random.default_rng(0)
HEAR, JUDGE = CHANCE.normal(size=(16, 16)).astype(np.float32), CHANCE.normal(size=(16, 8)).astype(np.float32)


@pytest.fixture
def source(tmp_path):
    """Audio (N, 6, 16) through a product, the mean over time, and a product: to logits (N, 8)."""
    nodes = [
        helper.make_node("MatMul", ["audio", "w0"], ["h"], name="hear/MatMul_0"),
        helper.make_node("ReduceMean", ["h", "time"], ["m"], name="network/ReduceMean_0", keepdims=0),
        helper.make_node("Gemm", ["m", "w1"], ["logits"], name="judge/Gemm_0"),
    ]
    ends = (("audio", ["batch", 6, 16]), ("logits", ["batch", 8]))
    given, gives = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in ends)
    constants = {"w0": HEAR, "w1": JUDGE, "time": np.array([1])}
    return save(make_model(nodes, constants, inputs=[given], outputs=[gives]), tmp_path / "fp32.onnx")


def clips(count, *, seed=1):
    """From quiet to loud: each clip is half as loud again as the one before; features of several sizes."""
    chance = np.random.default_rng(seed)
    sizes = np.linspace(0.2, 2, 16)
    return [{"audio": (chance.normal(size=(1, 6, 16)) * sizes * 1.5**i).astype(np.float32)} for i in range(count)]


def test_the_first_product_behind_raw_features_and_means_are_spared(source):
    assert spared_nodes(onnx.load(source), RECIPE) == ["hear/MatMul_0", "network/ReduceMean_0"]


def test_the_scale_of_an_activation_covers_the_loudest_clip(source, tmp_path):
    given = clips(8)
    quantize_qdq(source, tmp_path / "q.onnx", RECIPE, given)

    graph = onnx.load(tmp_path / "q.onnx").graph
    constants = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    (quantizer,) = [node for node in graph.node if node.op_type == "QuantizeLinear"]
    largest = max(np.abs((clip["audio"] @ HEAR).mean(axis=1)).max() for clip in given)
    assert constants[quantizer.input[1]] == pytest.approx(largest / 127, rel=0.02)
    assert quantizer.input[0] == "m", "scaled channel by channel before it is quantized"


def test_openvino_computes_what_the_quantized_graph_says(source, tmp_path):
    openvino = pytest.importorskip("edge_aver.targets.ov", reason="openvino is not installed", exc_type=ImportError)
    quantize_qdq(source, tmp_path / "q.onnx", RECIPE, clips(8))
    built = tmp_path / "q.openvino"
    built.mkdir()
    openvino.build(tmp_path / "q.onnx", built, metadata={})

    tried = clips(8, seed=2)[-3:]
    with runtime_module("onnxruntime").open_runner(tmp_path / "q.onnx", exact=True, trust=True) as runner:
        wanted = np.concatenate([runner.infer(clip)["logits"].copy() for clip in tried])
    with openvino.open_runner(built, trust=True) as runner:
        got = np.concatenate([runner.infer(clip)["logits"].copy() for clip in tried])
    np.testing.assert_allclose(got, wanted, atol=1e-2 * np.abs(wanted).max())

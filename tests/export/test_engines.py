"""The real networks, lowered and compiled for a GPU that is not here, whole and in two."""

import importlib
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from graphs import qdq_model, save
from trt_graphs import NEEDS_RTX, small_graph

from edge_aver.bundle import part_path
from edge_aver.errors import ExportError
from edge_aver.export.engines import check_lowered, say_build
from edge_aver.export.simplify import simplify
from edge_aver.export.split import split_onnx
from edge_aver.export.trace import onnx_from_torch
from edge_aver.models.network import build_network
from edge_aver.quantize import load_recipe
from edge_aver.quantize.lower import lower
from edge_aver.spec import PARTS
from edge_aver.targets import load_profile, runtime_module
from edge_aver.targets.trt_build import BuiltPlan, build_plan
from edge_aver.targets.trt_layers import BuiltLayers
from edge_aver.targets.trt_process import build_apart

ARCHITECTURES = ("ca", "id", "sa")
TOLD = {
    "engine_bytes": 1234567,
    "engine_seconds": 8.25,
    "dla": "off",
    "layers": {"FP16": 3, "INT8": 9},
    "rebuild_identical": True,
    "rebuild_note": None,
    "precision_note": None,
}
GRID = ("rtx-2080", "rtx-3090", "rtx-4090", "rtx-5090", "rtx-any")


def clips(count):
    chance = np.random.default_rng(0)
    return [
        {
            "faces": chance.integers(0, 256, (1, 15, 224, 224, 3), dtype=np.uint8),
            "audio": chance.normal(size=(1, 15, 128)).astype(np.float32),
        }
        for _ in range(count)
    ]


@pytest.fixture(scope="module")
def graphs(tmp_path_factory):
    """Gives the graph of an architecture's part in a precision, made once: `graphs("sa", "int8", "fusion")`."""
    made = {}

    def graph(architecture, precision, part="clip"):
        if architecture not in made:
            folder = made[architecture] = tmp_path_factory.mktemp(architecture)
            torch.manual_seed(0)
            onnx_from_torch(build_network(architecture), folder / "traced.onnx")
            simplify(folder / "traced.onnx", folder / "fp32.onnx")
        if (architecture, precision) not in made:
            folder = made[architecture] / precision
            folder.mkdir()
            source = made[architecture] / "fp32.onnx"
            whole = lower(source, folder, load_recipe(precision), "tensorrt-rtx", clips(2)).path
            made[architecture, precision] = {"clip": whole, **split_onnx(whole, folder)}
        return made[architecture, precision][part]

    return graph


def compiled(path, target="rtx-4090"):
    return build_plan(importlib.import_module("tensorrt_rtx"), path, load_profile(target))


@NEEDS_RTX
@pytest.mark.parametrize("part", ["clip", *PARTS])
@pytest.mark.parametrize("precision", ["fp16", "int8"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_network_is_compiled_in_the_types_of_its_file(graphs, architecture, precision, part):
    path = graphs(architecture, precision, part)
    built = compiled(path)
    check_types(built, path)
    assert len(quantized_products(path)) == (59 if precision == "int8" and part != "fusion" else 0)
    assert built.precision_note is None


def check_types(built, path):
    """What the file quantizes runs in INT8, everything else that multiplies in fp16, and nothing in fp32."""
    products = {kind: set(nodes) for kind, nodes in built.layers.products.items()}
    quantized = quantized_products(path)
    assert products.pop("INT8", set()) == quantized
    assert set(products) == {"FP16"}
    assert len(products["FP16"]) >= (1 if quantized else 15)


def quantized_products(path):
    """Products both of whose factors the file brings to 8 bits: what should run in INT8 where a GPU has it."""
    nodes = onnx.load(path).graph.node
    made = {name: node for node in nodes for name in node.output}

    def is_quantized(node):
        source = made.get(node.input[0])
        activation = made.get(source.input[0]) if source and source.op_type == "DequantizeLinear" else None
        return activation is not None and activation.op_type == "QuantizeLinear"

    return {node.name for node in nodes if node.op_type in ("Conv", "Gemm", "MatMul") and is_quantized(node)}


@NEEDS_RTX
@pytest.mark.slow
@pytest.mark.parametrize("target", GRID)
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_the_grid_of_gpus_and_precisions(graphs, precision, target):
    if precision not in load_profile(target).precisions:
        pytest.skip(f"{target} does not take {precision}: its profile refuses it")
    path = graphs("sa", precision)
    built = compiled(path, target)
    assert len(built.plan) > 10e6
    if precision == "fp32":
        assert set(built.layers.products) == {"FP32"}
    elif target == "rtx-2080" and precision == "int8":
        assert "INT8" not in built.layers.counts, "TensorRT-RTX has learnt INT8 for Turing: tell it in the README"
        assert "NO LAYER RUNS IN INT8" in built.precision_note
    else:
        check_types(built, path)


@NEEDS_RTX
@pytest.mark.parametrize(("precision", "part"), [("int8", "clip"), ("fp16", "frame_encoder")])
def test_a_rebuild_of_a_network_is_byte_identical(graphs, precision, part):
    first, second = (build_apart("tensorrt_rtx", graphs("sa", precision, part), load_profile("rtx-4090")) for _ in "ab")
    if not first.steady and first.plan != second.plan:
        pytest.skip("this system forbids a process fixed addresses or real-time scheduling: builds may differ, as told")
    assert first.plan == second.plan


@pytest.mark.parametrize("architecture", ["ca", "sa"])
def test_the_two_parts_compute_what_the_whole_computes(graphs, architecture):
    feed = {name: np.concatenate([clip[name] for clip in clips(2)]) for name in ("faces", "audio")}
    paths = [graphs(architecture, "fp32", part) for part in ("clip", *PARTS)]
    open_runner = runtime_module("onnxruntime").open_runner
    with open_runner(paths[0], exact=True) as whole, open_runner(paths[1], exact=True) as encoder:
        wanted = whole.infer(feed)["logits"]
        features = encoder.infer({"faces": feed["faces"].reshape(30, 224, 224, 3)})["features"]
        alone = encoder.infer({"faces": feed["faces"][1, 3:4]})["features"]
    with open_runner(paths[2], exact=True) as fusion:
        logits = fusion.infer({"features": features.reshape(2, 15, 128), "audio": feed["audio"]})["logits"]
    np.testing.assert_allclose(logits, wanted, atol=1e-5)
    np.testing.assert_allclose(alone[0], features[18], atol=1e-4)


def test_a_graph_without_the_joint_is_not_split(tmp_path):
    with pytest.raises(ExportError, match=r"small\.onnx has no node network/Reshape_1: it cannot be split"):
        split_onnx(small_graph(tmp_path / "small.onnx"), tmp_path)


@pytest.mark.parametrize(
    ("wrong", "rule"), [({"kind": np.uint8}, "UINT8"), ({"zero": 3}, "non-zero zero point"), ({"with_zero": False}, "")]
)
def test_what_tensorrt_would_misread_is_refused_by_node_name(tmp_path, wrong, rule):
    path = save(qdq_model(**wrong), tmp_path / "lowered.onnx")
    with pytest.raises(ExportError, match=rf"not built for tensorrt-rtx: stem/(Quantize|Dequantize): .*{rule}"):
        check_lowered(path, "tensorrt-rtx")


def test_a_sound_graph_passes_the_linter(tmp_path):
    check_lowered(save(qdq_model(), tmp_path / "lowered.onnx"), "tensorrt-rtx")
    assert onnx.load(tmp_path / "lowered.onnx").graph.node


def test_what_a_build_told_is_one_line(capsys):
    say_build("a.engine", TOLD)
    say_build("a.onnx", {})
    assert capsys.readouterr().err.splitlines() == [
        "a.engine: 1,234,567 bytes in 8.2 s, rebuild byte-identical; layers by executed type: 3 FP16, 9 INT8; DLA off"
    ]


@pytest.mark.parametrize(("note", "said"), [("no fixed addresses", "no fixed addresses"), (None, "report it")])
def test_a_rebuild_that_differs_is_said_with_its_cause(capsys, note, said):
    say_build("b.engine", {**TOLD, "rebuild_identical": False, "rebuild_note": note})
    first, second = capsys.readouterr().err.splitlines()
    assert "identical" not in first
    assert second.startswith("b.engine: a second build of the same file gave other bytes")
    assert said in second


def test_int8_that_runs_nowhere_is_said(capsys):
    counts = {"FP16": 370, "FP32": 12}
    built = BuiltPlan(plan=b"", seconds=1.0, layers=BuiltLayers(counts=counts), quantized=59)
    say_build("c.engine", {**TOLD, "layers": counts, "precision_note": built.precision_note})
    assert capsys.readouterr().err.splitlines()[1] == (
        "c.engine: NO LAYER RUNS IN INT8, though the file quantizes 59 tensors: the builder computes in 370 FP16, "
        "12 FP32 on this GPU; expect none of INT8's speed, and measure it against fp16"
    )
    assert replace(built, quantized=0).precision_note is None
    assert replace(built, layers=BuiltLayers(counts={**counts, "INT8": 1})).precision_note is None


def test_a_part_stands_beside_the_whole(tmp_path):
    whole = tmp_path / "aver-sa-ravdess-fold1-int8.rtx-4090.engine"
    assert part_path(whole, "fusion").name == "aver-sa-ravdess-fold1-int8.rtx-4090.fusion.engine"

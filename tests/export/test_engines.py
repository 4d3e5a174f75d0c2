"""The real networks, lowered and compiled for a GPU that is not here, whole and in two."""

import importlib

import numpy as np
import onnx
import pytest
import torch
from graphs import qdq_model, save
from trt_graphs import NEEDS_RTX, small_graph

from edge_aver.errors import ExportError
from edge_aver.export.engines import check_lowered, part_path, say_build
from edge_aver.export.simplify import simplify
from edge_aver.export.split import PARTS, split_onnx
from edge_aver.export.trace import onnx_from_torch
from edge_aver.models.network import build_network
from edge_aver.quantize import load_recipe
from edge_aver.quantize.lower import lower
from edge_aver.targets import load_profile, runtime_module
from edge_aver.targets.trt_build import build_plan
from edge_aver.targets.trt_process import build_apart

ARCHITECTURES = ("ca", "id", "sa")
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
    built = compiled(graphs(architecture, precision, part))
    check_types(built, precision, part)


def check_types(built, precision, part):
    products = {kind: set(nodes) for kind, nodes in built.layers.products.items()}
    nodes = set().union(*products.values())
    assert "FP32" not in products
    if precision == "fp16":
        assert set(products) == {"FP16"}
        assert len(nodes) >= 15
    else:
        assert len(products["INT8"]) >= {"clip": 60, "frame_encoder": 50, "fusion": 10}[part]
        assert built.layers.counts["INT8"] >= len(products["INT8"]) // 2


@NEEDS_RTX
@pytest.mark.slow
@pytest.mark.parametrize("target", GRID)
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_the_grid_of_gpus_and_precisions(graphs, precision, target):
    if precision not in load_profile(target).precisions:
        pytest.skip(f"{target} does not take {precision}: its profile refuses it")
    built = compiled(graphs("sa", precision), target)
    assert len(built.plan) > 10e6
    if precision != "fp32":
        check_types(built, precision, "clip")


@NEEDS_RTX
@pytest.mark.parametrize(("precision", "part"), [("int8", "clip"), ("fp16", "frame_encoder")])
def test_a_rebuild_of_a_network_is_byte_identical(graphs, precision, part):
    first, second = (build_apart("tensorrt_rtx", graphs("sa", precision, part), load_profile("rtx-4090")) for _ in "ab")
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
    with pytest.raises(ExportError, match=r"small\.onnx has no node network/Reshape_0: it cannot be split"):
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
    told = {"engine_bytes": 1234567, "engine_seconds": 8.25, "dla": "off", "layers": {"FP16": 3, "INT8": 9}}
    say_build("a.engine", {**told, "rebuild_identical": True})
    say_build("b.engine", {**told, "rebuild_identical": False})
    first, second = capsys.readouterr().err.splitlines()
    assert first == (
        "a.engine: 1,234,567 bytes in 8.2 s, rebuild byte-identical; layers by executed type: 3 FP16, 9 INT8; DLA off"
    )
    assert "REBUILD DIFFERS" in second


def test_a_part_stands_beside_the_whole(tmp_path):
    whole = tmp_path / "aver-sa-ravdess-fold1-int8.rtx-4090.engine"
    assert part_path(whole, "fusion").name == "aver-sa-ravdess-fold1-int8.rtx-4090.fusion.engine"

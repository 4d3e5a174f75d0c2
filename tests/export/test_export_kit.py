"""A kit of a whole network, its graphs run in ONNX Runtime where a device would run engines."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edge_aver.bundle import Artifact, open_kit, write_artifact
from edge_aver.bundle.kit import read_golden
from edge_aver.corpora.golden import golden_clips
from edge_aver.errors import ParityError
from edge_aver.export.kit import GOLDEN_CLIPS, KitPlan, make_kit
from edge_aver.export.split import PAPER_CUT
from edge_aver.export.trace import read_blocks
from edge_aver.quantize import load_recipe
from edge_aver.runtime.check_kit import check_graph
from edge_aver.spec import ModelSpec, Preprocessing
from edge_aver.targets import load_profile, runtime_module


@pytest.fixture(scope="module")
def kit_path(traced, tmp_path_factory):
    _, lowered = traced
    spec = ModelSpec(architecture="ca", corpus="synthetic", fold=1)
    plan = KitPlan(
        lowered=lowered,
        blocks=read_blocks(lowered),
        recipe=load_recipe("fp32"),
        profile=load_profile("jetson-orin-nano"),
        spec=spec,
        cut=PAPER_CUT,
    )
    path = tmp_path_factory.mktemp("kits") / "aver-ca-synthetic-fold1-fp32.jetson-orin-nano.kit"
    card = Artifact(path=path, target="jetson-orin-nano", runtime="tensorrt", precision="fp32", spec=spec)
    with write_artifact(card, folder=True) as place:
        make_kit(plan, place)
    return path


def test_it_holds_the_whole_and_both_parts_with_their_batches(kit_path):
    _, kit = open_kit(kit_path)
    assert [graph.name for graph in kit.graphs] == ["clip", "frame_encoder", "fusion"]
    rows = {graph.name: [item.rows for item in graph.inputs] for graph in kit.graphs}
    assert rows == {"clip": [(1, 1, 4)] * 2, "frame_encoder": [(1, 15, 60)], "fusion": [(1, 1, 4)] * 2}
    blocks = [block.name for block in kit.graphs[0].blocks]
    assert blocks[:3] == ["stem", "stage0", "stage1"]
    assert blocks[-2:] == ["cross_av", "cross_va"]
    assert kit.tolerance == replace(kit.tolerance, max_abs_diff=1e-3, min_sqnr_db=60.0, block_min_sqnr_db=60.0)
    assert any("JetPack" in note for note in kit.notes)
    assert any("DLA" in note for note in kit.notes)


def test_its_inputs_are_the_made_up_clips_and_nobodys(kit_path):
    golden = read_golden(kit_path)
    for name, value in golden_clips(GOLDEN_CLIPS, Preprocessing()).items():
        np.testing.assert_array_equal(golden[f"clip/{name}"], value)
    assert golden["clip/faces"].std() > 20
    assert np.isfinite(golden["clip/audio"]).all()


def test_the_parts_together_answer_as_the_whole(kit_path):
    golden = read_golden(kit_path)
    np.testing.assert_allclose(golden["fusion/logits"], golden["clip/logits"], atol=1e-4)
    np.testing.assert_array_equal(golden["block/visual_dense"][0], golden["frame_encoder/features"][0])


def check(path, graph, source):
    _, kit = open_kit(path)
    (asked,) = (item for item in kit.graphs if item.name == graph)
    return check_graph(
        asked,
        source,
        source,
        read_golden(path),
        kit.tolerance,
        runtime=runtime_module("onnxruntime"),
        profile=load_profile("jetson-orin-nano"),
    )


@pytest.mark.parametrize("graph", ["clip", "frame_encoder", "fusion"])
def test_what_computes_the_same_keeps_the_tolerance(kit_path, graph):
    assert check(kit_path, graph, kit_path / f"{graph}.onnx").sqnr_db > 80


@pytest.mark.parametrize(
    ("graph", "module", "block"),
    [
        ("clip", "frame_encoder.backbone.blocks.3.0.", "stage3"),
        ("frame_encoder", "frame_encoder.backbone.blocks.1.0.", "stage1"),
        ("fusion", "fusion.visual_to_audio.units.1.narrow", "cross_va"),
    ],
)
def test_the_first_block_that_differs_is_named(kit_path, tmp_path, graph, module, block):
    model = onnx.load(kit_path / f"{graph}.onnx")
    read = {name for node in model.graph.node if node.name.startswith(module) for name in node.input}
    item = next(one for one in model.graph.initializer if one.name in read and len(one.dims) > 1 and one.dims[0] > 8)
    item.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(item), item.name))
    (tmp_path / "kit").mkdir()
    onnx.save(model, tmp_path / "kit" / f"{graph}.onnx")
    with pytest.raises(ParityError, match=rf"the engine of {graph} .* first block that differs: {block} \(layer "):
        check(kit_path, graph, tmp_path / "kit" / f"{graph}.onnx")

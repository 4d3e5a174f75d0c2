"""The ladder on a real network: a graph as traced passes, and the block that was tampered with is named."""

from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edge_aver.errors import ParityError
from edge_aver.export.ladder import Ladder
from edge_aver.quantize import ParityLimits, load_recipe
from edge_aver.targets import runtime_module


@pytest.fixture(scope="module")
def ladder(traced):
    chance = np.random.default_rng(0)
    clips = [
        SimpleNamespace(
            faces=chance.integers(0, 256, (15, 224, 224, 3), dtype=np.uint8),
            audio=chance.normal(size=(15, 128)).astype(np.float32),
        )
        for _ in range(2)
    ]
    return Ladder(traced[0], clips)


def tampered(path, folder, weight):
    """The same graph with one weight tensor doubled."""
    model = onnx.load(path)
    constants = {item.name: item for item in model.graph.initializer}
    constants[weight].CopyFrom(numpy_helper.from_array(2 * numpy_helper.to_array(constants[weight]), weight))
    onnx.save(model, folder / "tampered.onnx")
    return folder / "tampered.onnx"


def test_the_traced_graph_passes(traced, ladder):
    step = ladder.check_onnx("onnx", traced[1], load_recipe("fp32").parity)

    assert step.passed
    assert (step.clips, step.first_diverging_block) == (2, None)
    assert step.max_abs_diff < 1e-4


@pytest.mark.parametrize(
    ("weight", "block"),
    [
        ("frame_encoder.backbone.blocks.3.0.se.conv_reduce.weight", "stage3"),
        ("fusion.audio_to_visual.units.0.narrow.bias", "cross_av"),
        ("fusion.classifier.weight", "classifier"),
    ],
)
def test_the_first_diverging_block_is_the_guilty_one(traced, ladder, tmp_path, weight, block):
    path = tampered(traced[1], tmp_path, weight)

    with pytest.raises(ParityError, match=f"step 'onnx'.*first diverging block: {block}$"):
        ladder.check_onnx("onnx", path, ParityLimits(max_abs_diff=1e-4))


def test_an_engine_is_judged_as_it_runs(traced, ladder, tmp_path):
    openvino = runtime_module("openvino")
    (tmp_path / "good").mkdir()
    (tmp_path / "bad").mkdir()
    openvino.build(traced[1], tmp_path / "good", metadata={})
    weight = "frame_encoder.backbone.blocks.3.0.se.conv_reduce.weight"
    openvino.build(tampered(traced[1], tmp_path, weight), tmp_path / "bad", metadata={})

    assert ladder.check_engine("engine", openvino, tmp_path / "good", load_recipe("fp32").parity).passed
    with pytest.raises(ParityError, match=r"bad: parity failed at step 'engine'.*block: stage3$"):
        ladder.check_engine("engine", openvino, tmp_path / "bad", ParityLimits(max_abs_diff=1e-4))

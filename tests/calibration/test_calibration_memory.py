"""Calibration holds a few clips at most, however many are given, and what it keeps of each is small beside a clip."""

import weakref
from collections.abc import Collection

import numpy as np
import pytest
from graphs import make_model, save
from onnx import TensorProto, helper

from edge_aver.calibration.draw import draw_calibration
from edge_aver.calibration.folds import load_fold
from edge_aver.export.pipeline import CalibrationFeeds
from edge_aver.quantize import load_recipe
from edge_aver.quantize.lower import lower


class Watched(Collection):
    """Feeds whose clips are counted while they are in memory."""

    def __init__(self, feeds):
        self._feeds, self._given = feeds, []
        self.passes, self.most = 0, 0

    def __iter__(self):
        self.passes += 1
        for feed in self._feeds:
            # The feed is a view: the clip itself is what must not stay.
            self._given.append(weakref.ref(feed["faces"].base))
            self.most = max(self.most, sum(item() is not None for item in self._given))
            yield feed
            del feed

    def __len__(self):
        return len(self._feeds)

    def __contains__(self, item):
        return item in self._feeds


def network():
    """Faces (N, 15, 8, 8, 3) and audio (N, 15, 128) to 8 logits by a convolution and two products."""
    chance = np.random.default_rng(0)
    constants = {
        "frames": np.array([-1, 3, 8, 8]),
        "flat": np.array([-1, 15 * 16]),
        "sounds": np.array([-1, 15 * 128]),
        "sides": np.array([2, 3]),
        "kernel": chance.normal(size=(16, 3, 3, 3)).astype(np.float32) / 100,
        "seen": chance.normal(size=(15 * 16, 8)).astype(np.float32),
        "heard": chance.normal(size=(15 * 128, 8)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["faces"], ["pixels"], name="network/Cast_0", to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["pixels", "frames"], ["p"], name="network/Reshape_0"),
        helper.make_node("Conv", ["p", "kernel"], ["c"], name="frame_encoder.backbone.conv_stem/Conv_0"),
        helper.make_node("Relu", ["c"], ["r"], name="frame_encoder.backbone.bn1/Relu_0"),
        helper.make_node("ReduceMean", ["r", "sides"], ["m"], name="frame_encoder.backbone/ReduceMean_0", keepdims=0),
        helper.make_node("Reshape", ["m", "flat"], ["f"], name="fusion/Reshape_0"),
        helper.make_node("Gemm", ["f", "seen"], ["a"], name="fusion.classifier/Gemm_0"),
        helper.make_node("Reshape", ["audio", "sounds"], ["s"], name="fusion/Reshape_1"),
        helper.make_node("Gemm", ["s", "heard"], ["b"], name="fusion.classifier/Gemm_1"),
        helper.make_node("Add", ["a", "b"], ["logits"], name="fusion.classifier/Add_0"),
    ]
    inputs = [
        helper.make_tensor_value_info("faces", TensorProto.UINT8, ["batch", 15, 8, 8, 3]),
        helper.make_tensor_value_info("audio", TensorProto.FLOAT, ["batch", 15, 128]),
    ]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 8])]
    return make_model(nodes, constants, inputs=inputs, outputs=outputs)


@pytest.mark.parametrize(
    ("runtime", "recipe"),
    [("onnxruntime", "int8"), ("tensorrt-rtx", "int8"), ("openvino", "int8"), ("onnxruntime", "fp16")],
)
def test_clips_in_memory_do_not_grow_with_their_number(whole_store, tmp_path, runtime, recipe):
    fold = load_fold("ravdess", 1)
    source = save(network(), tmp_path / "fp32.onnx")
    most = {}
    for count in (8, 64):
        manifest = draw_calibration(whole_store, fold, count)
        feeds = Watched(CalibrationFeeds(store=whole_store, manifest=manifest))
        assert len(feeds) == count
        folder = tmp_path / str(count)
        folder.mkdir()
        lower(source, folder, load_recipe(recipe), runtime, feeds)
        assert feeds.passes > 0
        most[count] = feeds.most

    assert most[64] == most[8] <= 3

"""Nodes beyond fp16's range are found on clips, and keep their precision through the lowering."""

import weakref

import numpy as np
import onnx
import pytest
from graphs import make_model, save
from lowering import CLASSIFIER, CONVS, clips, small_network
from onnx import helper

from edge_aver.export.parity import sqnr_db
from edge_aver.quantize import load_recipe
from edge_aver.quantize.fp16 import convert_fp16, write_rounded
from edge_aver.quantize.large import large_nodes
from edge_aver.quantize.lower import lower
from edge_aver.targets import runtime_module


def logits(path, feeds):
    with runtime_module("onnxruntime").open_runner(path, exact=True) as runner:
        return np.concatenate([runner.infer(feed)["y"] for feed in feeds])


def test_a_network_of_ordinary_range_has_no_large_node(tmp_path):
    assert large_nodes(save(small_network(), tmp_path / "fp32.onnx"), clips(3)) == set()


def test_writers_and_readers_of_a_large_tensor_are_found_by_what_clips_make_of_them(tmp_path):
    source = save(small_network(gain=2.0**14), tmp_path / "fp32.onnx")

    assert large_nodes(source, clips(3)) == set(CONVS)
    assert large_nodes(source, [{"x": feed["x"] / 1e4} for feed in clips(3)]) == set()


def test_without_the_rule_the_logits_are_lost_and_with_it_they_hold(tmp_path):
    source = save(small_network(gain=2.0**15), tmp_path / "fp32.onnx")
    wanted = logits(source, clips(4, seed=2))
    everything = [node.name for node in onnx.load(source).graph.node if "norm" not in node.name]

    convert_fp16(source, tmp_path / "half.onnx", everything)
    write_rounded(tmp_path / "half.onnx", tmp_path / "blind.onnx")
    lowered = lower(source, tmp_path, load_recipe("fp16"), "onnxruntime", clips(4))

    assert not np.isfinite(logits(tmp_path / "blind.onnx", clips(4, seed=2))).all()
    assert sqnr_db(wanted, logits(lowered.reference, clips(4, seed=2))) > 50
    types = {item.name: item.data_type for item in onnx.load(lowered.path).graph.initializer}
    assert {"w0", "w1", "w2/fp16"} <= set(types)


@pytest.mark.parametrize(("value", "found"), [(100.0, True), (0.1, False)])
def test_the_sum_inside_an_average_counts(tmp_path, value, found):
    mean = helper.make_node("ReduceMean", ["wide", "axis"], ["y"], name=CLASSIFIER)
    spread = helper.make_node("Mul", ["x", "w"], ["wide"], name=CONVS[0])
    model = make_model([spread, mean], {"w": np.ones((1000, 4), np.float32), "axis": np.array([0])})

    names = large_nodes(save(model, tmp_path / "fp32.onnx"), [{"x": np.full((1, 4), value, np.float32)}])

    assert names == ({CLASSIFIER} if found else set())


def test_a_large_constant_counts_without_any_clip(tmp_path):
    add = helper.make_node("Add", ["x", "w"], ["y"], name=CLASSIFIER)
    source = save(make_model([add], {"w": np.full(4, 1e6, np.float32)}), tmp_path / "fp32.onnx")

    assert large_nodes(source, []) == {CLASSIFIER}


def test_one_clip_at_a_time_is_in_memory(tmp_path):
    given = []

    def feeds():
        for i in range(20):
            feed = clips(1, seed=i)[0]
            given.append(weakref.ref(feed["x"]))
            alive.append(sum(item() is not None for item in given))
            yield feed

    alive = []
    large_nodes(save(small_network(), tmp_path / "fp32.onnx"), feeds())

    assert len(alive) == 20
    assert max(alive) <= 2

"""A mix is the Q/DQ graph with some blocks bypassed, and what was found is a recipe that loads."""

import numpy as np
from graphs import make_model
from onnx import helper

from edge_aver.export.tune import restrict, write_tuned_recipe
from edge_aver.quantize import load_recipe

ADD = "fusion.classifier/Add_0"


def test_a_block_outside_the_mix_reads_what_it_reads_in_fp32():
    fp32 = make_model([helper.make_node("Add", ["x", "w"], ["y"], name=ADD)], {"w": np.ones(4, np.float32)})
    scales = {"s": np.array(0.1, np.float32), "z": np.array(0, np.int8), "q": np.ones(4, np.int8)}
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"], name="D"),
        helper.make_node("Add", ["x", "d"], ["y"], name=ADD),
    ]
    quantized = make_model(nodes, scales)

    spared, whole = restrict(quantized, fp32, ()), restrict(quantized, fp32, {"classifier"})

    assert list(spared.graph.node[-1].input) == ["x", "w"]
    assert {"w"} <= {item.name for item in spared.graph.initializer}
    assert list(whole.graph.node[-1].input) == ["x", "d"]
    assert list(quantized.graph.node[-1].input) == ["x", "d"]


def test_the_tuned_recipe_loads_with_its_blocks_spared(tmp_path):
    recipe = load_recipe("int8")

    write_tuned_recipe(tmp_path / "int8-tuned.toml", recipe, ("stem", "stage5"))

    tuned = load_recipe(str(tmp_path / "int8-tuned.toml"))
    assert set(tuned.blocks_in("int8-weights")) == {"stem", "stage5", *recipe.blocks_in("int8-weights")}
    assert (tuned.name, tuned.calibration, tuned.parity) == ("int8-tuned", recipe.calibration, recipe.parity)

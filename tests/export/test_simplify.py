import sys

import numpy as np
import onnx
import pytest
from graphs import make_model, save
from onnx import helper

from edge_aver.export.simplify import simplify


@pytest.fixture
def traced(tmp_path):
    nodes = [
        helper.make_node("Identity", ["x"], ["same"], name="network/Identity_0"),
        helper.make_node("MatMul", ["same", "w"], ["fusion.classifier/MatMul_0"], name="fusion.classifier/MatMul_0"),
        helper.make_node("Add", ["fusion.classifier/MatMul_0", "b"], ["y"], name="fusion.classifier/Add_0"),
    ]
    model = make_model(nodes, {"w": np.eye(4, dtype=np.float32), "b": np.ones(4, np.float32)})
    helper.set_model_props(model, {"edge_aver.blocks": "[]"})
    return save(model, tmp_path / "traced.onnx")


def test_simplifies_and_keeps_the_metadata(traced, tmp_path):
    done = simplify(traced, tmp_path / "out.onnx")

    model = onnx.load(tmp_path / "out.onnx")
    assert done.kept_because is None
    assert done.nodes_after == len(model.graph.node) < done.nodes_before == 3
    assert [item.key for item in model.metadata_props] == ["edge_aver.blocks"]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import os; os.kill(os.getpid(), 11)", "crashed with signal 11"),
        ("import sys; sys.exit('cannot fold')", "failed with status 1: cannot fold"),
        ("import sys; open(sys.argv[2], 'w').write('junk')", "wrote a file that is not valid ONNX"),
        ("pass", "wrote a file that is not valid ONNX"),
    ],
)
def test_a_failure_keeps_the_traced_graph_and_says_so(traced, tmp_path, code, reason):
    done = simplify(traced, tmp_path / "out.onnx", command=(sys.executable, "-c", code))

    assert reason in done.kept_because
    assert onnx.load(tmp_path / "out.onnx") == onnx.load(traced)


def test_a_changed_interface_keeps_the_traced_graph(traced, tmp_path):
    code = (
        "import onnx, sys; m = onnx.load(sys.argv[1]); m.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1;"
        "onnx.save(m, sys.argv[2])"
    )

    done = simplify(traced, tmp_path / "out.onnx", command=(sys.executable, "-c", code))

    assert done.kept_because == "onnxsim changed the inputs or outputs"
    assert onnx.load(tmp_path / "out.onnx") == onnx.load(traced)

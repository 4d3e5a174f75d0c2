import subprocess
import sys

import pytest
from runtime_models import INNER, build_engine, example_feed, expected_inner

from edge_aver.targets import runtime_module

openvino = pytest.importorskip("openvino", reason="runtime openvino is not installed")


@pytest.mark.parametrize("other", ["a first name", "picture 2"])
def test_a_tensor_of_several_names_is_returned_under_the_one_asked_for(tmp_path, other):
    engine = build_engine("openvino", tmp_path)
    model = openvino.Core().read_model(engine / "model.xml")
    tensor = next(node.output(0).get_tensor() for node in model.get_ops() if INNER in node.output(0).get_names())
    tensor.add_names({other})
    renamed = tmp_path / "renamed.openvino"
    renamed.mkdir()
    openvino.save_model(model, renamed / "model.xml", compress_to_fp16=False)
    feed = example_feed(1)
    with runtime_module("openvino").open_runner(renamed, outputs=(INNER,)) as runner:
        results = runner.infer(feed)
    assert results[INNER] == pytest.approx(expected_inner(feed), abs=1e-4)


def test_weights_keep_their_type(tmp_path):
    engine = build_engine("openvino", tmp_path)
    types = {
        node.get_element_type().get_type_name()
        for node in openvino.Core().read_model(engine / "model.xml").get_ops()
        if node.get_type_name() == "Constant"
    }
    assert "f32" in types
    assert "f16" not in types


def test_nothing_is_reported_to_anybody():
    code = (
        "import multiprocessing.process as p; p.BaseProcess.start = lambda self: print('started', self);"
        "import edge_aver, openvino, sys; from openvino.tools import ovc;"
        "print(sys.modules['openvino_telemetry'], type(ovc.telemetry).__module__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "None openvino.tools.ovc.telemetry_stub\n"

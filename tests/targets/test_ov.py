import subprocess
import sys

import numpy as np
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


def test_8_bit_weights_do_not_make_activations_8_bit(tmp_path):
    chance = np.random.default_rng(0)
    x, weight = chance.normal(size=(15, 128)).astype(np.float32), chance.integers(-127, 128, (128, 512), np.int8)
    given = openvino.opset13.parameter([15, 128], np.float32, name="x")
    stored = openvino.opset13.convert(openvino.opset13.constant(weight), np.float32)
    scaled = openvino.opset13.multiply(stored, openvino.opset13.constant(np.full((1, 512), 0.01, np.float32)))
    product = openvino.opset13.matmul(given, scaled, False, False)
    product.output(0).get_tensor().set_names({"y"})
    folder = tmp_path / "product.openvino"
    folder.mkdir()
    openvino.save_model(openvino.Model([product], [given]), folder / "model.xml", compress_to_fp16=False)

    with runtime_module("openvino").open_runner(folder) as runner:
        assert runner.infer({"x": x})["y"] == pytest.approx(x @ (weight * 0.01), abs=1e-3)


def test_nothing_is_reported_to_anybody():
    code = (
        "import multiprocessing.process as p; p.BaseProcess.start = lambda self: print('started', self);"
        "import edge_aver, openvino, sys; from openvino.tools import ovc;"
        "print(sys.modules['openvino_telemetry'], type(ovc.telemetry).__module__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "None openvino.tools.ovc.telemetry_stub\n"

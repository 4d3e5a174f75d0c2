import importlib.util

import pytest

from edge_aver.errors import MissingLibraryError
from edge_aver.runtime.front_end import fast_plan
from edge_aver.targets import RUNTIMES


def only(monkeypatch, *libraries):
    """Make it look as if these runtimes alone were installed."""
    find_spec = importlib.util.find_spec
    known = {entry.library for entry in RUNTIMES.values()}
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: (object() if name in libraries else None) if name in known else find_spec(name, *rest),
    )


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_the_detector_runs_where_the_network_does(tmp_path, runtime):
    assert fast_plan(tmp_path, runtime).runtime == runtime


@pytest.mark.parametrize("runtime", ["tensorrt", "tensorrt-rtx", "onnxruntime-cuda"])
def test_the_detector_stays_on_the_cpu_beside_a_network_on_a_gpu(tmp_path, runtime, monkeypatch):
    only(monkeypatch, "onnxruntime", "tensorrt")
    assert fast_plan(tmp_path, runtime).runtime == "onnxruntime"
    only(monkeypatch, "onnxruntime", "openvino")
    assert fast_plan(tmp_path, runtime).runtime == "openvino"
    only(monkeypatch, "tensorrt")
    with pytest.raises(MissingLibraryError, match="the face detector needs openvino"):
        fast_plan(tmp_path, runtime)

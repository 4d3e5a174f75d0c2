"""A benchmark of an engine on a machine that cannot run it: a row with its reason, and no exit status of success."""

import pytest

pytest.importorskip("onnx", reason="onnx builds the graphs of this test")

from outcomes import check_error
from trt_graphs import NEEDS_RTX, engine_artifact

from edge_aver import cli
from edge_aver.benchmarks.results import read_result
from edge_aver.errors import TargetError
from edge_aver.targets.cuda import cuda_device

pytestmark = NEEDS_RTX


@pytest.fixture(autouse=True)
def _no_gpu():
    try:
        found = cuda_device()
    except TargetError:
        return
    pytest.skip(f"this machine has a GPU: {found.name}")


def test_what_cannot_run_here_did_not_pass(tmp_path, capsys):
    (tmp_path / "artifacts").mkdir()
    engine_artifact(tmp_path / "artifacts")
    command = ["benchmark", "--target", "rtx-4090", "--suite", "smoke", "--golden", "--workspace", str(tmp_path)]
    status = cli._run(command)
    out, err = capsys.readouterr()
    assert "not measured" in out
    check_error((status, "", err.splitlines(keepends=True)[-1]), 1, "nothing was measured", "driver")
    (path,) = tmp_path.glob("results/rtx-4090/*.json")
    result = read_result(path)
    assert result.is_empty
    assert all(gap.reason for gap in result.gaps)

"""The demo as a new user runs it, and what its workspace then allows."""

import json
import subprocess
import sys

import pytest

from edge_aver.benchmarks.accuracy import accuracy_of
from edge_aver.benchmarks.results import latest_results
from edge_aver.spec import LABELS


def edge_aver(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "edge_aver", *map(str, arguments)], capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_the_demo_ends_with_engines_a_report_and_an_honest_accuracy(tmp_path):
    demo = edge_aver("demo", "--workspace", tmp_path)
    export = edge_aver("export", "--arch", "sa", "--precision", "int8", "--workspace", tmp_path)
    clip = next((tmp_path / "corpora").rglob("*.mp4"))
    run = edge_aver("run", clip, "--json", "-", "--workspace", tmp_path)

    results = latest_results(tmp_path / "results")
    rates = [accuracy_of(result.predictions, LABELS).rate for result in results]
    assert (demo.returncode, export.returncode, run.returncode) == (0, 0, 0), demo.stderr[-2000:] + export.stderr
    assert {(result.artifact.precision, result.artifact.target) for result in results} == {
        (precision, target) for precision in ("fp32", "int8") for target in ("openvino-cpu", "onnxruntime-cpu")
    }
    assert all(0.70 <= rate <= 0.95 for rate in rates), rates
    assert demo.stdout.splitlines()[-1].endswith("demo.html")
    assert "Synthetic actors" in demo.stdout
    assert "Synthetic actors" in (tmp_path / "reports" / "demo.html").read_text()
    assert json.loads(run.stdout)["label"] in LABELS

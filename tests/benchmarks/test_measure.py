import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edge_aver.benchmarks import measure
from edge_aver.benchmarks.measure import run_benchmark
from edge_aver.benchmarks.results import Result, latest_results
from edge_aver.benchmarks.suites import Suite
from edge_aver.benchmarks.summary import summarize
from edge_aver.bundle import Artifact
from edge_aver.errors import ArtifactError, CorpusError, MeasurementError

_SUITE = Suite(
    name="tiny",
    network_queries=11,
    min_duration_s=0.0,
    processes=2,
    warmup_queries=1,
    end_to_end_clips=2,
    timeout_s=60.0,
    seed=1,
)


@pytest.fixture(scope="module")
def measured(tiny: tuple[Artifact, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[Result, ...]]:
    """The results of a real artifact and of one that is gone, and their folder."""
    artifact, store = tiny
    gone = replace(artifact, path=artifact.path.with_name("aver-sa-synthetic-fold1-gone.onnx"))
    folder = tmp_path_factory.mktemp("results")
    return folder, run_benchmark([gone, artifact], lambda _: store, _SUITE, results=folder, threads=1)


def test_a_real_artifact_is_measured_in_processes_of_its_own(measured: tuple[Path, tuple[Result, ...]]) -> None:
    result = measured[1][1]
    assert [len(run.latency_s) for run in result.network] == [6, 6]
    summary = summarize(result)
    assert summary.accuracy is not None
    assert (summary.accuracy.correct, summary.accuracy.total) == (14, 16)
    assert summary.network_s.p50 is not None
    # Its media are no media: the case fails, the rest of the row stands.
    assert [gap.case for gap in result.gaps] == ["end_to_end"]
    assert summary.invalid[0].startswith("end to end failed: ")


def test_one_bad_artifact_never_loses_the_others(measured: tuple[Path, tuple[Result, ...]]) -> None:
    folder, (bad, good) = measured
    assert {gap.case for gap in bad.gaps} == {"network", "accuracy", "end_to_end"}
    assert "no such artifact" in bad.gaps[0].reason
    assert {result.artifact.name: result for result in latest_results(folder)} == {
        bad.artifact.name: bad,
        good.artifact.name: good,
    }


def test_what_cannot_be_measured_at_all_is_told_at_once(tiny: tuple[Artifact, Path], tmp_path: Path) -> None:
    artifact, store = tiny
    gone = replace(artifact, path=tmp_path / "aver-sa-synthetic-fold1-gone.onnx")
    with pytest.raises(ArtifactError, match="no such artifact"):
        run_benchmark([gone], lambda _: store, _SUITE, results=tmp_path / "results")
    with pytest.raises(CorpusError, match="no prepared clips here"):
        run_benchmark([artifact], lambda _: tmp_path / "synthetic", _SUITE, results=tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_no_result_names_a_place_on_the_machine(
    measured: tuple[Path, tuple[Result, ...]], tiny: tuple[Artifact, Path]
) -> None:
    texts = [path.read_text() for path in measured[0].rglob("*.json")]
    assert len(texts) == 2
    assert not any(str(tiny[1].parent) in text for text in texts)


def test_the_stored_queries_are_raw_seconds(measured: tuple[Path, tuple[Result, ...]]) -> None:
    folder, (_, good) = measured
    table = json.loads(next(folder.rglob(f"{good.artifact.name}*.json")).read_text())
    assert table["network"][0]["latency_s"] == list(good.network[0].latency_s)
    assert not {"p50", "accuracy", "mean"} & set(table)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL (out of memory?)"),
        ("import os; os.abort()", "killed by SIGABRT"),
        ("raise SystemExit('the last words')", "ended with status 1: the last words"),
        ('print(\'{"run": {"latency_s": [NaN\')', "answered with something unreadable"),
        ("print('{\"run\": {}}')", "answered with something unreadable"),
        ("import time; time.sleep(60)", "took longer than the suite's 0.5 s"),
        ('print(\'{"error": "/home/someone/models/net.onnx: truncated"}\')', "net.onnx: truncated"),
    ],
)
def test_a_bad_worker_is_a_gap_with_its_reason(
    tiny: tuple[Artifact, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, reason: str
) -> None:
    artifact, store = tiny
    monkeypatch.setattr(measure, "_command", lambda: [sys.executable, "-c", code])
    suite = replace(_SUITE, processes=1, timeout_s=0.5 if "sleep" in code else 60.0)
    (result,) = run_benchmark([artifact], lambda _: store, suite, results=tmp_path)
    assert {gap.case for gap in result.gaps} == {"network", "accuracy", "end_to_end"}
    assert all(reason in gap.reason and gap.failed and "/home" not in gap.reason for gap in result.gaps)
    assert latest_results(tmp_path) == (result,)


def test_cases_of_all_artifacts_are_interleaved_in_seeded_order() -> None:
    cases = measure._interleaved(3, _SUITE)
    assert len(cases) == len(set(cases)) == 3 * 4
    assert cases == measure._interleaved(3, _SUITE)
    assert cases != measure._interleaved(3, replace(_SUITE, seed=2))
    order = [case.artifact for case in cases]
    assert order != sorted(order)


def test_nothing_to_measure_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MeasurementError, match="edge-aver export"):
        run_benchmark([], lambda _: tmp_path, _SUITE, results=tmp_path)


def test_a_folder_that_cannot_be_made_is_named_before_measuring(tiny: tuple[Artifact, Path], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MeasurementError, match="cannot hold results"):
        run_benchmark([tiny[0]], lambda _: tiny[1], _SUITE, results=tmp_path / "file" / "results")


def test_an_interruption_kills_the_worker_and_leaves_no_half_result(
    tiny: tuple[Artifact, Path], tmp_path: Path
) -> None:
    artifact, store = tiny
    program = f"""
        import json, sys
        from pathlib import Path
        from edge_aver.benchmarks import measure
        from edge_aver.benchmarks.suites import load_suite
        from edge_aver.bundle import open_artifact
        code = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(60)"
        measure._command = lambda: [sys.executable, "-c", code, {str(tmp_path / "pid")!r}]
        artifact = open_artifact(Path({str(artifact.path)!r}))
        measure.run_benchmark([artifact], lambda _: Path({str(store)!r}), load_suite("smoke"),
                              results=Path({str(tmp_path / "results")!r}))
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stderr=subprocess.PIPE)
    pid_file = tmp_path / "pid"
    _wait(lambda: pid_file.exists() and pid_file.read_text().isdigit())
    process.send_signal(signal.SIGINT)
    _, remarks = process.communicate(timeout=20)
    assert process.returncode != 0
    assert b"KeyboardInterrupt" in remarks
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)
    assert not list((tmp_path / "results").rglob("*"))


def _wait(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not ready():
        assert time.monotonic() < deadline, "the worker never started"
        time.sleep(0.05)

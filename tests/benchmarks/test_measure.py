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
from media_files import numbered, tone, write_media

from edge_aver.benchmarks import measure
from edge_aver.benchmarks.measure import run_benchmark
from edge_aver.benchmarks.results import Result, latest_results
from edge_aver.benchmarks.suites import Suite, load_suite
from edge_aver.benchmarks.summary import summarize
from edge_aver.bundle import Artifact
from edge_aver.errors import ArtifactError, CorpusError, MeasurementError
from edge_aver.files import sha256_file

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
    assert {gap.case for gap in result.gaps} == {"end_to_end"}
    assert summary.invalid[0].startswith("end to end failed: ")


def test_one_bad_artifact_never_loses_the_others(measured: tuple[Path, tuple[Result, ...]]) -> None:
    folder, (bad, good) = measured
    assert {gap.case for gap in bad.gaps} == {"network", "accuracy", "end_to_end"}
    assert "no such artifact" in bad.gaps[0].reason
    assert {result.artifact.name: result for result in latest_results(folder)} == {
        bad.artifact.name: bad,
        good.artifact.name: good,
    }


def test_each_condition_is_measured_and_stored_by_its_name(tiny: tuple[Artifact, Path], tmp_path: Path) -> None:
    artifact, store = tiny
    asked = ("both", "visual", "missing-faces-5")
    (result,) = run_benchmark([artifact], lambda _: store, _SUITE, results=tmp_path, threads=1, conditions=asked)
    assert list(result.predictions_by_condition) == ["both", "visual", "missing-faces-5"]
    assert {item.prediction for item in result.conditions[0].predictions} == {"neutral"}
    assert result.conditions[1].predictions == result.predictions
    assert latest_results(tmp_path) == (result,)
    assert {name: accuracy.correct for name, accuracy in summarize(result).conditions.items()} == {
        **{"both": 14, "visual": 2, "missing-faces-5": 14}
    }


def test_a_condition_that_fails_is_a_gap_of_its_own(
    tiny: tuple[Artifact, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "_command", lambda: [sys.executable, "-c", "raise SystemExit('gone')"])
    (result,) = run_benchmark([tiny[0]], lambda _: tiny[1], _SUITE, results=tmp_path, conditions=("audio",))
    assert {gap.case for gap in result.gaps} == {"network", "accuracy, audio alone", "end_to_end"}
    assert any(reason.startswith("accuracy, audio alone failed: ") for reason in summarize(result).invalid)


def test_conditions_that_cannot_be_measured_are_told_at_once(tiny: tuple[Artifact, Path], tmp_path: Path) -> None:
    artifact, store = tiny
    for suite, conditions, message in (
        (_SUITE, ("smell",), "unknown condition 'smell'"),
        (load_suite("end-to-end"), ("both", "audio"), "measures no accuracy; leave out --modality"),
    ):
        with pytest.raises(MeasurementError, match=message):
            run_benchmark([artifact], lambda _: store, suite, results=tmp_path / "results", conditions=conditions)
    assert not (tmp_path / "results").exists()


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


@pytest.mark.parametrize("seconds", ["-0.5", "0.0"])
def test_a_process_whose_clock_jumped_is_a_gap_and_the_row_stays(
    tiny: tuple[Artifact, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: str
) -> None:
    code = f'print(\'{{"run": {{"latency_s": [0.1, {seconds}], "load_s": 1.0}}}}\')'
    monkeypatch.setattr(measure, "_command", lambda: [sys.executable, "-c", code])
    suite = replace(_SUITE, accuracy=False, end_to_end_clips=0)
    (result,) = run_benchmark([tiny[0]], lambda _: tiny[1], suite, results=tmp_path)
    assert result.network == ()
    assert {gap.reason for gap in result.gaps} == {f"a latency of {float(seconds):g} s (did a clock jump?)"}
    assert latest_results(tmp_path) == (result,)


_ANSWERING = """
import json, sys
request = json.load(sys.stdin)
clips = [clip["id"] for clip in request.get("media", [])]
query = lambda clip: {"id": clip, "prediction": "sad", "total_s": 1.0, "stages_s": {"faces": 0.5}}
def rounds(*stacks):
    return {"rounds": [{"stack": s, "queries": list(map(query, clips)), "refused": {}} for s in stacks]}
print(json.dumps({
    "ours": rounds("ours"),
    "reference": rounds("reference_together", "reference_singly"),
    "front_end_parity": {"not_measured": "needs facenet_pytorch"},
    "fresh_run": {"run": {"id": "".join(clips), "wall_s": 1.5, "modules": ["numpy"]}},
    "prepare_scaling": {"runs": [{"workers": 1, "clips": request["queries"], "wall_s": 2.0}]},
}[request["case"]]))
"""
"""A worker that measures nothing."""


@pytest.fixture
def media(tmp_path: Path) -> Path:
    (tmp_path / "media").mkdir()
    for name in ("one", "two"):
        path = tmp_path / "media" / f"{name}.mp4"
        write_media(path, pictures=[numbered(index) for index in range(3)], sound=tone(0.2))
    return tmp_path / "media"


def _measure_front_end(tiny: tuple[Artifact, Path], media: Path, folder: Path, *, checkpoint: bool) -> Result:
    artifact = tiny[0]
    (folder / "checkpoints").mkdir()
    if checkpoint:
        path = folder / "checkpoints" / "net.safetensors"
        path.write_bytes(b"weights")
        spec = replace(artifact.spec, checkpoint_sha256=sha256_file(path))
        artifact = replace(artifact, spec=spec)
    (result,) = run_benchmark(
        [artifact],
        lambda _: tiny[1],
        load_suite("end-to-end"),
        results=folder / "results",
        data=[media],
        checkpoints=folder / "checkpoints",
    )
    assert latest_results(folder / "results") == (result,)
    return result


def test_a_front_end_is_put_together_from_its_processes(
    tiny: tuple[Artifact, Path], media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "_command", lambda: [sys.executable, "-c", _ANSWERING])
    result = _measure_front_end(tiny, media, tmp_path, checkpoint=True)
    measured = result.front_end
    assert measured is not None
    assert measured.given
    assert [clip.id for clip in measured.clips] == ["one", "two"]
    stacks = [item.stack for item in measured.rounds]
    assert sorted(stacks) == 3 * ["ours"] + 3 * ["reference_singly"] + 3 * ["reference_together"]
    assert sorted(run.id for run in measured.fresh_runs) == ["one"] * 3 + ["two"] * 2
    assert [run.clips for run in measured.prepare_runs] == [40]
    assert [(gap.case, gap.reason, gap.failed) for gap in result.gaps] == [
        ("front_end_parity", "needs facenet_pytorch", False)
    ]
    assert (result.network, result.predictions, result.end_to_end) == ((), (), ())
    assert summarize(result).invalid == ()


def test_without_the_checkpoint_the_reference_is_not_measured(
    tiny: tuple[Artifact, Path], media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "_command", lambda: [sys.executable, "-c", _ANSWERING])
    result = _measure_front_end(tiny, media, tmp_path, checkpoint=False)
    assert result.front_end is not None
    assert {item.stack for item in result.front_end.rounds} == {"ours"}
    (reason,) = [gap.reason for gap in result.gaps if gap.case == "reference"]
    assert "checkpoint" in reason
    assert summarize(result).invalid == ()


def test_a_worker_that_is_stopped_takes_its_own_workers_along(
    tiny: tuple[Artifact, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(60)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}, sys.argv[1]])"
    monkeypatch.setattr(measure, "_command", lambda: [sys.executable, "-c", code, str(tmp_path / "pid")])
    suite = replace(_SUITE, processes=1, timeout_s=4.0)
    run_benchmark([tiny[0]], lambda _: tiny[1], suite, results=tmp_path / "results")
    pid = int((tmp_path / "pid").read_text())
    _wait(lambda: not Path(f"/proc/{pid}").exists())
    assert not Path(f"/proc/{pid}").exists()


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

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import openvino
import pytest

from edge_aver.benchmarks import overhead
from edge_aver.benchmarks.feeds import feeds_of
from edge_aver.benchmarks.overhead import measure_overhead, measure_with_tool
from edge_aver.benchmarks.overheads import overheads_of
from edge_aver.benchmarks.request import Request
from edge_aver.benchmarks.results import Result
from edge_aver.benchmarks.runs import NetworkRun, OverheadRun, ToolRun
from edge_aver.benchmarks.suites import load_suite
from edge_aver.bundle import Artifact, open_artifact, write_artifact
from edge_aver.errors import MeasurementError


def _request(artifact: Artifact, store: Path) -> Request:
    path = str(artifact.path)
    return Request(case="overhead", artifact=path, store=str(store), threads=1, queries=5, warmup_queries=1, seed=4)


@pytest.fixture(scope="module")
def compiled(tiny: tuple[Artifact, Path], tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """The tiny network as OpenVINO has it."""
    folder = tmp_path_factory.mktemp("compiled")
    artifact = replace(
        tiny[0], path=folder / "aver-sa-synthetic-fold1-fp32.openvino", target="openvino-cpu", runtime="openvino"
    )
    with write_artifact(artifact, folder=True) as path:
        openvino.save_model(openvino.Core().read_model(tiny[0].path), path / "model.xml")
    return open_artifact(artifact.path)


def test_both_sides_are_asked_by_turns(tiny: tuple[Artifact, Path]) -> None:
    run = measure_overhead(_request(*tiny)).overhead
    assert run is not None
    assert run.other == "bare onnxruntime session.run"
    assert len(run.ours_s) == len(run.other_s) == 10
    assert all(0 < value < 5 for value in (*run.ours_s, *run.other_s))


def test_openvino_has_a_bare_loop_too(tiny: tuple[Artifact, Path], compiled: Artifact) -> None:
    run = measure_overhead(_request(compiled, tiny[1])).overhead
    assert run is not None
    assert run.other == "bare openvino request.infer"
    assert len(run.ours_s) == len(run.other_s) == 10


def test_benchmark_app_tells_its_median(tiny: tuple[Artifact, Path], compiled: Artifact) -> None:
    if overhead._program("benchmark_app") is None:
        pytest.skip("benchmark_app is not installed")
    run = measure_with_tool(_request(compiled, tiny[1])).tool
    assert run is not None
    assert run.tool.startswith("benchmark_app 20")
    assert run.queries == 5
    (median_s,) = run.latency_s
    assert 0 < median_s < 5


def test_the_program_is_asked_about_the_same_clips(
    tiny: tuple[Artifact, Path], compiled: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = _request(compiled, tiny[1])
    clips, seen = feeds_of(request)[1], {}

    def look(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        for name, paths in (word.split(":") for word in command if word.startswith(("faces:", "audio:"))):
            seen[name] = [np.load(path) for path in paths.split(",")]
        return subprocess.CompletedProcess(command, 1, "", "seen enough")

    monkeypatch.setattr(subprocess, "run", look)
    with pytest.raises(MeasurementError, match="seen enough"):
        measure_with_tool(request)
    for place, name in enumerate(("faces", "audio")):
        assert len(seen[name]) == len(clips) > 1
        assert all(np.array_equal(found, clip[place]) for found, clip in zip(seen[name], clips, strict=True))


def test_what_has_no_other_is_not_measured(
    tiny: tuple[Artifact, Path], compiled: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "none for onnxruntime" in str(measure_with_tool(_request(*tiny)).not_measured)
    monkeypatch.setattr(overhead, "_program", lambda _: None)
    assert "not installed" in str(measure_with_tool(_request(compiled, tiny[1])).not_measured)
    monkeypatch.setattr(overhead, "_BARE", {})
    assert "no bare loop over onnxruntime" in str(measure_overhead(_request(*tiny)).not_measured)


def test_a_program_that_fails_tells_its_last_words(
    tiny: tuple[Artifact, Path], compiled: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overhead, "_program", lambda _: shutil.which("false"))
    with pytest.raises(MeasurementError, match="benchmark_app ended with status 1: no message"):
        measure_with_tool(_request(compiled, tiny[1]))


def test_ratios_are_held_to_the_limit_of_the_suite(make_result: Callable[..., Result]) -> None:
    chunks = (0.1, 0.11, 0.105, 0.102) * 8
    pair = OverheadRun(other="bare", ours_s=tuple(1.02 * value for value in chunks), other_s=chunks)
    tools = tuple(ToolRun(tool="benchmark_app 1", latency_s=(value,), queries=9) for value in (0.1, 0.101))
    runs = tuple(NetworkRun(latency_s=(value,) * 20, load_s=1.0) for value in (0.11, 0.1111))
    result = make_result(suite=load_suite("overhead"), overhead=(pair, pair), tools=tools, network=runs)
    bare, tool = overheads_of(result)
    assert bare.ratio.value == pytest.approx(1.02)
    assert (bare.other, bare.limit, bare.verdict) == ("bare", 1.03, "PASS")
    assert tool.ratio.value == pytest.approx(1.1)
    assert (tool.other, tool.verdict) == ("benchmark_app 1", "FAIL")
    assert "processes" in tool.ratio.over
    assert overheads_of(make_result()) == ()
    assert overheads_of(replace(result, suite=load_suite("smoke")))[0].verdict is None
    noisy = tuple(ToolRun(tool="benchmark_app 1", latency_s=(value,), queries=9) for value in (0.1, 0.12))
    assert overheads_of(replace(result, tools=noisy))[1].verdict == "INCONCLUSIVE"

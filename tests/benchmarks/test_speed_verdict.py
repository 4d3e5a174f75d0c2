import math
import random
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_aver.benchmarks import measure
from edge_aver.benchmarks.front_end_results import EndToEndQuery
from edge_aver.benchmarks.machine import CpuUse
from edge_aver.benchmarks.measure import run_benchmark
from edge_aver.benchmarks.results import Result, write_result
from edge_aver.benchmarks.runs import NetworkRun
from edge_aver.benchmarks.speed_verdict import check_speed_gate, compare_speed, judge_speed
from edge_aver.benchmarks.suites import Suite, load_suite
from edge_aver.bundle import Artifact, open_artifact, write_artifact
from edge_aver.errors import ArtifactError, ComparisonError, UndecidedError, VerdictError

LATER = "2026-11-23T04:18:00.123Z"


def _quick(make_result: Callable[..., Result], seed: object, *, slower: float = 1.0, **changes: Any) -> Result:
    """A run of suite quick: a run, its processes and its queries each have a spread of their own."""
    chance = random.Random(f"run {seed}")
    level = 0.06 * slower * chance.lognormvariate(0, 0.008)
    runs = []
    for _ in range(4):
        process = level * chance.lognormvariate(0, 0.012)
        runs.append(NetworkRun(latency_s=tuple(process + chance.expovariate(400) for _ in range(45)), load_s=1.0))
    values = {"suite": load_suite("quick"), "network": tuple(runs), "end_to_end": (), "started_utc": f"run {seed}"}
    return make_result(**(values | changes))


def test_two_runs_of_one_artifact_are_not_significant_in_nine_of_ten(make_result: Callable[..., Result]) -> None:
    verdicts = [judge_speed(_quick(make_result, 2 * i), _quick(make_result, 2 * i + 1), margin=5.0) for i in range(200)]
    assert sum(not verdict.network.significant for verdict in verdicts) >= 180
    assert not [verdict for verdict in verdicts if verdict.verdict == "FAIL"]


def test_a_slowdown_of_a_tenth_is_found(make_result: Callable[..., Result]) -> None:
    verdicts = [
        judge_speed(_quick(make_result, 2 * i), _quick(make_result, 2 * i + 1, slower=1.1), margin=5.0)
        for i in range(200)
    ]
    assert sum(verdict.network.significant for verdict in verdicts) >= 190
    assert sum(verdict.verdict == "FAIL" for verdict in verdicts) >= 140
    assert not [verdict for verdict in verdicts if verdict.verdict == "PASS"]


def test_the_machine_does_not_matter(make_result: Callable[..., Result]) -> None:
    def scaled(result: Result, factor: float) -> Result:
        runs = tuple(replace(run, latency_s=tuple(factor * s for s in run.latency_s)) for run in result.network)
        return replace(result, network=runs)

    pair = _quick(make_result, 1), _quick(make_result, 2, slower=1.2)
    here, there = (judge_speed(*(scaled(item, factor) for item in pair), margin=5.0) for factor in (1.0, 8.0))
    assert here.network.value == pytest.approx(there.network.value)
    assert here.verdict == there.verdict == "FAIL"


def test_what_was_measured_by_turns_has_the_narrower_interval(make_result: Callable[..., Result]) -> None:
    first, second = _quick(make_result, 1), _quick(make_result, 2, precision="fp32")
    apart = judge_speed(first, second, margin=5.0)
    together = judge_speed(first, replace(second, started_utc=first.started_utc), margin=5.0)
    assert (together.interleaved, apart.interleaved) == (True, False)
    assert apart.network.interval.low < together.network.interval.low
    assert together.network.interval.high < apart.network.interval.high
    assert apart.network.value == together.network.value


def test_one_process_decides_nothing(make_result: Callable[..., Result]) -> None:
    first, second = _quick(make_result, 1), _quick(make_result, 2, slower=2.0)
    verdict = judge_speed(first, replace(second, network=second.network[:1]), margin=5.0)
    assert verdict.verdict == "INCONCLUSIVE"
    assert verdict.network.value > 1.5
    with pytest.raises(UndecidedError, match="cannot decide"):
        check_speed_gate(replace(verdict, invalid=()))


def test_end_to_end_is_paired_by_clip(make_result: Callable[..., Result]) -> None:
    def queries(scale: float) -> tuple[EndToEndQuery, ...]:
        return tuple(
            EndToEndQuery(id=f"clip {i}", prediction="sad", total_s=scale * (1 + i), stages_s={}) for i in range(6)
        )

    first = _quick(make_result, 1, end_to_end=queries(0.1))
    verdict = judge_speed(first, _quick(make_result, 2, end_to_end=(*queries(0.12)[1:], queries(9.0)[0])), margin=5.0)
    assert verdict.end_to_end is not None
    assert verdict.end_to_end.over == "6 clips, one process of either"
    assert verdict.end_to_end.interval.low > 1
    assert not verdict.end_to_end.significant, "one process says nothing of another"
    assert judge_speed(first, _quick(make_result, 2), margin=5.0).end_to_end is None


@pytest.mark.parametrize(("scales", "significant"), [((1.2, 1.25, 1.18, 1.22), True), ((1.3, 0.9, 1.2, 1.0), False)])
def test_end_to_end_goes_by_processes_that_had_the_same_clips(
    make_result: Callable[..., Result], scales: tuple[float, ...], significant: bool
) -> None:
    def queries(*scales: float) -> tuple[EndToEndQuery, ...]:
        return tuple(
            EndToEndQuery(id=f"clip {i}", prediction="sad", total_s=scales[i % 4] * (1 + i), stages_s={}, process=i % 4)
            for i in range(8)
        )

    first, second = (
        _quick(make_result, 1, end_to_end=queries(1, 1, 1, 1)),
        _quick(make_result, 2, end_to_end=queries(*scales)),
    )
    ratio = judge_speed(first, second, margin=5.0).end_to_end
    assert ratio is not None
    assert ratio.value == pytest.approx(math.exp(sum(map(math.log, scales)) / 4))
    assert (ratio.over, ratio.significant) == ("8 clips, 4 processes of either", significant)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: replace(r, schema_version=1), "schema version 2 in A, 1 in B"),
        (lambda r: replace(r, artifact=replace(r.artifact, target="onnxruntime-cpu")), "target 'openvino-cpu' in A"),
        (lambda r: replace(r, machine=replace(r.machine, cpu="Another")), "machine: cpu"),
        (lambda r: replace(r, machine=replace(r.machine, governor="powersave")), "machine: governor"),
        (lambda r: replace(r, spec=replace(r.spec, architecture="ca")), "network: architecture 'sa' in A, 'ca' in B"),
        (lambda r: replace(r, suite=load_suite("smoke")), "suite 'quick' in A, 'smoke' in B"),
        (lambda r: replace(r, suite=replace(r.suite, warmup_queries=1)), "suite quick: warmup_queries"),
        (lambda r: replace(r, threads=2), "threads None in A, 2 in B"),
        (lambda r: replace(r, network=tuple(replace(x, clips=("ab",)) for x in r.network)), "clips asked"),
        (
            lambda r: replace(r, predictions=tuple(replace(x, tensors_sha256="ef" * 32) for x in r.predictions)),
            "test clips",
        ),
        (lambda r: replace(r, network=()), "do not both hold network latencies"),
        (lambda r: replace(r, started_utc="run 1"), "one and the same result"),
    ],
)
def test_what_does_not_compare_is_refused_by_name(
    make_result: Callable[..., Result], change: Callable[[Result], Result], message: str
) -> None:
    other = change(_quick(make_result, 2))
    with pytest.raises(ComparisonError, match=message.replace("(", r"\(")):
        judge_speed(_quick(make_result, 1), other, margin=5.0)


def test_the_gate_stops_what_is_slower_undecided_or_invalid(make_result: Callable[..., Result]) -> None:
    suite = replace(load_suite("quick"), network_queries=10, min_duration_s=0.1)
    first = _quick(make_result, 1, suite=suite)
    check_speed_gate(judge_speed(first, _quick(make_result, 2, suite=suite), margin=20.0))
    slower = _quick(make_result, 2, suite=suite, slower=1.3)
    with pytest.raises(VerdictError, match=r"speed gate failed: B takes 1\.\d+ times as long"):
        check_speed_gate(judge_speed(first, slower, margin=5.0))
    with pytest.raises(UndecidedError, match="cannot decide at a tolerance of 30 %"):
        check_speed_gate(judge_speed(first, slower, margin=30.0))
    busy = replace(slower.network[0], cpu_use=CpuUse(others_share=0.5, stolen_share=0.0))
    with pytest.raises(UndecidedError, match="INVALID result: B, a busy machine"):
        check_speed_gate(judge_speed(first, replace(slower, network=(busy, *slower.network[1:])), margin=5.0))


def test_only_results_have_a_speed(make_result: Callable[..., Result], tmp_path: Path) -> None:
    path = write_result(_quick(make_result, 1, started_utc=LATER), tmp_path)
    table = tmp_path / "predictions.csv"
    table.write_text("clip,label,prediction\n")
    with pytest.raises(ComparisonError, match="two results"):
        compare_speed(path, table)
    with pytest.raises(ArtifactError, match="cannot be read"):
        compare_speed(path, tmp_path / "gone.json")
    with pytest.raises(ComparisonError, match="more than 0 and less than 100"):
        compare_speed(path, path, margin=0)


_SLEEPING = """
import sys, time
from edge_aver import runtime
from edge_aver.benchmarks import worker
answer = runtime.Model.predict_tensors
def slower(model, faces, audio):
    time.sleep(0.22 if "slowed" in model.artifact.path.name else 0.2)
    return answer(model, faces, audio)
runtime.Model.predict_tensors = slower
sys.exit(worker.main())
"""
"""A worker whose runner takes a while; a tenth longer for one of two artifacts."""


def test_a_slowdown_of_a_tenth_is_found_in_real_measurements(
    tiny: tuple[Artifact, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slowed = replace(tiny[0], path=tmp_path / "aver-sa-synthetic-fold1-slowed.onnx")
    with write_artifact(slowed, folder=False) as path:
        shutil.copy(tiny[0].path, path)
    suite = Suite(
        name="own",
        network_queries=32,
        processes=4,
        warmup_queries=1,
        end_to_end_clips=0,
        timeout_s=120.0,
        seed=1,
        accuracy=False,
    )
    monkeypatch.setattr(measure, "_command", lambda: [sys.executable, "-c", _SLEEPING])
    artifacts = [tiny[0], open_artifact(slowed.path)]
    results = run_benchmark(artifacts, lambda _: tiny[1], suite, results=tmp_path / "results", threads=1)
    verdict = judge_speed(*results, margin=5.0)
    assert verdict.interleaved
    if busy := [reason for reason in verdict.invalid if "busy" in reason or "drift" in reason]:
        with pytest.raises(UndecidedError, match="INVALID result"):
            check_speed_gate(verdict)
        pytest.skip(f"this machine cannot tell a tenth now, and the gate says so: {busy[0]}")
    assert verdict.network.value == pytest.approx(1.1, abs=0.04)
    assert verdict.network.significant
    assert verdict.verdict != "PASS"

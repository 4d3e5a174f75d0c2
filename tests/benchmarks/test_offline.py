from pathlib import Path

import numpy as np
import pytest

from edge_aver import runtime
from edge_aver.benchmarks.cases import Subject, interleaved, request
from edge_aver.benchmarks.offline import combinations, measure_throughput
from edge_aver.benchmarks.request import Request
from edge_aver.benchmarks.runs import ThroughputRun
from edge_aver.benchmarks.suites import load_suite
from edge_aver.benchmarks.throughput import throughputs
from edge_aver.bundle import Artifact


def _request(tiny: tuple[Artifact, Path], batch: int, callers: int) -> Request:
    return Request(
        case="throughput",
        artifact=str(tiny[0].path),
        store=str(tiny[1]),
        threads=1,
        min_duration_s=0.2,
        warmup_queries=1,
        batch=batch,
        callers=callers,
    )


def test_batches_are_answered_until_the_time_is_over(tiny: tuple[Artifact, Path]) -> None:
    run = measure_throughput(_request(tiny, batch=3, callers=2)).throughput
    assert (run.batch, run.callers) == (3, 2)
    assert run.wall_s >= 0.2
    assert run.clips % 3 == 0
    assert run.clips >= 6


def test_every_query_is_a_whole_batch(tiny: tuple[Artifact, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: set[tuple[int, ...]] = set()

    def answer(_: object, faces: np.ndarray, audio: np.ndarray) -> np.ndarray:
        sizes.add((len(faces), len(audio)))
        return np.zeros((len(faces), 8), np.float32)

    monkeypatch.setattr(runtime.Model, "predict_tensors", answer)
    measure_throughput(_request(tiny, batch=5, callers=1))
    assert sizes == {(5, 5)}


def test_clips_a_second_are_those_of_all_processes() -> None:
    runs = [
        ThroughputRun(batch=1, callers=1, clips=30, wall_s=2.0),
        ThroughputRun(batch=4, callers=2, clips=80, wall_s=2.0),
        ThroughputRun(batch=1, callers=1, clips=30, wall_s=4.0),
    ]
    assert [(item.batch, item.callers, item.clips_per_s) for item in throughputs(runs)] == [(4, 2, 40.0), (1, 1, 10.0)]


def test_a_suite_asks_for_every_combination_once(tiny: tuple[Artifact, Path]) -> None:
    suite = load_suite("quick")
    cases = [case for case in interleaved(1, suite) if case.name == "throughput"]
    asked = [request(case, Subject(artifact=tiny[0], store=tiny[1]), suite, None) for case in cases]
    assert {(item.batch, item.callers) for item in asked} == {(1, 1), (1, 2), (4, 1), (4, 2)}
    assert len(asked) == 4
    assert {item.min_duration_s for item in asked} == {2.0}
    assert combinations(load_suite("smoke").offline) == ()

"""One case in a process of its own: a request as JSON on standard input, an answer as JSON on standard output."""

import itertools
import json
import os
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from edge_aver import runtime
from edge_aver.benchmarks.clips import media_missing, test_clips
from edge_aver.benchmarks.conditions import BOTH, mask
from edge_aver.benchmarks.feeds import Feed, feeds_of
from edge_aver.benchmarks.front_end import (
    AgreementAnswer,
    RoundAnswer,
    compare_front_ends,
    time_ours,
    time_reference,
)
from edge_aver.benchmarks.front_end_processes import FreshAnswer, ScalingAnswer, run_fresh, scale_prepare
from edge_aver.benchmarks.front_end_results import EndToEndQuery
from edge_aver.benchmarks.machine import (
    ProcessMemory,
    cpu_time,
    cpu_use,
    forget_peak,
    process_age_s,
    process_memory,
)
from edge_aver.benchmarks.offline import ThroughputAnswer, measure_throughput
from edge_aver.benchmarks.overhead import OverheadAnswer, ToolAnswer, measure_overhead, measure_with_tool
from edge_aver.benchmarks.readings import read_now
from edge_aver.benchmarks.request import Request
from edge_aver.benchmarks.results import ClipPrediction, NetworkRun, without_none
from edge_aver.bundle import Artifact, open_artifact
from edge_aver.corpora.store import ClipRecord, PreparedClip
from edge_aver.declarations import parse
from edge_aver.errors import EdgeAverError, MeasurementError
from edge_aver.files import json_text
from edge_aver.spec import ModelSpec
from edge_aver.targets import runtime_module

__all__ = ["AccuracyAnswer", "Answer", "EndToEndAnswer", "NetworkAnswer", "Request", "main", "perform"]


@dataclass(frozen=True, kw_only=True)
class NetworkAnswer:
    """Latencies and memory of one process."""

    run: NetworkRun


@dataclass(frozen=True, kw_only=True)
class AccuracyAnswer:
    """The prediction for every test clip under a condition, and layers by the precision that the runtime executed."""

    predictions: tuple[ClipPrediction, ...]
    executed_precisions: dict[str, int]
    condition: str = BOTH


@dataclass(frozen=True, kw_only=True)
class EndToEndAnswer:
    """Every media file brought end to end; or why none could be, where the media are not at hand."""

    queries: tuple[EndToEndQuery, ...] = ()
    not_measured: str | None = None


Answer = (
    NetworkAnswer
    | ThroughputAnswer
    | OverheadAnswer
    | ToolAnswer
    | AccuracyAnswer
    | EndToEndAnswer
    | RoundAnswer
    | AgreementAnswer
    | FreshAnswer
    | ScalingAnswer
)


def main() -> int:
    """Answer the request on standard input; a person's mistake is an answer too, a bug a traceback."""
    # Libraries print to standard output as they load: the answer keeps it to itself.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    request = parse(Request, json.load(sys.stdin), where="request")
    try:
        answer = without_none(asdict(perform(request)))
    except EdgeAverError as error:
        answer = {"error": str(error)}
    with answers:
        answers.write(json_text(answer))
    return 0


def perform(request: Request) -> Answer:
    """Measure one case in this process.

    Raises:
        MeasurementError: no test clips, or logits that are not finite.
        EdgeAverError: whatever the artifact, its runtime or the store raise.
    """
    return _CASES[request.case](request)


def _network(request: Request) -> NetworkAnswer:
    started = time.perf_counter()
    clips, feeds = feeds_of(request)
    feeds_s, before_load, started = time.perf_counter() - started, process_memory(), time.perf_counter()
    runtime_module(_artifact(request).runtime)
    library_s, with_library, started = time.perf_counter() - started, process_memory(), time.perf_counter()
    with runtime.load(request.artifact, threads=request.threads) as model:
        load_s = library_s + time.perf_counter() - started
        after_load, forgotten = process_memory(), forget_peak()
        first_answer_s = _first_answer_s(model, feeds[0], feeds_s)
        for faces, audio in itertools.islice(itertools.cycle(feeds), request.warmup_queries):
            model.predict_tensors(faces, audio)
        before, ticks = read_now(), cpu_time()
        latency_s = _time_queries(model, feeds, request.queries, request.min_duration_s)
        use, after, done = cpu_use(ticks, cpu_time()), read_now(), process_memory()
        device_memory_bytes, compute_s = model.device_memory_bytes, model.time_compute(len(latency_s))
    run = NetworkRun(
        latency_s=latency_s,
        load_s=load_s,
        before_load=before_load,
        with_library=with_library,
        after_load=after_load,
        after_queries=_over_whole_life(after_load, done),
        inference_peak_bytes=done.peak_bytes if done and forgotten else None,
        cpu_use=use,
        device_memory_bytes=device_memory_bytes,
        compute_s=compute_s,
        first_answer_s=first_answer_s,
        clips=clips,
        before=before,
        after=after,
    )
    return NetworkAnswer(run=run)


def _first_answer_s(model: runtime.Model, feed: Feed, feeds_s: float) -> float | None:
    """From the start of this process to the first logits, the loading of clips left out."""
    model.predict_tensors(*feed)
    age_s = process_age_s()
    return None if age_s is None else max(age_s - feeds_s, 1e-3)


def _over_whole_life(loaded: ProcessMemory | None, done: ProcessMemory | None) -> ProcessMemory | None:
    """The peak of loading was forgotten when the network was loaded: it belongs to the whole again."""
    if loaded is None or done is None:
        return done
    return replace(done, peak_bytes=max(loaded.peak_bytes, done.peak_bytes))


def _time_queries(
    model: runtime.Model, feeds: Sequence[Feed], queries: int, min_duration_s: float
) -> tuple[float, ...]:
    """One clip after another until both the count and the time are reached; every query is kept."""
    latency_ns: list[int] = []
    spent_ns = 0
    while len(latency_ns) < queries or spent_ns < min_duration_s * 1e9:
        faces, audio = feeds[len(latency_ns) % len(feeds)]
        started = time.perf_counter_ns()
        model.predict_tensors(faces, audio)
        latency_ns.append(time.perf_counter_ns() - started)
        spent_ns += latency_ns[-1]
    return tuple(value / 1e9 for value in latency_ns)


def _accuracy(request: Request) -> AccuracyAnswer:
    store, records = test_clips(_spec(request), Path(request.store))
    with runtime.load(request.artifact, threads=request.threads) as model:
        predictions = tuple(
            _predict(model, store.load(record.id), store.labels, request.condition) for record in records
        )
        return AccuracyAnswer(
            predictions=predictions,
            executed_precisions=dict(model.executed_precisions),
            condition=request.condition,
        )


def _predict(model: runtime.Model, clip: PreparedClip, labels: tuple[str, ...], condition: str) -> ClipPrediction:
    faces, audio = mask(condition, clip.record.id, clip.faces, clip.audio)
    logits = model.predict_tensors(faces[None], audio[None])[0]
    if not np.isfinite(logits).all():
        raise MeasurementError(f"{clip.record.id}: logits that are not finite; export the artifact again")
    return ClipPrediction(
        id=clip.record.id,
        tensors_sha256=clip.record.tensors_sha256,
        actor=clip.record.actor,
        label=labels[clip.record.label],
        prediction=model.artifact.spec.labels[int(logits.argmax())],
        logits=tuple(float(value) for value in logits),
    )


def _end_to_end(request: Request) -> EndToEndAnswer:
    store, records = test_clips(_spec(request), Path(request.store))
    # A clip without any face has no label to time.
    records = [record for record in records if record.faces_found]
    chosen = random.Random(request.seed).sample(records, min(request.queries, len(records)))
    if reason := media_missing(store.corpus, chosen):
        return EndToEndAnswer(not_measured=reason)
    with runtime.load(request.artifact, threads=request.threads) as model:
        model.predict(chosen[0].source, start_s=chosen[0].start_s, end_s=chosen[0].end_s)
        asked = itertools.islice(itertools.cycle(chosen), request.part, request.queries, request.parts)
        return EndToEndAnswer(queries=tuple(_bring_to_label(model, record, request.part) for record in asked))


def _bring_to_label(model: runtime.Model, record: ClipRecord, process: int) -> EndToEndQuery:
    started = time.perf_counter()
    answer = model.predict(record.source.read_bytes(), start_s=record.start_s, end_s=record.end_s)
    total_s = time.perf_counter() - started
    return EndToEndQuery(
        id=record.id, prediction=answer.label, total_s=total_s, stages_s=dict(answer.stages_s), process=process
    )


def _artifact(request: Request) -> Artifact:
    return open_artifact(Path(request.artifact))


def _spec(request: Request) -> ModelSpec:
    return _artifact(request).spec


_CASES: dict[str, Callable[[Request], Answer]] = {
    "network": _network,
    "throughput": measure_throughput,
    "overhead": measure_overhead,
    "library_tool": measure_with_tool,
    "accuracy": _accuracy,
    "end_to_end": _end_to_end,
    "ours": time_ours,
    "reference": time_reference,
    "front_end_parity": compare_front_ends,
    "fresh_run": run_fresh,
    "prepare_scaling": scale_prepare,
}

if __name__ == "__main__":
    sys.exit(main())

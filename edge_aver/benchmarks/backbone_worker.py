"""Latency and memory of one bare backbone in this process: one face after another."""

import itertools
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_aver.benchmarks.machine import cpu_time, cpu_use, process_memory
from edge_aver.benchmarks.runs import NetworkRun
from edge_aver.errors import MeasurementError
from edge_aver.targets import load_profile, runtime_module

__all__ = ["MeasuredBackbone", "measure_backbone"]

_CYCLED_FACES = 8


@dataclass(frozen=True, kw_only=True)
class MeasuredBackbone:
    """One process: its queries and memory, and layers by the precision that the runtime executed."""

    run: NetworkRun
    executed_precisions: dict[str, int]


def measure_backbone(
    artifact: Path,
    *,
    target: str,
    faces: Path,
    threads: int | None,
    queries: int,
    min_duration_s: float,
    warmup_queries: int,
) -> MeasuredBackbone:
    """Open what `build_backbone` built and ask it until both `queries` and `min_duration_s` are reached.

    Raises:
        ArtifactError: the runtime cannot open it.
        MeasurementError: features that are not finite.
    """
    feeds = [{"faces": face[None]} for face in np.load(faces)[:_CYCLED_FACES]]
    before_load, started = process_memory(), time.perf_counter()
    module = runtime_module(load_profile(target).runtime)
    with_library = process_memory()
    with module.open_runner(artifact, threads=threads) as runner:
        load_s, after_load = time.perf_counter() - started, process_memory()
        for feed in itertools.islice(itertools.cycle(feeds), max(1, warmup_queries)):
            features = runner.infer(feed)["features"]
        if not np.isfinite(features).all():
            raise MeasurementError(f"{artifact.name}: features that are not finite")
        ticks = cpu_time()
        latency_s: list[float] = []
        while len(latency_s) < queries or sum(latency_s) < min_duration_s:
            feed = feeds[len(latency_s) % len(feeds)]
            begun = time.perf_counter_ns()
            runner.infer(feed)
            latency_s.append((time.perf_counter_ns() - begun) / 1e9)
        use, after_queries = cpu_use(ticks, cpu_time()), process_memory()
        executed = dict(runner.executed_precisions)
    run = NetworkRun(
        latency_s=tuple(latency_s),
        load_s=load_s,
        before_load=before_load,
        with_library=with_library,
        after_load=after_load,
        after_queries=after_queries,
        cpu_use=use,
    )
    return MeasuredBackbone(run=run, executed_precisions=executed)

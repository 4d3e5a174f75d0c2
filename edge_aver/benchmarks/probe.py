"""A quick look at how fast the artifacts of one build are on this machine; a benchmark is what decides."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from statistics import median
from time import perf_counter

import numpy as np

from edge_aver import runtime
from edge_aver.benchmarks.advice import Advice, Candidate, advise, memory_budget
from edge_aver.benchmarks.costs import BASELINE
from edge_aver.benchmarks.speed import speedup_of_rounds
from edge_aver.bundle import Artifact, is_kit
from edge_aver.console import progress, say
from edge_aver.errors import EdgeAverError

__all__ = ["advise_builds", "probe"]

_ROUNDS, _WARMUP = 20, 2
_BASIS = f"by a probe of {_ROUNDS} queries each on this machine; edge-aver benchmark measures"


def advise_builds(artifacts: Sequence[Artifact]) -> tuple[Advice, ...]:
    """Advice for every target that one checkpoint was built for in several precisions.

    Known then are parity, size and a probe of the latency; accuracy is not. A target that does not run here gets no
    latency, so fp32 unless memory is scarce. Of kits nothing is said: their engines do not exist yet.
    """
    artifacts = [artifact for artifact in artifacts if not is_kit(artifact.path)]
    targets = dict.fromkeys(artifact.target for artifact in artifacts)
    groups = ([artifact for artifact in artifacts if artifact.target == target] for target in targets)
    return tuple(_advise_target(group) for group in groups if len({item.precision for item in group}) > 1)


def probe(artifacts: Sequence[Artifact]) -> tuple[tuple[float, ...], ...]:
    """Seconds of each query of each artifact, all held open and asked by turns, so that a drift meets them alike.

    The clip is random numbers: what a network takes does not depend on it.

    Raises:
        EdgeAverError: an artifact that does not open or run here.
    """
    random = np.random.default_rng(0)
    shapes = {item.name: (1, *map(int, item.shape[1:])) for item in artifacts[0].spec.inputs}
    faces = random.integers(0, 256, shapes.get("faces", (1,)), dtype=np.uint8)
    audio = random.normal(size=shapes.get("audio", (1,))).astype(np.float32)
    spent: list[list[float]] = [[] for _ in artifacts]
    with ExitStack() as stack:
        models = [stack.enter_context(runtime.load(artifact.path)) for artifact in artifacts]
        advance = stack.enter_context(progress(f"Probing on {artifacts[0].target}", _WARMUP + _ROUNDS))
        for number in range(_WARMUP + _ROUNDS):
            for seconds, model in zip(spent, models, strict=True):
                started = perf_counter()
                model.predict_tensors(faces, audio)
                if number >= _WARMUP:
                    seconds.append(perf_counter() - started)
            advance()
    return tuple(map(tuple, spent))


def _advise_target(group: Sequence[Artifact]) -> Advice:
    spec, target = group[0].spec, group[0].target
    name = f"{spec.architecture}, {spec.corpus} fold {spec.fold}"
    baseline = next((artifact for artifact in group if artifact.precision == BASELINE), None)
    if baseline is None:
        reason = f"no {BASELINE} was built beside them to compare with"
        return Advice(target=target, network=name, precision=None, reason=reason)
    others = [artifact for artifact in group if artifact.precision != BASELINE]
    try:
        latency_s = probe([baseline, *others])
    except EdgeAverError as error:
        say(f"no probe on {target}: {error}")
        return advise(target, name, _known(baseline), list(map(_known, others)), budget_bytes=memory_budget(target))
    candidates = [
        replace(_known(artifact), latency_s=median(seconds), speedup=speedup_of_rounds(latency_s[0], seconds))
        for artifact, seconds in zip(others, latency_s[1:], strict=True)
    ]
    first = replace(_known(baseline), latency_s=median(latency_s[0]))
    return advise(target, name, first, candidates, budget_bytes=memory_budget(target), basis=_BASIS)


def _known(artifact: Artifact) -> Candidate:
    return Candidate(
        precision=artifact.precision,
        size_bytes=artifact.size_bytes,
        parity=bool(artifact.parity) and all(step.get("passed", False) for step in artifact.parity),
        memory_bytes=artifact.size_bytes,
    )

"""A study from its first case to its result: built, measured in seeded random order, trained where asked for."""

import random
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from edge_aver.benchmarks.backbone_results import BackboneStudy, Cell, FerAccuracy, write_study
from edge_aver.benchmarks.backbone_suite import StudyNetwork
from edge_aver.benchmarks.backbone_worker import MeasuredBackbone
from edge_aver.benchmarks.machine import describe_machine, tool_versions
from edge_aver.console import Advance, progress
from edge_aver.declarations import parse
from edge_aver.errors import MeasurementError
from edge_aver.models.fer_protocol import FerOutcome
from edge_aver.study.cases import Answer, Cases, Place
from edge_aver.study.request import StudyRequest

__all__ = ["run_study"]

_WEIGHTS = "random, batch norms measured on faces: latency, memory and sizes do not depend on them, accuracy would"


def run_study(request: StudyRequest, *, results: Path, cache: Path) -> tuple[BackboneStudy, Path]:
    """Run what is missing of a study and write its result; the cache of a finished one is removed.

    A case whose process fails, is killed or takes too long is a reason in its cell; the others go on.

    Returns:
        The study, and its file.

    Raises:
        MeasurementError: int8 without real faces, or first weights of a training that cannot be fetched.
    """
    if not request.faces.real and set(request.precisions) != {"fp32"}:
        raise MeasurementError(
            "only real faces calibrate: give --data (FER2013), or prepare a corpus first with edge-aver prepare"
        )
    folder = cache / "backbones" / request.key()
    cases = Cases(request=request, folder=folder, faces=request.faces.write(folder / "faces.npy"))
    started = cases.started_utc()
    places = [Place(n, t, p) for n in request.networks for t in request.targets for p in request.precisions]
    trained = request.networks if request.training is not None else ()
    _fetch(cases, trained)
    total = len(places) * (1 + request.suite.processes) + len(trained)
    with progress(f"Backbones, suite {request.suite.name}", total) as advance:
        built = _build(cases, places, advance)
        measured = _measure(cases, built, advance)
        accuracies = _train(cases, trained, advance)
    study = BackboneStudy(
        suite=request.suite,
        machine=describe_machine(),
        tool_versions=tool_versions(),
        threads=request.threads,
        started_utc=started,
        faces=request.faces.origin,
        faces_sha256=request.faces.sha256,
        weights=_WEIGHTS,
        cells=tuple(_cell(place, built[place], measured[place]) for place in places),
        accuracies=accuracies,
    )
    path = write_study(study, results)
    shutil.rmtree(folder, ignore_errors=True)
    return study, path


def _fetch(cases: Cases, trained: Sequence[StudyNetwork]) -> None:
    """Before anything that takes hours: what cannot be trained as it was asked for."""
    training = cases.request.training
    if training is None or training.plan.weights == "random":
        return
    for network in trained:
        if "error" in (answer := cases.fetch(network)):
            raise MeasurementError(f"{network.name} cannot be trained: {answer['error']}")


def _build(cases: Cases, places: Sequence[Place], advance: Advance) -> dict[Place, Answer]:
    built = {}
    for place in places:
        built[place] = cases.build(place)
        advance(note=f"built {place.told}")
    return built


def _measure(cases: Cases, built: Mapping[Place, Answer], advance: Advance) -> dict[Place, list[Answer]]:
    """Repetitions of all places in one random order, so that a drift of the machine meets them alike."""
    suite = cases.request.suite
    order = [(place, repetition) for repetition in range(suite.processes) for place in built]
    random.Random(suite.seed).shuffle(order)
    measured: dict[Place, list[Answer]] = {place: [] for place in built}
    for place, repetition in order:
        if "error" not in built[place]:
            measured[place].append(cases.measure(place, built[place]["path"], repetition))
        advance(note=f"measured {place.told}")
    return measured


def _train(cases: Cases, trained: Sequence[StudyNetwork], advance: Advance) -> tuple[FerAccuracy, ...]:
    accuracies = []
    for network in trained:
        answer = cases.train(network)
        if "error" in answer:
            accuracies.append(FerAccuracy(network=network.name, failed=answer["error"]))
        else:
            outcome = parse(FerOutcome, answer, where="answer")
            accuracies.append(FerAccuracy(network=network.name, outcome=outcome))
        advance(note=f"trained {network.name}")
    return tuple(accuracies)


def _cell(place: Place, built: Answer, answers: Sequence[Answer]) -> Cell:
    cell = Cell(network=place.network.name, target=place.target, precision=place.precision, executed_precisions={})
    if "error" in built:
        return replace(cell, failed=(built["error"],))
    good = [parse(MeasuredBackbone, item, where="answer") for item in answers if "error" not in item]
    return replace(
        cell,
        paper_parameters=built["parameters"]["paper"],
        parameters=built["parameters"]["deployed"],
        file_bytes=built["file_bytes"],
        executed_precisions=good[0].executed_precisions if good else {},
        runs=tuple(item.run for item in good),
        failed=tuple(item["error"] for item in answers if "error" in item),
    )

"""A study of backbones: built, then measured in seeded order, each case in a fresh process; a killed one goes on."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from edge_aver.benchmarks.backbone_choice import Choice, PublishedBackbones, choose, load_published_backbones
from edge_aver.benchmarks.backbone_results import BackboneStudy, Cell, FerAccuracy, write_study
from edge_aver.benchmarks.backbone_suite import BackbonesPart, StudyNetwork
from edge_aver.benchmarks.backbone_tables import draw_intervals
from edge_aver.benchmarks.backbone_worker import MeasuredBackbone
from edge_aver.benchmarks.machine import describe_machine, tool_versions
from edge_aver.benchmarks.suites import Suite
from edge_aver.calibration.draw import calibration_clips, draw_calibration
from edge_aver.calibration.folds import load_fold
from edge_aver.console import progress, say
from edge_aver.corpora.fer2013_parts import read_parts
from edge_aver.corpora.golden import golden_clips
from edge_aver.corpora.store import PreparedStore
from edge_aver.corpora.study_faces import StudyFaces, enlarged_faces
from edge_aver.declarations import parse
from edge_aver.errors import MeasurementError
from edge_aver.files import json_text, sha256_bytes, write_text
from edge_aver.spec import Preprocessing
from edge_aver.targets import load_profile, runtime_module
from edge_aver.workspace import Workspace

__all__ = ["PublishedStudy", "StudyOutcome", "StudyRequest", "published_study", "run_study", "study_backbones"]

_CORPORA = ("ravdess", "composite", "synthetic")
_PUBLISHED_TITLE = "The paper's own accuracies (Table 2), N = 3,589, sizes as printed there"
_WEIGHTS = "random, batch norms measured on faces: latency, memory and sizes do not depend on them, accuracy would"


@dataclass(frozen=True, kw_only=True)
class StudyRequest:
    """What to study.

    Attributes:
        suite: with a backbones part.
        networks: of that part.
        targets, precisions: each network is measured on all of them.
        faces: real ones for int8; made-up ones do for fp32.
        threads: CPU threads of every runtime; None leaves it to the runtime.
        data: FER2013, where networks are trained too; None trains none.
        freeze_backbone, epochs: of the training; None takes the suite's epochs.
    """

    suite: Suite
    networks: tuple[StudyNetwork, ...]
    targets: tuple[str, ...]
    precisions: tuple[str, ...]
    faces: StudyFaces
    threads: int | None = None
    data: Path | None = None
    freeze_backbone: bool = False
    epochs: int | None = None

    @property
    def part(self) -> BackbonesPart:
        """The suite's."""
        if self.suite.backbones is None:
            raise MeasurementError(f"suite {self.suite.name} has no backbones")
        return self.suite.backbones

    def key(self) -> str:
        """What must agree for an interrupted study to go on: everything asked for, the faces, machine and tools."""
        table = {**asdict(self), "faces": [self.faces.origin, self.faces.sha256], "data": str(self.data)}
        return sha256_bytes(json_text([table, asdict(describe_machine()), tool_versions()]).encode())[:16]


@dataclass(frozen=True, kw_only=True)
class StudyOutcome:
    """A study, its file, and the figure of its intervals."""

    study: BackboneStudy
    path: Path
    figure: Path


@dataclass(frozen=True, kw_only=True)
class PublishedStudy:
    """The paper's accuracies, what they lead to, and their figure."""

    published: PublishedBackbones
    choice: Choice
    figure: Path


def published_study(suite: Suite, *, reports: Path) -> PublishedStudy:
    """Figure 7 and the conclusion from the paper's own accuracies and the suite's budget; measures nothing."""
    published, part = load_published_backbones(), suite.backbones
    assert part is not None
    figure = reports / "backbones-published.svg"
    draw_intervals(published.candidates(), figure, level=part.level, budget_mb=part.budget_mb, title=_PUBLISHED_TITLE)
    choice = choose(published.candidates(), budget_mb=part.budget_mb, level=part.level)
    return PublishedStudy(published=published, choice=choice, figure=figure)


def study_backbones(
    suite: Suite,
    place: Workspace,
    *,
    names: Sequence[str] = (),
    targets: Sequence[str],
    precisions: Sequence[str],
    data: Path | None = None,
    train: bool = False,
    freeze_backbone: bool = False,
    epochs: int | None = None,
    threads: int | None = None,
) -> StudyOutcome:
    """Run a study in a workspace: faces of FER2013 (`data`), else of a prepared corpus, else made-up ones for fp32.

    Raises:
        CorpusError, MeasurementError, DeclarationError: see `run_study` and `read_parts`.
    """
    part = suite.backbones
    assert part is not None
    for target in targets:
        runtime_module(load_profile(target).runtime)
    request = StudyRequest(
        suite=suite,
        networks=part.named(tuple(names)),
        targets=tuple(targets),
        precisions=tuple(precisions),
        faces=_faces(part.calibration_faces, suite.seed, place, data),
        threads=threads,
        data=data if train else None,
        freeze_backbone=freeze_backbone,
        epochs=epochs,
    )
    study, path = run_study(request, results=place.results, cache=place.cache)
    figure, measured = place.reports / f"{path.stem}.svg", study.candidates()
    candidates = measured or load_published_backbones().candidates()
    title = "Accuracies measured here" if measured else _PUBLISHED_TITLE
    draw_intervals(candidates, figure, level=part.level, budget_mb=part.budget_mb, title=title)
    return StudyOutcome(study=study, path=path, figure=figure)


def _faces(count: int, seed: int, place: Workspace, data: Path | None) -> StudyFaces:
    if data is not None:
        return enlarged_faces(read_parts(data, ("train",))["train"], count, seed=seed)
    for corpus in _CORPORA:
        if (place.prepared(corpus) / "store.json").is_file():
            store, fold = PreparedStore.open(place.prepared(corpus), Preprocessing()), load_fold(corpus, 1)
            clips = calibration_clips(store, draw_calibration(store, fold, count, seed=seed))
            shown = [clip.faces[clip.face_found][0] for clip in clips if clip.face_found.any()]
            return StudyFaces(pixels=np.stack(shown), origin=f"{len(shown)} clips of {corpus}, training actors, fold 1")
    golden = golden_clips(1, Preprocessing())["faces"][0]
    return StudyFaces(pixels=golden, origin="made-up faces: nothing is prepared here", real=False)


def run_study(request: StudyRequest, *, results: Path, cache: Path) -> tuple[BackboneStudy, Path]:
    """Run what is missing of a study and write its result; the cache of a finished one is removed.

    A case whose process fails, is killed or takes too long is a reason in its cell; the others go on.

    Returns:
        The study, and its file.

    Raises:
        MeasurementError: int8 without real faces.
    """
    if not request.faces.real and set(request.precisions) != {"fp32"}:
        raise MeasurementError(
            "only real faces calibrate: give --data (FER2013), or prepare a corpus first with edge-aver prepare"
        )
    folder = cache / "backbones" / request.key()
    faces = request.faces.write(folder / "faces.npy")
    state = _State(folder=folder / "cases", timeout_s=request.suite.timeout_s)
    started = state.started()
    cells = [(n, t, p) for n in request.networks for t in request.targets for p in request.precisions]
    trained = request.networks if request.data is not None else ()
    total = len(cells) * (1 + request.suite.processes) + len(trained)
    with progress(f"Backbones, suite {request.suite.name}", total) as advance:
        built = {}
        for cell in cells:
            built[cell] = state.do(_name("build", cell), lambda cell=cell: _build(cell, faces, folder))  # type: ignore[misc]
            advance(note=_name("build", cell))
        order = [(cell, i) for i in range(request.suite.processes) for cell in cells]
        random.Random(request.suite.seed).shuffle(order)
        measured: dict[Any, list[Any]] = {cell: [] for cell in cells}
        for cell, repetition in order:
            if "error" not in built[cell]:
                asked = _measure(request, cell, built[cell]["path"], faces)
                measured[cell].append(state.do(_name(f"measure{repetition}", cell), lambda asked=asked: asked))  # type: ignore[misc]
            advance(note=_name("measured", cell))
        accuracies = []
        for network in trained:
            asked = _training(request, network)
            accuracies.append(_accuracy(network, state.do(f"train-{network.timm}", lambda asked=asked: asked)))  # type: ignore[misc]
            advance(note=f"trained {network.name}")
    study = BackboneStudy(
        suite=request.suite,
        machine=describe_machine(),
        tool_versions=tool_versions(),
        threads=request.threads,
        started_utc=started,
        faces=request.faces.origin,
        faces_sha256=request.faces.sha256,
        weights=_WEIGHTS,
        cells=tuple(_cell(cell, built[cell], measured[cell]) for cell in cells),
        accuracies=tuple(accuracies),
    )
    path = write_study(study, results)
    shutil.rmtree(folder, ignore_errors=True)
    return study, path


@dataclass(frozen=True, kw_only=True)
class _State:
    """Answers of finished cases, one file each: what a killed study goes on from."""

    folder: Path
    timeout_s: float

    def started(self) -> str:
        """When the study began, and a remark where it goes on."""
        path = self.folder / "started.json"
        if path.is_file():
            say(f"Going on with an interrupted study: {len(list(self.folder.glob('*.json'))) - 1} cases are done")
        else:
            now = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            write_text(path, json_text(now))
        return str(json.loads(path.read_text(encoding="utf-8")))

    def do(self, name: str, request: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        """The answer of a case, from its file or a fresh process."""
        path = self.folder / f"{name}.json"
        if not path.is_file():
            write_text(path, json_text(_ask(request(), self.timeout_s)))
        answer: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return answer


def _name(case: str, cell: tuple[StudyNetwork, str, str]) -> str:
    network, target, precision = cell
    return f"{case}-{network.timm}-{Path(target).stem}-{precision}"


def _build(cell: tuple[StudyNetwork, str, str], faces: Path, folder: Path) -> dict[str, Any]:
    network, target, precision = cell
    paths = {"faces": str(faces), "folder": str(folder)}
    return {"case": "build", "name": network.timm, "target": target, "precision": precision, **paths}


def _measure(request: StudyRequest, cell: tuple[StudyNetwork, str, str], artifact: str, faces: Path) -> dict[str, Any]:
    suite = request.suite
    return {
        "case": "measure",
        "artifact": artifact,
        "faces": str(faces),
        "target": cell[1],
        "threads": request.threads,
        "queries": -(-suite.network_queries // suite.processes),
        "min_duration_s": suite.min_duration_s / suite.processes,
        "warmup_queries": suite.warmup_queries,
    }


def _training(request: StudyRequest, network: StudyNetwork) -> dict[str, Any]:
    plan = asdict(request.part.training) | {"freeze_backbone": request.freeze_backbone, "seed": request.suite.seed}
    plan |= {"epochs": request.epochs or plan["epochs"]}
    return {"case": "train", "name": network.timm, "data": str(request.data), "plan": plan}


def _ask(request: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
    """Run one worker to its end; whatever goes wrong in it becomes `error`."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-m", "edge_aver.study_worker"]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, start_new_session=True) as process:
        try:
            text, remarks = process.communicate(json_text(request), timeout=timeout_s)
        except subprocess.TimeoutExpired:
            return {"error": f"took longer than the suite's {timeout_s:g} s and was stopped"}
        finally:
            # An interruption of this process must not leave that one behind.
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode < 0:
        name = signal.Signals(-process.returncode).name
        return {"error": f"the process was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")}
    if process.returncode:
        last = (remarks.strip().splitlines() or ["no message"])[-1]
        return {"error": _without_places(f"the process ended with status {process.returncode}: {last}")}
    answer: dict[str, Any] = json.loads(text)
    return answer | ({"error": _without_places(answer["error"])} if "error" in answer else {})


def _without_places(reason: str) -> str:
    """Results name no place on the machine: of every absolute path the last part is kept."""
    return re.sub(r"(?<![\w.])/(?:[^\s/'\":]+/)+", "", reason)


def _cell(cell: tuple[StudyNetwork, str, str], built: Mapping[str, Any], answers: list[dict[str, Any]]) -> Cell:
    network, target, precision = cell
    if "error" in built:
        return Cell(
            network=network.name, target=target, precision=precision, executed_precisions={}, failed=(built["error"],)
        )
    good = [parse(MeasuredBackbone, item, where="answer") for item in answers if "error" not in item]
    return Cell(
        network=network.name,
        target=target,
        precision=precision,
        paper_parameters=built["parameters"]["paper"],
        parameters=built["parameters"]["deployed"],
        file_bytes=built["file_bytes"],
        executed_precisions=good[0].executed_precisions if good else {},
        runs=tuple(item.run for item in good),
        failed=tuple(item["error"] for item in answers if "error" in item),
    )


def _accuracy(network: StudyNetwork, answer: Mapping[str, Any]) -> FerAccuracy:
    if "error" in answer:
        return FerAccuracy(network=network.name, failed=answer["error"])
    return FerAccuracy(network=network.name, **answer)

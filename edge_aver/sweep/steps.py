"""The steps of a cell, as functions that a worker process runs, here or elsewhere: a failure is a value they return."""

import tempfile
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_aver.benchmarks.grids import Grid
from edge_aver.benchmarks.measure import run_benchmark
from edge_aver.benchmarks.processes import without_places
from edge_aver.benchmarks.results import Gap, Result
from edge_aver.benchmarks.suites import load_suite
from edge_aver.benchmarks.worker import Answer
from edge_aver.bundle import Artifact, find_artifacts, open_artifact
from edge_aver.errors import ArtifactError, EdgeAverError
from edge_aver.files import sha256_file
from edge_aver.sweep.cells import Cell
from edge_aver.workspace import Workspace

__all__ = ["Build", "Failure", "Measurement", "artifact_of", "build", "checkpoint_path", "measure"]


@dataclass(frozen=True, kw_only=True)
class Failure:
    """At which step a cell failed, and why."""

    step: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Build:
    """A network and the cells that are to be made of it."""

    workspace: Workspace
    grid: Grid
    cells: tuple[Cell, ...]


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """An artifact to measure, with the accuracy that was measured before."""

    workspace: Workspace
    grid: Grid
    cell: Cell
    artifact: Path
    answered: tuple[Answer | Gap, ...]


def checkpoint_path(workspace: Workspace, cell: Cell) -> Path:
    """Where the network of a cell lies once it is trained."""
    return workspace.checkpoints / f"aver-{cell.architecture}-{cell.corpus}-fold{cell.fold}.safetensors"


def artifact_of(workspace: Workspace, cell: Cell) -> Artifact | None:
    """The sound artifact of a cell, of its present checkpoint and recipe; None where it is to be made."""
    from edge_aver.quantize import load_recipe
    from edge_aver.targets import load_profile

    recipe, checkpoint = load_recipe(cell.precision), checkpoint_path(workspace, cell)
    found = find_artifacts(
        workspace.artifacts,
        architecture=cell.architecture,
        precision=recipe.name,
        target=load_profile(cell.target).name,
    )
    wanted = (cell.corpus, cell.fold, recipe.sha256)
    for artifact in found:
        spec = artifact.spec
        if (spec.corpus, spec.fold, spec.recipe_sha256) == wanted and spec.checkpoint_sha256 == sha256_file(checkpoint):
            try:
                return open_artifact(artifact.path)
            except ArtifactError:
                continue
    return None


def build(job: Build) -> dict[str, Failure]:
    """Train the network where there is none, and export what the cells lack; failures by the cells' names."""
    head = job.cells[0]
    if not checkpoint_path(job.workspace, head).is_file():
        if failure := _attempt("train", lambda: _train(job, head)):
            return {cell.name: failure for cell in job.cells}
    failures: dict[str, Failure] = {}
    for precision in dict.fromkeys(cell.precision for cell in job.cells):
        cells = [cell for cell in job.cells if cell.precision == precision]
        lacking = [cell for cell in cells if artifact_of(job.workspace, cell) is None]
        if not lacking or not _attempt("export", lambda: _export(job, lacking)):  # noqa: B023  called at once
            continue
        for cell in lacking:  # by itself, to tell which of them it is
            if failure := _attempt("export", lambda: _export(job, [cell])):  # noqa: B023
                failures[cell.name] = failure
    return failures


def measure(job: Measurement) -> Result | Failure:
    """Measure one artifact on this machine; it is to have nothing else to do meanwhile."""
    found: list[Result] = []

    def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            found.extend(
                run_benchmark(
                    [open_artifact(job.artifact)],
                    job.workspace.prepared,
                    load_suite(job.grid.suite),
                    results=Path(folder),
                    threads=job.grid.threads,
                    checkpoints=job.workspace.checkpoints,
                    answered={job.artifact: job.answered},
                )
            )

    if failure := _attempt("measure", run):
        return failure
    (result,) = found
    if result.is_empty:
        return Failure(step="measure", reason=next((gap.reason for gap in result.gaps), "nothing was measured"))
    return result


def _attempt(step: str, run: Callable[[], None]) -> Failure | None:
    """Whatever goes wrong in a cell is its row: the others go on. A bug leaves its traceback too."""
    try:
        run()
    except EdgeAverError as error:
        return Failure(step=step, reason=without_places(str(error)))
    except OSError as error:
        return Failure(
            step=step, reason=without_places(f"{error.filename or 'file system'}: {error.strerror or error}")
        )
    except Exception as error:
        traceback.print_exc()
        return Failure(step=step, reason=without_places(f"{type(error).__name__}: {error}"))
    return None


def _train(job: Build, cell: Cell) -> None:
    from edge_aver.calibration.folds import load_fold
    from edge_aver.corpora.store import PreparedStore
    from edge_aver.errors import CheckpointError
    from edge_aver.models.training import TrainingPlan, train
    from edge_aver.spec import Preprocessing

    if not job.grid.train:
        path = checkpoint_path(job.workspace, cell)
        raise CheckpointError(f"{path}: no such checkpoint; train it, or set train = true in the grid")
    training = job.grid.training
    train(
        TrainingPlan(epochs=training.epochs, freeze_backbone=training.freeze_backbone, seed=training.seed),
        PreparedStore.open(job.workspace.prepared(cell.corpus), Preprocessing()),
        load_fold(cell.corpus, cell.fold, store=job.workspace.prepared(cell.corpus)),
        architecture=cell.architecture,
        backbone_weights=training.backbone_weights,
        checkpoints=job.workspace.checkpoints,
        cache=job.workspace.cache,
    )


def _export(job: Build, cells: Sequence[Cell]) -> None:
    from edge_aver.export.pipeline import export
    from edge_aver.export.plan import plan_export

    head = cells[0]
    export(
        plan_export(
            job.workspace,
            architecture=head.architecture,
            recipes=[head.precision],
            targets=[cell.target for cell in cells],
            checkpoint=checkpoint_path(job.workspace, head),
            fold=head.fold,
            corpus=head.corpus,
        )
    )

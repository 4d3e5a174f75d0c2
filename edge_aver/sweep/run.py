"""A sweep from its grid to its records: networks and artifacts, then accuracy, and latency last and alone."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from edge_aver.benchmarks.grids import Grid
from edge_aver.benchmarks.measure import evaluate
from edge_aver.benchmarks.results import Gap, Result, read_result, write_result
from edge_aver.benchmarks.suites import load_suite
from edge_aver.benchmarks.worker import Answer
from edge_aver.bundle import Artifact
from edge_aver.cluster import RemoteExecutor
from edge_aver.console import progress
from edge_aver.corpora.fanout import fan_out
from edge_aver.corpora.store import PreparedStore
from edge_aver.errors import ArtifactError, EdgeAverError
from edge_aver.files import json_text, sha256_bytes, sha256_file
from edge_aver.quantize import load_recipe
from edge_aver.spec import Preprocessing
from edge_aver.sweep.cells import Cell, CellRecord, cell_key, cells_of, read_record, write_record
from edge_aver.sweep.steps import Build, Failure, Measurement, artifact_of, build, checkpoint_path, measure
from edge_aver.targets import load_profile
from edge_aver.workspace import Workspace

__all__ = ["SweepOutcome", "run_sweep"]

_UNSEEN = "left no artifact that this machine sees: workers need the same workspace, on a shared file system"
_DIED = "its worker process died (out of memory, or a crash in a library)"


@dataclass(frozen=True, kw_only=True)
class SweepOutcome:
    """What a sweep came to.

    Attributes:
        records: one for each cell, in the order of the grid.
        results: of the cells that are done, by the cells' names.
        reused: how many an earlier run had done.
    """

    records: tuple[CellRecord, ...]
    results: Mapping[str, Result]
    reused: int


@dataclass
class _Sweep:
    """What the steps share, and what the cells came to so far."""

    grid: Grid
    workspace: Workspace
    workers: int
    executor: RemoteExecutor | None
    clips_sha256: str
    records: dict[str, CellRecord] = field(default_factory=dict)
    results: dict[str, Result] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.workspace.sweeps / self.grid.name

    def key(self, cell: Cell) -> str:
        """Of a cell; "" without a checkpoint."""
        path = checkpoint_path(self.workspace, cell)
        if not path.is_file():
            return ""
        return cell_key(cell, self.grid, checkpoint_sha256=sha256_file(path), clips_sha256=self.clips_sha256)

    def fail(self, cell: Cell, failure: Failure) -> None:
        self.note(CellRecord(cell=cell, key=self.key(cell), step=failure.step, reason=failure.reason))

    def note(self, record: CellRecord) -> None:
        write_record(self.folder, record)
        self.records[record.cell.name] = record


def run_sweep(
    grid: Grid, workspace: Workspace, *, workers: int, executor: RemoteExecutor | None = None
) -> SweepOutcome:
    """Run what is missing of a grid; what an earlier run did of the same content is kept, what failed is tried again.

    On a cluster networks are trained and exported side by side, then accuracy is measured side by side, and then
    latency, one cell at a time on each machine. Here one network is made at a time, and latency is measured in turn,
    when nothing else of the sweep runs. Workers of a cluster must see the workspace, and write into it.

    Args:
        grid: what to run.
        workspace: with the corpus prepared.
        workers: processes of this machine that measure accuracy.
        executor: does the work instead of this machine.

    Raises:
        ClusterError: workers do not see the workspace, or are all gone.
        CorpusError: the corpus is not prepared.
        DeclarationError: unknown recipe, target or suite.
    """
    for precision in grid.precisions:
        load_recipe(precision)
    for target in grid.targets:
        load_profile(target)
    load_suite(grid.suite)
    store = PreparedStore.open(workspace.prepared(grid.corpus), Preprocessing())
    clips = [[record.id, record.label, record.actor, record.tensors_sha256] for record in store.records()]
    sweep = _Sweep(grid, workspace, workers, executor, sha256_bytes(json_text(clips).encode()))
    if executor is not None:
        executor.require_files([store.folder / "store.json"])
    cells = cells_of(grid)
    todo = [cell for cell in cells if not _finished(sweep, cell)]
    reused = len(cells) - len(todo)
    if todo:
        artifacts = _build_all(sweep, todo)
        _measure_all(sweep, artifacts, _evaluate_all(sweep, artifacts))
    records = tuple(sweep.records[cell.name] for cell in cells)
    return SweepOutcome(records=records, results=sweep.results, reused=reused)


def _finished(sweep: _Sweep, cell: Cell) -> bool:
    """Whether a cell was done of the same content, and its result is still there and sound."""
    record = read_record(sweep.folder, cell)
    if record is None or record.result is None or record.cell != cell or record.key != sweep.key(cell):
        return False
    try:
        sweep.results[cell.name] = read_result(sweep.workspace.results / record.result)
    except ArtifactError:
        return False
    sweep.records[cell.name] = record
    return True


def _build_all(sweep: _Sweep, cells: Sequence[Cell]) -> dict[Cell, Artifact]:
    """Artifacts of the cells that have one now; the others are noted as failed."""
    networks: dict[tuple[str, int], list[Cell]] = {}
    for cell in cells:
        networks.setdefault((cell.architecture, cell.fold), []).append(cell)
    jobs = [Build(workspace=sweep.workspace, grid=sweep.grid, cells=tuple(own)) for own in networks.values()]
    artifacts: dict[Cell, Artifact] = {}
    # Training and quantizing take all cores by themselves: here one network at a time.
    with (
        progress(f"sweep {sweep.grid.name}: networks", len(jobs)) as advance,
        closing(fan_out(build, jobs, workers=1, executor=sweep.executor)) as results,
    ):
        for job, failures in results:
            for cell in job.cells:
                failure = Failure(step="export", reason=_DIED) if failures is None else failures.get(cell.name)
                artifact = None if failure else artifact_of(sweep.workspace, cell)
                if artifact is None:
                    sweep.fail(cell, failure or Failure(step="export", reason=_UNSEEN))
                else:
                    artifacts[cell] = artifact
            advance(note=f"{job.cells[0].architecture}, fold {job.cells[0].fold}")
    return artifacts


def _evaluate_all(sweep: _Sweep, artifacts: Mapping[Cell, Artifact]) -> Mapping[Path, Sequence[Answer | Gap]]:
    """Accuracy of all artifacts, side by side: it does not depend on what else a machine does."""
    if not artifacts:
        return {}
    try:
        return evaluate(
            list(artifacts.values()),
            sweep.workspace.prepared,
            load_suite(sweep.grid.suite),
            threads=sweep.grid.threads,
            workers=sweep.workers,
            executor=sweep.executor,
        )
    except EdgeAverError:  # each cell will say so for itself
        return {}


def _measure_all(
    sweep: _Sweep, artifacts: Mapping[Cell, Artifact], answers: Mapping[Path, Sequence[Answer | Gap]]
) -> None:
    """Everything else, by cells that have a machine to themselves."""
    jobs = [
        Measurement(
            workspace=sweep.workspace,
            grid=sweep.grid,
            cell=cell,
            artifact=artifact.path,
            answered=tuple(answers.get(artifact.path, ())),
        )
        for cell, artifact in artifacts.items()
    ]
    with progress(f"sweep {sweep.grid.name}: measuring", len(jobs)) as advance:
        if sweep.executor is None:
            for job in jobs:
                _note(sweep, job.cell, measure(job))
                advance(note=job.cell.name)
            return
        with closing(sweep.executor.run(measure, jobs, alone=True)) as results:
            for job, result in results:
                _note(sweep, job.cell, result)
                advance(note=job.cell.name)


def _note(sweep: _Sweep, cell: Cell, result: Result | Failure | None) -> None:
    if not isinstance(result, Result):
        sweep.fail(cell, result or Failure(step="measure", reason=_DIED))
        return
    path = write_result(result, sweep.workspace.results)
    sweep.results[cell.name] = result
    sweep.note(CellRecord(cell=cell, key=sweep.key(cell), result=str(path.relative_to(sweep.workspace.results))))

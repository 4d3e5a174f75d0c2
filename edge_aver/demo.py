"""The whole line on synthetic actors: corpus, backbone, training, export, benchmark, report."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_aver.benchmarks.measure import run_benchmark
from edge_aver.benchmarks.report import write_report
from edge_aver.benchmarks.results import Result
from edge_aver.benchmarks.suites import load_suite
from edge_aver.bundle import Artifact
from edge_aver.calibration.folds import load_fold
from edge_aver.console import say
from edge_aver.corpora.catalog import prepare_corpus
from edge_aver.corpora.store import PreparedStore
from edge_aver.corpora.synthetic import draw_faces
from edge_aver.export.front_end import front_end_plan
from edge_aver.export.pipeline import export
from edge_aver.export.plan import plan_export
from edge_aver.files import sha256_bytes
from edge_aver.models.pretraining import pretrain_backbone
from edge_aver.models.training import TrainedNetwork, TrainingPlan, train
from edge_aver.spec import Preprocessing, provenance_note
from edge_aver.workspace import Workspace

__all__ = ["DemoOutcome", "run_demo"]

_CORPUS = "synthetic"
_FOLD = 1
_PRECISIONS = ("fp32", "int8")
_CALIBRATION_CLIPS = 32
_FACES, _FACE_SIZE_PX, _STEPS, _BATCH, _SEED = 3000, 128, 480, 16, 0
_PLAN = TrainingPlan(freeze_backbone=True, stop_patience=8)


@dataclass(frozen=True, kw_only=True)
class DemoOutcome:
    """What the demo left: the network, its artifacts, what was measured, and the page that shows it."""

    trained: TrainedNetwork
    artifacts: tuple[Artifact, ...]
    results: tuple[Result, ...]
    report: Path


def run_demo(
    workspace: Workspace, *, targets: Sequence[str], architecture: str = "sa", workers: int | None = None
) -> DemoOutcome:
    """Run every stage into `workspace`; clips, backbone and features that an earlier run finished are taken from it.

    Args:
        workspace: where everything goes.
        targets: device profiles to export for and to measure.
        architecture: `ca`, `id` or `sa`.
        workers: processes for generating and preparing.
    """
    say(f"{provenance_note(_CORPUS)}")
    front_end = front_end_plan(workspace.artifacts)
    prepare_corpus(_CORPUS, data=None, workspace=workspace, front_end=front_end, workers=workers)
    trained = _train(workspace, architecture)
    say(f"Trained {trained.path.name} in {trained.epochs} epochs")
    request = plan_export(
        workspace,
        architecture=architecture,
        recipes=_PRECISIONS,
        targets=targets,
        checkpoint=trained.path,
        calibration_clips=_CALIBRATION_CLIPS,
    )
    artifacts = export(request)
    results = run_benchmark(artifacts, workspace.prepared, load_suite("demo"), results=workspace.results)
    report = write_report(results, workspace.reports / "demo.html")
    return DemoOutcome(trained=trained, artifacts=artifacts, results=results, report=report)


def _train(workspace: Workspace, architecture: str) -> TrainedNetwork:
    return train(
        _PLAN,
        PreparedStore.open(workspace.prepared(_CORPUS), Preprocessing()),
        load_fold(_CORPUS, _FOLD),
        architecture=architecture,
        backbone_weights=_backbone(workspace),
        checkpoints=workspace.checkpoints,
        cache=workspace.cache,
    )


def _backbone(workspace: Workspace) -> Path:
    """Weights trained briefly on single drawn faces of persons who are in no clip."""
    settings = repr((_FACES, _FACE_SIZE_PX, _STEPS, _BATCH, _SEED))
    path = workspace.cache / f"drawn-faces-{sha256_bytes(settings.encode())[:12]}.safetensors"
    if not path.exists():
        drawn = draw_faces(_FACES, size_px=_FACE_SIZE_PX, seed=_SEED)
        pretrain_backbone(drawn.pictures, drawn.labels, drawn.cues, out=path, steps=_STEPS, batch=_BATCH, seed=_SEED)
    return path

"""A study of backbones in a workspace (paper, 4.1): costs, accuracies, who is tied, what a budget leaves."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edge_aver.benchmarks.backbone_choice import Choice, PublishedBackbones, choose, load_published_backbones
from edge_aver.benchmarks.backbone_report import write_study_pages
from edge_aver.benchmarks.backbone_results import BackboneStudy
from edge_aver.benchmarks.backbone_suite import BackbonesPart
from edge_aver.benchmarks.backbone_tables import draw_intervals
from edge_aver.benchmarks.suites import Suite
from edge_aver.errors import MeasurementError
from edge_aver.study.faces import choose_faces
from edge_aver.study.request import StudyRequest, Training
from edge_aver.study.run import run_study
from edge_aver.targets import load_profile, runtime_module
from edge_aver.workspace import Workspace

__all__ = ["PublishedStudy", "StudyOutcome", "published_study", "study_backbones"]

_PUBLISHED_TITLE = "The paper's own accuracies (Table 2), N = 3,589, sizes as printed there"


@dataclass(frozen=True, kw_only=True)
class StudyOutcome:
    """A study, its file, the figure of its intervals, and its pages (HTML and Markdown)."""

    study: BackboneStudy
    path: Path
    figure: Path
    pages: tuple[Path, ...]


@dataclass(frozen=True, kw_only=True)
class PublishedStudy:
    """The paper's accuracies, what they lead to, and their figure."""

    published: PublishedBackbones
    choice: Choice
    figure: Path


def published_study(suite: Suite, *, reports: Path) -> PublishedStudy:
    """Figure 7 and the conclusion from the paper's own accuracies and the suite's budget; measures nothing."""
    published, part = load_published_backbones(), _part(suite)
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

    Args:
        suite: with a backbones part.
        place: where results and reports go.
        names: of the suite's networks; all where there is none.
        targets: to measure on.
        precisions: to measure in.
        data: FER2013.
        train: whether networks learn from it, by the suite's training.
        freeze_backbone: whether the classifier alone learns, even if the suite lets all learn.
        epochs: in place of the suite's.
        threads: CPU threads of every runtime.

    Raises:
        CorpusError, MeasurementError, DeclarationError: see `run_study` and `read_parts`.
        TargetError: a target that cannot be built here.
    """
    part = _part(suite)
    for target in targets:
        runtime_module(load_profile(target).runtime)
    training = None
    if train and data is not None:
        frozen, limit = freeze_backbone or part.training.freeze_backbone, epochs or part.training.epochs
        plan = replace(part.training, freeze_backbone=frozen, epochs=limit, seed=suite.seed)
        training = Training(data=data, plan=plan)
    request = StudyRequest(
        suite=suite,
        networks=part.named(tuple(names)),
        targets=tuple(targets),
        precisions=tuple(precisions),
        faces=choose_faces(part.calibration_faces, place, data, seed=suite.seed),
        threads=threads,
        training=training,
    )
    study, path = run_study(request, results=place.results, cache=place.cache)
    figure, measured, published = place.reports / f"{path.stem}.svg", study.candidates(), load_published_backbones()
    title = "Accuracies measured here" if measured else _PUBLISHED_TITLE
    candidates = measured or published.candidates()
    draw_intervals(candidates, figure, level=part.level, budget_mb=part.budget_mb, title=title)
    pages = write_study_pages(study, published, place.reports / f"{path.stem}.html")
    return StudyOutcome(study=study, path=path, figure=figure, pages=pages)


def _part(suite: Suite) -> BackbonesPart:
    if suite.backbones is None:
        raise MeasurementError(f"suite {suite.name} has no backbones")
    return suite.backbones

"""What is made of results: `compare` and `report`."""

from pathlib import Path
from typing import Annotated

import typer

from edge_aver import screens
from edge_aver.commands.options import (
    GATE,
    GATES_BEGUN,
    WORKSPACE,
    JsonOption,
    MissingOption,
    ModalityOption,
    WorkspaceOption,
)
from edge_aver.console import say
from edge_aver.doctor import require
from edge_aver.errors import MeasurementError
from edge_aver.workspace import Workspace

__all__ = ["compare", "report"]

_FORMATS = ("html", "md", "csv")


def _check_margin(value: float | None) -> float | None:
    if value is not None and not 0 < value < 100:
        raise typer.BadParameter(f"{value:g}; expected more than 0 and less than 100")
    return value


def _check_formats(value: str) -> str:
    kinds = value.split(",")
    if set(kinds) - set(_FORMATS) or len(set(kinds)) < len(kinds):
        raise typer.BadParameter(
            f"{value!r}; expected some of {', '.join(_FORMATS)}, with commas and no spaces between"
        )
    return value


def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="Baseline: a result, a CSV of predictions, a folder of them.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="Candidate, on the same clips.")],
    margin: Annotated[
        float | None,
        typer.Option(
            "--margin",
            callback=_check_margin,
            help="What B may lose: points of accuracy (1 by default), or percent of speed (5).",
        ),
    ] = None,
    gate: Annotated[
        str | None,
        typer.Option(
            "--gate",
            callback=GATE,
            autocompletion=GATES_BEGUN,
            metavar="accuracy|speed",
            help="Exit 3 on FAIL, 4 if undecided.",
        ),
    ] = None,
    modality: ModalityOption = None,
    missing_faces: MissingOption = None,
    json_path: JsonOption = None,
) -> None:
    """Judge what B costs in accuracy, clip by clip, or with --gate speed in time: PASS, FAIL or INCONCLUSIVE.

    A CSV file has columns clip,label,prediction[,fold][,actor]; without the last, clips are named as RAVDESS's.
    Of results, --modality or --missing-faces picks the predictions that were made under that condition.
    """
    from edge_aver.benchmarks.conditions import conditions_of
    from edge_aver.benchmarks.speed_verdict import DEFAULT_TOLERANCE, check_speed_gate, compare_speed
    from edge_aver.benchmarks.verdict import DEFAULT_MARGIN, check_gate
    from edge_aver.benchmarks.verdict import compare as compare_predictions

    if len([*(modality or ()), *(missing_faces or ())]) > 1:
        raise typer.BadParameter("compare takes one --modality or one --missing-faces")
    if gate == "speed":
        if modality or missing_faces:
            raise typer.BadParameter("--modality and --missing-faces are for accuracy: leave them out")
        speed = compare_speed(a, b, margin=DEFAULT_TOLERANCE if margin is None else margin)
        screens.show_speed(speed, json_path)
        check_speed_gate(speed)
        return
    condition = conditions_of(modality or (), [int(count) for count in missing_faces or ()])[-1]
    verdict = compare_predictions(a, b, margin=DEFAULT_MARGIN if margin is None else margin, condition=condition)
    screens.show_verdict(verdict, json_path)
    if gate:
        check_gate(verdict)


def report(
    result: Annotated[
        list[Path] | None, typer.Argument(help="Result files; the workspace's latest by default.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The HTML file to write; others stand beside it.")
    ] = None,
    formats: Annotated[
        str, typer.Option("--format", callback=_check_formats, metavar="html,md,csv", help="What to write.")
    ] = "html",
    workspace: WorkspaceOption = WORKSPACE,
) -> None:
    """Write results as one self-contained HTML page, as Markdown, or as CSV files.

    A file of the workspace that is no result, or was edited, is named and shown as INVALID; one given here is refused.
    Cells of sweeps that failed are rows too. A study of backbones gets pages of its own, HTML and Markdown.
    """
    kinds = formats.split(",")
    if "html" in kinds:
        require("report")
    from edge_aver.benchmarks.backbone_choice import load_published_backbones
    from edge_aver.benchmarks.backbone_report import write_study_pages
    from edge_aver.benchmarks.backbone_results import is_study, read_study
    from edge_aver.benchmarks.report import write_reports
    from edge_aver.benchmarks.results import latest_results, read_result
    from edge_aver.sweep.cells import failed_cells

    place = Workspace(root=workspace)
    studies = {path: read_study(path) for path in result or () if is_study(path)}
    if studies and len(studies) < len(result or ()):
        raise MeasurementError(f"{next(iter(studies))}: a study of backbones has a report of its own; give it alone")
    if output is not None and len(studies) > 1:
        raise MeasurementError("one --output, but several studies; leave it out, or give one study")
    for path, study in studies.items():
        for page in write_study_pages(study, load_published_backbones(), output or place.reports / f"{path.stem}.html"):
            print(page)
    if studies:
        return
    refused: list[tuple[str, str]] = []
    results = tuple(map(read_result, result)) if result else latest_results(place.results, refused=refused)
    for name, why in refused:
        say(f"{name}: refused and shown as INVALID: {why}")
    failed = () if result else failed_cells(place.sweeps)
    out = output or place.reports / "report.html"
    for path in write_reports(results, out, formats=kinds, refused=refused, failed=failed):
        print(path)

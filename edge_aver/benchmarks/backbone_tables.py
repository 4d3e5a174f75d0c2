"""A study of backbones on the screen and as a figure: costs of every cell, intervals, and what they lead to."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge_aver.benchmarks.backbone_choice import Candidate, PublishedBackbones, choose
from edge_aver.benchmarks.backbone_results import BackboneStudy
from edge_aver.benchmarks.formats import NOT_MEASURED, megabytes, millions, milliseconds
from edge_aver.errors import MissingLibraryError
from edge_aver.files import atomic_path

__all__ = ["conclusions", "draw_intervals", "print_candidates", "print_study", "remarks"]

_PUBLISHED = "the paper's own accuracies, with the sizes of its Table 2"


def print_study(console: Console, study: BackboneStudy, published: PublishedBackbones) -> None:
    """Print every cell, why figures are missing or do not count, and the conclusions."""
    table = _table("Backbone", "Target", "", "M, ImageNet", "M, bare", "MB file", "p50, ms", "peak RSS, MB", "")
    for cell in study.cells:
        status = "INVALID" if cell.invalid(study.suite) else "VALID"
        figures = (millions(cell.paper_parameters), millions(cell.parameters), megabytes(cell.file_bytes))
        costs = (milliseconds(cell.p50_s), megabytes(cell.peak_bytes))
        table.add_row(Text(cell.network), Text(cell.target), Text(cell.precision), *figures, *costs, status)
    console.print(table)
    console.print(f"Weights: {study.weights}. Faces: {study.faces}.", highlight=False, markup=False)
    for line in remarks(study):
        console.print(line, highlight=False, markup=False)
    if study.candidates():
        print_candidates(console, study.candidates(), level=study.level)
    for line in conclusions(study, published):
        console.print(line, highlight=False, markup=False)


def print_candidates(console: Console, candidates: Sequence[Candidate], *, level: float) -> None:
    """Print accuracies with their intervals, the best first."""
    table = _table("Backbone", "Accuracy, %", f"{100 * level:g} % Wilson", "N", "MB")
    for item in sorted(candidates, key=lambda item: -item.rate):
        ends = item.interval(level)
        size = NOT_MEASURED if item.size_mb is None else f"{item.size_mb:,.1f}"
        cells = (f"{100 * item.rate:.2f}", f"{100 * ends.low:.2f} to {100 * ends.high:.2f}", str(item.total), size)
        table.add_row(Text(item.name), *cells)
    console.print(table)


def conclusions(study: BackboneStudy, published: PublishedBackbones) -> Iterator[str]:
    """What the accuracies lead to: those measured here, else the paper's with its sizes and with files built here."""
    level, budget = study.level, study.budget_mb
    if study.candidates():
        yield f"By accuracies measured here: {choose(study.candidates(), budget_mb=budget, level=level)}"
        return
    yield f"By {_PUBLISHED}: {choose(published.candidates(), budget_mb=budget, level=level)}"
    for target, precision in dict.fromkeys((cell.target, cell.precision) for cell in study.cells):
        sizes = {
            cell.network: cell.file_bytes / 1e6
            for cell in study.cells
            if (cell.target, cell.precision) == (target, precision) and cell.file_bytes
        }
        known = [replace(item, size_mb=sizes.get(item.name)) for item in published.candidates()]
        choice = choose(known, budget_mb=budget, level=level)
        told = f"{len(sizes)} of {len(known)} built" if len(sizes) < len(known) else "all built"
        yield (
            f"By the paper's accuracies (of fp32), with bare backbones' files for {target} in {precision} ({told}): "
            f"best within {budget:g} MB: {choice.chosen or 'none'}"
        )


def draw_intervals(candidates: Sequence[Candidate], path: Path, *, level: float, budget_mb: float, title: str) -> None:
    """Draw the paper's Figure 7 as SVG, atomically: intervals, those tied with the best dark, the chosen one named.

    Raises:
        MissingLibraryError: the extra `report` is not installed.
        MeasurementError: no candidate.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingLibraryError("matplotlib", "report", "A figure") from error
    choice = choose(candidates, budget_mb=budget_mb, level=level)
    ranked = sorted(candidates, key=lambda item: -item.rate)
    figure = Figure(figsize=(8, 1.4 + 0.32 * len(ranked)), layout="constrained")
    axes = figure.add_subplot()
    for row, item in enumerate(ranked):
        ends, tied = item.interval(level), item.name in choice.tied
        color = "#3b6ea5" if tied else "#999999"
        axes.plot([100 * ends.low, 100 * ends.high], [row, row], color=color, linewidth=3 if tied else 1.5)
        axes.plot(100 * item.rate, row, "D" if item.name == choice.chosen else "o", color=color)
    axes.axvline(100 * ranked[0].interval(level).low, color="#444444", linewidth=1, linestyle=":")
    names = [f"{item.name}{' (chosen)' if item.name == choice.chosen else ''}" for item in ranked]
    axes.set_yticks(range(len(ranked)), names)
    axes.invert_yaxis()
    reading = f"thick: tied with the best; diamond: best within {budget_mb:g} MB"
    axes.set_xlabel(f"accuracy on FER2013, %, with its {100 * level:g} % Wilson interval; {reading}")
    axes.set_title(title, loc="left", fontsize="medium")
    with atomic_path(path) as temporary, mpl.rc_context({"svg.hashsalt": "edge-aver", "svg.fonttype": "none"}):
        figure.savefig(temporary, format="svg", metadata={"Date": None})


def remarks(study: BackboneStudy) -> Iterator[str]:
    """Why rows are INVALID, what was not trained and why, how the others were, and what differs in timm's networks."""
    for cell in study.cells:
        for reason in cell.invalid(study.suite):
            yield f"INVALID, {cell.network} {cell.precision} on {cell.target}: {reason}"
    for item in study.accuracies:
        if item.outcome is None:
            yield f"{item.network}: not trained: {item.failed}"
        else:
            how = "the classifier alone" if item.outcome.frozen else "all of it"
            faces, epochs, weights = item.outcome.train_faces, item.outcome.epochs, item.outcome.weights
            yield f"{item.network}: {how} trained from {weights} weights, {epochs} epochs on {faces:,} faces"
    part = study.suite.backbones
    measured = {cell.network for cell in study.cells}
    for network in part.networks if part else ():
        if network.note and network.name in measured:
            yield f"{network.name} is timm's {network.timm}: {network.note}"


def _table(*titles: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    for i, title in enumerate(titles):
        table.add_column(title, justify="right" if i > 2 or "%" in title else "left", overflow="fold")
    return table

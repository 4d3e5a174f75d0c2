"""Plots of results as SVG text that stands inside a page: colours from its style sheet, no ids that could clash."""

import io
import re
import textwrap
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from edge_aver.benchmarks.formats import milliseconds
from edge_aver.benchmarks.summary import Summary
from edge_aver.errors import MissingLibraryError

__all__ = ["accuracy_against", "accuracy_intervals", "latency_distributions", "stage_waterfall", "style_names"]

_WIDTH_IN = 5.0
_STYLE_NAMES = {
    "#010101": "ink",
    "#020202": "muted",
    "#030303": "line",
    "#040404": "paper",
    "#050501": "series-1",
    "#050502": "series-2",
    "#050503": "series-3",
    "#050504": "series-4",
    "#050505": "series-5",
    "#050506": "series-6",
}
"""Colours that never reach a screen: each is replaced by the page's custom property of that name."""

_INK, _MUTED, _LINE, _PAPER, *_SERIES = _STYLE_NAMES
_MARKERS = "osD^vP"
_PRECISIONS = ("fp32", "fp16", "int8")

_SETTINGS = {
    "svg.fonttype": "none",
    "svg.hashsalt": "edge-aver",
    "text.parse_math": False,
    "font.size": 10,
    "axes.edgecolor": _LINE,
    "axes.labelcolor": _MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _LINE,
    "grid.linewidth": 0.7,
    "xtick.color": _LINE,
    "ytick.color": _LINE,
    "xtick.labelcolor": _MUTED,
    "ytick.labelcolor": _INK,
    "text.color": _INK,
    "legend.frameon": False,
    "legend.labelcolor": _INK,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}


def style_names() -> tuple[str, ...]:
    """Names of the custom properties that the page must define (`--ink`, `--series-1`, ...)."""
    return tuple(_STYLE_NAMES.values())


def accuracy_intervals(summaries: Sequence[Summary], *, name: str, note: str | None) -> str:
    """Accuracy of each artifact with its 95 % (thick) and 98 % (thin) Wilson interval.

    Args:
        summaries: of one corpus, each with an accuracy.
        name: prefix of the ids within the SVG; unique on the page.
        note: the sentence that must stand in the plot; None where none must.
    """
    with _figure(name, height_in=1.25 + 0.42 * len(summaries), note=note) as (figure, svg):
        axes = figure.subplots()
        for row, summary in enumerate(summaries):
            accuracy = summary.accuracy
            assert accuracy is not None
            colour, marker = _look(summary)
            wide, narrow = accuracy.interval_98, accuracy.interval_95
            axes.plot([100 * wide.low, 100 * wide.high], [row, row], color=colour, linewidth=1.3)
            axes.plot([100 * narrow.low, 100 * narrow.high], [row, row], color=colour, linewidth=4.5)
            look = {"markersize": 7, "markeredgecolor": colour, "clip_on": False}
            axes.plot(100 * accuracy.rate, row, marker, color=_PAPER, **look)
        _name_rows(axes, summaries)
        _mark_chance(axes, summaries)
        axes.set_xlabel("accuracy, % (dotted: chance)")
    return svg()


def latency_distributions(summaries: Sequence[Summary], *, name: str) -> str:
    """Share of network queries answered within a time: one panel a target, one thin line a process.

    Every query counts: nothing is smoothed, binned or dropped.

    Args:
        summaries: each with network queries.
        name: prefix of the ids within the SVG; unique on the page.
    """
    targets = sorted({summary.result.artifact.target for summary in summaries})
    with _figure(name, height_in=0.5 + 2.5 * len(targets)) as (figure, svg):
        panels = figure.subplots(len(targets), squeeze=False, sharex=True)[:, 0]
        for axes, target in zip(panels, targets, strict=True):
            for summary in summaries:
                if summary.result.artifact.target == target:
                    _draw_distribution(axes, summary)
            axes.set_title(target, loc="left", fontsize="medium", color=_INK)
            axes.set_ylim(0, 103)
            axes.set_yticks((0, 50, 90, 100))
            axes.set_ylabel("% of queries")
            axes.legend(loc="lower right", bbox_to_anchor=(1, 0.99), ncols=3, fontsize="small", borderaxespad=0.2)
        panels[-1].set_xlim(left=0)
        panels[-1].set_xlabel("network latency of one clip, ms")
    return svg()


def accuracy_against(points: Sequence[tuple[Summary, float]], *, name: str, note: str | None, label: str) -> str:
    """Accuracy with its 95 % interval against a cost; up and to the left is better.

    Args:
        points: summaries of one corpus, each with an accuracy, and their cost.
        name: prefix of the ids within the SVG; unique on the page.
        note: the sentence that must stand in the plot; None where none must.
        label: of the cost's axis, with its unit.
    """
    targets = sorted({summary.result.artifact.target for summary, _ in points})
    with _figure(name, height_in=3.1 + 0.09 * len(points), note=note) as (figure, svg):
        axes = figure.subplots()
        for summary, cost in points:
            marker = _MARKERS[targets.index(summary.result.artifact.target) % len(_MARKERS)]
            _draw_point(axes, summary, cost, marker)
        axes.set_xlim(0, 1.12 * max(cost for _, cost in points))
        axes.set_xlabel(label)
        axes.set_ylabel("accuracy, % (bar: 95 % interval)")
        figure.legend(loc="outside lower center", ncols=2, fontsize="small")
    return svg()


def stage_waterfall(summaries: Sequence[Summary], *, name: str) -> str:
    """Mean time of each stage from file bytes to label, end on end.

    Args:
        summaries: each with end-to-end queries.
        name: prefix of the ids within the SVG; unique on the page.
    """
    stages = tuple(dict.fromkeys(stage for summary in summaries for stage in summary.stages_s))
    with _figure(name, height_in=1.35 + 0.42 * len(summaries)) as (figure, svg):
        axes = figure.subplots()
        for row, summary in enumerate(summaries):
            start = 0.0
            for stage, colour in zip(stages, _SERIES, strict=False):
                width = 1e3 * summary.stages_s.get(stage, 0.0)
                axes.barh(row, width, left=start, height=0.55, color=colour, edgecolor=_PAPER, linewidth=0.3)
                start += width
            axes.text(start, row, f" {milliseconds(start / 1e3)}", va="center", fontsize="small")
        _name_rows(axes, summaries)
        axes.grid(visible=False, axis="y")
        axes.margins(x=0.12)
        axes.set_xlim(left=0)
        axes.set_xlabel("mean time from file bytes to label, ms")
        handles = [axes.barh(0, 0, color=colour) for _, colour in zip(stages, _SERIES, strict=False)]
        figure.legend(handles, stages, loc="outside upper left", ncols=len(stages), fontsize="small")
    return svg()


def _draw_point(axes: Any, summary: Summary, cost: float, marker: str) -> None:
    accuracy = summary.accuracy
    assert accuracy is not None
    colour, _ = _look(summary)
    interval = accuracy.interval_95
    axes.plot([cost, cost], [100 * interval.low, 100 * interval.high], color=colour, linewidth=1.6)
    look = {"marker": marker, "markersize": 8, "fillstyle": _fill(summary), "markerfacecoloralt": _PAPER}
    axes.plot(cost, 100 * accuracy.rate, color=colour, linestyle="", label=_row_name(summary), **look)


def _draw_distribution(axes: Any, summary: Summary) -> None:
    colour, _ = _look(summary)
    runs = [[1e3 * value for value in run.latency_s] for run in summary.result.network if run.latency_s]
    for values in runs:
        axes.step(*_steps(values), where="post", color=colour, linewidth=0.7, alpha=0.55)
    pooled = [value for values in runs for value in values]
    axes.step(*_steps(pooled), where="post", color=colour, linewidth=2.2, label=summary.name, linestyle=_line(summary))


def _steps(values: Sequence[float]) -> tuple[list[float], list[float]]:
    """The empirical distribution: sorted values, and the percentage at or below each."""
    ordered = sorted(values)
    return [ordered[0], *ordered], [100 * rank / len(ordered) for rank in range(len(ordered) + 1)]


def _line(summary: Summary) -> str:
    return {"ca": ":", "id": "--"}.get(summary.result.spec.architecture, "-")


def _fill(summary: Summary) -> str:
    return {"ca": "none", "id": "left"}.get(summary.result.spec.architecture, "full")


def _look(summary: Summary) -> tuple[str, str]:
    """Colour and marker of a precision: the same in every plot, and told apart without colour."""
    precision = summary.result.artifact.precision
    known = _PRECISIONS.index(precision) if precision in _PRECISIONS else 3
    return _SERIES[known], _MARKERS[known]


def _row_name(summary: Summary) -> str:
    return f"{summary.name}, {summary.result.artifact.target}"


def _name_rows(axes: Any, summaries: Sequence[Summary]) -> None:
    axes.set_yticks(range(len(summaries)), [f"{item.name}\n{item.result.artifact.target}" for item in summaries])
    axes.set_ylim(len(summaries) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)


def _mark_chance(axes: Any, summaries: Sequence[Summary]) -> None:
    chance = 100 / len(summaries[0].result.spec.labels)
    axes.axvline(chance, color=_MUTED, linewidth=1, linestyle=":")
    axes.set_xlim(0, 100)
    axes.grid(visible=False, axis="y")


@contextmanager
def _figure(name: str, *, height_in: float, note: str | None = None) -> Iterator[tuple[Any, Callable[[], str]]]:
    """Give an empty figure, and what returns its SVG once the block has drawn on it."""
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingLibraryError("matplotlib", "report", "A report") from error
    text: list[str] = []
    with matplotlib.rc_context(_SETTINGS), warnings.catch_warnings():
        # The browser draws the text with its own fonts; matplotlib only measures it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        figure = Figure(
            figsize=(_WIDTH_IN, height_in + (0.2 * (1 + len(note) // 72) if note else 0)), layout="constrained"
        )
        yield figure, lambda: text[0]
        if note:
            figure.suptitle(textwrap.fill(note, 72), fontsize="small", color=_MUTED, x=0.01, ha="left", style="italic")
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
        text.append(_for_page(file.getvalue(), name))


def _for_page(svg: str, name: str) -> str:
    """An SVG document as an element of a page: named by the figure around it, scaled to its width."""
    svg = svg[svg.index("<svg") :]
    # Its style element would reach the whole page.
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' (xmlns|xmlns:xlink|version)="[^"]*"', "", svg)
    svg = re.sub(r'(<svg [^>]*?)width="[^"]*" height="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'(url\(|href=")#', rf"\1#{name}-", svg)
    svg = re.sub(r" font-family: [^;\"]*;", "", svg)
    for colour, style in _STYLE_NAMES.items():
        svg = svg.replace(colour, f"var(--{style})")
    return svg.replace("<svg ", f'<svg role="img" aria-labelledby="{name}-caption" ', 1)

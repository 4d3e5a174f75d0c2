"""Results as one HTML page that needs nothing else: no request leaves it, no script runs in it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from edge_aver import __version__
from edge_aver.benchmarks import plots
from edge_aver.benchmarks.advice import advise_results
from edge_aver.benchmarks.conditions import BOTH, told
from edge_aver.benchmarks.costs import costs_of
from edge_aver.benchmarks.formats import megabytes, millions, milliseconds, percent, points
from edge_aver.benchmarks.results import Result
from edge_aver.benchmarks.stats import minimum_queries
from edge_aver.benchmarks.summary import Summary, condition_names, provenance_notes, summarize
from edge_aver.errors import ArtifactError, MissingLibraryError
from edge_aver.files import write_text

__all__ = ["write_report"]


@dataclass(frozen=True, kw_only=True)
class _Figure:
    """A plot on the page; `name` is unique on it and the prefix of every id within."""

    name: str
    caption: str
    svg: Any


def write_report(results: Sequence[Result], path: Path) -> Path:
    """Write `results` as one self-contained HTML file, atomically, and return its path.

    Args:
        results: at least one.
        path: of the `.html` file.

    Raises:
        ArtifactError: no results.
        MissingLibraryError: the extra `report` is not installed.
    """
    if not results:
        raise ArtifactError("no results to report; run edge-aver benchmark first")
    try:
        import jinja2
    except ImportError as error:
        raise MissingLibraryError("jinja2", "report", "A report") from error
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(_FILTERS)
    template = environment.from_string((Path(__file__).parent / "report.html").read_text(encoding="utf-8"))
    write_text(path, template.render(_context([summarize(result) for result in results])))
    return path


def _context(everything: Sequence[Summary]) -> dict[str, Any]:
    items = [item for item in everything if item.front_end is None]
    results = [item.result for item in everything]
    days = sorted({result.started_utc[:16].replace("T", " ") for result in results})
    return {
        "items": items,
        "fronts": [item for item in everything if item.front_end is not None],
        "everything": everything,
        "suites": sorted({result.suite.name for result in results}),
        "measured": days if len(days) < 2 else (days[0], days[-1]),
        "notes": provenance_notes(results),
        "invalid_count": sum(bool(item.invalid) for item in everything),
        "remarks": list(_remarks(everything)),
        "conditions": condition_names(items) if set(condition_names(items)) - {BOTH} else (),
        "advice": advise_results(results),
        "costs": costs_of([item.result for item in items]),
        "stages": tuple(dict.fromkeys(stage for item in items for stage in item.stages_s)),
        "figures": _figures(items),
        "p90_queries": minimum_queries(0.9),
        "p99_queries": minimum_queries(0.99),
        "version": __version__,
    }


def _remarks(items: Iterable[Summary]) -> Iterable[str]:
    for item in items:
        where = f"{item.name}, {item.result.artifact.target}"
        yield from (f"INVALID, {where}: {reason}" for reason in item.invalid)
        yield from (f"Not measured, {where}: {reason}" for reason in item.missing)


def _figures(items: Sequence[Summary]) -> dict[str, list[_Figure]]:
    """The plots by section; accuracies of two corpora never share one."""
    timed = [item for item in items if item.network_s.count]
    whole = [item for item in items if item.stages_s]
    figures: dict[str, list[_Figure]] = {"accuracy": [], "latency": [], "trade": [], "end_to_end": []}
    judged = sorted((item for item in items if item.accuracy), key=lambda item: item.result.spec.corpus)
    for corpus, group in groupby(judged, key=lambda item: item.result.spec.corpus):
        members = list(group)
        figures["accuracy"].append(_intervals(members, corpus, f"accuracy-{len(figures['accuracy'])}"))
        for axis in _AXES:
            if costly := [item for item in members if axis.of(item) is not None]:
                figures["trade"].append(_trade(costly, corpus, axis, f"trade-{len(figures['trade'])}"))
    if timed:
        svg = plots.latency_distributions(timed, name="latency-0")
        caption = "Share of queries answered within a time: all queries (thick), each process (thin)."
        figures["latency"].append(_figure("latency-0", caption, svg))
    if whole:
        svg = plots.stage_waterfall(whole, name="stages-0")
        figures["end_to_end"].append(_figure("stages-0", "Where the time goes, from file bytes to label.", svg))
    return figures


@dataclass(frozen=True, kw_only=True)
class _Axis:
    """A cost that accuracy is drawn against."""

    caption: str
    label: str
    of: Callable[[Summary], float | None]


_AXES = (
    _Axis(
        caption="Accuracy against median network latency",
        label="network latency p50, ms",
        of=lambda item: None if item.network_s.p50 is None else 1e3 * item.network_s.p50,
    ),
    _Axis(
        caption="Accuracy against the size of the artifact's files",
        label="size, MB",
        of=lambda item: item.result.artifact.size_bytes / 1e6,
    ),
)


def _intervals(items: Sequence[Summary], corpus: str, name: str) -> _Figure:
    svg = plots.accuracy_intervals(items, name=name, note=items[0].result.spec.note)
    return _figure(
        name, f"Accuracy on unseen actors of corpus {corpus}, with its 95 % (thick) and 98 % (thin) interval.", svg
    )


def _trade(items: Sequence[Summary], corpus: str, axis: _Axis, name: str) -> _Figure:
    points = [(item, cost) for item in items if (cost := axis.of(item)) is not None]
    svg = plots.accuracy_against(points, name=name, note=items[0].result.spec.note, label=axis.label)
    return _figure(name, f"{axis.caption}, corpus {corpus}.", svg)


def _figure(name: str, caption: str, svg: str) -> _Figure:
    from markupsafe import Markup

    # matplotlib escapes every text it draws.
    return _Figure(name=name, caption=caption, svg=Markup(svg))


def _value(value: object) -> str:
    """A recorded figure with four significant digits; a dash where there is none."""
    return f"{value:.4g}" if isinstance(value, int | float) and not isinstance(value, bool) else "–"


def _percentage(rate: object) -> str:
    return percent(float(rate)) if isinstance(rate, int | float) else "–"


def _limits(limits: object) -> str:
    """Limits as the ladder records them: `max_...` and `min_...` by the name of what they bound."""
    if not isinstance(limits, Mapping) or not limits:
        return "none"
    return ", ".join(f"{_bound(str(name))} {value}" for name, value in limits.items())


def _bound(name: str) -> str:
    kind, _, figure = name.partition("_")
    known = {"abs_diff": "difference", "sqnr_db": "SQNR", "top1_agreement": "agreement"}
    return f"{known.get(figure, figure)} {'≤' if kind == 'max' else '≥'}" if kind in ("max", "min") else name


_FILTERS: dict[str, Callable[[Any], str]] = {
    "percent": percent,
    "points": points,
    "told": told,
    "milliseconds": milliseconds,
    "megabytes": megabytes,
    "millions": millions,
    "figure": _value,
    "percentage": _percentage,
    "limits": _limits,
}

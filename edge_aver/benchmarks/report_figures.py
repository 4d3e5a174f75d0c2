"""The plots of a report, from its rows: accuracies of two corpora never share one."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from edge_aver.benchmarks import plots
from edge_aver.benchmarks.plots import Bar, Point, Series, Stack, style_of
from edge_aver.benchmarks.report_cells import Row
from edge_aver.benchmarks.stats import Interval

__all__ = ["Figure", "accuracy_figures", "end_to_end_figures", "latency_figures", "published_figure", "trade_figures"]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A plot on the page; `name` is unique on it and the prefix of every id within."""

    name: str
    caption: str
    svg: Any


@dataclass(frozen=True, kw_only=True)
class _Axis:
    """A cost that accuracy is drawn against, with its interval where it has one."""

    caption: str
    label: str
    of: Callable[[Row], float | None]
    ends: Callable[[Row], Interval | None] = lambda row: None


def accuracy_figures(rows: Sequence[Row]) -> list[Figure]:
    """Accuracy with its intervals, one plot a corpus."""
    return [
        _figure(
            f"accuracy-{index}",
            f"Accuracy on unseen actors of corpus {corpus}, with its 95 % (thick) and 98 % (thin) interval.",
            plots.intervals(
                [_bar(row) for row in members],
                name=f"accuracy-{index}",
                note=members[0].summary.result.spec.note,
                chance=1 / len(members[0].summary.result.spec.labels),
            ),
        )
        for index, (corpus, members) in enumerate(_by_corpus(rows))
    ]


def latency_figures(rows: Sequence[Row]) -> list[Figure]:
    """How network latencies are distributed, one plot a target, machine and architecture."""
    timed = [row for row in rows if row.summary.network_s.count]
    panels = sorted({(row.where, row.summary.result.spec.architecture) for row in timed})
    figures = []
    for index, (where, architecture) in enumerate(panels):
        members = [row for row in timed if (row.where, row.summary.result.spec.architecture) == (where, architecture)]
        svg = plots.distributions([_series(row) for row in members], name=f"latency-{index}")
        caption = "Share of queries answered within a time: all queries (thick), each process (thin)."
        figures.append(_figure(f"latency-{index}", caption, svg))
    return figures


def trade_figures(rows: Sequence[Row]) -> list[Figure]:
    """Accuracy against p90, memory and file size: three plots a corpus, and a place where there are more than two.

    Two fillings tell two places apart, target and machine; no more than that could be told apart on paper.
    """
    figures: list[Figure] = []
    place = _places(rows)
    for corpus, members in _by_corpus(rows):
        known = sorted({place(row) for row in members})
        for places in [known] if len(known) <= 2 else [[name] for name in known]:
            about = f"corpus {corpus}" if len(known) <= 2 else f"corpus {corpus}, {places[0]}"
            for axis in _AXES:
                if costly := [row for row in members if place(row) in places and axis.of(row) is not None]:
                    figures.append(_trade(costly, about, axis, f"trade-{len(figures)}", place))
    return figures


def end_to_end_figures(rows: Sequence[Row]) -> list[Figure]:
    """Where the time goes from a file's bytes to its label."""
    stacks = [Stack(name=row.told, stages_s=row.summary.stages_s) for row in rows if row.summary.stages_s]
    if not stacks:
        return []
    svg = plots.waterfall(stacks, name="stages-0")
    return [_figure("stages-0", "Where the time goes, from file bytes to label.", svg)]


def published_figure(bars: Sequence[Bar], *, assumption: str) -> list[Figure]:
    """Figure 10 with ours in it; [] without bars."""
    if not bars:
        return []
    caption = (
        f"Published systems (purple: the paper's own, grey: others') and ours, with 95 and 98 % intervals. {assumption}"
    )
    return [_figure("published-0", caption, plots.intervals(bars, name="published-0", note=None))]


_AXES = (
    _Axis(
        caption="Accuracy against the network latency that nine in ten clips keep",
        label="network latency p90, ms",
        of=lambda row: None if row.summary.network_s.p90 is None else 1e3 * row.summary.network_s.p90,
        ends=lambda row: _milliseconds(row.summary.network_s.p90_interval),
    ),
    _Axis(
        caption="Accuracy against the peak memory of a process",
        label="peak RSS, MB",
        of=lambda row: None if row.summary.peak_bytes is None else row.summary.peak_bytes / 1e6,
    ),
    _Axis(
        caption="Accuracy against the size of the artifact's files",
        label="size, MB",
        of=lambda row: row.summary.result.artifact.size_bytes / 1e6,
    ),
)


def _milliseconds(ends: Interval | None) -> Interval | None:
    return None if ends is None else Interval(low=1e3 * ends.low, high=1e3 * ends.high)


def _places(rows: Sequence[Row]) -> Callable[[Row], str]:
    """Names a row's target, and its machine where the rows' machines differ."""
    several = len({row.summary.result.machine.device for row in rows}) > 1

    def place(row: Row) -> str:
        result = row.summary.result
        return f"{result.artifact.target}, {result.machine.device}" if several else result.artifact.target

    return place


def _by_corpus(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    def corpus(row: Row) -> str:
        return row.summary.result.spec.corpus

    judged = sorted((row for row in rows if row.summary.accuracy), key=corpus)
    return ((name, list(members)) for name, members in groupby(judged, key=corpus))


def _bar(row: Row) -> Bar:
    accuracy = row.summary.accuracy
    assert accuracy is not None
    return Bar(
        name=row.told,
        rate=accuracy.rate,
        narrow=accuracy.interval_95,
        wide=accuracy.interval_98,
        style=style_of(row.summary.result.artifact.precision),
    )


def _series(row: Row) -> Series:
    return Series(
        panel=row.where,
        name=row.name,
        style=style_of(row.summary.result.artifact.precision),
        processes=tuple(run.latency_s for run in row.summary.result.network if run.latency_s),
    )


def _trade(rows: Sequence[Row], about: str, axis: _Axis, name: str, place: Callable[[Row], str]) -> Figure:
    places = sorted({place(row) for row in rows})
    two = len(places) == 2
    points = [_point(row, axis, hollow=two and place(row) == places[1]) for row in rows]
    best = [Point(**{**vars(point), "best": not _beaten(point, points)}) for point in points]
    svg = plots.trade_off(
        best,
        name=name,
        note=rows[0].summary.result.spec.note,
        label=axis.label,
        filled=places[0] if two else "",
        hollow=places[1] if two else "",
    )
    return _figure(name, f"{axis.caption}, {about}.", svg)


def _point(row: Row, axis: _Axis, *, hollow: bool) -> Point:
    accuracy, cost = row.summary.accuracy, axis.of(row)
    assert accuracy is not None
    assert cost is not None
    return Point(
        name=row.told,
        label=row.name,
        style=style_of(row.summary.result.artifact.precision),
        hollow=hollow,
        cost=cost,
        cost_interval=axis.ends(row),
        rate=accuracy.rate,
        interval=accuracy.interval_95,
    )


def _beaten(point: Point, points: Sequence[Point]) -> bool:
    return any(
        other.cost <= point.cost and other.rate >= point.rate and (other.cost, other.rate) != (point.cost, point.rate)
        for other in points
    )


def _figure(name: str, caption: str, svg: str) -> Figure:
    from markupsafe import Markup

    # Every text within was escaped as it was drawn.
    return Figure(name=name, caption=caption, svg=Markup(svg))

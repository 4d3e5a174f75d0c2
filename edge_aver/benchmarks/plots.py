"""Plots of a report as SVG that stands inside its page: every raw value counts, colours are the page's own."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from edge_aver.benchmarks.formats import milliseconds, percent
from edge_aver.benchmarks.stats import Interval, percentile
from edge_aver.benchmarks.svg import (
    WIDTH,
    Scale,
    curve,
    document,
    legend,
    line,
    mark,
    rectangle,
    staircase,
    text,
    text_width,
    wrap,
)

__all__ = ["Bar", "Point", "Series", "Stack", "distributions", "intervals", "style_of", "trade_off", "waterfall"]

_PRECISIONS = ("fp32", "fp16", "int8")
_LEFT, _RIGHT = 42.0, WIDTH - 10
_FAR = 3.0
"""An axis of times ends at twice the slowest p90 where some query took more than this many times as long."""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A rate in [0, 1] with its 95 % and 98 % intervals; `strong` names what the report is about."""

    name: str
    rate: float
    narrow: Interval
    wide: Interval
    style: int
    strong: bool = False


@dataclass(frozen=True, kw_only=True)
class Series:
    """Times of one artifact in seconds, by process; series of one `panel` are drawn together."""

    panel: str
    name: str
    style: int
    processes: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Point:
    """An accuracy in [0, 1] at a cost, both with intervals where they have any; `best` where none is better in both."""

    name: str
    label: str
    style: int
    hollow: bool
    cost: float
    cost_interval: Interval | None
    rate: float
    interval: Interval
    best: bool = False


@dataclass(frozen=True, kw_only=True)
class Stack:
    """Mean seconds of each stage, in order."""

    name: str
    stages_s: dict[str, float]


def style_of(precision: str) -> int:
    """Colour and marker of a precision, from 0: the same in every plot, and told apart without colour."""
    return _PRECISIONS.index(precision) if precision in _PRECISIONS else 3


def intervals(bars: Sequence[Bar], *, name: str, note: str | None, chance: float | None = None) -> str:
    """Rates with their 95 % (thick) and 98 % (thin) intervals, a line of words above each.

    Args:
        bars: of one corpus.
        name: prefix of the ids within the SVG; unique on the page.
        note: the sentence that must stand in the plot; None where none must.
        chance: the rate of guessing, drawn where the axis reaches it.
    """
    scale = _percent_axis([bar.wide for bar in bars], start=6, end=WIDTH - 6)
    parts, top = _noted(note)
    bottom = top + 34 * len(bars) + 4
    grid, height = _bottom_axis(scale, top, bottom, "accuracy, %; thick 95 %, thin 98 %")
    parts += grid
    if chance is not None and scale.low <= 100 * chance:
        parts.append(line(scale.at(100 * chance), top, scale.at(100 * chance), bottom, "chance"))
    for index, bar in enumerate(bars):
        parts += _bar(bar, scale, top + 34 * index + 12)
    told = [f"{bar.name}: {_interval(bar.rate, bar.narrow)}" for bar in bars]
    return document(parts, height=height, name=name, description="; ".join(told))


def distributions(series: Sequence[Series], *, name: str) -> str:
    """Share of queries answered within a time: one panel a device, one thin line a process.

    Nothing is smoothed, binned or dropped: where an axis ends before the slowest query, the panel says so.

    Args:
        series: each with at least one process of at least one query; those of a panel stand together.
        name: prefix of the ids within the SVG; unique on the page.
    """
    parts: list[str] = []
    y, told = 0.0, []
    for panel, members in groupby(series, key=lambda item: item.panel):
        group = list(members)
        drawn, y = _panel(panel, group, y)
        parts += drawn
        told += [f"{panel}, {item.name}: half within {milliseconds(percentile(_all(item), 0.5))} ms" for item in group]
    return document(parts, height=y, name=name, description="; ".join(told))


def trade_off(
    points: Sequence[Point], *, name: str, note: str | None, label: str, filled: str = "", hollow: str = ""
) -> str:
    """Accuracy against a cost; up and to the left is better, the line joins what nothing else beats in both.

    Args:
        points: of one corpus.
        name: prefix of the ids within the SVG; unique on the page.
        note: the sentence that must stand in the plot; None where none must.
        label: of the axis, with its unit.
        filled: what a filled marker means; "" where all are filled.
        hollow: what a hollow one means.
    """
    parts, top = _noted(note)
    bottom = top + 190
    across = Scale(low=0.0, high=1.08 * max(_furthest(point) for point in points), start=_LEFT, end=_RIGHT)
    up = _percent_axis([point.interval for point in points], start=bottom, end=top + 8)
    grid, y = _bottom_axis(across, top, bottom, label)
    parts += [*grid, *_left_axis(up, _LEFT, _RIGHT)]
    best = sorted((point for point in points if point.best), key=lambda point: point.cost)
    parts.append(curve(_front(best, across, up), "front"))
    for point in points:
        parts += _point(point, across, up)
    styles = dict.fromkeys((point.style, point.label) for point in points)
    entries = [(mark(0, 0, style, f"mark s{style + 1}"), label) for style, label in styles]
    if hollow:
        entries += [(mark(0, 0, 1, "mark ink"), filled), (mark(0, 0, 1, "mark ink hollow"), hollow)]
    signs, height = legend(entries, y=y + 10)
    told = [f"{point.name}: {_interval(point.rate, point.interval)} at {point.cost:.4g}" for point in points]
    return document([*parts, *signs], height=height - 6, name=name, description=f"{label}. {'; '.join(told)}")


def waterfall(stacks: Sequence[Stack], *, name: str) -> str:
    """Mean time of each stage from file bytes to label, end on end.

    Args:
        stacks: at least one.
        name: prefix of the ids within the SVG; unique on the page.
    """
    stages = tuple(dict.fromkeys(stage for stack in stacks for stage in stack.stages_s))
    entries = [(rectangle(-6, -5, 12, 10, f"fill s{index + 1}"), stage) for index, stage in enumerate(stages)]
    parts, top = legend(entries, y=12)
    longest = max(sum(stack.stages_s.values()) for stack in stacks)
    scale = Scale(low=0.0, high=1e3 * longest, start=0, end=WIDTH - 12)
    bottom = top + 36 * len(stacks) + 2
    grid, height = _bottom_axis(scale, top, bottom, "mean time from file bytes to label, ms")
    parts += grid
    for index, stack in enumerate(stacks):
        parts += _stack(stack, stages, scale, top + 36 * index + 12)
    told = [
        f"{stack.name}: {', '.join(f'{k} {milliseconds(v)}' for k, v in stack.stages_s.items())}" for stack in stacks
    ]
    return document(parts, height=height, name=name, description=f"In ms. {'; '.join(told)}")


def _bar(bar: Bar, scale: Scale, y: float) -> list[str]:
    x, style = scale.at(100 * bar.rate), f"s{bar.style + 1}"
    value = _interval(bar.rate, bar.narrow)
    room = int((WIDTH - text_width(value) - 4) / text_width("x"))
    name = bar.name if len(bar.name) <= room else f"{bar.name[: room - 1]}…"
    return [
        text(0, y, name, style="strong" if bar.strong else ""),
        text(WIDTH, y, value, style="muted", anchor="end"),
        line(scale.at(100 * bar.wide.low), y + 10, scale.at(100 * bar.wide.high), y + 10, style, width=1.3),
        line(scale.at(100 * bar.narrow.low), y + 10, scale.at(100 * bar.narrow.high), y + 10, style, width=4.5),
        mark(x, y + 10, bar.style, f"mark {style} hollow", title=f"{bar.name}: {value}"),
    ]


def _panel(panel: str, group: Sequence[Series], y: float) -> tuple[list[str], float]:
    entries = [(line(-7, 0, 7, 0, f"s{item.style + 1}", width=2.2), item.name) for item in group]
    signs, top = legend(entries, y=y + 32)
    bottom = top + 140
    end_s, beyond = _end_of(group)
    across = Scale(low=0.0, high=1e3 * end_s, start=_LEFT, end=_RIGHT)
    up = Scale(low=0.0, high=100.0, start=bottom, end=top)
    label = "network latency of one clip, ms" + (f" ({beyond})" if beyond else "")
    grid, height = _bottom_axis(across, top, bottom, label)
    parts = [text(0, y + 13, panel, style="strong"), *signs, *grid]
    parts += _left_axis(up, _LEFT, _RIGHT, ticks=(0, 50, 90, 100), unit=" %")
    for item in group:
        for values in item.processes if len(item.processes) > 1 else ():
            parts.append(_steps(values, across, up, f"s{item.style + 1} thin", width=0.7))
        parts.append(_steps(_all(item), across, up, f"s{item.style + 1}", width=2))
    return parts, height + 8


def _end_of(group: Sequence[Series]) -> tuple[float, str]:
    """Where the axis of times ends, and what lies beyond."""
    values = [value for item in group for value in _all(item)]
    slowest, usual = max(values), max(percentile(_all(item), 0.9) for item in group)
    if slowest <= _FAR * usual:
        return 1.04 * slowest, ""
    beyond = sum(value > 2 * usual for value in values)
    return 2 * usual, f"{beyond} slower, up to {milliseconds(slowest)}"


def _steps(values: Sequence[float], across: Scale, up: Scale, style: str, *, width: float) -> str:
    """The empirical distribution: at each value it rises by one query's share."""
    ordered = sorted(value for value in values if 1e3 * value <= across.high)
    wide, high, total = across.end - across.start, up.end - up.start, len(values)
    steps = [
        (across.start + wide * 1e3 * value / across.high, up.start + high * rank / total)
        for rank, value in enumerate(ordered, start=1)
    ]
    if len(ordered) < total:
        steps.append((across.end, steps[-1][1] if steps else up.start))
    return staircase(steps, (steps[0][0], up.start), style, width=width)


def _all(item: Series) -> list[float]:
    return [value for values in item.processes for value in values]


def _point(point: Point, across: Scale, up: Scale) -> list[str]:
    x, y, style = across.at(point.cost), up.at(100 * point.rate), f"s{point.style + 1}"
    parts = [line(x, up.at(100 * point.interval.low), x, up.at(100 * point.interval.high), style, width=1.4)]
    if point.cost_interval is not None:
        low, high = point.cost_interval.low, point.cost_interval.high
        parts.append(line(across.at(low), y, across.at(high), y, style, width=1.4))
    told = f"{point.name}: {_interval(point.rate, point.interval)} at {point.cost:.4g}"
    return [*parts, mark(x, y, point.style, f"mark {style}{' hollow' if point.hollow else ''}", title=told)]


def _front(best: Sequence[Point], across: Scale, up: Scale) -> list[tuple[float, float]]:
    """Steps: until the next one is reached, the one before it is the best."""
    path: list[tuple[float, float]] = []
    for point in best:
        x, y = across.at(point.cost), up.at(100 * point.rate)
        path += [(x, path[-1][1] if path else y), (x, y)]
    return [*path, (across.end, path[-1][1])] if path else [(across.start, up.start)]


def _furthest(point: Point) -> float:
    return max(point.cost, point.cost_interval.high if point.cost_interval else 0.0)


def _stack(stack: Stack, stages: Sequence[str], scale: Scale, y: float) -> list[str]:
    total_s = sum(stack.stages_s.values())
    parts = [text(0, y, stack.name), text(WIDTH, y, f"{milliseconds(total_s)} ms", style="muted", anchor="end")]
    start = 0.0
    for index, stage in enumerate(stages):
        end = start + 1e3 * stack.stages_s.get(stage, 0.0)
        told = f"{stage}: {milliseconds((end - start) / 1e3)} ms"
        wide = scale.at(end) - scale.at(start)
        parts.append(rectangle(scale.at(start), y + 5, wide, 14, f"fill s{index + 1}", title=told))
        start = end
    return parts


def _percent_axis(ends: Sequence[Interval], *, start: float, end: float) -> Scale:
    """From the ten below the lowest end to the ten above the highest, in percent."""
    low = 10 * (100 * min(item.low for item in ends) // 10)
    high = -10 * (-100 * max(item.high for item in ends) // 10)
    return Scale(low=max(0.0, low), high=min(100.0, max(high, low + 10)), start=start, end=end)


def _bottom_axis(scale: Scale, top: float, bottom: float, label: str) -> tuple[list[str], float]:
    parts: list[str] = []
    for tick in scale.ticks():
        x = scale.at(tick)
        anchor = "start" if x < 4 else "end" if x > WIDTH - 8 else "middle"
        parts += [line(x, top, x, bottom, "grid"), text(x, bottom + 14, f"{tick:g}", style="muted", anchor=anchor)]
    return [*parts, text(WIDTH, bottom + 29, label, style="muted", anchor="end")], bottom + 35


def _left_axis(
    scale: Scale, left: float, right: float, *, ticks: Sequence[float] | None = None, unit: str = ""
) -> list[str]:
    parts: list[str] = []
    for tick in scale.ticks() if ticks is None else ticks:
        y = scale.at(tick)
        parts += [
            line(left, y, right, y, "grid"),
            text(left - 4, y + 4, f"{tick:g}{unit}", style="muted", anchor="end"),
        ]
    return parts


def _noted(note: str | None) -> tuple[list[str], float]:
    return wrap(note, y=11, style="muted") if note else ([], 0.0)


def _interval(rate: float, ends: Interval) -> str:
    return f"{percent(rate)} % ({percent(ends.low)} to {percent(ends.high)})"

"""Our results among the published systems: the paper's Table 3 as a table, its Figure 10 as bars."""

from collections.abc import Sequence

from edge_aver.benchmarks.formats import millions, percent
from edge_aver.benchmarks.plots import Bar, style_of
from edge_aver.benchmarks.published import Pooled, Published, PublishedSystem
from edge_aver.benchmarks.report_cells import Cell, Column, Table, figure, missing, words
from edge_aver.benchmarks.stats import Interval

__all__ = ["left_out", "published_bars", "published_table"]

_PAPER, _OTHERS = 3, 4
"""Colours of the paper's own systems and of others'."""


def published_table(published: Published, pooled: Sequence[Pooled]) -> Table | None:
    """Table 3 with ours in it, by accuracy; None where none of ours is of the protocol.

    Args:
        published: the systems.
        pooled: ours; those with a reason against them are left out.
    """
    ours = [(item.rate, _our_row(item)) for item in pooled if item.total]
    if not ours:
        return None
    theirs = [(system.rate, _row(published, system)) for system in published.systems]
    return Table(
        name="published",
        title="Among published systems",
        caption=f"{published.assumption} Parameters as each publication counts them; of ours, those deployed.",
        columns=(
            Column(title="System", words=True),
            Column(title="Whose", words=True),
            Column(title="Accuracy", unit="%, 95 % interval", ends=True),
            Column(title="Accuracy", unit="%, 98 % interval", ends=True),
            Column(title="Clips"),
            Column(title="Parameters", unit="M"),
        ),
        rows=tuple(row for _, row in sorted([*theirs, *ours], key=lambda item: item[0])),
    )


def published_bars(published: Published, pooled: Sequence[Pooled]) -> list[Bar]:
    """Figure 10 with ours in it, by accuracy; [] where none of ours is of the protocol."""
    ours = [
        Bar(
            name=f"{_name(item)} (measured)",
            rate=item.rate,
            narrow=item.interval(level=0.95),
            wide=item.interval(level=0.98),
            style=style_of(item.results[0].artifact.precision),
            strong=True,
        )
        for item in pooled
        if item.total
    ]
    theirs = [
        Bar(
            name=system.name,
            rate=system.rate,
            narrow=published.interval(system, level=0.95),
            wide=published.interval(system, level=0.98),
            style=_PAPER if system.architecture else _OTHERS,
        )
        for system in published.systems
    ]
    return sorted([*theirs, *ours], key=lambda bar: bar.rate) if ours else []


def left_out(pooled: Sequence[Pooled]) -> list[str]:
    """Which of ours may not stand there, and why."""
    return [f"{_name(item)}: {item.reason}" for item in pooled if item.reason]


def _row(published: Published, system: PublishedSystem) -> tuple[Cell, ...]:
    cited = f"[{system.reference}] {system.citation}" if system.reference else system.citation
    counted = system.parameters_m
    return (
        words(system.name),
        words(cited),
        _rate(system.accuracy_percent, system.rate, published.interval(system, level=0.95)),
        _rate(system.accuracy_percent, system.rate, published.interval(system, level=0.98)),
        Cell(text=f"{published.assumed_clips:,}", small=("assumed",), value=published.assumed_clips),
        figure(float(counted), lambda _: str(counted), system.parameters_of) if counted else missing("not reported"),
    )


def _our_row(item: Pooled) -> tuple[Cell, ...]:
    counts = item.results[0].spec.parameters
    text = percent(item.rate)
    return (
        words(_name(item)),
        words("measured, five folds"),
        _rate(text, item.rate, item.interval(level=0.95)),
        _rate(text, item.rate, item.interval(level=0.98)),
        Cell(text=f"{item.total:,}", small=("counted",), value=item.total),
        figure(counts.deployed if counts else None, lambda value: millions(int(value)), scale=1e-6),
    )


def _rate(text: str, value: float, ends: Interval) -> Cell:
    small = (f"{percent(ends.low)} to {percent(ends.high)}",)
    return Cell(text=text, small=small, value=100 * value, ends=Interval(low=100 * ends.low, high=100 * ends.high))


def _name(item: Pooled) -> str:
    first = item.results[0]
    return f"{first.spec.architecture} {first.artifact.precision}, {first.artifact.target}"

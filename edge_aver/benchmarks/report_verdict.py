"""What stands on top of a report: for every network on every target what to ship, why, and how sure that is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edge_aver.benchmarks.advice import advise_family
from edge_aver.benchmarks.families import Family, families
from edge_aver.benchmarks.report_cells import Cell, Column, Table, words
from edge_aver.benchmarks.results import Result
from edge_aver.benchmarks.summary import Summary
from edge_aver.benchmarks.validity import invalid_reasons

__all__ = ["Headline", "failed_table", "headlines", "refused_table", "remarks", "verdict_table"]


@dataclass(frozen=True, kw_only=True)
class Headline:
    """What to ship of one network on one target, over all the folds that were measured.

    Attributes:
        target, network: what it is about.
        ship: the precision; None where nothing can be advised.
        why: in a sentence.
        accuracy: of what is shipped against fp32: PASS, FAIL, INCONCLUSIVE, or "" where it was not compared.
        invalid: precisions of which a result is INVALID, each once.
    """

    target: str
    network: str
    ship: str | None
    why: str
    accuracy: str
    invalid: tuple[str, ...]


def headlines(results: Sequence[Result]) -> tuple[Headline, ...]:
    """One for every network and target, in the order of the results."""
    return tuple(map(_headline, families(results)))


def verdict_table(heads: Sequence[Headline]) -> Table:
    """The headlines as a table, for Markdown and CSV."""
    columns = ("Network", "Target", "Ship", "Accuracy against fp32", "Status", "Why")
    return Table(
        name="verdict",
        title="What to ship",
        caption="The rules are edge_aver.benchmarks.advice's.",
        columns=tuple(Column(title=title, words=True) for title in columns),
        rows=tuple(map(_row, heads)),
    )


def refused_table(refused: Sequence[tuple[str, str]]) -> Table:
    """Files that are no results or were changed: shown, never drawn."""
    return Table(
        name="refused",
        title="Refused files",
        caption="These files took no part in any figure.",
        columns=tuple(Column(title=title, words=True) for title in ("File", "Status", "Why")),
        rows=tuple((words(name), words("INVALID", mood="bad"), words(why)) for name, why in refused),
    )


def failed_table(failed: Sequence[tuple[str, str]]) -> Table:
    """Cells of sweeps that came to nothing: rows, not gaps."""
    return Table(
        name="failed-cells",
        title="Failed cells of sweeps",
        caption="These were to be made and measured, and failed; a sweep that is run again tries them again.",
        columns=tuple(Column(title=title, words=True) for title in ("Cell", "Status", "Why")),
        rows=tuple((words(name), words("FAILED", mood="bad"), words(why)) for name, why in failed),
    )


def remarks(summaries: Iterable[tuple[str, Summary]]) -> tuple[list[str], list[str]]:
    """Why results are INVALID, and what could not be measured, each with its result's name."""
    named = list(summaries)
    invalid = [f"INVALID, {name}: {reason}" for name, item in named for reason in item.invalid]
    missing = [f"Not measured, {name}: {reason}" for name, item in named for reason in item.missing]
    return invalid, missing


def _headline(family: Family) -> Headline:
    advice = advise_family(family)
    only = f"only {family.members[0].artifact.precision} was measured: there is nothing to choose"
    invalid = [item.artifact.precision for item in family.members if invalid_reasons(item)]
    return Headline(
        target=family.target,
        network=family.name,
        ship=advice.precision if advice else None,
        why=advice.reason if advice else only,
        accuracy=advice.verdict.verdict if advice and advice.verdict else "",
        invalid=tuple(dict.fromkeys(invalid)),
    )


def _row(head: Headline) -> tuple[Cell, ...]:
    status = f"INVALID: {', '.join(head.invalid)}" if head.invalid else "VALID"
    parts = (head.network, head.target, head.ship or "no advice", head.accuracy or "not compared", status, head.why)
    return tuple(map(words, parts))

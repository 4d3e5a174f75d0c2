"""What stands on top of a report: for every network on every target what to ship, why, and how sure that is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edge_aver.benchmarks.advice import advise_results
from edge_aver.benchmarks.conditions import BOTH
from edge_aver.benchmarks.costs import BASELINE, Cost, Network, networks
from edge_aver.benchmarks.report_cells import Cell, Column, Table, words
from edge_aver.benchmarks.results import Result
from edge_aver.benchmarks.summary import Summary
from edge_aver.benchmarks.validity import invalid_reasons
from edge_aver.benchmarks.verdict import INCONCLUSIVE

__all__ = ["Headline", "headlines", "refused_table", "remarks", "verdict_table"]


@dataclass(frozen=True, kw_only=True)
class Headline:
    """What to ship of one network on one target.

    Attributes:
        target, network: what it is about.
        ship: the precision; None where nothing can be advised.
        why: in a sentence.
        accuracy: of what is shipped against fp32: PASS, FAIL, INCONCLUSIVE, or "" where it was not compared.
        invalid: precisions whose result is INVALID.
    """

    target: str
    network: str
    ship: str | None
    why: str
    accuracy: str
    invalid: tuple[str, ...]


def headlines(results: Sequence[Result], costs: Sequence[Cost]) -> tuple[Headline, ...]:
    """One for every network and target, in the order of the results.

    Args:
        results: of one or more devices.
        costs: of the same results (`costs_of`).
    """
    return tuple(_headline(network, costs) for network in networks(results))


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


def remarks(summaries: Iterable[tuple[str, Summary]]) -> tuple[list[str], list[str]]:
    """Why results are INVALID, and what could not be measured, each with its result's name."""
    named = list(summaries)
    invalid = [f"INVALID, {name}: {reason}" for name, item in named for reason in item.invalid]
    missing = [f"Not measured, {name}: {reason}" for name, item in named for reason in item.missing]
    return invalid, missing


def _headline(network: Network, costs: Sequence[Cost]) -> Headline:
    members = [*([network.baseline] if network.baseline else []), *network.others]
    first = members[0]
    spec = first.spec
    advice = next(iter(advise_results(members)), None)
    ship = advice.precision if advice else None
    return Headline(
        target=first.artifact.target,
        network=f"{spec.architecture}, {spec.corpus} fold {spec.fold}",
        ship=ship,
        why=advice.reason if advice else f"only {first.artifact.precision} was measured: there is nothing to choose",
        accuracy="" if ship in (None, BASELINE) else _verdict(members, str(ship), costs),
        invalid=tuple(item.artifact.precision for item in members if invalid_reasons(item)),
    )


def _verdict(members: Sequence[Result], ship: str, costs: Sequence[Cost]) -> str:
    """Of the accuracy with both modalities."""
    ours = (cost for cost in costs if any(cost.result is item for item in members))
    found = (cost for cost in ours if cost.result.artifact.precision == ship and cost.condition == BOTH)
    return next((cost.verdict.verdict if cost.verdict else INCONCLUSIVE for cost in found), "")


def _row(head: Headline) -> tuple[Cell, ...]:
    status = f"INVALID: {', '.join(head.invalid)}" if head.invalid else "VALID"
    parts = (head.network, head.target, head.ship or "no advice", head.accuracy or "not compared", status, head.why)
    return tuple(map(words, parts))

"""Accuracy where something is missing, on the screen: a matrix by condition, and what each precision costs there."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge_aver.benchmarks.accuracy import Accuracy
from edge_aver.benchmarks.conditions import BOTH, told
from edge_aver.benchmarks.costs import Cost, costs_of
from edge_aver.benchmarks.formats import NOT_MEASURED, percent, points
from edge_aver.benchmarks.stats import Interval
from edge_aver.benchmarks.summary import Summary, condition_names

__all__ = ["print_conditions"]

_COLUMNS = 3
"""Conditions beside each other at 80 columns."""


def print_conditions(console: Console, summaries: Sequence[Summary]) -> None:
    """Print nothing where only whole clips were measured; notes and remarks are the caller's."""
    names = condition_names(summaries)
    if not set(names) - {BOTH}:
        return
    for start in range(0, len(names), _COLUMNS):
        console.print(_matrix(summaries, names[start : start + _COLUMNS]))
        console.print()
    if costs := costs_of([summary.result for summary in summaries]):
        console.print(_cost_table(costs))
        console.print()


def _matrix(summaries: Sequence[Summary], names: Sequence[str]) -> Table:
    table = _table("Accuracy", *(told(name) for name in names))
    for summary in summaries:
        table.add_row(_artifact(summary.name, summary.result.artifact.target), *(_cell(summary, n) for n in names))
    return table


def _cell(summary: Summary, name: str) -> Text:
    accuracy: Accuracy | None = summary.conditions.get(name)
    if accuracy is None:
        return Text(NOT_MEASURED)
    ends = (accuracy.interval_95, accuracy.interval_98)
    return Text(
        "\n".join(
            [
                f"{percent(accuracy.rate)} %, {accuracy.correct}/{accuracy.total}",
                *(
                    f"{level} %: {percent(end.low)} to {percent(end.high)}"
                    for level, end in zip((95, 98), ends, strict=True)
                ),
            ]
        )
    )


def _cost_table(costs: Sequence[Cost]) -> Table:
    table = _table("Against fp32", "Given", "Points, 95 % intervals", "Flips", "Verdict")
    for cost in costs:
        artifact = cost.result.artifact
        name = _artifact(f"{cost.result.spec.architecture} {artifact.precision}", artifact.target)
        table.add_row(name, told(cost.condition), *map(Text, _figures(cost)))
    return table


def _figures(cost: Cost) -> tuple[str, str, str]:
    verdict = cost.verdict
    if verdict is None:
        return "not compared", cost.reason, ""
    lines = [points(verdict.difference), f"clips  {_ends(verdict.clip_interval)}"]
    if verdict.interval is not None:
        lines.insert(1, f"actors {_ends(verdict.interval)}")
    flips = f"{verdict.flips.right_to_wrong} to wrong\n{verdict.flips.wrong_to_right} to right"
    return "\n".join(lines), flips, verdict.verdict


def _ends(interval: Interval) -> str:
    return f"{100 * interval.low:+.1f} to {100 * interval.high:+.1f}"


def _artifact(name: str, target: str) -> Text:
    return Text.assemble((name, "bold"), f"\n{target}")


def _table(*titles: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 1, 0), show_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold")
    return table

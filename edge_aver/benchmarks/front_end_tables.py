"""The front-end part of a result on the screen, readable at 80 columns."""

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge_aver.benchmarks.formats import milliseconds
from edge_aver.benchmarks.front_end_checks import Check
from edge_aver.benchmarks.front_end_summary import FrontEndSummary
from edge_aver.benchmarks.summary import Summary

__all__ = ["print_front_end"]

_STYLES = {True: "bold green", False: "bold red", None: "bold yellow"}


def print_front_end(console: Console, summary: Summary, front_end: FrontEndSummary) -> None:
    """Print what a front end reached of what it has to, where the time goes, and what to know beside.

    Args:
        console: where to.
        summary: of the result.
        front_end: its front-end part.
    """
    status = ("INVALID", "bold red") if summary.invalid else ("VALID", "bold green")
    console.print(Text.assemble((summary.name, "bold"), f" on {summary.result.artifact.target} ", status))
    console.print(Text(front_end.setting))
    console.print()
    console.print(_checks(front_end.checks))
    console.print()
    if front_end.stacks:
        console.print(_stages(front_end))
        console.print()
    for remark in front_end.remarks:
        console.print(Text(remark))


def _checks(checks: tuple[Check, ...]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("Front end", overflow="fold")
    for title in ("Measured", "Limit"):
        table.add_column(title, justify="right", overflow="fold")
    table.add_column("Verdict")
    for check in checks:
        what = Text.assemble(check.what, (f"\n  {check.detail}", "dim") if check.detail else "")
        table.add_row(what, Text(check.value), Text(check.limit), Text(check.verdict, style=_STYLES[check.passed]))
    return table


def _stages(front_end: FrontEndSummary) -> Table:
    """Mean time of each stage, stacks side by side."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("Mean, ms")
    for stack in front_end.stacks:
        table.add_column(Text(stack.name), justify="right", overflow="fold")
    for stage in dict.fromkeys(stage for stack in front_end.stacks for stage in stack.stages_s):
        table.add_row(stage, *(milliseconds(stack.stages_s.get(stage)) for stack in front_end.stacks))
    table.add_row("total", *(milliseconds(stack.total_s) for stack in front_end.stacks))
    return table

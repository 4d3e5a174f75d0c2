"""Tables of a report on a front end: what it reaches of what it has to, and where its time goes."""

from edge_aver.benchmarks.formats import milliseconds
from edge_aver.benchmarks.report_cells import Column, Row, Table, figure, words

__all__ = ["front_end_tables"]


def front_end_tables(row: Row) -> tuple[Table, ...]:
    """What one front end reaches of what it has to, and where its time goes."""
    part = row.summary.front_end
    assert part is not None
    where = f"{row.name}, {row.where}"
    checks = Table(
        name="front-end",
        title=f"Front end of {where}",
        caption="What the front end reaches, and what it has to.",
        columns=(
            Column(title="Figure", words=True),
            Column(title="Measured", words=True),
            Column(title="Limit", words=True),
            Column(title="Verdict", words=True),
        ),
        rows=tuple(
            (
                words(check.what, check.detail),
                words(check.value),
                words(check.limit),
                words(check.verdict, mood={True: "good", False: "bad", None: ""}[check.passed]),
            )
            for check in part.checks
        ),
    )
    stages = tuple(dict.fromkeys(stage for stack in part.stacks for stage in stack.stages_s))
    times = Table(
        name="front-end-stages",
        title=f"Stages of {where}",
        caption="Mean time in ms of each stage, from file bytes to label.",
        columns=(
            Column(title="Stack", words=True),
            Column(title="Queries"),
            *(Column(title=stage, unit="ms") for stage in (*stages, "total")),
        ),
        rows=tuple(
            (
                words(stack.name),
                figure(stack.queries, str),
                *(figure(stack.stages_s.get(stage), milliseconds, scale=1e3) for stage in stages),
                figure(stack.total_s, milliseconds, scale=1e3),
            )
            for stack in part.stacks
        ),
    )
    return (checks, times) if times.rows else (checks,)

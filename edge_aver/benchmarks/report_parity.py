"""Table of a report on what each step of the export did to the logits."""

from collections.abc import Mapping, Sequence
from typing import Any

from edge_aver.benchmarks.formats import percent
from edge_aver.benchmarks.report_cells import ARTIFACT, Cell, Column, Row, Table, figure, missing, words

__all__ = ["parity_table"]


def parity_table(rows: Sequence[Row]) -> Table:
    """How far each step of the export moved the logits."""
    columns = (
        ARTIFACT,
        Column(title="Step", words=True),
        Column(title="Clips"),
        Column(title="Largest difference"),
        Column(title="Cosine"),
        Column(title="SQNR", unit="dB"),
        Column(title="Top-1 agreement", unit="%"),
        Column(title="Limits", words=True),
        Column(title="Passed", words=True),
    )
    return Table(
        name="parity",
        title="Parity",
        caption="As recorded when each artifact was made.",
        columns=columns,
        rows=tuple(line for row in rows for line in _parity(row)),
    )


def _parity(row: Row) -> list[tuple[Cell, ...]]:
    if not row.summary.result.parity:
        return [(row.cell, words("not recorded"), *((missing("–"),) * 7))]
    return [(row.cell, *_step(step)) for step in row.summary.result.parity]


def _step(step: Mapping[str, Any]) -> tuple[Cell, ...]:
    passed, block = bool(step.get("passed")), step.get("first_diverging_block")
    agreement = _number(step.get("top1_agreement"))
    return (
        words(str(step.get("step", "unnamed"))),
        *(_recorded(_number(step.get(name))) for name in ("clips", "max_abs_diff", "cosine", "sqnr_db")),
        figure(agreement, percent, scale=100) if agreement is not None else missing("–"),
        words(_limits(step.get("limits"))),
        words("yes" if passed else "no", f"first at {block}" if block else "", mood="good" if passed else "bad"),
    )


def _recorded(value: float | None) -> Cell:
    return missing("–") if value is None else figure(value, lambda number: f"{number:.4g}")


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _limits(limits: object) -> str:
    """Limits as the ladder records them: `max_...` and `min_...` by the name of what they bound."""
    if not isinstance(limits, Mapping) or not limits:
        return "none"
    return ", ".join(f"{_bound(str(name))} {value}" for name, value in limits.items())


def _bound(name: str) -> str:
    kind, _, what = name.partition("_")
    known = {"abs_diff": "difference", "sqnr_db": "SQNR", "top1_agreement": "agreement"}
    return f"{known.get(what, what)} {'≤' if kind == 'max' else '≥'}" if kind in ("max", "min") else name

"""Tables of a report on how well artifacts read emotions: whole clips, emotions, missing modalities, against fp32."""

from collections.abc import Sequence

from edge_aver.benchmarks.conditions import told
from edge_aver.benchmarks.costs import Cost
from edge_aver.benchmarks.decision import FAIL, PASS
from edge_aver.benchmarks.formats import percent, points
from edge_aver.benchmarks.report_cells import (
    ARTIFACT,
    Cell,
    Column,
    Row,
    Table,
    figure,
    interval_text,
    missing,
    rate,
    words,
)
from edge_aver.benchmarks.stats import Interval
from edge_aver.benchmarks.verdict import Verdict

__all__ = ["MOODS", "accuracy_table", "condition_table", "cost_table", "emotion_table"]

MOODS = {PASS: "good", FAIL: "bad"}
"""How a verdict is coloured; INCONCLUSIVE is neither."""


def accuracy_table(rows: Sequence[Row]) -> Table:
    """Accuracy over the fold's test clips, with both of its intervals."""
    columns = (
        ARTIFACT,
        Column(title="Corpus", words=True),
        Column(title="Correct", unit="clips"),
        Column(title="Clips"),
        Column(title="Accuracy", unit="%, 95 % interval", ends=True),
        Column(title="Accuracy", unit="%, 98 % interval", ends=True),
        Column(title="Confidence", unit="%, mean"),
        Column(title="Calibration error", unit="points"),
    )
    return Table(
        name="accuracy",
        title="Accuracy",
        caption="Accuracy with Wilson intervals (the paper's equation 5). Calibration error: how far confidence is from"
        " accuracy, on average over clips in ten bins; with few clips chance alone makes it larger.",
        columns=columns,
        rows=tuple((row.cell, words(row.summary.origin), *_accuracy(row)) for row in rows),
    )


def emotion_table(rows: Sequence[Row]) -> Table:
    """Share of each emotion's clips that were read rightly."""
    labels = tuple(
        dict.fromkeys(label for row in rows if row.summary.accuracy for label in row.summary.accuracy.labels)
    )
    return Table(
        name="emotions",
        title="By emotion",
        caption="Share of each true emotion's clips that were read rightly, in % with its 95 % interval.",
        columns=(ARTIFACT, *(Column(title=label, unit="%", ends=True) for label in labels)),
        rows=tuple((row.cell, *(_recall(row, label) for label in labels)) for row in rows if row.summary.accuracy),
    )


def condition_table(rows: Sequence[Row], names: Sequence[str]) -> Table:
    """The matrix of precisions by what a network was given."""
    return Table(
        name="conditions",
        title="Precision by modality",
        caption="Accuracy in % with its Wilson intervals at 95 and 98 %.",
        columns=(
            ARTIFACT,
            *(Column(title=told(name), unit="%", ends=True) for name in names),
        ),
        rows=tuple((row.cell, *(_condition(row, name) for name in names)) for row in rows),
    )


def cost_table(costs: Sequence[Cost], rows: Sequence[Row]) -> Table:
    """What each precision costs against fp32, clip by clip.

    Args:
        costs: of results.
        rows: of the same results, for their names.
    """
    heads = {id(row.summary.result): row.cell for row in rows}
    columns = (
        ARTIFACT,
        Column(title="Given", words=True),
        Column(title="Difference", unit="points, 95 % over actors", ends=True),
        Column(title="Difference", unit="points, 95 % over clips", ends=True),
        Column(title="Right to wrong", unit="clips"),
        Column(title="Wrong to right", unit="clips"),
        Column(title="Verdict", words=True),
    )
    return Table(
        name="against-fp32",
        title="Against fp32",
        caption="Differences in percentage points.",
        columns=columns,
        rows=tuple((heads[id(cost.result)], *_cost(cost)) for cost in costs),
    )


def _accuracy(row: Row) -> tuple[Cell, ...]:
    accuracy = row.summary.accuracy
    if accuracy is None:
        return (missing(),) * 6
    calibration = row.summary.calibration
    return (
        figure(accuracy.correct, str, f"of {accuracy.total}"),
        figure(accuracy.total, str),
        rate(accuracy.rate, accuracy.interval_95),
        rate(accuracy.rate, accuracy.interval_98),
        figure(calibration.confidence if calibration else None, percent, scale=100),
        figure(calibration.error if calibration else None, percent, scale=100),
    )


def _recall(row: Row, label: str) -> Cell:
    known = row.summary.accuracy.by_label if row.summary.accuracy else ()
    found = next((item for item in known if item.label == label), None)
    if found is None:
        return missing("no clips")
    return rate(found.rate, found.interval_95, f"{found.correct} of {found.total}", tinted=True)


def _condition(row: Row, name: str) -> Cell:
    accuracy = row.summary.conditions.get(name)
    if accuracy is None:
        return missing()
    wide = f"98 %: {interval_text(accuracy.interval_98)}"
    cell = rate(accuracy.rate, accuracy.interval_95, wide, f"{accuracy.correct} of {accuracy.total}", tinted=True)
    return Cell(**{**vars(cell), "small": (f"95 %: {cell.small[0]}", *cell.small[1:])})


def _cost(cost: Cost) -> tuple[Cell, ...]:
    if cost.verdict is None:
        return (words(told(cost.condition)), *((missing("not compared"),) * 4), words("not compared", cost.reason))
    return (words(told(cost.condition)), *_difference(cost.verdict))


def _difference(verdict: Verdict) -> tuple[Cell, ...]:
    needed = f"about {verdict.clips_needed:,} clips would decide" if verdict.clips_needed else ""
    return (
        _points(verdict.difference, verdict.interval, "one actor"),
        _points(verdict.difference, verdict.clip_interval, ""),
        figure(verdict.flips.right_to_wrong, str),
        figure(verdict.flips.wrong_to_right, str),
        words(verdict.verdict, needed, mood=MOODS.get(verdict.verdict, "")),
    )


def _points(difference: float, ends: Interval | None, without: str) -> Cell:
    if ends is None:
        return figure(difference, points, without, scale=100)
    return figure(difference, points, scale=100, ends=ends)

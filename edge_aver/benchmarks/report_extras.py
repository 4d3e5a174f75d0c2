"""Tables of a report on what only some suites and devices tell: throughput, overhead, energy, accuracy over folds."""

from collections.abc import Sequence

from edge_aver.benchmarks.formats import percent
from edge_aver.benchmarks.overheads import Overhead
from edge_aver.benchmarks.pooling import Pooled, pools
from edge_aver.benchmarks.report_accuracy import MOODS
from edge_aver.benchmarks.report_cells import ARTIFACT, Cell, Column, Row, Table, figure, missing, rate, words

__all__ = ["energy_table", "folds_table", "overhead_table", "throughput_table"]


def throughput_table(rows: Sequence[Row]) -> Table:
    """Clips a second with all clips at hand, the fastest combination of each artifact first."""
    return Table(
        name="throughput",
        title="Offline throughput",
        caption="All clips at hand: each process asks for batches, from one thread or several.",
        columns=(ARTIFACT, Column(title="Batch"), Column(title="Callers"), Column(title="Throughput", unit="clips/s")),
        rows=tuple(cells for row in rows for cells in _throughput(row)),
    )


def overhead_table(rows: Sequence[Row]) -> Table:
    """Our median latency over that of a bare loop, and of the library's own program."""
    return Table(
        name="overhead",
        title="Overhead",
        caption="Network latency of edge-aver over that of others on the same file in the same run, 95 % interval.",
        columns=(
            ARTIFACT,
            Column(title="Beside", words=True),
            Column(title="Ratio", ends=True),
            Column(title="Limit"),
            Column(title="Verdict", words=True),
        ),
        rows=tuple((row.cell, *_overhead(item)) for row in rows for item in row.summary.overheads),
    )


def energy_table(rows: Sequence[Row]) -> Table:
    """Joules a clip where the device tells them, one line a part."""
    return Table(
        name="energy",
        title="Energy",
        caption="Of one clip, idle power included: mean over processes with its 95 % interval (Student's t).",
        columns=(
            ARTIFACT,
            Column(title="Part", words=True),
            Column(title="Energy", unit="J a clip", ends=True),
            Column(title="Processes"),
        ),
        rows=tuple(cells for row in rows for cells in _energy(row)),
    )


def folds_table(rows: Sequence[Row]) -> Table:
    """Accuracy of networks of which two folds or more were measured: each fold, and all clips together."""
    found = pools([row.summary.result for row in rows])
    folds = sorted({fold for pooled in found for fold in pooled.folds})
    return Table(
        name="folds",
        title="Over folds",
        caption="Accuracy in % with its 95 % Wilson interval; all clips of these folds together also at 98 %.",
        columns=(
            Column(title="Network", words=True),
            *(Column(title=f"Fold {fold}", unit="%", ends=True) for fold in folds),
            Column(title="Together", unit="%", ends=True),
            Column(title="Mean of folds", unit="%"),
            Column(title="Calibration error", unit="points"),
        ),
        rows=tuple(_folds(pooled, folds) for pooled in found),
    )


def _throughput(row: Row) -> list[tuple[Cell, ...]]:
    return [
        (row.cell, figure(item.batch, str), figure(item.callers, str), figure(item.clips_per_s, _short))
        for item in row.summary.throughput
    ]


def _overhead(item: Overhead) -> tuple[Cell, ...]:
    return (
        words(item.other),
        figure(item.ratio.value, _ratio, f"over {item.ratio.over}", ends=item.ratio.interval),
        missing("none") if item.limit is None else figure(item.limit, _ratio),
        words(item.verdict, mood=MOODS.get(item.verdict, "")) if item.verdict else words("no limit"),
    )


def _energy(row: Row) -> list[tuple[Cell, ...]]:
    if not row.summary.energy:
        return [(row.cell, words("the device tells nothing"), missing(), missing())]
    return [
        (row.cell, words(item.of), figure(item.joules, _short, ends=item.interval), figure(item.processes, str))
        for item in row.summary.energy
    ]


def _folds(pooled: Pooled, folds: Sequence[int]) -> tuple[Cell, ...]:
    together, error = pooled.together, pooled.calibration.error if pooled.calibration else None
    wide = f"98 %: {percent(together.interval_98.low)} to {percent(together.interval_98.high)}"
    shares = [accuracy.rate for accuracy in pooled.folds.values()]
    return (
        words(pooled.name),
        *(
            rate(accuracy.rate, accuracy.interval_95) if (accuracy := pooled.folds.get(fold)) else missing()
            for fold in folds
        ),
        rate(together.rate, together.interval_95, wide, f"{together.correct} of {together.total}"),
        figure(sum(shares) / len(shares), percent, scale=100),
        figure(error, percent, scale=100),
    )


def _short(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def _ratio(value: float) -> str:
    return f"{value:.3f}"

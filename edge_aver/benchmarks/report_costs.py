"""Tables of a report on what artifacts cost: time and memory."""

from collections.abc import Sequence
from statistics import median

from edge_aver.benchmarks.formats import megabytes, millions, milliseconds
from edge_aver.benchmarks.memory import Budget
from edge_aver.benchmarks.report_cells import (
    ARTIFACT,
    Cell,
    Column,
    Row,
    Table,
    figure,
    missing,
    rate,
    status,
    words,
)
from edge_aver.benchmarks.stats import minimum_queries, percentiles

__all__ = ["end_to_end_table", "glance_table", "latency_table", "memory_table"]


def glance_table(rows: Sequence[Row]) -> Table:
    """The figures that people look for first."""
    columns = (
        ARTIFACT,
        Column(title="Status", words=True),
        Column(title="Accuracy", unit="%, 95 % interval", ends=True),
        Column(title="Network p50", unit="ms"),
        Column(title="Network p90", unit="ms"),
        Column(title="Network p99", unit="ms"),
        Column(title="End to end p50", unit="ms"),
        Column(title="File", unit="MB"),
        Column(title="Peak RSS", unit="MB"),
    )
    return Table(
        name="glance",
        title="At a glance",
        caption="One clip at a time. MB are 10⁶ bytes. Intervals are Wilson's.",
        columns=columns,
        rows=tuple(map(_glance, rows)),
    )


def latency_table(rows: Sequence[Row]) -> Table:
    """Times of the network alone."""
    on_device = any(run.compute_s for row in rows for run in row.summary.result.network)
    columns = (
        ARTIFACT,
        Column(title="Queries"),
        Column(title="Processes"),
        Column(title="p50", unit="ms, 95 %", ends=True),
        Column(title="p90", unit="ms, 95 %", ends=True),
        Column(title="p99", unit="ms, 95 %", ends=True),
        Column(title="p50 of processes", unit="ms, lowest to highest", ends=True),
        *((Column(title="p50 without copies", unit="ms"),) if on_device else ()),
        Column(title="Load", unit="ms, median"),
        Column(title="First answer", unit="ms, median"),
        Column(title="Layers as executed", words=True),
    )
    return Table(
        name="latency",
        title="Network latency",
        caption=f"Latency in ms. p99 is claimed from {minimum_queries(0.99)} queries on (MLPerf's rule), p90 from"
        f" {minimum_queries(0.9)}.",
        columns=columns,
        rows=tuple(_latency(row, on_device) for row in rows),
    )


def end_to_end_table(rows: Sequence[Row]) -> Table:
    """Times from a file's bytes to a label, and of each stage."""
    stages = tuple(dict.fromkeys(stage for row in rows for stage in row.summary.stages_s))
    columns = (
        ARTIFACT,
        Column(title="Clips"),
        Column(title="p50", unit="ms"),
        Column(title="p90", unit="ms"),
        *(Column(title=stage, unit="ms, mean") for stage in stages),
    )
    return Table(
        name="end-to-end",
        title="End to end",
        caption="Milliseconds from reading a file to its label; “other” is what no stage accounts for.",
        columns=columns,
        rows=tuple(_end_to_end(row, stages) for row in rows),
    )


def memory_table(rows: Sequence[Row]) -> Table:
    """Parameters, files, what a process holds by part, and whether the device allows it."""
    on_gpu = any(row.summary.on_gpu for row in rows)
    columns = (
        ARTIFACT,
        Column(title="Deployed", unit="M parameters"),
        Column(title="Paper's count", unit="M parameters"),
        Column(title="File", unit="MB"),
        Column(title="Weights", unit="MB"),
        Column(title="Activations", unit="MB"),
        Column(title="Library", unit="MB"),
        Column(title="Before loading", unit="MB"),
        Column(title="Peak RSS", unit="MB"),
        Column(title="PSS at the end", unit="MB"),
        *((Column(title="Device memory", unit="MB"),) if on_gpu else ()),
        Column(title="Budget", unit="MB of file"),
    )
    return Table(
        name="memory",
        title="Size and memory",
        caption="Parameters: what is deployed, and the paper's count (backbone with its ImageNet classifier)."
        " MB are 10⁶ bytes.",
        columns=columns,
        rows=tuple(_memory(row, on_gpu) for row in rows),
    )


def _glance(row: Row) -> tuple[Cell, ...]:
    item = row.summary
    accuracy, network = item.accuracy, item.network_s
    return (
        row.cell,
        status(item),
        rate(accuracy.rate, accuracy.interval_95) if accuracy else missing(),
        *(_ms(value) for value in (network.p50, network.p90, network.p99, item.end_to_end_s.p50)),
        _mb(item.result.artifact.size_bytes),
        _mb(item.peak_bytes),
    )


def _latency(row: Row, on_device: bool) -> tuple[Cell, ...]:
    item, times = row.summary, row.summary.network_s
    claimed = ((times.p50, times.p50_interval), (times.p90, times.p90_interval), (times.p99, times.p99_interval))
    runs = item.result.network
    inside = [value for run in runs for value in run.compute_s]
    first = [run.first_answer_s for run in runs if run.first_answer_s is not None]
    return (
        row.cell,
        figure(times.count, str),
        figure(len(runs), str),
        *(figure(value, milliseconds, scale=1e3, ends=ends) for value, ends in claimed),
        figure(times.p50, milliseconds, scale=1e3, ends=item.process_p50_s) if item.process_p50_s else missing(),
        *((_ms(percentiles(inside).p50),) if on_device else ()),
        _ms(item.load_s),
        _ms(median(first) if first else None),
        words(item.executed or "the runtime does not tell"),
    )


def _end_to_end(row: Row, stages: Sequence[str]) -> tuple[Cell, ...]:
    item = row.summary
    return (
        row.cell,
        figure(item.end_to_end_s.count, str),
        _ms(item.end_to_end_s.p50),
        _ms(item.end_to_end_s.p90),
        *(_ms(item.stages_s.get(stage)) for stage in stages),
    )


def _memory(row: Row, on_gpu: bool) -> tuple[Cell, ...]:
    table = row.summary.memory
    counts = (table.parameters_deployed, table.parameters_paper)
    device = (_mb(table.device_bytes) if row.summary.on_gpu else words("none"),) if on_gpu else ()
    return (
        row.cell,
        *(figure(count, lambda value: millions(int(value)), scale=1e-6) for count in counts),
        *(_mb(value) for value in (table.file_bytes, table.weights_bytes, table.activations_bytes)),
        *(_mb(value) for value in (table.library_bytes, row.summary.base_bytes)),
        *(_mb(value) for value in (table.peak_bytes, table.pss_bytes)),
        *device,
        _budget(table.budget),
    )


def _budget(budget: Budget | None) -> Cell:
    if budget is None:
        return missing("none named")
    verdict = "fits" if budget.fits else "does not fit"
    cell = figure(budget.limit_bytes, lambda value: megabytes(int(value)), verdict, scale=1e-6)
    return Cell(**{**vars(cell), "mood": "good" if budget.fits else "bad"})


def _ms(value_s: float | None) -> Cell:
    return figure(value_s, milliseconds, scale=1e3)


def _mb(value_bytes: int | None) -> Cell:
    return figure(value_bytes, lambda value: megabytes(int(value)), scale=1e-6)

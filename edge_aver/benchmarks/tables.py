"""Results as a table on the screen, readable at 80 columns."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge_aver.benchmarks.advice import advise_results
from edge_aver.benchmarks.condition_tables import print_conditions
from edge_aver.benchmarks.detail import detail_lines
from edge_aver.benchmarks.formats import NOT_MEASURED, megabytes, millions, milliseconds, percent
from edge_aver.benchmarks.front_end_tables import print_front_end
from edge_aver.benchmarks.results import Result
from edge_aver.benchmarks.sensors import describe_sensors
from edge_aver.benchmarks.stats import minimum_queries
from edge_aver.benchmarks.summary import Summary, provenance_notes, summarize

__all__ = ["print_results", "result_table"]


def print_results(console: Console, results: Sequence[Result]) -> None:
    """Print the table, then every note and reason that belongs to it.

    Args:
        console: where to; standard output for a command.
        results: as `run_benchmark` returned them or `latest_results` read them.
    """
    summaries = [summarize(result) for result in results]
    if networks := [summary for summary in summaries if summary.front_end is None]:
        console.print(result_table(networks))
        console.print()
        print_conditions(console, networks)
    for summary in summaries:
        if summary.front_end is not None:
            print_front_end(console, summary, summary.front_end)
    for line in _remarks(summaries):
        console.print(line)
    for advice in advise_results(results):
        console.print(Text(str(advice), style="bold"))


def result_table(summaries: Sequence[Summary]) -> Table:
    """One row an artifact: accuracy with its 95 % interval, sizes, memory and latencies."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 1, 0), show_edge=False)
    for title in ("Artifact", "Accuracy", "Size, memory", "Latency, ms"):
        table.add_column(title, overflow="fold")
    for summary in summaries:
        cells = (_accuracy, _sizes, _latency)
        table.add_row(_artifact(summary), *(Text("\n".join(cell(summary))) for cell in cells))
    return table


def _artifact(summary: Summary) -> Text:
    status = ("INVALID", "bold red") if summary.invalid else ("VALID", "bold green")
    executed = f"\nran {summary.executed}" if summary.executed else ""
    return Text.assemble(
        (summary.name, "bold"), " ", status, f"\n{summary.result.artifact.target}\n{summary.origin}{executed}"
    )


def _accuracy(summary: Summary) -> list[str]:
    accuracy = summary.accuracy
    if accuracy is None:
        return [NOT_MEASURED]
    interval = accuracy.interval_95
    return [
        f"{percent(accuracy.rate)} %",
        f"{percent(interval.low)} to {percent(interval.high)}",
        f"{accuracy.correct}/{accuracy.total} clips",
    ]


def _sizes(summary: Summary) -> list[str]:
    peak = summary.peak_bytes
    lines = [f"{megabytes(summary.result.artifact.size_bytes)} MB file"]
    if parameters := summary.result.spec.parameters:
        lines.append(f"{millions(parameters.deployed)} M deployed")
        if summary.result.spec.network is None:
            lines.append(f"{millions(parameters.paper)} M by paper")
    lines.append(f"peak RSS {megabytes(peak)}" + (" MB" if peak else ""))
    if summary.on_gpu:
        device = summary.device_memory_bytes
        lines.append(f"device memory {megabytes(device)}" + (" MB" if device is not None else ""))
    return lines


def _latency(summary: Summary) -> list[str]:
    network, end_to_end = summary.network_s, summary.end_to_end_s
    named = {"p50": network.p50, "p90": network.p90, "p99": network.p99}
    lines = [f"network {name} {milliseconds(value)}" for name, value in named.items()]
    lines = lines if network.count else [f"network {NOT_MEASURED}"]
    return [*lines, f"end to end p50 {milliseconds(end_to_end.p50)}"]


def _counts(summary: Summary) -> str:
    runs = len(summary.result.network)
    return (
        f"{summary.network_s.count} network queries in {runs} process{'es' if runs != 1 else ''},"
        f" {summary.end_to_end_s.count} clips end to end"
    )


def _remarks(summaries: Sequence[Summary]) -> list[Text]:
    lines = [Text(note, style="bold yellow") for note in provenance_notes(summary.result for summary in summaries)]
    if any(summary.front_end is None for summary in summaries):
        lines.append(_reading(summaries))
    for summary in summaries:
        where = f"{summary.name} on {summary.result.artifact.target}"
        if summary.front_end is None:
            lines += [Text(where, style="bold"), *(Text(f"  {line}") for line in detail_lines(summary))]
        lines += [Text(f"INVALID, {where}: {reason}") for reason in summary.invalid]
        lines += [Text(f"Not measured, {where}: {reason}") for reason in summary.missing]
        if summary.result.sensors is not None:
            lines.append(Text(f"{where}: {describe_sensors(summary.result.sensors)}"))
    return lines


def _reading(summaries: Sequence[Summary]) -> Text:
    """How to read the table."""
    return Text(
        "Accuracy with its 95 % Wilson interval. Latency of one clip at a time: "
        + ("; ".join(dict.fromkeys(_counts(item) for item in summaries if item.network_s.count)) or NOT_MEASURED)
        + f". A percentile is claimed from {minimum_queries(0.5)} (p50), {minimum_queries(0.9)} (p90) or"
        f" {minimum_queries(0.99)} (p99) queries."
    )

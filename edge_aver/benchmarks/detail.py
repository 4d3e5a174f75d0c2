"""What a result tells beyond its row in the table, as lines of text: every figure, or that it was not measured."""

from collections.abc import Iterator

from edge_aver.benchmarks.energy import Energy
from edge_aver.benchmarks.formats import NOT_MEASURED, megabytes, millions, milliseconds, percent
from edge_aver.benchmarks.stats import Interval
from edge_aver.benchmarks.summary import Summary

__all__ = ["detail_lines"]


def detail_lines(summary: Summary) -> tuple[str, ...]:
    """Latencies with intervals, throughput, overhead, memory, energy and calibration of one result."""
    return (
        *_latencies(summary),
        _throughput(summary),
        *_overheads(summary),
        *_memory(summary),
        f"energy: {'; '.join(map(_joules, summary.energy)) or NOT_MEASURED}",
        *_accuracy(summary),
    )


def _latencies(summary: Summary) -> Iterator[str]:
    network = summary.network_s
    named = (
        ("p50", network.p50, network.p50_interval),
        ("p90", network.p90, network.p90_interval),
        ("p99", network.p99, network.p99_interval),
    )
    told = ", ".join(f"{name} {_with_ends(value, ends)}" for name, value, ends in named)
    yield f"network with copies to and from the device, ms: {told}"
    if summary.on_gpu:
        yield f"network alone, ms: p50 {milliseconds(summary.compute_s.p50)}, p90 {milliseconds(summary.compute_s.p90)}"
    else:
        yield "network alone: the same, since a CPU copies nothing"
    first = summary.first_answer_s
    told = NOT_MEASURED
    if first is not None:
        told = f"{milliseconds(first[0])} ms ({milliseconds(first[1].low)} to {milliseconds(first[1].high)})"
    yield f"first answer of a fresh process, loading clips left out: {told}"


def _throughput(summary: Summary) -> str:
    single = summary.network_s
    runs = summary.result.network
    seconds = sum(value for run in runs for value in run.latency_s)
    told = f"{single.count / seconds:.2f} one at a time" if seconds else f"one at a time {NOT_MEASURED}"
    offline = ", ".join(
        f"{item.clips_per_s:.2f} in batches of {item.batch} by {item.callers} caller{'s' if item.callers != 1 else ''}"
        for item in summary.throughput
    )
    return f"clips a second: {told}; offline {offline or NOT_MEASURED}"


def _overheads(summary: Summary) -> Iterator[str]:
    if summary.result.suite.overhead is None:
        return
    if not summary.overheads:
        yield f"overhead: {NOT_MEASURED}"
    for item in summary.overheads:
        ends, over = item.ratio.interval, item.ratio.over
        limit = "" if item.limit is None else f"; at most {item.limit:g}: {item.verdict}"
        figure = f"{item.ratio.value:.3f} times (95 % {ends.low:.3f} to {ends.high:.3f}, over {over})"
        yield f"overhead, our latency over {item.other}: {figure}{limit}"


def _memory(summary: Summary) -> Iterator[str]:
    table = summary.memory
    by_paper = f"{millions(table.parameters_paper)} M by paper, " if summary.result.spec.network is None else ""
    yield f"parameters: {by_paper}{millions(table.parameters_deployed)} M deployed"
    parts = (
        ("files", table.file_bytes),
        ("library", table.library_bytes),
        ("weights resident", table.weights_bytes),
        ("activations", table.activations_bytes),
        ("peak RSS", table.peak_bytes),
        ("PSS", table.pss_bytes),
    )
    told = ", ".join(f"{name} {megabytes(value)}" for name, value in parts)
    device = f", device memory {megabytes(table.device_bytes)}" if summary.on_gpu else ""
    yield f"memory, MB: {told}{device}"
    if table.budget is not None:
        limit = f"the {table.budget.limit_bytes / 1e6:g} MB that {summary.result.artifact.target} allows a model"
        yield f"files of {megabytes(table.file_bytes)} MB {'fit' if table.budget.fits else 'DO NOT FIT'} {limit}"


def _joules(energy: Energy) -> str:
    ends = energy.interval
    told = f"95 % {ends.low:.3g} to {ends.high:.3g}" if ends else "one process, no interval"
    return f"{energy.joules:.3g} J a clip ({told}) of {energy.of}"


def _accuracy(summary: Summary) -> Iterator[str]:
    accuracy, calibration = summary.accuracy, summary.calibration
    if accuracy is None or calibration is None:
        yield f"calibration error, accuracy by emotion: {NOT_MEASURED}"
        return
    ends = accuracy.interval_98
    yield f"accuracy {percent(accuracy.rate)} % (98 % {percent(ends.low)} to {percent(ends.high)})"
    yield (
        f"calibration error {percent(calibration.error)} points: mean confidence"
        f" {percent(calibration.confidence)} %, {accuracy.total} clips in {len(calibration.bins)} bins"
    )
    yield "by emotion: " + ", ".join(
        f"{item.label} {item.correct}/{item.total}"
        f" ({percent(item.interval_95.low)} to {percent(item.interval_95.high)} %)"
        for item in accuracy.by_label
    )


def _with_ends(value: float | None, ends: Interval | None) -> str:
    told = f" ({milliseconds(ends.low)} to {milliseconds(ends.high)})" if value is not None and ends else ""
    return milliseconds(value) + told

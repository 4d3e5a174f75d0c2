"""Whether a result may be relied on: VALID, or INVALID with every reason."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from statistics import median

from edge_aver.benchmarks.drift import Trend, trend_of
from edge_aver.benchmarks.readings import Reading
from edge_aver.benchmarks.results import Result
from edge_aver.benchmarks.sensors import SensorLog
from edge_aver.benchmarks.stats import percentile

__all__ = ["invalid_reasons"]

_OTHERS_SHARE = 0.10
"""Of all processor time during the queries, what other processes may use; a person's idle desktop stays below."""

_STOLEN_SHARE = 0.05
"""The same for the hypervisor."""

_DRIFT, _CHANCE = 0.10, 0.001
"""A drift of latency counts from this share of its median on, where chance explains it less often than that."""

_CLOCK_FALL = 0.10
"""Share of its clock that a processor may lose between the first query and the last."""

_JUMP_S, _JUMP_SHARE = 0.1, 0.001
"""How far the clock that people set may leave the one that never jumps; time servers steer by less than 0.0005."""

_FAULTS = 10
"""Pages that a process may wait for a disk for: libraries load a few parts late."""

_FEWEST_SAMPLES = 6


def invalid_reasons(result: Result) -> tuple[str, ...]:
    """Why `result` is INVALID, one sentence a reason; () where it is VALID.

    Rules follow MLPerf: at least the suite's queries and duration, on a machine that was not busy with other work and
    did not change meanwhile. They are applied to the facts whenever a result is read; a fact that it lacks (schema 1
    has no readings) is no reason. What could not be measured at all (media not at hand) is missing, not invalid.
    """
    pairs = [(run.before, run.after) for run in result.network if run.before and run.after]
    return (
        *_failures(result),
        *_too_little(result),
        *_busy(result),
        *_drifting(result),
        *_slowed(pairs),
        *_swapping(pairs),
        *_jumped(pairs),
        *_gpu_slowed(result.sensors),
    )


def _failures(result: Result) -> Iterator[str]:
    for gap in result.gaps:
        if gap.failed:
            yield f"{gap.case.replace('_', ' ')} failed: {gap.reason}"


def _too_little(result: Result) -> Iterator[str]:
    suite = result.suite
    if result.end_to_end and len(result.end_to_end) < suite.end_to_end_clips:
        yield f"{len(result.end_to_end)} clips end to end, suite {suite.name} asks for {suite.end_to_end_clips}"
    if not result.network:
        return
    queries = sum(len(run.latency_s) for run in result.network)
    duration_s = sum(sum(run.latency_s) for run in result.network)
    if queries < suite.network_queries:
        yield f"{queries} network queries, suite {suite.name} asks for {suite.network_queries}"
    if duration_s < suite.min_duration_s:
        yield f"{duration_s:.1f} s of network queries, suite {suite.name} asks for {suite.min_duration_s:g} s"


def _busy(result: Result) -> Iterator[str]:
    uses = [run.cpu_use for run in result.network if run.cpu_use]
    uses += [run.cpu_use for run in result.throughput if run.cpu_use]
    if result.front_end is not None:
        uses += [item.cpu_use for item in result.front_end.rounds if item.cpu_use]
    others = max((use.others_share for use in uses), default=0.0)
    stolen = max((use.stolen_share for use in uses), default=0.0)
    if others > _OTHERS_SHARE:
        yield f"a busy machine: other processes used {others:.0%} of the processors during the queries"
    if stolen > _STOLEN_SHARE:
        yield f"a busy host: {stolen:.0%} of the processor time was taken from this virtual machine"


@lru_cache(maxsize=1024)
def _trend_of_run(latency_s: tuple[float, ...]) -> Trend | None:
    """A report asks for it several times of each process."""
    return trend_of(latency_s)


def _drifting(result: Result) -> Iterator[str]:
    """Within the processes, and from one process to the next."""
    within = [trend for run in result.network if (trend := _trend_of_run(run.latency_s))]
    medians = [percentile(run.latency_s, 0.5) for run in result.network if run.latency_s]
    between = [trend for trend in (trend_of(medians),) if trend]
    for trends, where in ((within, "within a process"), (between, "from the first process to the last")):
        changes = [item.change for item in trends if item.p < _CHANCE and abs(item.change) > _DRIFT]
        if changes:
            worst = max(changes, key=abs)
            told = "rose" if worst > 0 else "fell"
            yield f"drift: latency {told} by {abs(worst):.0%} {where} (heat, a clock that changed, or other work)"


def _slowed(pairs: Sequence[tuple[Reading, Reading]]) -> Iterator[str]:
    clocks = [(a.cpu_mhz, b.cpu_mhz) for a, b in pairs if a.cpu_mhz and b.cpu_mhz]
    if clocks:
        first, last = min(clocks, key=lambda item: item[1] / item[0])
        if last < (1 - _CLOCK_FALL) * first:
            yield f"the processor's clock fell from {first:,.0f} to {last:,.0f} MHz during the queries"
    throttled = sum(b.throttled - a.throttled for a, b in pairs if a.throttled is not None and b.throttled is not None)
    if throttled > 0:
        yield f"heat: the processor throttled {throttled} time{'s' if throttled != 1 else ''} during the queries"


def _swapping(pairs: Sequence[tuple[Reading, Reading]]) -> Iterator[str]:
    pages = sum(
        b.swapped_in_pages - a.swapped_in_pages
        for a, b in pairs
        if a.swapped_in_pages is not None and b.swapped_in_pages is not None
    )
    if pages > 0:
        yield f"swapping: {pages:,} pages were read back from swap during the queries"
    faults = [
        b.major_faults - a.major_faults for a, b in pairs if a.major_faults is not None and b.major_faults is not None
    ]
    if max(faults, default=0) > _FAULTS:
        yield f"memory: a process waited for a disk {max(faults):,} times during its queries"


def _jumped(pairs: Sequence[tuple[Reading, Reading]]) -> Iterator[str]:
    for before, after in pairs:
        steady_s, told_s = after.monotonic_s - before.monotonic_s, after.wall_s - before.wall_s
        if abs(told_s - steady_s) > _JUMP_S + _JUMP_SHARE * steady_s:
            yield f"the clock jumped by {told_s - steady_s:+.1f} s during the queries"
            return


def _gpu_slowed(log: SensorLog | None) -> Iterator[str]:
    """The GPU's clock while queries were asked, the last third of each process against its first."""
    if log is None:
        return
    for name in ("gpu", "sm"):
        for span in log.spans:
            clocks = [item.clock_mhz[name] for item in span.of(log.samples) if name in item.clock_mhz]
            third = len(clocks) // 3
            if len(clocks) < _FEWEST_SAMPLES or not median(clocks[:third]):
                continue
            first, last = median(clocks[:third]), median(clocks[-third:])
            if last < (1 - _CLOCK_FALL) * first:
                yield f"the GPU's clock fell from {first:,.0f} to {last:,.0f} MHz during the queries"
                return

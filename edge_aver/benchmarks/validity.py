"""Whether a result may be relied on: VALID, or INVALID with every reason."""

from collections.abc import Iterator

from edge_aver.benchmarks.results import Result

__all__ = ["invalid_reasons"]

_OTHERS_SHARE = 0.10
"""Of all processor time during the queries, what other processes may use; a person's idle desktop stays below."""

_STOLEN_SHARE = 0.05
"""The same for the hypervisor."""


def invalid_reasons(result: Result) -> tuple[str, ...]:
    """Why `result` is INVALID, one sentence a reason; () where it is VALID.

    Rules follow MLPerf: at least the suite's queries and duration, on a machine that was not busy with other work.
    What could not be measured at all (media not at hand) is missing, not invalid.
    """
    return (*_failures(result), *_too_little(result), *_busy(result))


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
    if result.front_end is not None:
        uses += [item.cpu_use for item in result.front_end.rounds if item.cpu_use]
    others = max((use.others_share for use in uses), default=0.0)
    stolen = max((use.stolen_share for use in uses), default=0.0)
    if others > _OTHERS_SHARE:
        yield f"a busy machine: other processes used {others:.0%} of the processors during the queries"
    if stolen > _STOLEN_SHARE:
        yield f"a busy host: {stolen:.0%} of the processor time was taken from this virtual machine"

"""Joules a clip, where the device tells them: counters of the processor, or readings of a module's or GPU's power."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, mean, stdev

from edge_aver.benchmarks.paired_stats import LEVEL, student_t
from edge_aver.benchmarks.readings import energy_between
from edge_aver.benchmarks.results import Result
from edge_aver.benchmarks.sensors import INPUT_RAILS, QuerySpan, SensorLog
from edge_aver.benchmarks.stats import Interval

__all__ = ["Energy", "energy_of"]

_FEWEST_SAMPLES = 2


@dataclass(frozen=True, kw_only=True)
class Energy:
    """Energy of one clip, everything that the part used included, idle power too.

    Attributes:
        joules: mean over processes.
        interval: of that mean at 95 %, by Student's t over processes; None with one process.
        of: the part that was measured (`processor packages (RAPL)`, `VDD_IN (tegrastats)`, `gpu (nvidia-smi)`).
        processes: that could be measured.
    """

    joules: float
    interval: Interval | None
    of: str
    processes: int


def energy_of(result: Result) -> tuple[Energy, ...]:
    """What the device told of a result's network queries, one entry a part; () where it told nothing."""
    found = [_estimate(_by_counters(result), "processor packages (RAPL)")]
    if result.sensors is not None:
        log = result.sensors
        rail = next((name for name in (*INPUT_RAILS, "gpu") if any(name in s.power_w for s in log.samples)), None)
        if rail is not None:
            joules = [value for span in log.spans if (value := _by_power(log, span, rail)) is not None]
            found.append(_estimate(joules, f"{rail} ({log.source})"))
    return tuple(item for item in found if item is not None)


def _by_counters(result: Result) -> list[float]:
    joules = []
    for run in result.network:
        if run.before and run.after and run.latency_s:
            used = energy_between(run.before, run.after)
            if used is not None:
                joules.append(used / len(run.latency_s))
    return joules


def _by_power(log: SensorLog, span: QuerySpan, rail: str) -> float | None:
    """Mean power while a process asked, times its time, over its queries; None with fewer than two readings."""
    watts = [item.power_w[rail] for item in span.of(log.samples) if rail in item.power_w]
    if len(watts) < _FEWEST_SAMPLES or not span.queries:
        return None
    return fmean(watts) * (span.end_s - span.start_s) / span.queries


def _estimate(joules: Sequence[float], of: str) -> Energy | None:
    if not joules:
        return None
    interval = None
    if len(joules) > 1:
        reach = student_t(0.5 + LEVEL / 2, len(joules) - 1) * stdev(joules) / len(joules) ** 0.5
        interval = Interval(low=max(0.0, mean(joules) - reach), high=mean(joules) + reach)
    return Energy(joules=mean(joules), interval=interval, of=of, processes=len(joules))

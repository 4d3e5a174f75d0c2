"""How many times as long B takes as A, and whether that is within a tolerance: PASS, FAIL or INCONCLUSIVE."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, median, stdev

from edge_aver.benchmarks.decision import INCONCLUSIVE, decide
from edge_aver.benchmarks.front_end_results import EndToEndQuery
from edge_aver.benchmarks.machine import TIMING_FIELDS
from edge_aver.benchmarks.paired_stats import LEVEL, student_t
from edge_aver.benchmarks.results import Result, read_result
from edge_aver.benchmarks.speed import speedup_of_runs
from edge_aver.benchmarks.stats import Interval, bootstrap_mean
from edge_aver.benchmarks.summary import provenance_notes
from edge_aver.benchmarks.validity import invalid_reasons
from edge_aver.benchmarks.verdict import stop_unless_passed
from edge_aver.errors import ComparisonError

__all__ = ["DEFAULT_TOLERANCE", "Ratio", "SpeedVerdict", "check_speed_gate", "compare_speed", "judge_speed"]

DEFAULT_TOLERANCE = 5.0
"""Percent."""

_RUN_TO_RUN = 0.02
"""Half the width, in logarithms, of what two runs of one artifact differ by though each looks steady within: where
pages and other work happen to lie. It widens the interval of results that were not measured by turns in one run."""


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """Time of B over time of A, with its 95 % interval and what it was drawn `over`; above 1 B is the slower one.

    `single`: it comes from one process of either, which says nothing of another: nothing of it is significant.
    """

    value: float
    interval: Interval
    over: str
    single: bool = False

    @property
    def significant(self) -> bool:
        """Whether the interval leaves out 1."""
        return not (self.single or self.interval.low <= 1 <= self.interval.high)


@dataclass(frozen=True, kw_only=True)
class SpeedVerdict:
    """The comparison of B, the candidate, with A, the baseline.

    Attributes:
        a, b: what was compared.
        network: ratio of the median network latencies.
        end_to_end: ratio from file bytes to label, over the clips that both have; None where there are fewer than two.
            Processes are its unit too, each compared with the one that had the same clips; it is told, not judged.
        level: of the intervals, two-sided.
        margin: percent that B may take longer.
        interleaved: whether both were measured by turns in one run.
        verdict: PASS where the interval of `network` lies below 1 + margin, FAIL where above, else INCONCLUSIVE.
        remarks: what a reader must know of this comparison.
        invalid: why a result behind it is INVALID; () where none is.
        note: what must be said wherever figures of these clips are shown; None where nothing must.
    """

    a: str
    b: str
    network: Ratio
    end_to_end: Ratio | None
    level: float
    margin: float
    interleaved: bool
    verdict: str
    remarks: tuple[str, ...] = ()
    invalid: tuple[str, ...] = ()
    note: str | None = None


def compare_speed(a: Path, b: Path, *, margin: float = DEFAULT_TOLERANCE) -> SpeedVerdict:
    """Compare the latencies in two results.

    Args:
        a: the baseline's file.
        b: the candidate's.
        margin: percent that B may take longer, above 0 and below 100.

    Raises:
        ArtifactError: a result that cannot be read or was changed.
        ComparisonError: no results, results that do not compare, or an impossible margin.
    """
    if not 0 < margin < 100:
        raise ComparisonError(f"a margin of {margin:g} percent; expected more than 0 and less than 100")
    for path in (a, b):
        if path.suffix != ".json":
            raise ComparisonError(f"{path}: speed is compared between two results (*.json) of edge-aver benchmark")
    return judge_speed(read_result(a), read_result(b), margin=margin)


def judge_speed(a: Result, b: Result, *, margin: float) -> SpeedVerdict:
    """As `compare_speed`, for two results that were read.

    The ratio does not depend on how fast the machine is, as long as it is the same one for both. Processes are the
    unit (`speed.speedup_of_runs`); results of two runs get a wider interval, by what runs differ in though nothing
    changed.
    """
    _check_comparable(a, b)
    turned = speedup_of_runs(b.network, a.network)
    if turned is None:
        raise ComparisonError("A and B do not both hold network latencies; benchmark both with one suite")
    interleaved = a.started_utc == b.started_utc
    ends = turned.interval if interleaved else _widened(turned.value, turned.interval)
    single = min(len(a.network), len(b.network)) < 2
    network = Ratio(value=turned.value, interval=ends, over=turned.over, single=single)
    return SpeedVerdict(
        a=_name(a),
        b=_name(b),
        network=network,
        end_to_end=_end_to_end(a.end_to_end, b.end_to_end, interleaved=interleaved),
        level=LEVEL,
        margin=margin,
        interleaved=interleaved,
        verdict=INCONCLUSIVE if single else decide(ends, 1 + margin / 100),
        remarks=tuple(_remarks(a, b, single=single, interleaved=interleaved)),
        invalid=tuple(f"{letter}, {why}" for letter, item in (("A", a), ("B", b)) for why in invalid_reasons(item)),
        note=" ".join(provenance_notes([a, b])) or None,
    )


def check_speed_gate(verdict: SpeedVerdict) -> None:
    """Let a PASS through and stop everything else.

    Raises:
        VerdictError: FAIL.
        UndecidedError: INCONCLUSIVE, or a result behind it is INVALID.
    """
    ends = verdict.network.interval
    told = f"B takes {verdict.network.value:.3f} times as long as A (95 % {ends.low:.3f} to {ends.high:.3f})"
    stop_unless_passed(
        "speed",
        verdict.verdict,
        verdict.invalid,
        failed=f"{told}, beyond the tolerance of {verdict.margin:g} %",
        undecided=f"at a tolerance of {verdict.margin:g} %: {told}; measure more processes, by turns in one run",
    )


def _widened(value: float, ends: Interval) -> Interval:
    """Both sources of error are independent: their squares add up, on the logarithm's scale."""
    low, high = (math.hypot(math.log(value / end), _RUN_TO_RUN) for end in (ends.low, ends.high))
    return Interval(low=value * math.exp(-low), high=value * math.exp(high))


def _end_to_end(first: Sequence[EndToEndQuery], second: Sequence[EndToEndQuery], *, interleaved: bool) -> Ratio | None:
    ours, theirs = _by_clip(first), _by_clip(second)
    ratios: dict[int, list[float]] = {}
    for (process, clip), seconds in ours.items():
        if (process, clip) in theirs:
            ratios.setdefault(process, []).append(theirs[process, clip] / seconds)
    count = sum(map(len, ratios.values()))
    if count < 2:
        return None
    if len(ratios) < 2:
        estimate = bootstrap_mean(next(iter(ratios.values())))
        over = f"{count} clips, one process of either"
        return Ratio(value=estimate.value, interval=estimate.interval, over=over, single=True)
    logs = [fmean(map(math.log, values)) for values in ratios.values()]
    reach = student_t(0.5 + LEVEL / 2, len(logs) - 1) * stdev(logs) / math.sqrt(len(logs))
    low, value, high = (math.exp(fmean(logs) + offset) for offset in (-reach, 0.0, reach))
    ends = Interval(low=low, high=high)
    return Ratio(
        value=value,
        interval=ends if interleaved else _widened(value, ends),
        over=f"{count} clips, {len(logs)} processes of either",
    )


def _by_clip(queries: Iterable[EndToEndQuery]) -> Mapping[tuple[int, str], float]:
    """Seconds of each clip in each process."""
    clips: dict[tuple[int, str], list[float]] = {}
    for query in queries:
        clips.setdefault((query.process, query.id), []).append(query.total_s)
    return {key: median(times) for key, times in clips.items()}


def _check_comparable(a: Result, b: Result) -> None:
    """Refuse what differs in more than the artifact's speed; the first difference is named."""
    if (a.started_utc, a.artifact) == (b.started_utc, b.artifact):
        raise ComparisonError("A and B are one and the same result; compare needs two")
    for what, one, other in _differences(a, b):
        if one != other:
            raise ComparisonError(
                f"A and B are not comparable in speed: {what} {_told(one)} in A, {_told(other)} in B; measure both on"
                " one machine with one suite"
            )


def _differences(a: Result, b: Result) -> Iterator[tuple[str, object, object]]:
    yield "schema version", a.schema_version, b.schema_version
    yield "target", a.artifact.target, b.artifact.target
    for field in TIMING_FIELDS:
        yield f"machine: {field.replace('_', ' ')}", getattr(a.machine, field), getattr(b.machine, field)
    for field in ("architecture", "corpus", "fold"):
        yield f"network: {field}", getattr(a.spec, field), getattr(b.spec, field)
    ours, theirs = asdict(a.suite), asdict(b.suite)
    yield "suite", a.suite.name, b.suite.name
    for field in ours:
        yield f"suite {a.suite.name}: {field}", ours[field], theirs[field]
    yield "threads", a.threads, b.threads
    yield "clips asked (SHA-256)", _asked(a), _asked(b)
    if a.predictions and b.predictions:
        yield "test clips (SHA-256)", _labelled(a), _labelled(b)


def _asked(result: Result) -> list[str]:
    return sorted({clip for run in result.network for clip in run.clips})


def _labelled(result: Result) -> list[str]:
    return sorted(item.tensors_sha256 for item in result.predictions)


def _told(value: object) -> str:
    """Of a long list only how it begins."""
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _remarks(a: Result, b: Result, *, single: bool, interleaved: bool) -> Iterator[str]:
    if single:
        yield "One process says nothing of others: no verdict but INCONCLUSIVE."
    if not interleaved:
        yield f"Measured in two runs: the interval is wider by what runs differ in, {100 * _RUN_TO_RUN:g} %."
    if a.artifact.precision != b.artifact.precision:
        yield f"A is {a.artifact.precision}, B is {b.artifact.precision}."
    if a.artifact.files == b.artifact.files:
        yield "A and B are the same files."
    changed = [
        f"{name} {a.tool_versions.get(name, 'not installed')} in A, {b.tool_versions.get(name, 'not installed')} in B"
        for name in sorted(a.tool_versions.keys() | b.tool_versions.keys())
        if a.tool_versions.get(name) != b.tool_versions.get(name)
    ]
    if changed:
        yield f"Versions differ: {'; '.join(changed)}."


def _name(result: Result) -> str:
    spec, artifact = result.spec, result.artifact
    return (
        f"{spec.architecture} {artifact.precision} on {artifact.target}, {spec.corpus} fold {spec.fold},"
        f" suite {result.suite.name}, {result.started_utc}"
    )

"""Figures of front ends, each against what it has to reach: PASS, FAIL, or not measured."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from edge_aver.benchmarks.agreement import Agreement
from edge_aver.benchmarks.formats import NOT_MEASURED
from edge_aver.benchmarks.front_end_results import OURS, REFERENCES, EndToEndQuery, FrontEndMeasurements
from edge_aver.benchmarks.stats import Estimate, bootstrap_mean
from edge_aver.benchmarks.suites import FrontEndLimits

__all__ = ["STACK_NAMES", "Check", "front_end_checks"]

STACK_NAMES = {
    OURS: "ours",
    "reference_together": "reference, all frames in one call",
    "reference_singly": "reference, frame by frame",
}
"""How people read the names of stacks."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """A figure and what it has to reach.

    Attributes:
        what: is measured.
        value, limit: as people read them.
        detail: interval, counts, or the figure of the other way to measure it.
        passed: whether the limit is kept; None where it was not measured.
    """

    what: str
    value: str
    limit: str
    detail: str
    passed: bool | None

    @property
    def verdict(self) -> str:
        """PASS, FAIL, or "not measured"."""
        return NOT_MEASURED if self.passed is None else "PASS" if self.passed else "FAIL"


def front_end_checks(
    measured: FrontEndMeasurements, agreement: Agreement | None, limits: FrontEndLimits, window_s: float
) -> tuple[Check, ...]:
    """Every figure that has a limit.

    Args:
        measured: the raw values.
        agreement: of both front ends; None where they were not compared.
        limits: of the suite.
        window_s: length of a window, which the real-time factor refers to.
    """
    return (
        *_speed_checks(_Times(measured), limits, window_s),
        *_process_checks(measured, limits),
        *_agreement_checks(agreement, limits),
    )


class _Times:
    """Medians over rounds, clip by clip."""

    def __init__(self, measured: FrontEndMeasurements) -> None:
        self.queries: dict[str, list[EndToEndQuery]] = defaultdict(list)
        for item in measured.rounds:
            self.queries[item.stack] += item.queries

    def of(self, stack: str, figure: Callable[[EndToEndQuery], float]) -> dict[str, float]:
        """Median of a figure over rounds, by clip."""
        by_clip = defaultdict(list)
        for query in self.queries[stack]:
            by_clip[query.id].append(figure(query))
        return {clip: median(values) for clip, values in by_clip.items()}

    def ours(self, figure: Callable[[EndToEndQuery], float]) -> Estimate | None:
        """Our figure over all clips."""
        return _estimate(list(self.of(OURS, figure).values()))

    def ratios(self, figure: Callable[[EndToEndQuery], float]) -> list[tuple[str, Estimate]]:
        """The reference's figure over ours, for each way to call it, the faster reference first."""
        ours, found = self.of(OURS, figure), []
        for name in REFERENCES:
            theirs = self.of(name, figure)
            shared = [theirs[clip] / ours[clip] for clip in sorted(theirs.keys() & ours.keys()) if ours[clip] > 0]
            if (estimate := _estimate(shared)) is not None:
                found.append((STACK_NAMES[name], estimate))
        return sorted(found, key=lambda item: item[1].value)


def _total(query: EndToEndQuery) -> float:
    return query.total_s


def _faces(query: EndToEndQuery) -> float:
    return query.stages_s.get("faces", 0.0)


def _over_decode_and_network(query: EndToEndQuery) -> float:
    return query.total_s / max(1e-9, query.stages_s.get("decode", 0.0) + query.stages_s.get("network", 0.0))


def _estimate(values: Sequence[float]) -> Estimate | None:
    positive = [value for value in values if value > 0]
    return bootstrap_mean(positive) if positive else None


def _speed_checks(times: _Times, limits: FrontEndLimits, window_s: float) -> list[Check]:
    over = times.ours(_over_decode_and_network)
    real_time = times.ours(lambda query: query.total_s / window_s)
    return [
        _faster("end to end, times faster than the reference stack", times.ratios(_total), limits.min_speedup),
        _at_most("end to end, over decode and network alone", over, limits.max_over_decode_and_network),
        _at_most(f"real-time factor, of {window_s:g} s", real_time, limits.max_real_time_factor),
        _faster("faces, times faster than facenet-pytorch", times.ratios(_faces), limits.min_faces_speedup),
    ]


def _faster(what: str, ratios: list[tuple[str, Estimate]], limit: float) -> Check:
    """Judged against the faster reference, the harder one to beat; the other is told too."""
    if not ratios:
        return _unmeasured(what, f"≥ {limit:g}")
    (name, hardest), others = ratios[0], ratios[1:]
    told = "; ".join(f"{estimate.value:.1f} against {other}" for other, estimate in others)
    detail = f"{_interval(hardest, 1)}, against {name}" + (f"; {told}" if told else "")
    return Check(
        what=what, value=f"{hardest.value:.1f}", limit=f"≥ {limit:g}", detail=detail, passed=hardest.value >= limit
    )


def _at_most(what: str, estimate: Estimate | None, limit: float) -> Check:
    if estimate is None:
        return _unmeasured(what, f"≤ {limit:g}")
    passed, detail = estimate.value <= limit, _interval(estimate, 3)
    return Check(what=what, value=f"{estimate.value:.3f}", limit=f"≤ {limit:g}", detail=detail, passed=passed)


def _interval(estimate: Estimate, digits: int) -> str:
    low, high = estimate.interval.low, estimate.interval.high
    return f"{low:.{digits}f} to {high:.{digits}f} over {_counted(estimate.count, 'clip')}"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _process_checks(measured: FrontEndMeasurements, limits: FrontEndLimits) -> list[Check]:
    runs = measured.fresh_runs
    walls = sorted(run.wall_s for run in runs)
    peaks = [run.peak_bytes / 1e6 for run in runs if run.peak_bytes is not None]
    imported = sorted({name for run in runs for name in run.modules} & set(limits.forbidden_modules))
    count = _counted(len(runs), "run")
    names = ", ".join(limits.forbidden_modules)
    return [
        _bounded(
            "fresh process, artifact to label, s",
            median(walls) if walls else None,
            limits.max_fresh_s,
            "median of " + (f"{walls[0]:.2f} to {walls[-1]:.2f}, {count}" if walls else count),
            digits=2,
        ),
        _bounded(
            "fresh process, peak RSS, MB",
            max(peaks, default=None),
            limits.max_fresh_mb,
            f"largest of {count}",
            digits=0,
        ),
        Check(
            what="fresh process, modules it must not import",
            value=(", ".join(imported) or "none") if runs else NOT_MEASURED,
            limit="none",
            detail=f"of {names}",
            passed=not imported if runs else None,
        ),
        _scaling(measured, limits),
    ]


def _scaling(measured: FrontEndMeasurements, limits: FrontEndLimits) -> Check:
    walls: dict[int, list[float]] = defaultdict(list)
    for run in measured.prepare_runs:
        walls[run.workers].append(run.wall_s)
    what, limit = "prepare, times faster by two workers than by one", f"≥ {limits.min_prepare_scaling:g}"
    if not (walls[1] and walls[2]):
        return _unmeasured(what, limit)
    one_s, two_s = median(walls[1]), median(walls[2])
    clips = measured.prepare_runs[0].clips
    detail = f"{one_s:.1f} s over {two_s:.1f} s, medians of {_counted(len(walls[1]), 'run')}, {clips} generated clips"
    passed = one_s / two_s >= limits.min_prepare_scaling
    return Check(what=what, value=f"{one_s / two_s:.2f}", limit=limit, detail=detail, passed=passed)


def _agreement_checks(agreement: Agreement | None, limits: FrontEndLimits) -> list[Check]:
    """Boxes and decisions of both detectors in every frame; labels of every clip."""
    found, label = "same decision whether there is a face, %", "same label as with the reference front end, %"
    middle, low = "boxes, median IoU", "boxes, 5th percentile of IoU"
    bounds = {
        found: 100 * limits.min_same_found,
        middle: limits.min_median_iou,
        low: limits.min_p5_iou,
        label: 100 * limits.min_same_label,
    }
    if agreement is None:
        return [_unmeasured(what, f"≥ {limit:g}") for what, limit in bounds.items()]
    clips = _counted(agreement.clips, "clip")
    differ, both = agreement.frames - agreement.same_found, f"{len(agreement.ious):,} frames where both see a face"
    values = {
        found: (agreement.found_rate, f"{differ:,} of {agreement.frames:,} frames differ, {clips}"),
        middle: (agreement.iou(0.5), both),
        low: (agreement.iou(0.05), both),
        label: (agreement.label_rate, f"{agreement.same_labels} of {clips}"),
    }
    percents = (found, label)
    return [
        _bounded(
            what,
            value if value is None or what not in percents else 100 * value,
            bounds[what],
            detail,
            digits=2 if what in percents else 3,
            at_least=True,
        )
        for what, (value, detail) in values.items()
    ]


def _bounded(
    what: str, value: float | None, limit: float, detail: str, *, digits: int, at_least: bool = False
) -> Check:
    bound = f"{'≥' if at_least else '≤'} {limit:g}"
    if value is None:
        return _unmeasured(what, bound)
    passed = value >= limit if at_least else value <= limit
    return Check(what=what, value=f"{value:.{digits}f}", limit=bound, detail=detail, passed=passed)


def _unmeasured(what: str, limit: str) -> Check:
    return Check(what=what, value=NOT_MEASURED, limit=limit, detail="", passed=None)

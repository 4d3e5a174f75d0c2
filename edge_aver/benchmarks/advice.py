"""Which precision to ship for a target, and why: from what is known of the artifacts, and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from edge_aver.benchmarks.costs import BASELINE, judge_folds
from edge_aver.benchmarks.decision import FAIL, INCONCLUSIVE
from edge_aver.benchmarks.families import Family, families
from edge_aver.benchmarks.formats import megabytes, milliseconds, points
from edge_aver.benchmarks.results import Result
from edge_aver.benchmarks.speed import Speedup, speedup_of_runs
from edge_aver.benchmarks.stats import percentiles
from edge_aver.benchmarks.validity import invalid_reasons
from edge_aver.benchmarks.verdict import Verdict
from edge_aver.errors import ComparisonError, DeclarationError
from edge_aver.targets import load_profile

__all__ = ["Advice", "Candidate", "advise", "advise_family", "advise_results", "memory_budget"]

_WORTHWHILE = 1.05
"""The whole interval of a speed-up over fp32 must lie above this to count: below, nobody would notice."""


@dataclass(frozen=True, kw_only=True)
class Advice:
    """What to ship.

    Attributes:
        target, network: what it is about.
        precision: to ship; None where nothing can be advised.
        reason: why.
        verdict: of the accuracy of what is shipped against fp32; None where it is fp32 or was not compared.
    """

    target: str
    network: str
    precision: str | None
    reason: str
    verdict: Verdict | None = None

    def __str__(self) -> str:
        """One line for people."""
        if self.precision is None:
            return f"No advice for {self.network} on {self.target}: {self.reason}"
        return f"Ship {self.precision} of {self.network} on {self.target}: {self.reason}"


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """What is known of one precision.

    Attributes:
        precision: its name.
        size_bytes: of its files.
        parity: whether every step of its export kept its limits.
        memory_bytes: what a process with it holds at most; its files' size where that was not measured.
        latency_s: median; None where it was not measured.
        speedup: over fp32; None where it was not measured, or not soundly.
        verdict: of its accuracy against fp32; None where they were not compared.
    """

    precision: str
    size_bytes: int
    parity: bool
    memory_bytes: int
    latency_s: float | None = None
    speedup: Speedup | None = None
    verdict: Verdict | None = None


def advise(
    target: str,
    network: str,
    baseline: Candidate,
    others: Sequence[Candidate],
    *,
    budget_bytes: float | None = None,
    basis: str = "",
) -> Advice:
    """Name the precision to ship, by rules that a reader can check.

    1. A candidate must have passed parity, and its accuracy must not be FAIL against fp32 at the default margin.
       INCONCLUSIVE does not bar it: it is said, with the clips that would decide.
    2. Of these, those are faster whose interval of the speed-up over fp32 lies above 1.05 as a whole; the fastest of
       them is shipped.
    3. Where none is faster, fp32 is shipped, since anything else would cost accuracy or trust for nothing; unless a
       process with fp32 exceeds the memory budget of the device: then the candidate with the smallest file.

    Args:
        target: name of the device profile.
        network: what a reader calls the network.
        baseline: fp32.
        others: the other precisions, at least one.
        budget_bytes: of memory; None where the device has no budget.
        basis: how latency was measured, where that must be said.
    """
    eligible = [item for item in others if item.parity and not (item.verdict and item.verdict.verdict == FAIL)]
    faster = [item for item in eligible if item.speedup and item.speedup.interval.low > _WORTHWHILE]
    basis = f" ({basis})" if basis else ""

    def ship(chosen: Candidate, reason: str) -> Advice:
        return Advice(
            target=target, network=network, precision=chosen.precision, reason=reason + basis, verdict=chosen.verdict
        )

    if faster:
        chosen = max(faster, key=lambda item: item.speedup.value if item.speedup else 0.0)
        return ship(chosen, _figures(chosen, baseline))
    if budget_bytes is not None and eligible and baseline.memory_bytes > budget_bytes:
        chosen = min(eligible, key=lambda item: item.size_bytes)
        why = (
            f"fp32 takes {megabytes(baseline.memory_bytes)} MB of the {budget_bytes / 1e6:g} MB that the device allows"
        )
        return ship(chosen, f"{why}; no precision is faster; {_figures(chosen, baseline)}")
    return ship(
        baseline,
        "; ".join(f"{item.precision.upper()} is not worth it here: {_why_not(item, baseline)}" for item in others),
    )


def advise_results(results: Sequence[Result]) -> tuple[Advice, ...]:
    """Advice for every network that was measured in several precisions on a target, in the order of the results.

    What was measured over several folds is advised once: accuracy over the clips of all folds.
    """
    return tuple(advice for family in families(results) if (advice := advise_family(family)))


def advise_family(family: Family) -> Advice | None:
    """Advice for one network over its folds; None where there is only one precision, and nothing to choose.

    Where one of the results is INVALID there is no advice: neither what it says of speed nor its silence may count.
    """
    if len(family.folds[0].members) < 2:
        return None

    def none(reason: str) -> Advice:
        return Advice(target=family.target, network=family.name, precision=None, reason=reason)

    if reason := _invalid(family):
        return none(reason)
    if not family.baseline:
        return none(f"no {BASELINE} beside it to compare with")
    others = [_measured(family.baseline, results) for results in family.others]
    budget = memory_budget(family.target)
    return advise(family.target, family.name, _known(family.baseline), others, budget_bytes=budget)


def memory_budget(target: str) -> float | None:
    """Bytes that the profile of a target allows; None where it names none, or is not at hand."""
    try:
        budget_mb = load_profile(target).memory_budget_mb
    except DeclarationError:
        return None
    return None if budget_mb is None else budget_mb * 1e6


def _invalid(family: Family) -> str:
    """Which results are INVALID, and why the first of them is; "" where all are VALID."""
    found = [(item, reasons) for item in family.members if (reasons := invalid_reasons(item))]
    if not found:
        return ""
    several = len(family.folds) > 1
    names = [f"{item.artifact.precision}{f' (fold {item.spec.fold})' if several else ''}" for item, _ in found]
    told = f"the results of {', '.join(names)} are" if len(names) > 1 else f"the result of {names[0]} is"
    return f"{told} INVALID: measure again ({found[0][1][0]})"


def _measured(baseline: Sequence[Result], results: Sequence[Result]) -> Candidate:
    """One precision as a candidate, over the folds that both have."""
    try:
        verdict = judge_folds(baseline, results)
    except ComparisonError:
        verdict = None
    runs = ([run for item in side for run in item.network] for side in (baseline, results))
    return replace(_known(results), speedup=speedup_of_runs(*runs), verdict=verdict)


def _known(results: Sequence[Result]) -> Candidate:
    """What stands in the results of one precision, one a fold: the largest of sizes, the median over all queries."""
    runs = [run for item in results for run in item.network]
    size = max(item.artifact.size_bytes for item in results)
    peaks = [run.after_queries.peak_bytes for run in runs if run.after_queries]
    return Candidate(
        precision=results[0].artifact.precision,
        size_bytes=size,
        parity=all(item.parity and all(step.get("passed", False) for step in item.parity) for item in results),
        memory_bytes=max(peaks, default=size),
        latency_s=percentiles([value for run in runs for value in run.latency_s]).p50,
    )


def _why_not(item: Candidate, baseline: Candidate) -> str:
    """What bars a candidate, first, and its figures."""
    barred = "" if item.parity else "parity not passed; "
    return barred + _figures(item, baseline)


def _figures(item: Candidate, baseline: Candidate) -> str:
    return "; ".join((_speed(item, baseline), _accuracy(item), _size(item, baseline)))


def _speed(item: Candidate, baseline: Candidate) -> str:
    if item.speedup is None:
        return "its speed-up over fp32 was not measured"
    ends, over = item.speedup.interval, item.speedup.over
    told = f"{item.speedup.value:.2f} times as fast as fp32 (95 % {ends.low:.2f} to {ends.high:.2f}, over {over}"
    if item.latency_s is not None and baseline.latency_s is not None:
        told += f"; {milliseconds(item.latency_s)} against {milliseconds(baseline.latency_s)} ms"
    return told + ")"


def _accuracy(item: Candidate) -> str:
    verdict = item.verdict
    if verdict is None:
        return "accuracy not compared"
    told = f"accuracy {points(verdict.difference)} points, {verdict.verdict} at a {verdict.margin:g}-point margin"
    if verdict.verdict == INCONCLUSIVE:
        told += f": about {verdict.clips_needed:,} clips would decide"
    return told


def _size(item: Candidate, baseline: Candidate) -> str:
    return f"{megabytes(item.size_bytes)} MB instead of {megabytes(baseline.size_bytes)}"

"""Which precision to ship for a target, and why: from what is known of the artifacts, and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass

from edge_aver.benchmarks.costs import BASELINE, Network, judge_against, networks
from edge_aver.benchmarks.formats import megabytes, milliseconds, points
from edge_aver.benchmarks.results import Result
from edge_aver.benchmarks.speed import Speedup, speedup_of_runs
from edge_aver.benchmarks.summary import summarize
from edge_aver.benchmarks.validity import invalid_reasons
from edge_aver.benchmarks.verdict import FAIL, INCONCLUSIVE, Verdict
from edge_aver.errors import DeclarationError
from edge_aver.targets import load_profile

__all__ = ["Advice", "Candidate", "advise", "advise_results", "memory_budget"]

_WORTHWHILE = 1.05
"""The whole interval of a speed-up over fp32 must lie above this to count: below, nobody would notice."""


@dataclass(frozen=True, kw_only=True)
class Advice:
    """What to ship: `precision` for the `network` on the `target`, or None where nothing can be advised; why."""

    target: str
    network: str
    precision: str | None
    reason: str

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
        remark: what else a reader must know of its figures.
    """

    precision: str
    size_bytes: int
    parity: bool
    memory_bytes: int
    latency_s: float | None = None
    speedup: Speedup | None = None
    verdict: Verdict | None = None
    remark: str = ""


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
        return Advice(target=target, network=network, precision=chosen.precision, reason=reason + basis)

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
    """Advice for every network that was measured in several precisions on a target, in the order of the results."""
    return tuple(_advise_network(network) for network in networks(results) if _precisions(network) > 1)


def memory_budget(target: str) -> float | None:
    """Bytes that the profile of a target allows; None where it names none, or is not at hand."""
    try:
        budget_mb = load_profile(target).memory_budget_mb
    except DeclarationError:
        return None
    return None if budget_mb is None else budget_mb * 1e6


def _precisions(network: Network) -> int:
    return len(network.others) + (network.baseline is not None)


def _advise_network(network: Network) -> Advice:
    first = network.baseline or network.others[0]
    name = f"{first.spec.architecture}, {first.spec.corpus} fold {first.spec.fold}"
    target, baseline = first.artifact.target, network.baseline
    if baseline is None:
        return Advice(target=target, network=name, precision=None, reason=f"no {BASELINE} beside it to compare with")
    others = [_measured(baseline, result) for result in network.others]
    return advise(target, name, _known(baseline), others, budget_bytes=memory_budget(target))


def _measured(baseline: Result, result: Result) -> Candidate:
    """A result as a candidate; the speed-up counts only where both results are VALID."""
    known = _known(result)
    invalid = [item.artifact.precision for item in (baseline, result) if invalid_reasons(item)]
    return Candidate(
        **{
            **vars(known),
            "speedup": None if invalid else speedup_of_runs(baseline.network, result.network),
            "verdict": judge_against(baseline, result).verdict,
            "remark": f"the result of {' and '.join(invalid)} is INVALID: measure again" if invalid else "",
        }
    )


def _known(result: Result) -> Candidate:
    summary = summarize(result)
    return Candidate(
        precision=result.artifact.precision,
        size_bytes=result.artifact.size_bytes,
        parity=bool(result.parity) and all(step.get("passed", False) for step in result.parity),
        memory_bytes=summary.peak_bytes or result.artifact.size_bytes,
        latency_s=summary.network_s.p50,
    )


def _why_not(item: Candidate, baseline: Candidate) -> str:
    """What bars a candidate, first, and its figures."""
    barred = "" if item.parity else "parity not passed; "
    return barred + _figures(item, baseline)


def _figures(item: Candidate, baseline: Candidate) -> str:
    return "; ".join(
        part for part in (_speed(item, baseline), _accuracy(item), _size(item, baseline), item.remark) if part
    )


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

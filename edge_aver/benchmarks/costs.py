"""What each precision costs against fp32 of the same network on the same target, paired clip by clip."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edge_aver.benchmarks.conditions import BOTH
from edge_aver.benchmarks.results import Result
from edge_aver.benchmarks.sides import results_side
from edge_aver.benchmarks.verdict import DEFAULT_MARGIN, Verdict, judge
from edge_aver.errors import ComparisonError

__all__ = ["BASELINE", "Cost", "Network", "costs_of", "judge_against", "judge_folds", "networks"]

BASELINE = "fp32"
"""The precision that others are held to."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """Results of one checkpoint on one target of one machine: `baseline` in fp32, None without it, and the `others`."""

    baseline: Result | None
    others: tuple[Result, ...]

    @property
    def members(self) -> tuple[Result, ...]:
        """All of them, the baseline first."""
        return (*((self.baseline,) if self.baseline else ()), *self.others)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """One precision against fp32 under one condition: `verdict`, or None and the `reason` why they do not compare."""

    result: Result
    condition: str
    verdict: Verdict | None
    reason: str = ""


def networks(results: Iterable[Result]) -> tuple[Network, ...]:
    """Results of networks by checkpoint, target and machine, in the order in which they come.

    Of one precision the newest counts. What was measured on another machine, or in another state of it, is never held
    against the others.
    """
    groups: dict[tuple[object, ...], dict[str, Result]] = {}
    for result in results:
        if result.suite.front_end is not None:
            continue
        spec = result.spec
        network = (spec.architecture, spec.corpus, spec.fold, spec.checkpoint_sha256)
        key = (result.artifact.target, *network, result.machine.state)
        known = groups.setdefault(key, {}).get(result.artifact.precision)
        if known is None or known.started_utc < result.started_utc:
            groups[key][result.artifact.precision] = result
    return tuple(
        Network(
            baseline=group.get(BASELINE),
            others=tuple(result for precision, result in group.items() if precision != BASELINE),
        )
        for group in groups.values()
    )


def costs_of(results: Sequence[Result]) -> tuple[Cost, ...]:
    """Every precision against fp32 under every condition that both were measured under."""
    return tuple(
        judge_against(network.baseline, result, condition=condition)
        for network in networks(results)
        if network.baseline is not None
        for result in network.others
        for condition in result.predictions_by_condition
        if condition in network.baseline.predictions_by_condition
    )


def judge_against(baseline: Result, result: Result, *, condition: str = BOTH) -> Cost:
    """Compare `result` with `baseline` at the default margin."""
    try:
        verdict = judge_folds([baseline], [result], condition=condition)
    except ComparisonError as error:
        return Cost(result=result, condition=condition, verdict=None, reason=str(error))
    return Cost(result=result, condition=condition, verdict=verdict)


def judge_folds(baseline: Sequence[Result], results: Sequence[Result], *, condition: str = BOTH) -> Verdict:
    """Compare `results` with `baseline`, both pooled over folds, at the default margin.

    Raises:
        ComparisonError: they are not of the same clips, do not belong together, or hold no predictions.
    """
    first, second = (results_side(side, condition=condition) for side in (baseline, results))
    return judge(first, second, margin=DEFAULT_MARGIN)

"""What each precision costs against fp32 of the same network on the same target, paired clip by clip."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edge_aver.benchmarks.conditions import BOTH
from edge_aver.benchmarks.results import Result
from edge_aver.benchmarks.sides import result_side
from edge_aver.benchmarks.verdict import DEFAULT_MARGIN, Verdict, judge
from edge_aver.errors import ComparisonError

__all__ = ["BASELINE", "Cost", "Network", "costs_of", "judge_against", "networks"]

BASELINE = "fp32"
"""The precision that others are held to."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """Results of one checkpoint on one target: `baseline` in fp32, None where it was not measured, and the `others`."""

    baseline: Result | None
    others: tuple[Result, ...]


@dataclass(frozen=True, kw_only=True)
class Cost:
    """One precision against fp32 under one condition: `verdict`, or None and the `reason` why they do not compare."""

    result: Result
    condition: str
    verdict: Verdict | None
    reason: str = ""


def networks(results: Iterable[Result]) -> tuple[Network, ...]:
    """Results of networks by checkpoint and target, in the order in which they come; of one precision the newest."""
    groups: dict[tuple[str, str, str, int, str | None], dict[str, Result]] = {}
    for result in results:
        if result.suite.front_end is not None:
            continue
        spec = result.spec
        key = (result.artifact.target, spec.architecture, spec.corpus, spec.fold, spec.checkpoint_sha256)
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
        sides = (result_side(item, condition=condition) for item in (baseline, result))
        verdict = judge(*sides, margin=DEFAULT_MARGIN)
    except ComparisonError as error:
        return Cost(result=result, condition=condition, verdict=None, reason=str(error))
    return Cost(result=result, condition=condition, verdict=verdict)

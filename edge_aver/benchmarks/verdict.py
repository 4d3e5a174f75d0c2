"""What going from A to B cost in accuracy, and whether that is within a margin: PASS, FAIL or INCONCLUSIVE."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_aver.benchmarks.conditions import BOTH
from edge_aver.benchmarks.decision import FAIL, INCONCLUSIVE, PASS
from edge_aver.benchmarks.paired_stats import (
    FEW_ACTORS,
    LEVEL,
    Array,
    actor_interval,
    clip_interval,
    clips_needed,
    design_effect,
    mcnemar_p,
)
from edge_aver.benchmarks.pairs import Pair, pair_sides
from edge_aver.benchmarks.sides import Side, read_side
from edge_aver.benchmarks.stats import Interval, wilson_interval
from edge_aver.errors import ComparisonError, UndecidedError, VerdictError
from edge_aver.spec import LABELS

__all__ = [
    "DEFAULT_MARGIN",
    "Flips",
    "Score",
    "Verdict",
    "check_gate",
    "compare",
    "judge",
    "stop_unless_passed",
]

DEFAULT_MARGIN = 1.0
"""Percentage points."""

_SEED = 2026
_DRAWS = 10_000


@dataclass(frozen=True, kw_only=True)
class Score:
    """Accuracy of one side: a rate in [0, 1] with its Wilson intervals (paper, equation 5)."""

    correct: int
    total: int
    rate: float
    interval_95: Interval
    interval_98: Interval


@dataclass(frozen=True, kw_only=True)
class Flips:
    """Clips of `clips` that changed from A to B; `both_wrong_changed` went from one wrong label to another."""

    clips: int
    right_to_wrong: int
    wrong_to_right: int
    both_wrong_changed: int


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The comparison of B, the candidate, with A, the baseline, clip by clip.

    Rates are in [0, 1] and differences of them in [-1, 1]; `margin` alone is in percentage points, as it was given.

    Attributes:
        a, b: what was compared.
        clips, actors: pairs, folds pooled, and whose they are.
        accuracy_a, accuracy_b: of each side.
        difference: B - A.
        interval: of the difference, over actors (`paired_stats.actor_interval`); None with fewer than two.
        clip_interval: of the difference, with clips as independent (`paired_stats.clip_interval`).
        level: of both, two-sided.
        flips, flips_by_label: in total, and by true label.
        mcnemar_p: exact, two-sided, not rounded.
        margin: percentage points of accuracy that B may lose.
        verdict: PASS where both intervals lie above -margin, FAIL where both lie below, else INCONCLUSIVE.
        clips_needed: clips that would decide (`paired_stats.clips_needed`); None where it is decided.
        design_effect: how many clips of the same actors count as one independent clip.
        seed, draws: of the bootstrap.
        remarks: what a reader must know of this comparison.
        invalid: why a result behind it is INVALID; () where none is.
        note: what must be said wherever figures of these clips are shown; None where nothing must.
    """

    a: str
    b: str
    clips: int
    actors: int
    accuracy_a: Score
    accuracy_b: Score
    difference: float
    interval: Interval | None
    clip_interval: Interval
    level: float
    flips: Flips
    flips_by_label: dict[str, Flips]
    mcnemar_p: float
    margin: float
    verdict: str
    clips_needed: int | None
    design_effect: float
    seed: int
    draws: int
    remarks: tuple[str, ...] = ()
    invalid: tuple[str, ...] = ()
    note: str | None = None


def compare(a: Path, b: Path, *, margin: float = DEFAULT_MARGIN, condition: str = BOTH) -> Verdict:
    """Compare the predictions of two networks on the same clips.

    Args:
        a: the baseline: a result, a CSV file of predictions, or a folder of either (`sides.read_side`).
        b: the candidate, likewise.
        margin: percentage points that B may lose, above 0 and below 100.
        condition: which of a result's predictions to compare (`conditions`).

    Raises:
        ArtifactError: a result that cannot be read or was changed.
        MeasurementError: no such condition.
        ComparisonError: predictions that cannot be read or are not of the same clips, or an impossible margin.
    """
    if not 0 < margin < 100:
        raise ComparisonError(f"a margin of {margin:g} points; expected more than 0 and less than 100")
    return judge(read_side(a, condition=condition), read_side(b, condition=condition), margin=margin)


def judge(a: Side, b: Side, *, margin: float) -> Verdict:
    """As `compare`, for two sides that were read.

    The verdict needs two intervals to agree. The one over actors holds for other people, but it claims certainty where
    no clip changed; the one over clips holds for few flips, but takes clips of one actor as independent.
    """
    pairs = pair_sides(a, b)
    total, flips = len(pairs), _count(pairs)
    lost, won = flips.right_to_wrong, flips.wrong_to_right
    sums, clips = _by_actor(pairs)
    over_actors = actor_interval(sums, clips, draws=_DRAWS, seed=_SEED) if len(sums) > 1 else None
    over_clips = clip_interval(lost, won, total)
    verdict = _decide(over_actors, over_clips, margin / 100)
    effect = design_effect(sums, clips, lost, won)
    needed = clips_needed(lost, won, total, margin=margin / 100, effect=effect)
    return Verdict(
        a=a.name,
        b=b.name,
        clips=total,
        actors=len(sums),
        accuracy_a=_score([pair.a == pair.label for pair in pairs]),
        accuracy_b=_score([pair.b == pair.label for pair in pairs]),
        difference=(won - lost) / total,
        interval=over_actors,
        clip_interval=over_clips,
        level=LEVEL,
        flips=flips,
        flips_by_label={label: _count([pair for pair in pairs if pair.label == label]) for label in _labels(pairs)},
        mcnemar_p=mcnemar_p(lost, won),
        margin=margin,
        verdict=verdict,
        clips_needed=needed if verdict == INCONCLUSIVE else None,
        design_effect=effect,
        seed=_SEED,
        draws=_DRAWS,
        remarks=_remarks(a, b, len(sums)),
        invalid=tuple(f"{letter}, {reason}" for letter, side in (("A", a), ("B", b)) for reason in side.invalid),
        note=" ".join(dict.fromkeys((*a.notes, *b.notes))) or None,
    )


def check_gate(verdict: Verdict) -> None:
    """Let a PASS through and stop everything else.

    Raises:
        VerdictError: FAIL.
        UndecidedError: INCONCLUSIVE, or a result behind it is INVALID.
    """
    told = f"B - A is {100 * verdict.difference:+.2f} points on {verdict.clips} clips"
    stop_unless_passed(
        "accuracy",
        verdict.verdict,
        verdict.invalid,
        failed=f"{told}, a loss beyond the margin of {verdict.margin:g}",
        undecided=f"at a margin of {verdict.margin:g}: {told}; about {verdict.clips_needed or 0:,} clips would",
    )


def stop_unless_passed(gate: str, verdict: str, invalid: Sequence[str], *, failed: str, undecided: str) -> None:
    """Let a PASS on VALID results through.

    Args:
        gate: what it judges, for the message.
        verdict: PASS, FAIL or INCONCLUSIVE.
        invalid: why results behind it are INVALID.
        failed: what a FAIL is told with.
        undecided: likewise of INCONCLUSIVE.

    Raises:
        VerdictError: FAIL.
        UndecidedError: INCONCLUSIVE, or a result behind it is INVALID.
    """
    if invalid:
        raise UndecidedError(f"the {gate} gate cannot decide on an INVALID result: {invalid[0]}")
    if verdict == FAIL:
        raise VerdictError(f"the {gate} gate failed: {failed}")
    if verdict == INCONCLUSIVE:
        raise UndecidedError(f"the {gate} gate cannot decide {undecided}")


def _decide(over_actors: Interval | None, over_clips: Interval, margin: float) -> str:
    if over_actors is None:
        return INCONCLUSIVE
    if min(over_actors.low, over_clips.low) > -margin:
        return PASS
    return FAIL if max(over_actors.high, over_clips.high) < -margin else INCONCLUSIVE


def _by_actor(pairs: Sequence[Pair]) -> tuple[Array, Array]:
    """Sum of the clips' differences, and clips, of each actor, in an order that files cannot change."""
    table = {actor: [0, 0] for actor in sorted({pair.actor for pair in pairs})}
    for pair in pairs:
        table[pair.actor][0] += (pair.b == pair.label) - (pair.a == pair.label)
        table[pair.actor][1] += 1
    sums, clips = np.array(list(table.values()), dtype=np.int64).T
    return sums, clips


def _count(pairs: Sequence[Pair]) -> Flips:
    wrong = [pair for pair in pairs if pair.label not in (pair.a, pair.b)]
    return Flips(
        clips=len(pairs),
        right_to_wrong=sum(pair.a == pair.label != pair.b for pair in pairs),
        wrong_to_right=sum(pair.a != pair.label == pair.b for pair in pairs),
        both_wrong_changed=sum(pair.a != pair.b for pair in wrong),
    )


def _score(right: Sequence[bool]) -> Score:
    correct, total = sum(right), len(right)
    return Score(
        correct=correct,
        total=total,
        rate=correct / total,
        interval_95=wilson_interval(correct, total, level=0.95),
        interval_98=wilson_interval(correct, total, level=0.98),
    )


def _labels(pairs: Sequence[Pair]) -> list[str]:
    """True labels: emotions in RAVDESS order, then others by name."""
    order = {label: index for index, label in enumerate(LABELS)}
    return sorted({pair.label for pair in pairs}, key=lambda label: (order.get(label, len(order)), label))


def _remarks(a: Side, b: Side, actors: int) -> tuple[str, ...]:
    remarks = []
    if actors < 2:
        remarks.append("One actor says nothing about others: no interval over actors, and no verdict but INCONCLUSIVE.")
    elif actors < FEW_ACTORS:
        remarks.append(
            f"Only {actors} actors: the interval over them is the bootstrap's standard error times Student's t with"
            f" {actors - 1} degree{'s' if actors > 2 else ''} of freedom, and wide; pool folds to have more actors."
        )
    if a.checkpoints and b.checkpoints and a.checkpoints != b.checkpoints:
        remarks.append("A and B come from different checkpoints: they differ in more than precision.")
    return tuple(remarks)

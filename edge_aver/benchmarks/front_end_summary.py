"""The front-end part of a result as people read it: the setting, the checks, and where the time goes."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

from edge_aver.benchmarks.agreement import Agreement, agreement_of
from edge_aver.benchmarks.front_end_checks import STACK_NAMES, Check, front_end_checks
from edge_aver.benchmarks.front_end_results import STAGES, EndToEndQuery, FrontEndMeasurements
from edge_aver.benchmarks.suites import FrontEndPart
from edge_aver.spec import Preprocessing

__all__ = ["FrontEndSummary", "StackTimes", "summarize_front_end"]


@dataclass(frozen=True, kw_only=True)
class StackTimes:
    """Mean seconds of a stack over `queries` of all clips and rounds: each stage, the rest, and the total."""

    name: str
    queries: int
    stages_s: dict[str, float]
    total_s: float


@dataclass(frozen=True, kw_only=True)
class FrontEndSummary:
    """The front-end part of a result.

    Attributes:
        setting: one sentence: how many clips, whose, how large, how often.
        checks: one for each figure that has a limit.
        stacks: ours, then those of the reference that were measured.
        remarks: what a reader must know beside the figures.
    """

    setting: str
    checks: tuple[Check, ...]
    stacks: tuple[StackTimes, ...]
    remarks: tuple[str, ...]


def summarize_front_end(
    measured: FrontEndMeasurements, part: FrontEndPart, constants: Preprocessing
) -> FrontEndSummary:
    """Compute the figures of a front-end part from its raw values.

    Args:
        measured: the raw values.
        part: of the suite, with the limits.
        constants: of the clip contract: the length of a window.
    """
    agreement = agreement_of(measured.agreement)
    queries = {
        name: [query for item in measured.rounds if item.stack == name for query in item.queries]
        for name in STACK_NAMES
    }
    return FrontEndSummary(
        setting=_setting(measured, part),
        checks=front_end_checks(measured, agreement, part.limits, constants.window_s),
        stacks=tuple(_stack_times(STACK_NAMES[name], asked) for name, asked in queries.items() if asked),
        remarks=tuple(_remarks(measured, agreement, part)),
    )


def _stack_times(name: str, queries: Sequence[EndToEndQuery]) -> StackTimes:
    """Means, because stages add up to the total."""
    stages = dict.fromkeys((*STAGES, *(stage for query in queries for stage in query.stages_s)))
    stages_s = {stage: mean(query.stages_s.get(stage, 0.0) for query in queries) for stage in stages}
    total_s = mean(query.total_s for query in queries)
    stages_s["other"] = max(0.0, total_s - sum(stages_s.values()))
    return StackTimes(name=name, queries=len(queries), stages_s=stages_s, total_s=total_s)


def _setting(measured: FrontEndMeasurements, part: FrontEndPart) -> str:
    sizes = sorted({(clip.width_px, clip.height_px) for clip in measured.clips})
    shown = ", ".join(f"{width} x {height}" for width, height in sizes)
    count = len(measured.clips)
    whose = "given by hand" if measured.given else "of the fold's test actors"
    rounds = f"{part.rounds} process{'es' if part.rounds != 1 else ''}"
    return f"{count} media file{'s' if count != 1 else ''} {whose} ({shown} pixels), each stack in {rounds}"


def _remarks(measured: FrontEndMeasurements, agreement: Agreement | None, part: FrontEndPart) -> list[str]:
    lines = []
    meant_px = part.limits.height_px
    if any(clip.height_px != meant_px for clip in measured.clips):
        lines.append(
            f"The limits are meant for pictures {meant_px} pixels high; others cost the reference more or less."
        )
    if measured.given:
        lines.append(
            "The media files were given: they need not be of the network's corpus. No accuracy is claimed, only times "
            "and how far both front ends agree."
        )
    refused = {(clip, reason) for item in measured.rounds for clip, reason in item.refused.items()}
    lines += [f"Left out of the times: {clip}: {reason}" for clip, reason in sorted(refused)]
    if agreement is not None and agreement.other_labels:
        lines.append(f"Clips with another label than with the reference: {', '.join(agreement.other_labels)}")
    return lines

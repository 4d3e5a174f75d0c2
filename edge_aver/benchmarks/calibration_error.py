"""Whether a network is right as often as it claims to be: expected calibration error over bins of confidence."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from edge_aver.benchmarks.results import ClipPrediction

__all__ = ["Bin", "Calibration", "calibration_of"]

BINS = 10


@dataclass(frozen=True, kw_only=True)
class Bin:
    """Clips whose confidence lies above `low` and at most at `high`, their mean confidence and share of right ones."""

    low: float
    high: float
    clips: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """How far confidence, the probability of the predicted emotion, is from accuracy.

    Attributes:
        error: expected calibration error (Naeini 2015; Guo 2017): the mean over clips of the distance between mean
            confidence and accuracy in their bin; in [0, 1]. With few clips chance alone makes it larger than it is.
        confidence: mean over clips.
        bins: those of ten equal bins that hold a clip.
    """

    error: float
    confidence: float
    bins: tuple[Bin, ...]


def calibration_of(predictions: Sequence[ClipPrediction]) -> Calibration | None:
    """Calibration of `predictions`, from their logits; None where there are none."""
    if not predictions:
        return None
    claims = [(_confidence(item.logits), item.prediction == item.label) for item in predictions]
    groups: dict[int, list[tuple[float, bool]]] = {}
    for confidence, right in claims:
        groups.setdefault(max(0, math.ceil(confidence * BINS - 1e-9) - 1), []).append((confidence, right))
    bins = tuple(
        Bin(
            low=index / BINS,
            high=(index + 1) / BINS,
            clips=len(group),
            confidence=fmean(confidence for confidence, _ in group),
            accuracy=fmean(right for _, right in group),
        )
        for index, group in sorted(groups.items())
    )
    error = sum(item.clips * abs(item.confidence - item.accuracy) for item in bins) / len(claims)
    return Calibration(error=error, confidence=fmean(confidence for confidence, _ in claims), bins=bins)


def _confidence(logits: Sequence[float]) -> float:
    """The largest probability of the softmax: its own share of the sum is exp(0)."""
    top = max(logits)
    return 1 / sum([math.exp(value - top) for value in logits])

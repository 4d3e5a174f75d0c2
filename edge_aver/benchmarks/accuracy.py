"""How many test clips an artifact reads rightly, with the paper's intervals and a confusion matrix."""

from collections.abc import Sequence
from dataclasses import dataclass

from edge_aver.benchmarks.results import ClipPrediction
from edge_aver.benchmarks.stats import Interval, wilson_interval

__all__ = ["Accuracy", "LabelAccuracy", "accuracy_of"]


@dataclass(frozen=True, kw_only=True)
class LabelAccuracy:
    """Clips of one emotion that were read rightly, of all clips of it, with Wilson intervals of their share."""

    label: str
    correct: int
    total: int
    interval_95: Interval
    interval_98: Interval

    @property
    def rate(self) -> float:
        """Share of correct clips, in [0, 1]."""
        return self.correct / self.total


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Accuracy over `total` clips.

    Attributes:
        correct, total: clips.
        interval_95, interval_98: Wilson intervals of the rate (paper, equation 5).
        labels: in the order of the matrix.
        confusion: clips by true label (row) and predicted label (column).
    """

    correct: int
    total: int
    interval_95: Interval
    interval_98: Interval
    labels: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]

    @property
    def rate(self) -> float:
        """Share of correct clips, in [0, 1]."""
        return self.correct / self.total

    @property
    def by_label(self) -> tuple[LabelAccuracy, ...]:
        """Of every emotion that has clips, in the order of the matrix."""
        return tuple(
            LabelAccuracy(
                label=label,
                correct=row[index],
                total=sum(row),
                interval_95=wilson_interval(row[index], sum(row), level=0.95),
                interval_98=wilson_interval(row[index], sum(row), level=0.98),
            )
            for index, (label, row) in enumerate(zip(self.labels, self.confusion, strict=True))
            if sum(row)
        )


def accuracy_of(predictions: Sequence[ClipPrediction], labels: tuple[str, ...]) -> Accuracy | None:
    """Accuracy of `predictions`; None where there are none.

    Args:
        predictions: one for each clip.
        labels: the network's, in order.
    """
    if not predictions:
        return None
    counts = [[0] * len(labels) for _ in labels]
    for item in predictions:
        counts[labels.index(item.label)][labels.index(item.prediction)] += 1
    correct, total = sum(row[i] for i, row in enumerate(counts)), len(predictions)
    return Accuracy(
        correct=correct,
        total=total,
        interval_95=wilson_interval(correct, total, level=0.95),
        interval_98=wilson_interval(correct, total, level=0.98),
        labels=labels,
        confusion=tuple(map(tuple, counts)),
    )

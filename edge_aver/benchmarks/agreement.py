"""How far two front ends agree: whether there is a face, where it is, and what the network makes of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edge_aver.benchmarks.front_end_results import ClipAgreement
from edge_aver.benchmarks.stats import percentile

__all__ = ["Agreement", "agreement_of", "intersection_over_union"]


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Agreement of two front ends.

    Attributes:
        clips, frames: how many were compared.
        same_found: frames in which both decide alike whether there is a face.
        ious: intersection over union of both boxes, for each frame where both see a face.
        other_labels: ids of the clips for which the network's label differs.
    """

    clips: int
    frames: int
    same_found: int
    ious: tuple[float, ...]
    other_labels: tuple[str, ...]

    @property
    def found_rate(self) -> float | None:
        """Share of frames decided alike."""
        return self.same_found / self.frames if self.frames else None

    @property
    def same_labels(self) -> int:
        """Clips with the same label."""
        return self.clips - len(self.other_labels)

    @property
    def label_rate(self) -> float:
        """Share of clips with the same label."""
        return self.same_labels / self.clips

    def iou(self, quantile: float) -> float | None:
        """Nearest-rank percentile of the intersections over unions; None where no frame shows a face to both."""
        return percentile(self.ious, quantile) if self.ious else None


def agreement_of(clips: Sequence[ClipAgreement]) -> Agreement | None:
    """Agreement over all clips; None where there are none."""
    if not clips:
        return None
    pairs = [pair for clip in clips for pair in zip(clip.reference_found, clip.found, strict=True)]
    return Agreement(
        clips=len(clips),
        frames=len(pairs),
        same_found=sum(theirs == ours for theirs, ours in pairs),
        ious=tuple(iou for clip in clips for iou in _ious(clip)),
        other_labels=tuple(clip.id for clip in clips if _label(clip.reference_logits) != _label(clip.logits)),
    )


def intersection_over_union(first: Sequence[float], second: Sequence[float]) -> float:
    """Of two boxes (left, top, right, bottom); 0 where they do not meet."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    shared = max(0.0, width) * max(0.0, height)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second))
    return shared / (areas - shared) if areas > shared else 0.0


def _ious(clip: ClipAgreement) -> Iterator[float]:
    reference, ours = iter(clip.reference_boxes), iter(clip.boxes)
    for theirs, mine in zip(clip.reference_found, clip.found, strict=True):
        first = next(reference) if theirs == "1" else None
        second = next(ours) if mine == "1" else None
        if first is not None and second is not None:
            yield intersection_over_union(first, second)


def _label(logits: Sequence[float]) -> int:
    return max(range(len(logits)), key=lambda index: logits[index])

from collections.abc import Sequence

import pytest
from measured_front_ends import sample_agreement

from edge_aver.benchmarks.agreement import agreement_of, intersection_over_union


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((0, 0, 10, 10), (0, 0, 10, 10), 1.0),
        ((0, 0, 10, 10), (0, 0, 10, 5), 0.5),
        ((0, 0, 10, 10), (5, 5, 15, 15), 25 / 175),
        ((-5, -5, 5, 5), (0, 0, 5, 5), 0.25),
        ((0, 0, 10, 10), (10, 0, 20, 10), 0.0),
        ((0, 0, 10, 10), (20, 20, 30, 30), 0.0),
        ((0, 0, 0, 0), (0, 0, 0, 0), 0.0),
    ],
)
def test_intersection_over_union_by_hand(first: Sequence[float], second: Sequence[float], expected: float) -> None:
    assert intersection_over_union(first, second) == pytest.approx(expected)
    assert intersection_over_union(second, first) == pytest.approx(expected)


def test_boxes_are_paired_frame_by_frame() -> None:
    """Frame 1 is seen by the reference alone, frame 2 by ours alone: their boxes meet no other's."""
    square, half, far = (0.0, 0.0, 10.0, 10.0), (0.0, 0.0, 10.0, 5.0), (90.0, 90.0, 99.0, 99.0)
    clip = sample_agreement(
        "clip",
        reference_found="1100111",
        found="1010111",
        reference_boxes=(square, far, square, square, square),
        boxes=(square, far, square, half, far),
    )
    agreement = agreement_of([clip])
    assert agreement is not None
    assert (agreement.frames, agreement.same_found) == (7, 5)
    assert agreement.ious == pytest.approx((1.0, 1.0, 0.5, 0.0))
    assert agreement.found_rate == pytest.approx(5 / 7)
    assert agreement.iou(0.5) == pytest.approx(0.5)
    assert agreement.iou(0.05) == 0.0


def test_labels_are_those_of_the_largest_logits() -> None:
    other = sample_agreement("other", logits=(3.0, 1.0, *[0.0] * 6))
    agreement = agreement_of([sample_agreement("same"), other])
    assert agreement is not None
    assert agreement.other_labels == ("other",)
    assert (agreement.same_labels, agreement.label_rate) == (1, 0.5)


def test_no_face_anywhere_has_no_percentile() -> None:
    blind = sample_agreement("blind", reference_found="000", found="000", reference_boxes=(), boxes=())
    agreement = agreement_of([blind])
    assert agreement is not None
    assert agreement.found_rate == 1.0
    assert agreement.iou(0.5) is None
    assert agreement_of([]) is None

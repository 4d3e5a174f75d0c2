import math
import random
from dataclasses import replace

import pytest

from edge_aver.benchmarks.calibration_error import calibration_of
from edge_aver.benchmarks.results import ClipPrediction
from edge_aver.spec import LABELS


def _said(confidence: float, *, right: bool) -> ClipPrediction:
    """Label 0 with the probability `confidence`, the rest shared by the others."""
    logits = (math.log(confidence), *[math.log((1 - confidence) / 7)] * 7)
    return ClipPrediction(
        id="clip",
        tensors_sha256="ab" * 32,
        actor=1,
        label=LABELS[0 if right else 1],
        prediction=LABELS[0],
        logits=logits,
    )


def test_the_error_is_the_distance_in_each_bin() -> None:
    sure = [_said(0.95, right=right) for right in (True, True, False, False)]
    unsure = [_said(0.35, right=right) for right in (True, False, False, False)]
    calibration = calibration_of([*sure, *unsure])
    assert calibration is not None
    assert [(item.low, item.clips, item.accuracy) for item in calibration.bins] == [(0.3, 4, 0.25), (0.9, 4, 0.5)]
    assert calibration.error == pytest.approx((0.45 + 0.10) / 2)
    assert calibration.confidence == pytest.approx(0.65)


def test_a_network_as_right_as_it_claims_has_hardly_any_error() -> None:
    chance = random.Random(1)
    claims = [chance.uniform(0.2, 0.99) for _ in range(4000)]
    calibration = calibration_of([_said(claim, right=chance.random() < claim) for claim in claims])
    assert calibration is not None
    assert calibration.error < 0.03


def test_large_logits_overflow_nothing_and_no_clips_have_no_error() -> None:
    clip = replace(_said(0.5, right=True), logits=(1000.0, 1000.0))
    calibration = calibration_of([clip])
    assert calibration is not None
    assert calibration.confidence == 0.5
    assert calibration_of([]) is None

from dataclasses import replace

import pytest
from measured_front_ends import sample_agreement

from edge_aver.benchmarks.front_end_results import FrontEndMeasurements
from edge_aver.benchmarks.front_end_summary import FrontEndSummary, summarize_front_end
from edge_aver.benchmarks.suites import load_suite
from edge_aver.spec import Preprocessing


def _summary(measured: FrontEndMeasurements) -> FrontEndSummary:
    part = load_suite("end-to-end").front_end
    assert part is not None
    return summarize_front_end(measured, part, Preprocessing())


def test_stages_add_up_to_the_total_of_each_stack(front_end: FrontEndMeasurements) -> None:
    stacks = _summary(front_end).stacks
    assert [stack.name for stack in stacks] == [
        "ours",
        "reference, all frames in one call",
        "reference, frame by frame",
    ]
    for stack in stacks:
        assert list(stack.stages_s) == ["decode", "faces", "audio", "network", "other"]
        assert sum(stack.stages_s.values()) == pytest.approx(stack.total_s)
        assert stack.queries == 9
    assert stacks[0].stages_s["faces"] == pytest.approx(0.031)


def test_the_setting_tells_whose_clips_and_how_large(front_end: FrontEndMeasurements) -> None:
    assert _summary(front_end).setting == (
        "3 media files of the fold's test actors (1280 x 720 pixels), each stack in 3 processes"
    )
    assert _summary(front_end).remarks == ()


def test_given_files_claim_no_accuracy(front_end: FrontEndMeasurements) -> None:
    summary = _summary(replace(front_end, given=True))
    assert "given by hand" in summary.setting
    assert "No accuracy is claimed" in summary.remarks[0]


def test_refused_clips_and_other_labels_are_named(front_end: FrontEndMeasurements) -> None:
    rounds = tuple(replace(item, refused={"two": "no face found"}) for item in front_end.rounds)
    other = sample_agreement("three", logits=(3.0, 1.0, *[0.0] * 6))
    remarks = _summary(replace(front_end, rounds=rounds, agreement=(*front_end.agreement[:2], other))).remarks
    assert remarks == (
        "Left out of the times: two: no face found",
        "Clips with another label than with the reference: three",
    )


def test_limits_of_other_pictures_are_told(front_end: FrontEndMeasurements) -> None:
    small = replace(front_end.clips[0], width_px=320, height_px=240)
    (remark,) = _summary(replace(front_end, clips=(small, *front_end.clips[1:]))).remarks
    assert "meant for pictures 720 pixels high" in remark

from dataclasses import replace

import pytest
from measured_front_ends import sample_agreement, sample_round

from edge_aver.benchmarks.agreement import agreement_of
from edge_aver.benchmarks.front_end_checks import Check, front_end_checks
from edge_aver.benchmarks.front_end_results import FreshRun, FrontEndMeasurements, PrepareRun
from edge_aver.benchmarks.suites import load_suite


def _checks(measured: FrontEndMeasurements) -> dict[str, Check]:
    """By the first words, up to the comma, and the last ones."""
    part = load_suite("end-to-end").front_end
    assert part is not None
    checks = front_end_checks(measured, agreement_of(measured.agreement), part.limits, 3.6)
    assert len(checks) == 12
    return {check.what: check for check in checks}


def _one(measured: FrontEndMeasurements, words: str) -> Check:
    (check,) = [check for what, check in _checks(measured).items() if words in what]
    return check


def test_what_keeps_every_limit_passes(front_end: FrontEndMeasurements) -> None:
    assert {what: check.verdict for what, check in _checks(front_end).items()} == dict.fromkeys(
        _checks(front_end), "PASS"
    )


def test_the_faster_reference_is_the_one_to_beat(front_end: FrontEndMeasurements) -> None:
    """Ours takes 0.275 s with its face stage of 0.031 s; the references 4.245 and 3.245 s, with 4.001 and 3.001 s."""
    total, faces = _one(front_end, "reference stack"), _one(front_end, "facenet-pytorch")
    assert total.value == f"{3.245 / 0.275:.1f}"
    assert "against reference, frame by frame" in total.detail
    assert f"{4.245 / 0.275:.1f} against reference, all frames in one call" in total.detail
    assert faces.value == f"{3.001 / 0.031:.1f}"


def test_medians_are_over_rounds_and_means_over_clips(front_end: FrontEndMeasurements) -> None:
    """One slow round of three changes nothing; one slow clip of three does."""
    slow = sample_round("ours", ("one", "two", "three"), 5.0)
    ours = [item for item in front_end.rounds if item.stack == "ours"]
    rest = [item for item in front_end.rounds if item.stack != "ours"]
    before = _one(front_end, "real-time")
    assert before.value == f"{0.275 / 3.6:.3f}"
    jittery = replace(front_end, rounds=(*rest, slow, *ours[1:]))
    assert _one(jittery, "real-time").value == f"{0.276 / 3.6:.3f}"
    clip = sample_round("ours", ("four",), 2.0)
    assert float(_one(replace(front_end, rounds=(*rest, *ours, clip)), "real-time").value) > float(before.value)


def test_over_decode_and_network(front_end: FrontEndMeasurements) -> None:
    check = _one(front_end, "over decode and network")
    assert check.value == f"{0.275 / 0.22:.3f}"
    assert check.limit == "≤ 1.4"


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        ("reference stack", {"rounds": [("ours", 0.5), ("reference_together", 90.0), ("reference_singly", 3.0)]}),
        ("facenet-pytorch", {"rounds": [("ours", 0.2), ("reference_together", 90.0), ("reference_singly", 3.0)]}),
        ("over decode and network", {"rounds": [("ours", 0.1)]}),
        ("real-time factor", {"rounds": [("ours", 0.4)]}),
        ("artifact to label", {"fresh_runs": (FreshRun(id="one", wall_s=2.1, peak_bytes=1, modules=()),)}),
        ("peak RSS", {"fresh_runs": (FreshRun(id="one", wall_s=1.0, peak_bytes=301_000_000, modules=()),)}),
        ("must not import", {"fresh_runs": (FreshRun(id="one", wall_s=1.0, peak_bytes=1, modules=("numba",)),)}),
        (
            "two workers",
            {
                "prepare_runs": (
                    PrepareRun(workers=1, clips=40, wall_s=10.0),
                    PrepareRun(workers=2, clips=40, wall_s=6.5),
                )
            },
        ),
        ("same decision", {"agreement": (sample_agreement("one", reference_found="1110"),)}),
        ("median IoU", {"agreement": (sample_agreement("one", boxes=((0.0, 0.0, 10.0, 9.2),) * 3),)}),
        (
            "5th percentile",
            {"agreement": (sample_agreement("one", boxes=((0.0, 0.0, 10.0, 10.0),) * 2 + ((0.0, 0.0, 10.0, 8.4),)),)},
        ),
        ("same label", {"agreement": (sample_agreement("one", logits=(3.0, 1.0, *[0.0] * 6)),)}),
    ],
)
def test_what_misses_its_limit_fails(front_end: FrontEndMeasurements, words: str, changes: dict[str, object]) -> None:
    if "rounds" in changes:
        changes = {"rounds": tuple(sample_round(stack, ("one",), faces_s) for stack, faces_s in changes["rounds"])}  # type: ignore[attr-defined]
    assert _one(front_end, words).verdict == "PASS"
    assert _one(replace(front_end, **changes), words).verdict == "FAIL"  # type: ignore[arg-type]


def test_what_was_not_measured_says_so() -> None:
    checks = _checks(FrontEndMeasurements(given=True, clips=()))
    assert {(check.value, check.verdict) for check in checks.values()} == {("not measured", "not measured")}


def test_a_clip_that_one_stack_refused_is_no_ratio(front_end: FrontEndMeasurements) -> None:
    rounds = (
        sample_round("ours", ("one",), 0.03),
        sample_round("reference_singly", ("one", "two"), 3.0),
    )
    assert _one(replace(front_end, rounds=rounds), "reference stack").detail.startswith("11.8 to 11.8 over 1 clip,")

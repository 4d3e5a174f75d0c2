from collections.abc import Callable
from dataclasses import replace

from edge_aver.benchmarks.costs import costs_of, networks
from edge_aver.benchmarks.front_end_results import FrontEndMeasurements
from edge_aver.benchmarks.results import ConditionPredictions, Result

MakeResult = Callable[..., Result]


def _under(make_result: MakeResult, precision: str, *, correct: int, **audio: int) -> Result:
    heard = tuple(
        ConditionPredictions(name=name, predictions=make_result(correct=count).predictions)
        for name, count in audio.items()
    )
    return make_result(precision, correct=correct, conditions=heard)


def test_precisions_are_held_to_fp32_of_the_same_checkpoint_and_target(make_result: MakeResult) -> None:
    results = [make_result("int8"), make_result("fp32"), make_result("fp16", target="onnxruntime-cpu")]
    own = replace(make_result("int8"), spec=replace(make_result().spec, checkpoint_sha256="ef" * 32))
    groups = networks([*results, own])
    assert [(group.baseline, group.others) for group in groups] == [
        (results[1], (results[0],)),
        (None, (results[2],)),
        (None, (own,)),
    ]


def test_of_one_precision_the_newest_counts(make_result: MakeResult) -> None:
    older, newer = make_result(), make_result(started_utc="2026-11-24T03:18:00.123Z")
    assert networks([newer, older])[0].others == (newer,)


def test_a_front_end_is_no_network(
    front_end: FrontEndMeasurements, front_end_result: Callable[[FrontEndMeasurements], Result]
) -> None:
    assert networks([front_end_result(front_end)]) == ()


def test_each_condition_that_both_have_is_compared_by_itself(make_result: MakeResult) -> None:
    fp32 = _under(make_result, "fp32", correct=52, audio=30)
    int8 = _under(make_result, "int8", correct=51, audio=24, visual=40)
    costs = costs_of([fp32, int8])
    assert [cost.condition for cost in costs] == ["both", "audio"]
    verdicts = [cost.verdict for cost in costs]
    assert [verdict and (verdict.flips.right_to_wrong, verdict.flips.wrong_to_right) for verdict in verdicts] == [
        (1, 0),
        (6, 0),
    ]
    assert verdicts[1] is not None
    assert verdicts[1].difference == -6 / 64
    assert verdicts[1].b.endswith("fold 1, audio alone")


def test_other_clips_are_a_reason_and_no_figure(make_result: MakeResult) -> None:
    fp32 = make_result("fp32")
    int8 = make_result(predictions=make_result().predictions[:32])
    (cost,) = costs_of([fp32, int8])
    assert cost.verdict is None
    assert "different clips" in cost.reason

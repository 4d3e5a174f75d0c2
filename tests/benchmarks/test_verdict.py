from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from prediction_files import write_lines, write_predictions

from edge_aver.benchmarks.results import Result, write_result
from edge_aver.benchmarks.stats import wilson_interval
from edge_aver.benchmarks.verdict import Verdict, check_gate, compare
from edge_aver.errors import ComparisonError, UndecidedError, VerdictError
from edge_aver.spec import provenance_note

SPREAD = [(actor, 7 * actor % 60) for actor in range(1, 25)]
"""One clip of each actor."""


def _compared(folder: Path, a: list[tuple[int, int]], b: list[tuple[int, int]], margin: float = 1.0) -> Verdict:
    """Compare two networks that are wrong on the clips named, of 24 actors with 60 clips each."""
    return compare(
        write_predictions(folder / "a.csv", wrong=a), write_predictions(folder / "b.csv", wrong=b), margin=margin
    )


def test_no_flip_on_1440_clips_passes_and_on_few_does_not(tmp_path: Path) -> None:
    whole = _compared(tmp_path, SPREAD, SPREAD)
    assert (whole.verdict, whole.clips_needed, whole.difference, whole.mcnemar_p) == ("PASS", None, 0.0, 1.0)
    assert whole.interval is not None
    assert (whole.interval.low, whole.interval.high) == (0.0, 0.0)
    few = write_predictions(tmp_path / "few.csv", actors=3, clips=1)
    verdict = compare(few, few)
    assert (verdict.verdict, verdict.clips, verdict.clips_needed) == ("INCONCLUSIVE", 3, 368)
    assert "Only 3 actors" in verdict.remarks[0]


def test_a_loss_beyond_the_margin_fails_and_within_it_passes(tmp_path: Path) -> None:
    lost = [(actor, index) for actor in range(1, 25) for index in range(0, 60, 10)]
    verdict = _compared(tmp_path, [], lost)
    assert (verdict.verdict, verdict.difference, verdict.clips_needed) == ("FAIL", -0.1, None)
    assert verdict.mcnemar_p == 2.0 ** (1 - 144)
    assert _compared(tmp_path, [], lost, margin=20).verdict == "PASS"
    assert _compared(tmp_path, lost, []).verdict == "PASS"


def test_what_lies_near_the_margin_is_inconclusive(tmp_path: Path) -> None:
    verdict = _compared(tmp_path, [], SPREAD[:12])
    assert (verdict.verdict, verdict.design_effect) == ("INCONCLUSIVE", 1.0)
    assert verdict.clips_needed is not None
    assert verdict.clips_needed > 1440
    assert verdict.clip_interval.low < -0.01 < verdict.clip_interval.high


def test_a_few_losing_actors_do_not_pass_for_many_clips(tmp_path: Path) -> None:
    """The same 10 losses of 1,440: of ten actors, they say that others lose little; of one, they do not."""
    spread = _compared(tmp_path, [], SPREAD[:10], margin=1.5)
    clustered = _compared(tmp_path, [], [(1, index) for index in range(10)], margin=1.5)
    assert (spread.clip_interval, spread.mcnemar_p) == (clustered.clip_interval, clustered.mcnemar_p)
    assert (spread.verdict, clustered.verdict) == ("PASS", "INCONCLUSIVE")
    assert clustered.design_effect > 5


def test_few_flips_do_not_fail_because_actors_happen_to_agree(tmp_path: Path) -> None:
    """Each of three actors loses one clip of three: actors show no spread at all, and nine clips prove nothing."""
    a = write_predictions(tmp_path / "a.csv", actors=3, clips=3)
    b = write_predictions(tmp_path / "b.csv", actors=3, clips=3, wrong=[(1, 0), (2, 0), (3, 0)])
    verdict = compare(a, b)
    assert verdict.interval is not None
    assert verdict.interval.high < -0.3
    assert verdict.verdict == "INCONCLUSIVE"


def test_one_actor_is_never_decided(tmp_path: Path) -> None:
    path = write_predictions(tmp_path / "a.csv", actors=1)
    verdict = compare(path, path, margin=20)
    assert (verdict.verdict, verdict.interval, verdict.clips_needed) == ("INCONCLUSIVE", None, 61)
    assert "One actor" in verdict.remarks[0]


def test_swapped_sides_turn_the_figures_round(tmp_path: Path) -> None:
    one, other = _compared(tmp_path, SPREAD[:3], SPREAD[2:9]), _compared(tmp_path, SPREAD[2:9], SPREAD[:3])
    assert one.interval is not None
    assert other.interval is not None
    assert (one.interval.low, one.interval.high) == pytest.approx((-other.interval.high, -other.interval.low))
    assert (one.clip_interval.low, one.difference) == pytest.approx((-other.clip_interval.high, -other.difference))
    assert (one.accuracy_a, one.mcnemar_p) == (other.accuracy_b, other.mcnemar_p)
    assert one.flips.right_to_wrong == other.flips.wrong_to_right == 6


def test_accuracies_and_flips_are_counted_by_hand(tmp_path: Path) -> None:
    rows = [
        *("1,happy,happy,sad", "2,happy,happy,sad", "3,happy,sad,happy", "4,happy,sad,calm"),
        *("5,sad,sad,sad", "6,sad,calm,calm", "7,puzzled,sad,puzzled", "8,calm,sad,angry"),
    ]
    cells = [row.split(",") for row in rows]
    header = "clip,label,prediction,actor"
    a = write_lines(tmp_path / "a.csv", header, *(f"{c},{t},{p},{int(c) % 2}" for c, t, p, _ in cells))
    b = write_lines(tmp_path / "b.csv", header, *(f"{c},{t},{p},{int(c) % 2}" for c, t, _, p in reversed(cells)))

    verdict = compare(a, b)

    assert (verdict.clips, verdict.actors) == (8, 2)
    assert (verdict.accuracy_a.correct, verdict.accuracy_a.total, verdict.accuracy_a.rate) == (3, 8, 0.375)
    assert verdict.accuracy_b.interval_95 == wilson_interval(3, 8, level=0.95)
    assert verdict.accuracy_b.interval_98 == wilson_interval(3, 8, level=0.98)
    counts = {
        label: (item.clips, item.right_to_wrong, item.wrong_to_right, item.both_wrong_changed)
        for label, item in {**verdict.flips_by_label, "all": verdict.flips}.items()
    }
    assert counts == {
        "calm": (1, 0, 0, 1),
        "happy": (4, 2, 1, 1),
        "sad": (2, 0, 0, 0),
        "puzzled": (1, 0, 1, 0),
        "all": (8, 2, 2, 2),
    }
    assert list(verdict.flips_by_label) == ["calm", "happy", "sad", "puzzled"]
    assert verdict.mcnemar_p == 1.0


@pytest.mark.parametrize("margin", [0.0, -1.0, 100.0, float("nan")])
def test_an_impossible_margin_is_refused(tmp_path: Path, margin: float) -> None:
    with pytest.raises(ComparisonError, match="margin"):
        compare(tmp_path, tmp_path, margin=margin)


def _results(folder: Path, *results: Result) -> tuple[Path, ...]:
    return tuple(write_result(result, folder) for result in results)


def test_results_are_compared_with_their_note(tmp_path: Path, make_result: Callable[..., Result]) -> None:
    a, b = _results(tmp_path, make_result("fp32", correct=60), make_result("int8", correct=52))
    verdict = compare(a, b)
    assert verdict.a == "sa fp32 on openvino-cpu, synthetic, fold 1"
    assert (verdict.clips, verdict.actors, verdict.flips.right_to_wrong) == (64, 4, 8)
    assert verdict.difference == -8 / 64
    assert verdict.note is not None
    assert "say nothing about people" in verdict.note
    assert [remark[:13] for remark in verdict.remarks] == ["Only 4 actors"]


def test_composite_results_are_compared_as_such(tmp_path: Path, make_result: Callable[..., Result]) -> None:
    spec = replace(make_result().spec, corpus="composite")
    verdict = compare(*_results(tmp_path, make_result("fp32", spec=spec), make_result("int8", spec=spec)))
    assert verdict.note == provenance_note("composite")


def test_a_result_and_a_csv_file_may_be_compared(tmp_path: Path, make_result: Callable[..., Result]) -> None:
    result = make_result("fp32")
    (a,) = _results(tmp_path, result)
    rows = (f"{item.id},{item.label},{item.label},1" for item in result.predictions)
    b = write_lines(tmp_path / "b.csv", "clip,label,prediction,fold", *rows)
    assert compare(a, b).flips.wrong_to_right == 12


def test_other_checkpoints_are_told(tmp_path: Path, make_result: Callable[..., Result]) -> None:
    first = make_result("fp32")
    second = make_result("int8")
    second = replace(second, spec=replace(second.spec, checkpoint_sha256="ef" * 32))
    assert any("different checkpoints" in remark for remark in compare(*_results(tmp_path, first, second)).remarks)


def test_the_gate_lets_a_pass_through_and_nothing_else(tmp_path: Path, make_result: Callable[..., Result]) -> None:
    passed = _compared(tmp_path, SPREAD, SPREAD)
    check_gate(passed)
    with pytest.raises(VerdictError, match=r"-10\.00 points on 1440 clips, a loss beyond the margin of 1"):
        check_gate(_compared(tmp_path, [], [(actor, index) for actor in range(1, 25) for index in range(6)]))
    with pytest.raises(UndecidedError, match=r"cannot decide at a margin of 1: .* clips would"):
        check_gate(_compared(tmp_path, [], SPREAD[:12]))
    invalid = make_result("int8", network=make_result().network[:1])
    with pytest.raises(UndecidedError, match=r"INVALID result: B, .*32 network queries"):
        check_gate(compare(*_results(tmp_path, make_result("fp32"), invalid)))

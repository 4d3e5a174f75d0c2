from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from edge_aver.benchmarks import advice
from edge_aver.benchmarks.advice import Candidate, advise, advise_results
from edge_aver.benchmarks.costs import judge_against
from edge_aver.benchmarks.decision import FAIL
from edge_aver.benchmarks.results import Result
from edge_aver.benchmarks.speed import Speedup
from edge_aver.benchmarks.stats import Interval
from edge_aver.benchmarks.verdict import Verdict

MakeResult = Callable[..., Result]
BASE = Candidate(precision="fp32", size_bytes=54_000_000, parity=True, memory_bytes=300_000_000, latency_s=0.2)


def _candidate(precision: str, value: float = 2.0, *, spread: float = 1.05, **changes: Any) -> Candidate:
    speedup = Speedup(value=value, interval=Interval(low=value / spread, high=value * spread), over="8 and 8 processes")
    values = {"size_bytes": 14_000_000, "parity": True, "memory_bytes": 200_000_000, "latency_s": 0.2 / value}
    return Candidate(precision=precision, speedup=speedup, **(values | changes))


def _advise(*others: Candidate, **values: Any) -> advice.Advice:
    return advise("openvino-cpu", "sa, synthetic fold 1", BASE, others, **values)


@pytest.fixture
def verdict(make_result: MakeResult) -> Verdict:
    found = judge_against(make_result("fp32"), make_result(correct=51)).verdict
    assert found is not None
    return found


def test_the_fastest_that_is_surely_faster_is_shipped_with_its_figures() -> None:
    found = _advise(_candidate("fp16", 1.5), _candidate("int8", 2.0))
    assert found.precision == "int8"
    assert str(found) == (
        "Ship int8 of sa, synthetic fold 1 on openvino-cpu: 2.00 times as fast as fp32 (95 % 1.90 to 2.10, over 8 and 8"
        " processes; 100 against 200 ms); accuracy not compared; 14.0 MB instead of 54.0"
    )


def test_what_may_not_be_faster_is_not_worth_it() -> None:
    found = _advise(_candidate("int8", 1.5, spread=1.45))
    assert found.precision == "fp32"
    assert found.reason.startswith("INT8 is not worth it here: 1.50 times as fast as fp32 (95 % 1.03 to 2.1")
    assert "14.0 MB instead of 54.0" in found.reason
    assert _advise(_candidate("int8", 1.5, spread=1.40)).precision == "int8"


@pytest.mark.parametrize("slow", [0.5, 0.97])
def test_slower_is_told_with_the_figures(slow: float) -> None:
    found = _advise(_candidate("int8", slow), _candidate("fp16", slow))
    assert found.precision == "fp32"
    assert f"INT8 is not worth it here: {slow:.2f} times as fast" in found.reason
    assert "FP16 is not worth it here" in found.reason


def test_a_candidate_outside_parity_or_with_a_lost_verdict_is_never_shipped(verdict: Verdict) -> None:
    found = _advise(_candidate("int8", parity=False))
    assert found.precision == "fp32"
    assert "parity not passed" in found.reason
    failed = _candidate("int8", verdict=replace(verdict, verdict=FAIL, clips_needed=None))
    found = _advise(failed, _candidate("fp16", 1.5))
    assert found.precision == "fp16"
    found = _advise(failed, budget_bytes=1.0)
    assert found.precision == "fp32"
    assert "accuracy -1.56 points, FAIL at a 1-point margin" in found.reason


def test_an_undecided_verdict_is_said_with_the_clips_needed(verdict: Verdict) -> None:
    found = _advise(_candidate("int8", verdict=verdict))
    assert found.precision == "int8"
    assert f"INCONCLUSIVE at a 1-point margin: about {verdict.clips_needed:,} clips would decide" in found.reason


def test_the_smallest_is_shipped_only_where_memory_is_scarce() -> None:
    others = (_candidate("int8", 0.9), _candidate("fp16", 1.0, size_bytes=27_000_000))
    assert _advise(*others).precision == "fp32"
    assert _advise(*others, budget_bytes=300e6).precision == "fp32"
    found = _advise(*others, budget_bytes=299e6)
    assert found.precision == "int8"
    assert found.reason.startswith("fp32 takes 300 MB of the 299 MB that the device allows; no precision is faster")


def test_unmeasured_speed_is_no_speed() -> None:
    found = _advise(replace(_candidate("int8"), speedup=None))
    assert found.precision == "fp32"
    assert "was not measured" in found.reason


def test_results_are_advised_by_network_and_target(make_result: MakeResult) -> None:
    faster = [make_result("fp32", scale=2.0), make_result("int8", correct=51)]
    slower = [
        make_result("fp32", target="onnxruntime-cpu"),
        make_result("int8", target="onnxruntime-cpu", scale=2.0),
    ]
    first, second = advise_results([*faster, *slower])
    assert (first.target, first.network, first.precision) == ("openvino-cpu", "sa, synthetic fold 1", "int8")
    assert "over 2 and 2 processes" in first.reason
    assert "INCONCLUSIVE at a 1-point margin" in first.reason
    assert "14.2 MB instead of 28.4" in first.reason
    assert (second.target, second.precision) == ("onnxruntime-cpu", "fp32")
    assert "INT8 is not worth it here: 0.5" in second.reason


@pytest.mark.parametrize("which", ["fp32", "int8", "fp16"])
def test_an_invalid_result_gives_no_advice(make_result: MakeResult, which: str) -> None:
    """Not even against what was not measured soundly: 'not worth it' would be advice too."""
    results = [make_result("fp32", scale=2.0), make_result("int8"), make_result("fp16", scale=1.5)]
    (sound,) = advise_results(results)
    assert sound.precision == "int8"
    cut = [replace(item, network=item.network[:1]) if item.artifact.precision == which else item for item in results]
    (found,) = advise_results(cut)
    assert found.precision is None
    assert found.verdict is None
    assert str(found).startswith(
        f"No advice for sa, synthetic fold 1 on openvino-cpu: the result of {which} is INVALID: measure again (32"
        " network queries, suite smoke asks for 64)"
    )
    assert "worth" not in found.reason


def _in_folds(make_result: MakeResult, folds: dict[int, int], precision: str, **changes: Any) -> list[Result]:
    """One result a fold, of which so many clips are read rightly; its clips, actors and checkpoint are its own."""
    found = []
    for fold, correct in folds.items():
        result = make_result(precision, correct=correct, **changes)
        spec = replace(result.spec, fold=fold, checkpoint_sha256=f"{fold}" * 64)
        clips = [replace(clip, id=f"{fold}-{clip.id}", actor=10 * fold + clip.actor) for clip in result.predictions]
        found.append(replace(result, spec=spec, predictions=tuple(clips)))
    return found


def test_folds_of_one_network_are_advised_once_over_all_their_clips(make_result: MakeResult) -> None:
    folds = {3: 52, 1: 50, 2: 51}
    results = [*_in_folds(make_result, folds, "int8"), *_in_folds(make_result, folds, "fp32", scale=2.0)]
    (found,) = advise_results(results)
    assert (found.network, found.precision) == ("sa, synthetic folds 1, 2, 3", "int8")
    assert found.verdict is not None
    assert (found.verdict.clips, found.verdict.actors) == (3 * 64, 12)
    assert found.verdict.accuracy_b.correct == 153
    assert "over 6 and 6 processes" in found.reason


def test_one_invalid_fold_is_named_and_takes_the_advice_of_all(make_result: MakeResult) -> None:
    folds = {1: 52, 2: 52}
    slow, (first, second) = _in_folds(make_result, folds, "fp32", scale=2.0), _in_folds(make_result, folds, "int8")
    (found,) = advise_results([*slow, first, replace(second, network=second.network[:1])])
    assert found.precision is None
    assert found.reason.startswith("the result of int8 (fold 2) is INVALID: measure again")


def test_what_does_not_belong_together_is_advised_apart(make_result: MakeResult) -> None:
    one = [make_result("fp32", scale=2.0), make_result("int8")]

    def names(change: Callable[[Result], Result]) -> list[str]:
        return [found.network for found in advise_results([*one, *map(change, one)])]

    def other_fold(result: Result, **changes: Any) -> Result:
        return replace(result, spec=replace(result.spec, fold=2, **changes))

    assert names(other_fold) == ["sa, synthetic folds 1, 2"]
    constants = replace(one[0].spec.preprocessing, n_fft=1024)
    apart = ["sa, synthetic fold 1", "sa, synthetic fold 2"]
    assert names(lambda r: other_fold(r, preprocessing=constants)) == apart
    assert names(lambda r: replace(other_fold(r), schema_version=1)) == apart
    retrained = names(lambda r: replace(r, spec=replace(r.spec, checkpoint_sha256="ab" * 32)))
    assert retrained == [
        "sa, synthetic fold 1, checkpoint not recorded",
        "sa, synthetic fold 1, checkpoint abababab",
    ]
    elsewhere = names(lambda r: replace(r, machine=replace(r.machine, cpu="Another")))
    assert elsewhere == ["sa, synthetic fold 1, Some Processor @ 2.60GHz", "sa, synthetic fold 1, Another"]


def test_times_of_two_machines_are_never_held_against_each_other(make_result: MakeResult) -> None:
    fast = make_result("int8")
    for change in ({"cpu": "Another"}, {"governor": "powersave"}, {"cpus": 8}):
        found = advise_results([make_result("fp32", scale=2.0), replace(fast, machine=replace(fast.machine, **change))])
        assert found == ()


def test_without_fp32_or_others_there_is_nothing_to_advise(make_result: MakeResult) -> None:
    assert advise_results([make_result()]) == ()
    (found,) = advise_results([make_result(), make_result("fp16")])
    assert found.precision is None
    assert str(found).startswith("No advice for sa, synthetic fold 1 on openvino-cpu: no fp32")


def test_the_budget_is_the_device_profiles(tmp_path: Any) -> None:
    profile = tmp_path / "small.toml"
    profile.write_text(
        'name = "small"\ntitle = "t"\nruntime = "openvino"\nprecisions = ["fp32"]\nmemory_budget_mb = 64\n'
    )
    assert advice.memory_budget(str(profile)) == 64e6
    assert advice.memory_budget("openvino-cpu") is None
    assert advice.memory_budget("of-someone-else") is None

from collections.abc import Callable
from io import StringIO

from rich.console import Console

from edge_aver.benchmarks.results import ConditionPredictions, Result
from edge_aver.benchmarks.tables import print_results

MakeResult = Callable[..., Result]


def _measured(make_result: MakeResult, precision: str, *, correct: int, **counts: int) -> Result:
    conditions = tuple(
        ConditionPredictions(name=name.replace("_", "-"), predictions=make_result(correct=count).predictions)
        for name, count in counts.items()
    )
    return make_result(precision, correct=correct, conditions=conditions)


def _printed(*results: Result) -> str:
    console = Console(file=StringIO(), width=80)
    print_results(console, results)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def test_a_matrix_of_artifacts_and_conditions_with_intervals(make_result: MakeResult) -> None:
    fp32 = _measured(make_result, "fp32", correct=52, audio=30, visual=44, missing_faces_5=50)
    int8 = _measured(make_result, "int8", correct=51, audio=24, visual=43)
    text = _printed(fp32, int8)
    for part in (
        *("both modalities", "audio alone", "faces alone", "5 of 15 faces missing"),
        *("46.9 %, 30/64", "95 %: 35.2 to 58.9", "98 %: 33.2 to 61.1", "37.5 %, 24/64"),
        *("-9.38", "clips  -19.3 to -1.3", "6 to wrong", "INCONCLUSIVE", "not measured"),
    ):
        assert part in text
    assert max(map(len, text.splitlines())) <= 80
    assert "say nothing about people" in " ".join(text.split())


def test_whole_clips_alone_need_no_matrix(make_result: MakeResult) -> None:
    text = _printed(make_result("fp32"), make_result())
    assert "both modalities" not in text
    assert "Against fp32" not in text

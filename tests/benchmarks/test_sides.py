from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from prediction_files import write_lines

from edge_aver.benchmarks.results import ConditionPredictions, Gap, Result, write_result
from edge_aver.benchmarks.sides import Prediction, read_side, results_side
from edge_aver.errors import ComparisonError, MeasurementError


def test_a_csv_file_is_read_as_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(
        b'\xef\xbb\xbfClip, label,prediction,FOLD,actor\r\nx/1.wav,happy, sad ,k1,07\r\n\r\n"a, b",calm,calm,k2,Ada\r\n'
    )
    side = read_side(path)
    assert side.name == "a.csv"
    assert side.predictions == (
        Prediction(clip="x/1.wav", label="happy", prediction="sad", fold="k1", actor="07"),
        Prediction(clip="a, b", label="calm", prediction="calm", fold="k2", actor="Ada"),
    )


def test_other_columns_are_left_out_with_a_remark(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_lines(tmp_path / "a.csv", "id,clip,label,prediction,score", "1,c,happy,sad,0.3")
    assert read_side(path).predictions == (Prediction(clip="c", label="happy", prediction="sad"),)
    assert "left out columns 'id', 'score'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no column 'clip', 'label', 'prediction'; expected .* got an empty file"),
        (b"clip,label\n", "no column 'prediction'; .* got clip,label"),
        (b"clip;label;prediction\n", "no column 'clip', .* got clip;label;prediction"),
        (b"01-01-01-01-01-01-01,happy,sad\n", "no column"),
        (b"clip,label,prediction,label\nc,sad,sad,sad\n", "column 'label' twice"),
        (b"clip,label,prediction\n", "a header and no clips"),
        (b"clip,label,prediction\n\n\n", "a header and no clips"),
        (b"clip,label,prediction\nc,sad,sad\nd,sad\n", "row 3 has 2 cells, the header 3"),
        (b"clip,label,prediction\nc,sad,sad,\n", "row 2 has 4 cells, the header 3"),
        (b"clip,label,prediction\nc,,sad\n", "row 2 has nothing in column 'label'"),
        (b"clip,label,prediction,fold\nc,sad,sad, \n", "row 2 has nothing in column 'fold'"),
        (b'clip,label,prediction\n"c,sad,sad\n', "not a CSV file"),
        ("clip,label,prediction\nc,sad,sad\n".encode("utf-16"), "not a CSV file in UTF-8"),
    ],
)
def test_what_is_no_csv_of_predictions_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(ComparisonError, match=message) as caught:
        read_side(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_and_an_empty_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(ComparisonError, match=r"gone\.csv: cannot be read"):
        read_side(tmp_path / "gone.csv")
    with pytest.raises(ComparisonError, match=r"holds no results \(\*\.json\) and no predictions"):
        read_side(tmp_path)


def _fold(result: Result, fold: int, **changes: object) -> Result:
    """The same network's result on another fold: other clips of other actors."""
    predictions = tuple(
        replace(item, id=f"fold{fold}-{item.id}", actor=4 * (fold - 1) + item.actor) for item in result.predictions
    )
    name = result.artifact.name.replace("fold1", f"fold{fold}")
    result = replace(result, spec=replace(result.spec, fold=fold), artifact=replace(result.artifact, name=name))
    return replace(result, predictions=predictions, **changes)  # type: ignore[arg-type]


def _written(folder: Path, *results: Result) -> Path:
    for result in results:
        path = write_result(result, folder)
    return path.parent


def test_a_result_is_a_side_with_its_fold_actors_and_note(tmp_path: Path, make_result: Callable[..., Result]) -> None:
    side = read_side(write_result(make_result(), tmp_path))
    assert side.name == "sa int8 on openvino-cpu, synthetic, fold 1"
    assert (len(side.predictions), side.predictions[17].actor, side.predictions[17].fold) == (64, "2", "1")
    assert side.predictions[17].tensors_sha256 == "cd" * 32
    assert "say nothing about people" in side.notes[0]
    assert side.invalid == ()


def test_folds_of_one_network_are_pooled(tmp_path: Path, make_result: Callable[..., Result]) -> None:
    folder = _written(tmp_path, make_result(), _fold(make_result(), 2))
    side = read_side(folder)
    assert side.name == "sa int8 on openvino-cpu, synthetic, folds 1, 2"
    assert len({(item.fold, item.clip) for item in side.predictions}) == 128
    assert {item.actor for item in side.predictions} == set("12345678")


def test_what_does_not_belong_to_one_network_is_not_pooled(tmp_path: Path, make_result: Callable[..., Result]) -> None:
    first, second = make_result(), _fold(make_result(), 2)
    cases = {
        "more than one precision": _fold(make_result("fp32"), 2),
        "more than one architecture": replace(second, spec=replace(second.spec, architecture="ca")),
        "more than one corpus": replace(second, spec=replace(second.spec, corpus="ravdess")),
        "fold 1 stands in both": replace(first, started_utc="2026-11-24T03:18:00.123Z"),
    }
    for number, (message, other) in enumerate(cases.items()):
        with pytest.raises(ComparisonError, match=message):
            read_side(_written(tmp_path / str(number), first, other))


def test_targets_are_not_pooled(tmp_path: Path, make_result: Callable[..., Result]) -> None:
    for result in (make_result(), _fold(make_result(target="onnxruntime-cpu"), 2)):
        path = write_result(result, tmp_path)
        path.rename(tmp_path / path.name)
    with pytest.raises(ComparisonError, match=r"more than one target \(onnxruntime-cpu, openvino-cpu\)"):
        read_side(tmp_path)


def test_a_result_without_predictions_tells_why(tmp_path: Path, make_result: Callable[..., Result]) -> None:
    gap = Gap(case="accuracy", reason="killed by SIGKILL", failed=True)
    path = write_result(make_result(predictions=(), gaps=(gap,)), tmp_path)
    with pytest.raises(ComparisonError, match=r"holds no predictions \(killed by SIGKILL\)"):
        read_side(path)


def test_a_condition_of_a_result_is_a_side(tmp_path: Path, make_result: Callable[..., Result]) -> None:
    heard = make_result(correct=30).predictions
    result = make_result(conditions=(ConditionPredictions(name="audio", predictions=heard),))
    side = read_side(write_result(result, tmp_path), condition="audio")
    assert side.name == "sa int8 on openvino-cpu, synthetic, fold 1, audio alone"
    assert [item.prediction for item in side.predictions] == [item.prediction for item in heard]
    assert side == results_side([result], condition="audio")
    assert results_side([result]).name.endswith("fold 1")


def test_a_condition_that_was_not_measured_is_named(tmp_path: Path, make_result: Callable[..., Result]) -> None:
    gap = Gap(case="accuracy, faces alone", reason="killed by SIGKILL", failed=True)
    path = write_result(make_result(gaps=(gap,)), tmp_path)
    with pytest.raises(ComparisonError, match=r"no predictions \(killed by SIGKILL\)"):
        read_side(path, condition="visual")
    with pytest.raises(ComparisonError, match=r"no predictions \(accuracy, audio alone was not measured\)"):
        read_side(path, condition="audio")
    with pytest.raises(MeasurementError, match="unknown condition"):
        read_side(path, condition="smell")


def test_a_csv_file_knows_of_no_condition(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.csv", "clip,label,prediction", "c,happy,sad")
    with pytest.raises(ComparisonError, match=r"a\.csv: a CSV file names no condition; of audio alone"):
        read_side(path, condition="audio")


def test_an_invalid_result_says_so(tmp_path: Path, make_result: Callable[..., Result]) -> None:
    path = write_result(make_result(network=make_result().network[:1]), tmp_path)
    assert any(path.name in reason and "asks for 64" in reason for reason in read_side(path).invalid)


def test_csv_files_of_a_folder_are_pooled(tmp_path: Path) -> None:
    for fold in (1, 2):
        write_lines(tmp_path / f"{fold}.csv", "clip,label,prediction,fold", f"c,sad,sad,{fold}")
    (tmp_path / "notes.txt").write_text("not read")
    side = read_side(tmp_path)
    assert side.name == f"{tmp_path.name}, 2 files"
    assert [item.fold for item in side.predictions] == ["1", "2"]


def test_files_of_two_kinds_are_not_pooled(tmp_path: Path, make_result: Callable[..., Result]) -> None:
    folder = _written(tmp_path, make_result())
    write_lines(folder / "a.csv", "clip,label,prediction", "c,sad,sad")
    with pytest.raises(ComparisonError, match="results and CSV files"):
        read_side(folder)


@pytest.mark.parametrize("column", ["fold", "actor"])
def test_a_column_stands_in_all_csv_files_of_a_folder_or_in_none(tmp_path: Path, column: str) -> None:
    write_lines(tmp_path / "1.csv", "clip,label,prediction", "c,sad,sad")
    write_lines(tmp_path / "2.csv", f"clip,label,prediction,{column}", "d,sad,sad,1")
    with pytest.raises(ComparisonError, match=f"column '{column}'"):
        read_side(tmp_path)

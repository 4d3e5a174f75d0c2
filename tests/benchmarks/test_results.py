import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_aver.benchmarks.front_end_results import FrontEndMeasurements
from edge_aver.benchmarks.results import (
    ConditionPredictions,
    Result,
    document,
    latest_results,
    read_result,
    write_result,
)
from edge_aver.errors import ArtifactError
from edge_aver.files import json_text, sha256_bytes


def test_a_result_survives_the_round_trip(tmp_path: Path, make_result: Callable[..., Result]) -> None:
    result = make_result()
    path = write_result(result, tmp_path)
    assert path == tmp_path / "openvino-cpu" / "aver-sa-synthetic-fold1-int8.openvino-20261123T031800.123Z.json"
    assert read_result(path) == result
    assert json.loads(path.read_text())["schema_version"] == 2


def test_a_front_end_survives_the_round_trip(
    tmp_path: Path, front_end: FrontEndMeasurements, front_end_result: Callable[[FrontEndMeasurements], Result]
) -> None:
    result = front_end_result(front_end)
    assert read_result(write_result(result, tmp_path)) == result


def test_a_suite_without_parts_leaves_them_out(tmp_path: Path, make_result: Callable[..., Result]) -> None:
    table = json.loads(write_result(make_result(), tmp_path).read_text())
    assert not {"front_end", "conditions", "throughput", "overhead", "tools"} & set(table)
    assert set(table["suite"]) == {
        *("name", "network_queries", "min_duration_s", "processes"),
        *("warmup_queries", "end_to_end_clips", "timeout_s", "seed", "accuracy"),
    }


def test_a_clock_that_jumped_is_noticed_in_a_front_end_too(
    tmp_path: Path, front_end: FrontEndMeasurements, front_end_result: Callable[[FrontEndMeasurements], Result]
) -> None:
    run = replace(front_end.fresh_runs[0], wall_s=-1.0)
    path = write_result(front_end_result(replace(front_end, fresh_runs=(run,))), tmp_path)
    with pytest.raises(ArtifactError, match="did a clock jump"):
        read_result(path)


def test_a_front_end_stands_beside_the_newest_of_other_suites(
    tmp_path: Path,
    make_result: Callable[..., Result],
    front_end: FrontEndMeasurements,
    front_end_result: Callable[[FrontEndMeasurements], Result],
) -> None:
    whole = replace(front_end_result(front_end), started_utc="2026-11-25T03:18:00.123Z")
    for result in (make_result(), whole):
        write_result(result, tmp_path)
    assert {result.suite.name for result in latest_results(tmp_path)} == {"smoke", "end-to-end"}


def test_values_the_kernel_did_not_tell_survive_the_round_trip(
    tmp_path: Path, make_result: Callable[..., Result]
) -> None:
    result = make_result()
    runs = tuple(
        replace(run, before_load=None, after_load=None, after_queries=None, cpu_use=None) for run in result.network
    )
    result = replace(result, network=runs, machine=replace(result.machine, governor=None, memory_bytes=None), threads=2)
    assert read_result(write_result(result, tmp_path)) == result


def test_a_value_that_is_not_finite_is_never_written(tmp_path: Path, make_result: Callable[..., Result]) -> None:
    result = make_result()
    run = replace(result.network[0], latency_s=(float("nan"),))
    with pytest.raises(ValueError, match="JSON"):
        write_result(replace(result, network=(run,)), tmp_path)
    assert not list(tmp_path.rglob("*.json"))


def test_conditions_survive_the_round_trip(tmp_path: Path, make_result: Callable[..., Result]) -> None:
    predictions = make_result(correct=30).predictions
    conditions = tuple(
        ConditionPredictions(name=name, predictions=predictions) for name in ("audio", "missing-faces-5")
    )
    result = make_result(conditions=conditions)
    assert read_result(write_result(result, tmp_path)) == result
    assert result.predictions_by_condition == {
        **{"both": result.predictions, "audio": predictions, "missing-faces-5": predictions}
    }


@pytest.mark.parametrize("names", [("smell",), ("audio", "audio"), ("both",), ("missing-faces-15",)])
def test_impossible_conditions_are_refused(
    tmp_path: Path, make_result: Callable[..., Result], names: tuple[str, ...]
) -> None:
    conditions = tuple(ConditionPredictions(name=name, predictions=make_result().predictions) for name in names)
    path = write_result(make_result(conditions=conditions), tmp_path)
    with pytest.raises(ArtifactError, match=r"condition.*measure again"):
        read_result(path)


def test_a_condition_with_another_label_or_without_clips_is_refused(
    tmp_path: Path, make_result: Callable[..., Result]
) -> None:
    bored = replace(make_result().predictions[0], prediction="bored")
    for predictions, message in (((bored,), "'bored' is no label"), ((), "with predictions")):
        conditions = (ConditionPredictions(name="audio", predictions=predictions),)
        path = write_result(make_result(conditions=conditions), tmp_path)
        with pytest.raises(ArtifactError, match=message):
            read_result(path)


def test_an_older_result_loads_and_stays_what_it_was(repository: Path) -> None:
    path = next((repository / "benchmarks/results").rglob("*.json"))
    result = read_result(path)
    assert json.loads(path.read_text())["schema_version"] == result.schema_version == 1
    assert result.suite.accuracy
    assert (result.throughput, result.overhead, result.tools) == ((), (), ())


def test_a_result_of_schema_1_loads(tmp_path: Path, make_result: Callable[..., Result]) -> None:
    result = make_result()
    table = document(replace(result, schema_version=1))
    del table["suite"]["accuracy"], table["sha256"]
    for run in table["network"]:
        del run["compute_s"]
    path = tmp_path / "old.json"
    path.write_text(json.dumps(table | {"sha256": sha256_bytes(json_text(table).encode())}))
    assert read_result(path) == replace(result, schema_version=1)


def _edited(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    table = json.loads(path.read_text())
    change(table)
    path.write_text(json.dumps(table))


def test_an_edited_result_is_refused(tmp_path: Path, make_result: Callable[..., Result]) -> None:
    path = write_result(make_result(), tmp_path)

    def faster(table: dict[str, Any]) -> None:
        table["network"][0]["latency_s"][0] *= 0.5

    _edited(path, faster)
    with pytest.raises(ArtifactError, match="changed since it was written"):
        read_result(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.update(schema_version=3), "schema_version 3, this edge-aver reads 1, 2"),
        (lambda table: table.pop("machine"), "'machine' is missing"),
        (lambda table: table.update(surprise=1), "unknown key 'surprise'"),
        (lambda table: table["network"][0].update(latency_s=[float("nan")]), "NaN"),
        (lambda table: table["network"][0].update(latency_s=[-0.1]), "did a clock jump"),
        (lambda table: table["network"][0].update(latency_s=["fast"]), "expected float"),
        (lambda table: table["predictions"][0].update(prediction="bored"), "'bored' is no label"),
        (lambda table: table["spec"].pop("labels"), "labels"),
        (lambda table: table.update(network=[], predictions=[], end_to_end=[]), "an empty run"),
    ],
)
def test_impossible_results_are_refused_in_one_line(
    tmp_path: Path, make_result: Callable[..., Result], change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    path = write_result(make_result(), tmp_path)
    _edited(path, change)
    with pytest.raises(ArtifactError, match=message) as caught:
        read_result(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'"text"', b"\xff\xfe\x00"])
def test_what_is_no_result_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match="not a benchmark result"):
        read_result(path)


def test_a_missing_result_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"gone\.json: cannot be read"):
        read_result(tmp_path / "gone.json")


def test_the_newest_result_of_each_artifact_is_taken(tmp_path: Path, make_result: Callable[..., Result]) -> None:
    older, newer = make_result(), make_result(started_utc="2026-11-24T03:18:00.123Z")
    other = make_result(target="onnxruntime-cpu")
    for result in (newer, older, other):
        write_result(result, tmp_path)
    assert latest_results(tmp_path) == (other, newer)


def test_no_results_are_an_error_that_tells_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="run edge-aver benchmark"):
        latest_results(tmp_path)

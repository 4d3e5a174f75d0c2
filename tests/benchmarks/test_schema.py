"""The JSON Schema that ships, against the dataclasses and against real results."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_aver.benchmarks.front_end_results import FrontEndMeasurements
from edge_aver.benchmarks.results import SCHEMA_VERSION, ConditionPredictions, Result, read_result, write_result
from edge_aver.benchmarks.schema import result_schema

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "benchmarks" / "schema"
SHIPPED = sorted((ROOT / "benchmarks" / "results").glob("*/*.json"))


def errors(path: Path) -> list[str]:
    """What the schema of a result's own version finds wrong with it."""
    jsonschema: Any = pytest.importorskip("jsonschema", reason="validating needs jsonschema, of the extra dev")
    table = json.loads(path.read_text(encoding="utf-8"))
    schema = json.loads((FOLDER / f"result-v{table['schema_version']}.json").read_text(encoding="utf-8"))
    checker = jsonschema.Draft202012Validator(schema)
    checker.check_schema(schema)
    return [f"{error.json_path}: {error.message}" for error in checker.iter_errors(table)]


def test_the_shipped_schema_is_what_the_dataclasses_say() -> None:
    shipped = json.loads((FOLDER / f"result-v{SCHEMA_VERSION}.json").read_text(encoding="utf-8"))
    assert shipped == result_schema(), "run python -m edge_aver.benchmarks.schema in the root of the checkout"


def test_every_version_that_was_ever_written_has_its_schema() -> None:
    names = {f"result-v{version}.json" for version in range(1, SCHEMA_VERSION + 1)}
    assert {path.name for path in FOLDER.glob("*.json")} == names
    for name in names:
        schema = json.loads((FOLDER / name).read_text(encoding="utf-8"))
        assert f"result-v{schema['properties']['schema_version']['const']}.json" == name


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_result_loads_and_is_valid(path: Path) -> None:
    assert read_result(path).artifact.name
    assert errors(path) == []


def fresh(
    make_result: Callable[..., Result],
    front_end: FrontEndMeasurements,
    front_end_result: Callable[[FrontEndMeasurements], Result],
) -> Iterator[Result]:
    yield make_result()
    yield make_result(conditions=(ConditionPredictions(name="audio", predictions=make_result().predictions),))
    yield front_end_result(front_end)


def test_a_fresh_result_is_valid(
    make_result: Callable[..., Result],
    front_end: FrontEndMeasurements,
    front_end_result: Callable[[FrontEndMeasurements], Result],
    tmp_path: Path,
) -> None:
    for result in fresh(make_result, front_end, front_end_result):
        assert errors(write_result(result, tmp_path)) == []


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda table: table.update(surprise=1), "surprise"),
        (lambda table: table["network"][0].update(latency_s=["fast"]), "latency_s"),
        (lambda table: table.pop("machine"), "machine"),
        (lambda table: table["spec"].update(fold="one"), "fold"),
        (lambda table: table.update(sha256="none"), "sha256"),
    ],
)
def test_a_hand_that_edits_is_told_by_the_schema_too(
    make_result: Callable[..., Result], tmp_path: Path, change: Callable[[dict[str, Any]], Any], where: str
) -> None:
    path = write_result(make_result(), tmp_path)
    table = json.loads(path.read_text(encoding="utf-8"))
    change(table)
    path.write_text(json.dumps(table), encoding="utf-8")
    assert any(where in error for error in errors(path))

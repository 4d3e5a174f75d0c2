"""A benchmark's result for one artifact: raw values with their provenance, as JSON that notices a change."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

from edge_aver.benchmarks.conditions import BOTH, check_condition
from edge_aver.benchmarks.front_end_results import EndToEndQuery, FrontEndMeasurements
from edge_aver.benchmarks.machine import Machine
from edge_aver.benchmarks.runs import NetworkRun, OverheadRun, ThroughputRun, ToolRun
from edge_aver.benchmarks.sensors import SensorLog
from edge_aver.benchmarks.suites import Suite
from edge_aver.bundle import FileEntry
from edge_aver.declarations import parse
from edge_aver.errors import ArtifactError, DeclarationError, MeasurementError
from edge_aver.files import json_text, sha256_bytes, write_text
from edge_aver.spec import ModelSpec

__all__ = [
    "SCHEMA_VERSION",
    "ArtifactRecord",
    "ClipPrediction",
    "ConditionPredictions",
    "Gap",
    "Measurements",
    "NetworkRun",
    "Result",
    "document",
    "latest_results",
    "read_result",
    "without_none",
    "write_result",
]

SCHEMA_VERSION = 2
_READS = (1, 2)
"""2 added readings around the queries, finer memory, throughput, overhead, and the spans of sensor logs."""

_LATER = ("conditions", "throughput", "overhead", "tools")
"""Fields that a file leaves out where nothing was measured: earlier files have none of them."""

_DIGEST = "sha256"


@dataclass(frozen=True, kw_only=True)
class ArtifactRecord:
    """Which artifact was measured: its file name, target, runtime, the precision asked for, and its files' hashes."""

    name: str
    target: str
    runtime: str
    precision: str
    files: dict[str, FileEntry]

    @property
    def size_bytes(self) -> int:
        """Bytes of all files."""
        return sum(entry.bytes for entry in self.files.values())


@dataclass(frozen=True, kw_only=True)
class ClipPrediction:
    """What the artifact answered for one test clip; `tensors_sha256` lets results be paired clip by clip."""

    id: str
    tensors_sha256: str
    actor: int
    label: str
    prediction: str
    logits: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class ConditionPredictions:
    """What the artifact answered where something was missing: the condition's name (`conditions`), and every test clip.

    The hash of a clip is that of its whole tensors: name and clip say what was masked of it.
    """

    name: str
    predictions: tuple[ClipPrediction, ...]


@dataclass(frozen=True, kw_only=True)
class Gap:
    """What has no number, and why; `failed` tells a failure from what could not be measured here at all."""

    case: str
    reason: str
    failed: bool


@dataclass(frozen=True, kw_only=True)
class Measurements:
    """Everything measured of one artifact in one run, without the formats of others.

    Attributes:
        artifact: what was measured.
        suite: how much was asked for.
        machine: where.
        tool_versions: of the libraries installed there.
        started_utc: ISO 8601, to the millisecond.
        threads: CPU threads asked for; None: the runtime's own choice.
        executed_precisions: layers by the precision the runtime executed; {} where it does not tell.
        network: one entry for each process.
        throughput: likewise, of processes that had all clips at once.
        overhead: likewise, of those that asked through edge-aver and through a bare loop by turns.
        tools: of the runtime's own benchmark program on the same file.
        predictions: one for each test clip of the fold, with both modalities.
        conditions: the same clips with something missing; left out of the file where nothing was.
        end_to_end: one for each media file.
        front_end: where the suite has such a part.
        sensors: power, temperature and clocks while the network was asked; None where nothing tells them.
        gaps: what is missing of these, and why.
    """

    artifact: ArtifactRecord
    suite: Suite
    machine: Machine
    tool_versions: dict[str, str]
    started_utc: str
    threads: int | None = None
    executed_precisions: dict[str, int]
    network: tuple[NetworkRun, ...] = ()
    throughput: tuple[ThroughputRun, ...] = ()
    overhead: tuple[OverheadRun, ...] = ()
    tools: tuple[ToolRun, ...] = ()
    predictions: tuple[ClipPrediction, ...] = ()
    conditions: tuple[ConditionPredictions, ...] = ()
    end_to_end: tuple[EndToEndQuery, ...] = ()
    front_end: FrontEndMeasurements | None = None
    sensors: SensorLog | None = None
    gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Result(Measurements):
    """Measurements with the network's `spec` and its parity ladder, as the export recorded them.

    `schema_version` is that of the file it was read from, the newest for one that was just measured.
    """

    spec: ModelSpec
    parity: tuple[Mapping[str, Any], ...] = ()
    schema_version: int = SCHEMA_VERSION

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all was measured: gaps only."""
        front_end = self.front_end and any(
            (self.front_end.rounds, self.front_end.agreement, self.front_end.fresh_runs, self.front_end.prepare_runs)
        )
        runs = (self.network, self.throughput, self.overhead, self.tools)
        return not any((*runs, self.predictions, self.conditions, self.end_to_end, front_end))

    @property
    def predictions_by_condition(self) -> dict[str, tuple[ClipPrediction, ...]]:
        """Every set of predictions that was measured, by the name of its condition; `both` first."""
        whole = {BOTH: self.predictions} if self.predictions else {}
        return whole | {item.name: item.predictions for item in self.conditions}


def write_result(result: Result, folder: Path) -> Path:
    """Write `<folder>/<target>/<artifact>-<UTC stamp>.json` atomically and return its path.

    Raises:
        ValueError: a value that is not finite.
    """
    stamp = result.started_utc.replace("-", "").replace(":", "")
    path = folder / result.artifact.target / f"{result.artifact.name}-{stamp}.json"
    write_text(path, json_text(document(result)))
    return path


def document(result: Result) -> dict[str, Any]:
    """`result` as its file holds it: schema version and SHA-256 included, optional fields without a value left out."""
    table: dict[str, Any] = without_none(asdict(result))
    # The spec and the ladder are others' formats: they travel as they are.
    table |= {"spec": asdict(result.spec), "parity": [dict(step) for step in result.parity]}
    table = {key: value for key, value in table.items() if value or key not in _LATER}
    return table | {_DIGEST: _digest(table)}


def read_result(path: Path) -> Result:
    """Read a result and check it.

    Raises:
        ArtifactError: missing, empty, not a result, of another schema version, edited, or with impossible values.
    """
    try:
        text = path.read_text(encoding="utf-8")
        table = json.loads(text, parse_constant=_refuse_constant)
        result = _parse(table, where=path.name)
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read ({error.strerror}); run edge-aver benchmark first") from error
    except (KeyError, TypeError, ValueError, AttributeError, DeclarationError) as error:
        raise ArtifactError(f"{path}: not a benchmark result ({error}); measure again") from error
    if table.get(_DIGEST) != _digest_of_text(text) and table.get(_DIGEST) != _digest(table):
        raise ArtifactError(f"{path}: changed since it was written (its sha256 does not match); measure again")
    return result


def latest_results(folder: Path, *, refused: list[tuple[str, str]] | None = None) -> tuple[Result, ...]:
    """The newest result of each artifact in `<folder>/<target>/*.json`, by target, architecture and precision.

    Suites with a front-end part measure other things: the newest of those stands beside the newest of the others.

    Args:
        folder: of results.
        refused: takes the name of each file that is no result, and why; without it the first one is an error.

    Raises:
        ArtifactError: a file among them that is no result, or none at all.
    """
    newest: dict[tuple[str, str, bool], Result] = {}
    # Studies of backbones are of another kind (`backbone_results`).
    for path in sorted(path for path in folder.glob("*/*.json") if path.parent.name != "backbones"):
        try:
            result = read_result(path)
        except ArtifactError as error:
            if refused is None:
                raise
            refused.append((path.name, str(error).removeprefix(f"{path}: ")))
            continue
        key = (result.artifact.target, result.artifact.name, result.suite.front_end is None)
        if key not in newest or newest[key].started_utc < result.started_utc:
            newest[key] = result
    if not newest and refused:
        raise ArtifactError(f"{folder}: holds no result that can be read; {refused[0][0]}: {refused[0][1]}")
    if not newest:
        raise ArtifactError(f"{folder}: holds no benchmark results; run edge-aver benchmark first")
    return tuple(sorted(newest.values(), key=_order))


def _order(result: Result) -> tuple[str, str, int, str]:
    return (
        result.artifact.target,
        result.spec.architecture,
        result.spec.fold,
        result.artifact.precision,
    )


def _parse(table: dict[str, Any], *, where: str) -> Result:
    version = table.get("schema_version")
    if version not in _READS:
        raise ValueError(f"schema_version {version!r}, this edge-aver reads {', '.join(map(str, _READS))}")
    values = {key: value for key, value in table.items() if key not in ("schema_version", _DIGEST, "spec", "parity")}
    spec = ModelSpec.from_dict(table["spec"])
    measured = parse(Measurements, values, where=where)
    _check(measured, spec.labels)
    parity = tuple(dict(step) for step in table["parity"])
    return Result(spec=spec, parity=parity, schema_version=version, **vars(measured))


def _check(measured: Measurements, labels: tuple[str, ...]) -> None:
    times = [value for run in measured.network for value in (*run.latency_s, *run.compute_s)]
    times += [query.total_s for query in measured.end_to_end]
    times += [run.wall_s for run in measured.throughput]
    times += [value for pair in measured.overhead for value in (*pair.ours_s, *pair.other_s)]
    times += [value for run in measured.tools for value in run.latency_s]
    if measured.front_end is not None:
        times += _front_end_times(measured.front_end)
    if any(not (0 < value < math.inf) for value in times):
        raise ValueError("a latency that is not a positive number of seconds (did a clock jump?)")
    _check_conditions(measured.conditions)
    predictions = [*measured.predictions, *(clip for item in measured.conditions for clip in item.predictions)]
    said = {name for item in predictions for name in (item.label, item.prediction)}
    if unknown := sorted(said - set(labels)):
        raise ValueError(f"{unknown[0]!r} is no label of the network")
    front_end = measured.front_end is not None and bool(times)
    others = (measured.throughput, measured.overhead, measured.tools)
    if not (measured.network or predictions or measured.end_to_end or front_end or any(others) or measured.gaps):
        raise ValueError("an empty run")


def _check_conditions(conditions: tuple[ConditionPredictions, ...]) -> None:
    names = [item.name for item in conditions]
    try:
        for name in names:
            check_condition(name)
    except MeasurementError as error:
        raise ValueError(str(error)) from error
    if BOTH in names or len(set(names)) < len(names) or not all(item.predictions for item in conditions):
        raise ValueError(f"conditions {', '.join(names)}: each once and with predictions, both not among them")


def _front_end_times(measured: FrontEndMeasurements) -> list[float]:
    times = [query.total_s for item in measured.rounds for query in item.queries]
    times += [run.wall_s for run in measured.fresh_runs]
    return times + [run.wall_s for run in measured.prepare_runs]


def _digest(table: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in table.items() if key != _DIGEST}
    return sha256_bytes(json_text(rest).encode())


def _digest_of_text(text: str) -> str:
    """The digest of a file as `write_result` left it, without printing all of its values anew."""
    return sha256_bytes(re.sub(rf'^ "{_DIGEST}": "[0-9a-f]{{64}}",\n', "", text, count=1, flags=re.MULTILINE).encode())


def without_none(value: Any) -> Any:
    """Optional fields are left out where they have no value, as in the TOML that the same reader takes."""
    if isinstance(value, dict):
        return {key: without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [without_none(item) for item in value]
    return value


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a measured value")

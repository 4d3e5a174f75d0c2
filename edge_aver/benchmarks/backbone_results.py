"""A study of backbones: raw values with their provenance, as JSON of its own kind that notices a change."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from edge_aver.benchmarks.backbone_choice import Candidate
from edge_aver.benchmarks.machine import Machine
from edge_aver.benchmarks.results import without_none
from edge_aver.benchmarks.runs import NetworkRun
from edge_aver.benchmarks.stats import Interval, percentile_interval
from edge_aver.benchmarks.suites import Suite
from edge_aver.declarations import parse
from edge_aver.errors import ArtifactError, DeclarationError
from edge_aver.files import json_text, sha256_bytes, write_text
from edge_aver.models.fer_protocol import FerOutcome

__all__ = ["FOLDER", "BackboneStudy", "Cell", "FerAccuracy", "is_study", "read_study", "write_study"]

FOLDER = "backbones"
"""Below a workspace's results; these are of another kind than those of artifacts."""

_KIND, _SCHEMA_VERSION = "backbones", 1
_BUSY_SHARE, _STOLEN_SHARE = 0.10, 0.05


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One network on one target in one precision.

    Attributes:
        network: as the paper names it.
        target, precision: that were asked for.
        paper_parameters, parameters: with the ImageNet classifier, and of what is deployed; None where it failed.
        file_bytes: of what the target runs.
        executed_precisions: layers by the precision the runtime executed; {} where it does not tell.
        runs: one for each process that answered.
        failed: why something is missing, one entry a process or build.
    """

    network: str
    target: str
    precision: str
    paper_parameters: int | None = None
    parameters: int | None = None
    file_bytes: int | None = None
    executed_precisions: dict[str, int]
    runs: tuple[NetworkRun, ...] = ()
    failed: tuple[str, ...] = ()

    @property
    def p50_s(self) -> float | None:
        """Median latency over all queries; None without any."""
        times = [value for run in self.runs for value in run.latency_s]
        return median(times) if times else None

    @property
    def p50_interval(self) -> Interval | None:
        """Its 95 % interval over queries; None with too few of them."""
        return percentile_interval([value for run in self.runs for value in run.latency_s], 0.5)

    @property
    def peak_bytes(self) -> int | None:
        """Largest resident memory of its processes; None where the kernel does not tell."""
        return max((run.after_queries.peak_bytes for run in self.runs if run.after_queries), default=None)

    def invalid(self, suite: Suite) -> tuple[str, ...]:
        """Why its figures do not count: failures, too few queries or seconds, a busy machine."""
        times, reasons = [value for run in self.runs for value in run.latency_s], list(self.failed)
        if not reasons and len(times) < suite.network_queries:
            reasons.append(f"{len(times)} queries, {suite.network_queries} asked for")
        if not reasons and sum(times) < suite.min_duration_s:
            reasons.append(f"{sum(times):.1f} s of queries, {suite.min_duration_s:g} asked for")
        uses = [run.cpu_use for run in self.runs if run.cpu_use]
        if (others := max((use.others_share for use in uses), default=0.0)) > _BUSY_SHARE:
            reasons.append(f"other processes used {others:.0%} of the processors")
        if (stolen := max((use.stolen_share for use in uses), default=0.0)) > _STOLEN_SHARE:
            reasons.append(f"the hypervisor took {stolen:.0%} of the processors")
        return tuple(dict.fromkeys(reasons))


@dataclass(frozen=True, kw_only=True)
class FerAccuracy:
    """A network (as the paper names it) trained on FER2013; without an outcome `failed` tells why."""

    network: str
    outcome: FerOutcome | None = None
    failed: str | None = None


@dataclass(frozen=True, kw_only=True)
class BackboneStudy:
    """Everything measured in one study.

    Attributes:
        suite: what was asked for.
        machine, tool_versions, threads: where, with what.
        started_utc: ISO 8601.
        faces: where the faces that calibrated and were asked came from.
        faces_sha256: of their pixels.
        weights: of the networks that were measured.
        cells: one for each network, target and precision; failed ones included.
        accuracies: where training was asked for.
    """

    suite: Suite
    machine: Machine
    tool_versions: dict[str, str]
    threads: int | None = None
    started_utc: str
    faces: str
    faces_sha256: str
    weights: str
    cells: tuple[Cell, ...]
    accuracies: tuple[FerAccuracy, ...] = ()

    @property
    def level(self) -> float:
        """Of the intervals that decide on ties."""
        return self.suite.backbones.level if self.suite.backbones else 0.98

    @property
    def budget_mb(self) -> float:
        """Largest model, of 10^6 bytes."""
        return self.suite.backbones.budget_mb if self.suite.backbones else 150.0

    def candidates(self) -> tuple[Candidate, ...]:
        """The networks that were trained here, with the size of network and classifier in fp32."""
        return tuple(
            Candidate(name=item.network, correct=known.correct, total=known.total, size_mb=known.file_bytes / 1e6)
            for item in self.accuracies
            if (known := item.outcome) is not None
        )


def document(study: BackboneStudy) -> dict[str, Any]:
    """`study` as its file holds it: kind, schema version and SHA-256 included."""
    table: dict[str, Any] = {"kind": _KIND, "schema_version": _SCHEMA_VERSION, **without_none(asdict(study))}
    return table | {"sha256": sha256_bytes(json_text(table).encode())}


def write_study(study: BackboneStudy, results: Path) -> Path:
    """Write `backbones/<UTC stamp>.json` below `results`, atomically."""
    stamp = study.started_utc.replace("-", "").replace(":", "")
    path = results / FOLDER / f"{FOLDER}-{stamp}.json"
    write_text(path, json_text(document(study)))
    return path


def is_study(path: Path) -> bool:
    """Whether a file says of itself that it is a study; whether it is a sound one, `read_study` tells."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(table, dict) and table.get("kind") == _KIND


def read_study(path: Path) -> BackboneStudy:
    """Read what `write_study` wrote.

    Raises:
        ArtifactError: missing, not such a file, of another schema, or changed since it was written.
    """
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        if (table["kind"], table["schema_version"]) != (_KIND, _SCHEMA_VERSION):
            raise ValueError(f"kind {table['kind']!r}, schema_version {table['schema_version']!r}")
        digest = table.pop("sha256")
        if digest != sha256_bytes(json_text(table).encode()):
            raise ValueError("it was changed since it was written")
        values = {key: value for key, value in table.items() if key not in ("kind", "schema_version")}
        return parse(BackboneStudy, values, where=path.name)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, DeclarationError) as error:
        raise ArtifactError(f"{path}: no study of backbones that can be read: {error}") from error

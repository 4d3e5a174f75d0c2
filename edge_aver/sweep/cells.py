"""Cells of a grid, and the record that each leaves: what it came to, and of what, so that a sweep can go on."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

from edge_aver import __version__
from edge_aver.benchmarks.grids import Grid
from edge_aver.declarations import declaration_digest, parse
from edge_aver.errors import DeclarationError
from edge_aver.files import json_text, sha256_bytes, write_text

__all__ = ["Cell", "CellRecord", "cell_key", "cells_of", "failed_cells", "read_record", "write_record"]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One artifact to make and to measure."""

    corpus: str
    architecture: str
    fold: int
    precision: str
    target: str

    @property
    def name(self) -> str:
        """As records and rows call it: `sa-ravdess-fold1-int8-openvino-cpu`."""
        recipe, device = (Path(item).name.removesuffix(".toml") for item in (self.precision, self.target))
        return f"{self.architecture}-{self.corpus}-fold{self.fold}-{recipe}-{device}"


@dataclass(frozen=True, kw_only=True)
class CellRecord:
    """What a cell came to.

    Attributes:
        cell: which.
        key: of everything that decides what it comes to (`cell_key`); "" where it failed before that was known.
        result: file of the measured result, below the workspace's results; None where it failed.
        step: at which it failed: train, export, measure; None where it is done.
        reason: why it failed; None where it is done.
    """

    cell: Cell
    key: str
    result: str | None = None
    step: str | None = None
    reason: str | None = None


def cells_of(grid: Grid) -> tuple[Cell, ...]:
    """All cells, fold by fold, so that an interrupted sweep leaves whole folds."""
    axes = (grid.folds, grid.architectures, grid.precisions, grid.targets)
    return tuple(
        Cell(corpus=grid.corpus, architecture=architecture, fold=fold, precision=precision, target=target)
        for fold, architecture, precision, target in product(*axes)
    )


def cell_key(cell: Cell, grid: Grid, *, checkpoint_sha256: str, clips_sha256: str) -> str:
    """SHA-256 over what a cell is made and measured from: a record with another key is of something else."""
    content = {
        "checkpoint": checkpoint_sha256,
        "clips": clips_sha256,
        "recipe": declaration_digest("export/recipes", cell.precision),
        "target": declaration_digest("targets/devices", cell.target),
        "suite": declaration_digest("benchmarks/suites", grid.suite),
        "threads": grid.threads,
        "edge-aver": __version__,
    }
    return sha256_bytes(json_text(content).encode())


def read_record(folder: Path, cell: Cell) -> CellRecord | None:
    """What a cell left in a sweep's folder; None where there is nothing that can be read."""
    return _read(folder / f"{cell.name}.json")


def write_record(folder: Path, record: CellRecord) -> None:
    """Note what a cell came to, atomically."""
    table = {key: value for key, value in asdict(record).items() if value is not None}
    write_text(folder / f"{record.cell.name}.json", json_text(table))


def failed_cells(sweeps: Path) -> tuple[tuple[str, str], ...]:
    """Cells of all sweeps of a workspace that failed when they were last tried: name, and step and reason."""
    records = (_read(path) for path in sorted(sweeps.glob("*/*.json")))
    return tuple(
        (item.cell.name, f"{item.step}: {item.reason}") for item in records if item is not None and item.reason
    )


def _read(path: Path) -> CellRecord | None:
    try:
        table: Mapping[str, object] = json.loads(path.read_text(encoding="utf-8"))
        return parse(CellRecord, table, where=str(path))
    except (OSError, ValueError, TypeError, DeclarationError):
        return None

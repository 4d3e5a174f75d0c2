"""Grids: what a sweep runs, as TOML declarations in `benchmarks/grids`."""

from dataclasses import dataclass, field
from pathlib import Path

from edge_aver import declarations
from edge_aver.errors import DeclarationError
from edge_aver.spec import ARCHITECTURES

__all__ = ["Grid", "GridTraining", "load_grid"]

_FOLDER = "benchmarks/grids"


@dataclass(frozen=True, kw_only=True)
class GridTraining:
    """How networks are trained that have no checkpoint: options of `edge-aver train`.

    Attributes:
        backbone_weights: `imagenet`, `none`, or a path.
        freeze_backbone: train the fusion only.
        epochs: at most this many.
        seed: of the first weights and the order of clips.
    """

    backbone_weights: str = "imagenet"
    freeze_backbone: bool = False
    epochs: int = 100
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Every combination of these is a cell of the sweep.

    Attributes:
        name: of its folder of records in the workspace.
        corpus: prepared, for all cells.
        architectures: of `ca`, `id`, `sa`.
        folds: from 1.
        precisions: recipes, by shipped name or path.
        targets: device profiles, by shipped name or path.
        suite: how each cell is measured.
        train: whether a network without a checkpoint is trained; else its cells fail and say so.
        training: how.
        threads: CPU threads of every runtime; None leaves it to the runtime.
    """

    name: str
    corpus: str
    architectures: tuple[str, ...]
    folds: tuple[int, ...]
    precisions: tuple[str, ...]
    targets: tuple[str, ...]
    suite: str
    train: bool = False
    training: GridTraining = field(default_factory=GridTraining)
    threads: int | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be a grid."""
        if not self.name.replace("-", "").replace("_", "").isalnum():
            raise DeclarationError(f"grid {self.name!r}: its name names a folder: letters, digits, - and _")
        for axis in ("architectures", "folds", "precisions", "targets"):
            values = getattr(self, axis)
            if not values or len(set(values)) < len(values):
                raise DeclarationError(f"grid {self.name}: {axis} must hold one value or more, each once")
        if unknown := set(self.architectures) - set(ARCHITECTURES):
            known = ", ".join(ARCHITECTURES)
            raise DeclarationError(f"grid {self.name}: unknown architecture {min(unknown)!r}; known: {known}")
        if min(self.folds) < 1 or self.training.epochs < 1:
            raise DeclarationError(f"grid {self.name}: folds and epochs count from 1")


def load_grid(name: str | Path) -> Grid:
    """Read a grid by shipped name or by path.

    Raises:
        DeclarationError: unknown name, unknown or missing keys, wrong types, empty axes.
    """
    return declarations.load(Grid, _FOLDER, name)

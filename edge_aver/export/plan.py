"""What an export command means: the checkpoint, its fold, its prepared clips, the recipes and the targets."""

from collections.abc import Sequence
from pathlib import Path

from edge_aver.calibration.folds import check_network_fold, load_fold
from edge_aver.corpora.store import PreparedStore
from edge_aver.export.pipeline import ExportRequest
from edge_aver.models.checkpoint import load_checkpoint, newest_checkpoint
from edge_aver.quantize import load_recipe
from edge_aver.targets import load_profile
from edge_aver.workspace import Workspace

__all__ = ["plan_export"]


def plan_export(
    workspace: Workspace,
    *,
    architecture: str,
    recipes: Sequence[str],
    targets: Sequence[str],
    checkpoint: Path | None = None,
    fold: int | None = None,
    corpus: str | None = None,
    calibration_clips: int | None = None,
    split: bool = False,
) -> ExportRequest:
    """Find everything an export needs; nothing is written.

    Args:
        workspace: where checkpoints and prepared clips are.
        architecture: `ca`, `id` or `sa`.
        recipes: shipped names or paths to TOML files.
        targets: shipped names or paths to TOML files.
        checkpoint: None takes the workspace's newest of the architecture (and fold and corpus, if given).
        fold: must be the checkpoint's own; tells it for a plain state dict.
        corpus: as `fold`.
        calibration_clips: instead of the recipe's number.
        split: see `ExportRequest`.

    Raises:
        CheckpointError: there is none, or it is not what was asked for.
        DeclarationError: unknown recipe or target.
        CorpusError: its corpus is not prepared.
        LeakError: the folds of its corpus are no longer those that it was trained on.
    """
    chosen_recipes = tuple(load_recipe(name) for name in recipes)
    profiles = tuple(load_profile(name) for name in targets)
    path = checkpoint or newest_checkpoint(workspace.checkpoints, architecture=architecture, fold=fold, corpus=corpus)
    loaded = load_checkpoint(path, architecture=architecture, fold=fold, corpus=corpus, prepared=workspace.prepared)
    folder = workspace.prepared(loaded.spec.corpus)
    store = PreparedStore.open(folder, loaded.spec.preprocessing)
    actors = load_fold(loaded.spec.corpus, loaded.spec.fold, store=folder)
    check_network_fold(loaded.spec, actors)
    return ExportRequest(
        checkpoint=loaded,
        store=store,
        fold=actors,
        recipes=chosen_recipes,
        profiles=profiles,
        artifacts=workspace.artifacts,
        calibration_clips=calibration_clips,
        split=split,
    )

"""What an export of a network of one's own means: its factory, weights, spec, clips, recipes and targets."""

from collections.abc import Sequence
from pathlib import Path

from torch import nn

from edge_aver.calibration.folds import load_fold
from edge_aver.console import say
from edge_aver.corpora.store import PreparedStore, store_name
from edge_aver.errors import CorpusError
from edge_aver.export.own_split import parse_parts
from edge_aver.export.pipeline import ExportRequest
from edge_aver.models.network import block_paths
from edge_aver.models.own import load_own
from edge_aver.quantize import Recipe, load_recipe, recipe_names
from edge_aver.quantize.own import fit_recipe
from edge_aver.spec import ModelSpec
from edge_aver.spec_file import load_spec
from edge_aver.targets import load_profile
from edge_aver.workspace import Workspace

__all__ = ["fitted_recipe", "plan_own_export"]


def plan_own_export(
    workspace: Workspace,
    *,
    model: str,
    model_spec: Path,
    checkpoint: Path,
    recipes: Sequence[str],
    targets: Sequence[str],
    fold: int | None = None,
    corpus: str | None = None,
    calibration_clips: int | None = None,
    split: str | None = None,
) -> ExportRequest:
    """Find everything the export of a network of one's own needs; nothing is written.

    Args:
        workspace: where prepared clips are.
        model: `package.module:factory`, or the name of an entry point.
        model_spec: the TOML file that describes it.
        checkpoint: its state dict.
        recipes: shipped names or paths to TOML files.
        targets: shipped names or paths to TOML files.
        fold: of the training clips; must be the spec's own where it says one.
        corpus: as `fold`.
        calibration_clips: instead of the recipe's number.
        split: `encoder=MODULE,fusion=MODULE`; None builds the network whole alone.

    Raises:
        DeclarationError: a spec, recipe or target that cannot be.
        ExportError: the factory or its network is not what the spec says.
        CheckpointError: weights of another network.
        CorpusError: no clips prepared with the spec's constants, or tensors of other shapes.
    """
    spec = load_spec(model_spec, corpus=corpus, fold=fold)
    parts = parse_parts(split) if split else None
    profiles = tuple(load_profile(name) for name in targets)
    chosen = [(load_recipe(name, own_network=True), name in recipe_names()) for name in recipes]
    split_of_actors = load_fold(spec.corpus, spec.fold, store=workspace.prepared(spec.corpus))
    store = PreparedStore.open(workspace.prepared(store_name(spec.corpus, spec.preprocessing)), spec.preprocessing)
    _check_tensors(store, spec)
    loaded = load_own(model, checkpoint, spec, split_of_actors)
    return ExportRequest(
        checkpoint=loaded,
        store=store,
        fold=split_of_actors,
        recipes=tuple(fitted_recipe(recipe, loaded.network, shipped=shipped) for recipe, shipped in chosen),
        profiles=profiles,
        artifacts=workspace.artifacts,
        calibration_clips=calibration_clips,
        split=parts is not None,
        parts=parts,
    )


def fitted_recipe(recipe: Recipe, network: nn.Module, *, shipped: bool) -> Recipe:
    """A recipe with the blocks of a network; what it means there is said.

    Raises:
        DeclarationError: it names blocks that the network does not have.
    """
    modules = {path: type(item).__name__ for path, item in network.named_modules() if path}
    fitted = fit_recipe(recipe, children=tuple(block_paths(network)), modules=modules, shipped=shipped)
    told = [
        f"{precision} in {', '.join(blocks)}"
        for precision in ("int8", "int8-weights", "fp16")
        if (blocks := fitted.blocks_in(precision))
    ]
    if told:
        say(f"recipe {recipe.name} on this network: {'; '.join(told)}; the rest in fp32 (see export/README.md)")
    return fitted


def _check_tensors(store: PreparedStore, spec: ModelSpec) -> None:
    """Hold the tensors of a store to the shapes that the network takes, by its first clip."""
    clip = store.load(store.records()[0].id)
    for item, values in zip(spec.inputs, spec.feed(clip.faces, clip.audio).values(), strict=True):
        if values.shape != item.shape[1:] or str(values.dtype) != item.dtype:
            raise CorpusError(
                f"{store.folder}: its {item.name} are {values.shape} {values.dtype}, the network's spec says "
                f"{item.shape[1:]} {item.dtype}; clips of features of your own are written by "
                "edge_aver.corpora.store.write_clip_tensors (export/OWN_NETWORK.md)"
            )

"""Checkpoints: safetensors that carry their ModelSpec, and plain state dicts of others."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import save
from torch import Tensor

from edge_aver.calibration.folds import load_fold
from edge_aver.corpora.store import PreparedStore
from edge_aver.errors import ArtifactError, CheckpointError
from edge_aver.files import sha256_file, write_bytes
from edge_aver.models.network import AverNetwork, build_network, count_parameters
from edge_aver.models.weights import assign, read_weights
from edge_aver.spec import LABELS, SPEC_KEY, ModelSpec, logits_of

__all__ = ["Checkpoint", "checkpoint_name", "load_checkpoint", "newest_checkpoint", "save_checkpoint"]


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A trained network, in evaluation mode, and the file it came from."""

    path: Path
    sha256: str
    spec: ModelSpec
    network: AverNetwork


def checkpoint_name(spec: ModelSpec) -> str:
    """The file name of a checkpoint: `aver-sa-synthetic-fold1.safetensors`."""
    return f"aver-{spec.architecture}-{spec.corpus}-fold{spec.fold}.safetensors"


def save_checkpoint(path: Path, network: AverNetwork, spec: ModelSpec) -> None:
    """Write weights and spec to `path` atomically."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    # Serialized in memory: writing by ourselves, a full disk is an OSError that says so.
    write_bytes(path, save(state, metadata={SPEC_KEY: spec.to_json()}))


def load_checkpoint(
    path: Path,
    *,
    architecture: str | None = None,
    fold: int | None = None,
    corpus: str | None = None,
    prepared: Callable[[str], Path] | None = None,
) -> Checkpoint:
    """Read a checkpoint; what is asked for must agree with the ModelSpec in it.

    A file without ModelSpec (a plain state dict, as `.pt`, `.pth` or safetensors) needs all three to be given.

    Args:
        path: what `save_checkpoint` wrote, or a state dict of such a network.
        architecture: `ca`, `id` or `sa`.
        fold: the split it was trained on, from 1.
        corpus: the corpus it was trained on.
        prepared: from a corpus's name to its prepared store, which tells labels and folds of a corpus of one's own.

    Raises:
        CheckpointError: missing, corrupt or truncated; of another architecture, fold or corpus; not such a network.
        DeclarationError: a plain state dict for a fold or corpus that is not declared.
    """
    state, metadata = read_weights(path)
    asked = {"architecture": architecture, "fold": fold, "corpus": corpus}
    spec = _read_spec(path, metadata[SPEC_KEY], asked) if SPEC_KEY in metadata else _make_spec(path, asked, prepared)
    network = _build(path, spec, state)
    return Checkpoint(path=path, sha256=sha256_file(path), spec=spec, network=network)


def newest_checkpoint(folder: Path, *, architecture: str, fold: int | None = None, corpus: str | None = None) -> Path:
    """The checkpoint of `architecture` that was written last; any fold and corpus where they are not given.

    Raises:
        CheckpointError: there is none; the ways to get one are named.
    """
    pattern = f"aver-{architecture}-{corpus or '*'}-fold{fold or '*'}.safetensors"
    if found := sorted(folder.glob(pattern), key=lambda path: (path.stat().st_mtime_ns, path.name)):
        return found[-1]
    limits = [f"fold {fold}"] * (fold is not None) + [f"corpus {corpus}"] * (corpus is not None)
    wanted = f"{architecture} checkpoint" + (f" of {', '.join(limits)}" if limits else "")
    raise CheckpointError(
        f"no {wanted} in {folder}: train one (edge-aver train --arch {architecture} --fold {fold or 1}), "
        "give one (--checkpoint PATH), or make one from synthetic actors (edge-aver demo)"
    )


def _read_spec(path: Path, text: str, asked: Mapping[str, object]) -> ModelSpec:
    try:
        spec = ModelSpec.from_json(text, where=str(path))
    except ArtifactError as error:
        raise CheckpointError(str(error)) from error
    for field, value in asked.items():
        if value is not None and value != getattr(spec, field):
            raise CheckpointError(f"{path}: its {field} is {getattr(spec, field)}, asked for {value}")
    return spec


def _make_spec(path: Path, asked: Mapping[str, object], prepared: Callable[[str], Path] | None) -> ModelSpec:
    flags = {"architecture": "--arch", "fold": "--fold", "corpus": "--corpus"}
    if missing := [flags[field] for field, value in asked.items() if value is None]:
        raise CheckpointError(f"{path}: a state dict that does not say what it is; give {', '.join(missing)} too")
    corpus, index = str(asked["corpus"]), int(str(asked["fold"]))
    store = prepared(corpus) if prepared else None
    fold = load_fold(corpus, index, store=store)
    labels = PreparedStore.open(store).labels if store is not None and store.is_dir() else LABELS
    return ModelSpec(
        architecture=str(asked["architecture"]),
        corpus=fold.corpus,
        fold=fold.index,
        train_actors=fold.train,
        validation_actors=fold.validation,
        test_actors=fold.test,
        labels=labels,
        outputs=logits_of(labels),
        parameters=count_parameters(build_network(str(asked["architecture"]), len(labels))),
        backbone_weights="unknown",
    )


def _build(path: Path, spec: ModelSpec, state: Mapping[str, Tensor]) -> AverNetwork:
    network = build_network(spec.architecture, len(spec.labels))
    assign(network, state, where=f"{path}: as {spec.architecture}")
    return network.eval()

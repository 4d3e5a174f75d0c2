"""Training by the paper's protocol, end to end or on a frozen backbone; an interrupted run continues."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import timm
import torch
from torch import nn

import edge_aver
from edge_aver.calibration.folds import Fold
from edge_aver.corpora.store import ClipRecord, PreparedStore
from edge_aver.files import json_text, sha256_bytes, write_text
from edge_aver.locks import sweep, turn
from edge_aver.models.backbone import load_backbone_weights
from edge_aver.models.checkpoint import checkpoint_name, save_checkpoint
from edge_aver.models.examples import Examples, audio_statistics, clip_examples, feature_examples, records_by_part
from edge_aver.models.features import module_digest
from edge_aver.models.fitting import Epoch, TrainingPlan, accuracy, fit
from edge_aver.models.network import AverNetwork, build_network, count_parameters
from edge_aver.spec import ModelSpec, logits_of

__all__ = ["TrainedNetwork", "TrainingPlan", "train"]


@dataclass(frozen=True, kw_only=True)
class TrainedNetwork:
    """What a training left.

    Attributes:
        path: the checkpoint, with the weights of the epoch that did best on the validation actors.
        spec: the ModelSpec in it.
        history: one entry an epoch; it also stands beside the checkpoint as `<stem>.history.json`.
        validation_accuracy: of the kept weights, from 0 to 1.
    """

    path: Path
    spec: ModelSpec
    history: tuple[Epoch, ...]
    validation_accuracy: float

    @property
    def epochs(self) -> int:
        """How many epochs were trained before early stopping or the limit."""
        return len(self.history)


def train(
    plan: TrainingPlan,
    store: PreparedStore,
    fold: Fold,
    *,
    architecture: str,
    backbone_weights: str | Path,
    checkpoints: Path,
    cache: Path,
) -> TrainedNetwork:
    """Train one architecture on one fold and write its checkpoint.

    Args:
        plan: the protocol.
        store: prepared clips of the fold's corpus.
        fold: who trains, validates and tests.
        architecture: `ca`, `id` or `sa`.
        backbone_weights: `imagenet`, `none`, or a path (see `load_backbone_weights`).
        checkpoints: folder of the checkpoint; one of the same architecture, corpus and fold is replaced.
        cache: folder of frame features and of what an interrupted run needs to continue.

    Raises:
        TrainingError: the store lacks actors of the fold, or the loss is no longer finite.
        CheckpointError: the backbone's weights cannot be loaded.
    """
    parts = records_by_part(store, fold)
    network, provenance = _start(plan, architecture, backbone_weights, outputs=len(store.labels))
    network.fusion.set_audio_normalisation(*audio_statistics(store, parts["train"]))
    spec = _describe(network, plan, store, fold, provenance)
    path = checkpoints / checkpoint_name(spec)
    with turn(path, f"edge-aver train --arch {architecture}"):
        for folder in (checkpoints, cache / "training"):
            sweep(folder)
        return _train(plan, network, spec, store, parts, path=path, cache=cache)


def _train(
    plan: TrainingPlan,
    network: AverNetwork,
    spec: ModelSpec,
    store: PreparedStore,
    parts: dict[str, tuple[ClipRecord, ...]],
    *,
    path: Path,
    cache: Path,
) -> TrainedNetwork:
    key = _run_key(plan, network, parts)
    examples = {part: _examples(plan, network, store, records, cache) for part, records in parts.items()}
    state_path = cache / "training" / f"{path.stem}.pt"
    history = fit(plan, network, examples["train"], examples["validation"], state_path=state_path, key=key)
    trained = TrainedNetwork(
        path=path,
        spec=spec,
        history=history,
        validation_accuracy=accuracy(plan, network, examples["validation"]),
    )
    save_checkpoint(trained.path, network, spec)
    write_text(trained.path.with_suffix(".history.json"), json_text([asdict(epoch) for epoch in history]))
    state_path.unlink(missing_ok=True)
    return trained


def _start(
    plan: TrainingPlan, architecture: str, backbone_weights: str | Path, *, outputs: int
) -> tuple[AverNetwork, str]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        network = build_network(architecture, outputs)
    provenance = load_backbone_weights(network.frame_encoder.backbone, backbone_weights)
    return network.to(plan.chosen_device()), provenance


def _describe(network: AverNetwork, plan: TrainingPlan, store: PreparedStore, fold: Fold, provenance: str) -> ModelSpec:
    return ModelSpec(
        architecture=network.architecture,
        corpus=fold.corpus,
        fold=fold.index,
        train_actors=fold.train,
        validation_actors=fold.validation,
        test_actors=fold.test,
        labels=store.labels,
        outputs=logits_of(store.labels),
        preprocessing=store.preprocessing,
        parameters=count_parameters(network),
        backbone_weights=provenance,
        frozen_backbone=plan.freeze_backbone,
        tool_versions={"edge-aver": edge_aver.__version__, "timm": timm.__version__, "torch": torch.__version__},
    )


def _run_key(plan: TrainingPlan, network: nn.Module, parts: dict[str, tuple[ClipRecord, ...]]) -> str:
    """What must agree for an interrupted run to continue: the plan, the first weights and the labelled clips."""
    clips = {part: [(record.tensors_sha256, record.label) for record in records] for part, records in parts.items()}
    content = {"plan": asdict(replace(plan, device=None)), "weights": module_digest(network), "clips": clips}
    return sha256_bytes(json_text(content).encode())


def _examples(
    plan: TrainingPlan, network: AverNetwork, store: PreparedStore, records: tuple[ClipRecord, ...], cache: Path
) -> Examples:
    if plan.freeze_backbone:
        return feature_examples(network, store, records, cache=cache)
    return clip_examples(network, store, records)

"""What training sees of the clips: whole clips, or cached features where the backbone is frozen."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from edge_aver.calibration.folds import Fold
from edge_aver.corpora.store import ClipRecord, PreparedStore
from edge_aver.errors import TrainingError
from edge_aver.models.features import frame_features
from edge_aver.models.network import AverNetwork
from edge_aver.spec import AUDIO_FEATURES

__all__ = [
    "ClipExamples",
    "Examples",
    "FeatureExamples",
    "audio_statistics",
    "clip_examples",
    "feature_examples",
    "records_by_part",
]


class Examples(Protocol):
    """Labelled windows that a network can be asked about by position."""

    @property
    def labels(self) -> Tensor:
        """Indices into the labels of the store, (N,) int64."""

    def logits(self, positions: Tensor) -> Tensor:
        """Logits (B, L) of the windows at `positions` (B,), with gradients to whatever is trained."""


@dataclass(frozen=True, kw_only=True)
class FeatureExamples:
    """Windows whose frames a frozen backbone has encoded; features (N, 15, 1280), audio (N, 15, 128)."""

    network: AverNetwork
    features: Tensor
    audio: Tensor
    labels: Tensor

    def logits(self, positions: Tensor) -> Tensor:
        """As `Examples.logits`, through the dense layer and the fusion."""
        visual = self.network.frame_encoder.dense(self.features[positions])
        logits: Tensor = self.network.fusion(visual, self.audio[positions])
        return logits


@dataclass(frozen=True, kw_only=True)
class ClipExamples:
    """Windows read from the store when they are asked for: the whole network is trained."""

    network: AverNetwork
    store: PreparedStore
    ids: tuple[str, ...]
    labels: Tensor

    def logits(self, positions: Tensor) -> Tensor:
        """As `Examples.logits`, through the whole network."""
        clips = [self.store.load(self.ids[position]) for position in positions.tolist()]
        faces = torch.from_numpy(np.stack([clip.faces for clip in clips])).to(self.labels.device)
        audio = torch.from_numpy(np.stack([clip.audio for clip in clips])).to(self.labels.device)
        logits: Tensor = self.network(faces, audio)
        return logits


def records_by_part(store: PreparedStore, fold: Fold) -> dict[str, tuple[ClipRecord, ...]]:
    """The records of the parts that a training sees: `train` and `validation`. Test actors are left to benchmarks.

    Raises:
        TrainingError: the store is of another corpus, or lacks a training or validation actor.
    """
    if store.corpus != fold.corpus:
        raise TrainingError(f"the prepared store holds {store.corpus} clips, fold {fold.index} is one of {fold.corpus}")
    parts = {"train": fold.train, "validation": fold.validation}
    records = store.records()
    present = {record.actor for record in records}
    for part, actors in parts.items():
        if missing := [actor for actor in actors if actor not in present]:
            raise TrainingError(
                f"the prepared {store.corpus} store lacks {part} actors {', '.join(map(str, missing))} "
                f"of fold {fold.index}; prepare their clips first"
            )
    return {part: tuple(record for record in records if record.actor in actors) for part, actors in parts.items()}


def feature_examples(
    network: AverNetwork, store: PreparedStore, records: Sequence[ClipRecord], *, cache: Path
) -> FeatureExamples:
    """Encode what the cache lacks, and hold features and speech of all records in memory."""
    device = next(network.parameters()).device
    features = frame_features(network, store, [record.id for record in records], cache=cache)
    return FeatureExamples(
        network=network,
        features=torch.from_numpy(features).to(device),
        audio=torch.from_numpy(_audio(store, records)).to(device),
        labels=_labels(network, records),
    )


def clip_examples(network: AverNetwork, store: PreparedStore, records: Sequence[ClipRecord]) -> ClipExamples:
    """Nothing is read yet."""
    ids = tuple(record.id for record in records)
    return ClipExamples(network=network, store=store, ids=ids, labels=_labels(network, records))


def audio_statistics(store: PreparedStore, records: Sequence[ClipRecord]) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each audio feature over all frames of the records, both (128,) float32."""
    frames = _audio(store, records).reshape(-1, AUDIO_FEATURES).astype(np.float64)
    mean, std = frames.mean(axis=0), frames.std(axis=0)
    return torch.from_numpy(mean.astype(np.float32)), torch.from_numpy(std.astype(np.float32))


def _audio(store: PreparedStore, records: Sequence[ClipRecord]) -> npt.NDArray[np.float32]:
    return np.stack([store.load(record.id).audio for record in records])


def _labels(network: AverNetwork, records: Sequence[ClipRecord]) -> Tensor:
    device = next(network.parameters()).device
    return torch.tensor([record.label for record in records], dtype=torch.long, device=device)

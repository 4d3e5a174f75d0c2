"""Brief training of the backbone on single faces: the demo's shortcut where no ImageNet weights are at hand."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, cross_entropy, interpolate, mse_loss
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR

from edge_aver.console import progress
from edge_aver.errors import TrainingError
from edge_aver.files import write_bytes
from edge_aver.models.backbone import FEATURES
from edge_aver.models.network import FrameEncoder
from edge_aver.spec import LABELS, Preprocessing

__all__ = ["pretrain_backbone"]

_LEARNING_RATE = 4e-3
_WEIGHT_DECAY = 0.01
_BETAS = (0.9, 0.99)
_CROP_SHARE = 0.625
_CROP_CENTRE_Y = 0.62
_CROP_JITTER = 0.05
_NORM_BATCHES = 8
_SMALLEST_STD = 1e-3
_NORM_BATCH = 16


def pretrain_backbone(
    faces: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int64],
    cues: npt.NDArray[np.float32],
    *,
    out: Path,
    steps: int,
    batch: int,
    seed: int = 0,
) -> Path:
    """Teach a random backbone expressions, with a temporary head, and write its weights.

    This is no protocol of the paper: AdamW on one cycle, on the middle of small faces (brows, eyes, mouth), so that
    two cores learn something within a minute or so. Batch norms are then measured anew on whole faces at the size
    that the network takes, since their statistics change with it.

    Args:
        faces: (M, s, s, 3) uint8 RGB, s at least 64.
        labels: (M,) int64, indices into LABELS.
        cues: (M, C) float32, what was drawn (how far brows, eyes and mouth moved): learned beside the labels, since
            a number for each feature of the face says more than one label for all of them.
        out: safetensors file to write, for `--backbone-weights`.
        steps: optimiser steps.
        batch: faces a step.
        seed: of the first weights, the order and the crops.

    Returns:
        `out`.

    Raises:
        TrainingError: fewer faces than a batch, or the loss is no longer finite.
    """
    if len(faces) < batch:
        raise TrainingError(f"{len(faces)} faces to pretrain on, a batch takes {batch}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = FrameEncoder()
        lessons = _Lessons(torch.from_numpy(faces), torch.from_numpy(labels), _standardised(torch.from_numpy(cues)))
        _fit(encoder, lessons, steps, batch)
        _measure_norms(encoder, torch.from_numpy(faces))
    state = {name: tensor.contiguous() for name, tensor in encoder.backbone.state_dict().items()}
    write_bytes(out, save(state))
    return out


class _Lessons(NamedTuple):
    faces: Tensor
    labels: Tensor
    cues: Tensor


def _standardised(cues: Tensor) -> Tensor:
    return (cues - cues.mean(dim=0)) / cues.std(dim=0).clamp(min=_SMALLEST_STD)


def _fit(encoder: FrameEncoder, lessons: _Lessons, steps: int, batch: int) -> None:
    _start_shallow(encoder.backbone)
    head = nn.Linear(FEATURES, len(LABELS) + lessons.cues.shape[1])
    # Many times faster than contiguous tensors where feature maps are this small.
    model = nn.ModuleList([encoder.backbone, head]).to(memory_format=torch.channels_last)
    optimiser = AdamW(model.parameters(), lr=_LEARNING_RATE, betas=_BETAS, weight_decay=_WEIGHT_DECAY)
    schedule = OneCycleLR(optimiser, _LEARNING_RATE, total_steps=steps, pct_start=0.2)
    model.train()
    with progress("Pretraining the backbone", steps) as advance:
        for positions in _batches(len(lessons.faces), batch, steps):
            pixels = _normalise(encoder, _augment(lessons.faces[positions]))
            answers = head(adaptive_avg_pool2d(encoder.backbone(pixels), 1).flatten(1))
            logits, moved = answers.split([len(LABELS), lessons.cues.shape[1]], dim=1)
            loss = cross_entropy(logits, lessons.labels[positions], label_smoothing=0.05)
            loss = loss + mse_loss(moved, lessons.cues[positions])
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            schedule.step()
            _check_finite(loss)
            advance(note=f"loss {loss.item():.2f}")


def _start_shallow(backbone: nn.Module) -> None:
    """Let each residual block start as the identity: a deep network then learns from its first steps on."""
    for block in backbone.modules():
        if getattr(block, "has_skip", False):
            *_, last = (child for child in block.children() if isinstance(child, nn.BatchNorm2d))
            nn.init.zeros_(last.weight)


def _batches(count: int, batch: int, steps: int) -> Iterator[Tensor]:
    while steps > 0:
        for positions in torch.randperm(count)[: count - count % batch].split(batch)[:steps]:  # type: ignore[no-untyped-call]
            yield positions
            steps -= 1


def _augment(faces: Tensor) -> Tensor:
    """The middle of each face, shifted a little and mirrored at random: (B, c, c, 3)."""
    side = faces.shape[1]
    crop, jitter = int(side * _CROP_SHARE), int(side * _CROP_JITTER)
    lefts = (side - crop) // 2 + torch.randint(-jitter, jitter + 1, (len(faces),))
    tops = int(side * _CROP_CENTRE_Y - crop / 2) + torch.randint(-jitter, jitter + 1, (len(faces),))
    cropped = [
        face[top : top + crop, left : left + crop]
        for face, top, left in zip(faces, tops.clamp(0, side - crop).tolist(), lefts.tolist(), strict=True)
    ]
    mirrored = torch.rand(len(faces)) < 0.5
    return torch.stack([face.flip(1) if turn else face for face, turn in zip(cropped, mirrored.tolist(), strict=True)])


def _measure_norms(encoder: FrameEncoder, faces: Tensor) -> None:
    """Average batch statistics over some batches at full size, in place of those of small crops."""
    for norm in encoder.backbone.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.reset_running_stats()
            norm.momentum = None
    side = Preprocessing().face_size_px
    encoder.backbone.train()
    with torch.no_grad():
        for positions in _batches(len(faces), min(_NORM_BATCH, len(faces)), _NORM_BATCHES):
            pixels = _normalise(encoder, faces[positions])
            encoder.backbone(interpolate(pixels, size=(side, side), mode="bilinear", align_corners=False))


def _normalise(encoder: FrameEncoder, faces: Tensor) -> Tensor:
    pixels = (faces.permute(0, 3, 1, 2).float() - encoder.mean) * encoder.scale
    return pixels.contiguous(memory_format=torch.channels_last)


def _check_finite(loss: Tensor) -> None:
    if not torch.isfinite(loss):
        raise TrainingError(f"the loss is {loss.item()} in pretraining: it diverged")

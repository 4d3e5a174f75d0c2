"""The loop that trains a network on FER2013's faces: early stopping, the rate's schedule, a state to go on from."""

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import Adam
from torch.optim.lr_scheduler import ReduceLROnPlateau

from edge_aver.console import progress, say
from edge_aver.errors import TrainingError
from edge_aver.models.fer_protocol import FerTraining
from edge_aver.models.state import read_state, write_state

__all__ = ["Faces", "count_right", "fit_on_faces"]

Faces = tuple[Tensor, Tensor]
"""Faces (or features of them), one a row, and labels (N,) int64."""

_STATE_INTERVAL_S = 10.0
_SEED_STEP = 1_000_003
"""Between the seeds of two trainings, so that their epochs draw differently."""


def fit_on_faces(
    learner: nn.Module,
    train: Faces,
    validation: Faces,
    plan: FerTraining,
    *,
    change: Callable[[Tensor], Tensor],
    state: tuple[Path, str] | None = None,
) -> int:
    """Train in place, leave the weights with the lowest validation loss, and give the number of epochs.

    What an epoch draws depends on seed and epoch alone, so an interrupted training ends as it would have without.

    Args:
        learner: what learns: inputs to logits.
        train: what it learns from.
        validation: what decides on the rate and on stopping.
        plan: the protocol.
        change: augmentation of a batch.
        state: where an interrupted run is found and left, and the key that tells it from others.

    Raises:
        TrainingError: the loss is no longer finite.
    """
    run = _Run(learner, plan)
    if state is not None:
        run.resume(*state)
    with progress("Training on FER2013", plan.epochs) as advance:
        advance(run.epoch)
        saved_at = time.monotonic()
        while not run.finished():
            run.step(train, validation, change)
            advance(note=f"validation loss {run.loss:.3f}")
            if state is not None and time.monotonic() - saved_at >= _STATE_INTERVAL_S:
                run.save(*state)
                saved_at = time.monotonic()
    learner.load_state_dict(run.best)
    return run.epoch


def count_right(learner: nn.Module, faces: Faces, batch: int) -> tuple[float, int]:
    """Mean cross-entropy in nats, and how many faces get their label.

    Raises:
        TrainingError: the loss is not finite.
    """
    learner.eval()
    loss, correct = 0.0, 0
    with torch.inference_mode():
        for inputs, labels in zip(torch.split(faces[0], batch), torch.split(faces[1], batch), strict=True):
            logits = learner(inputs.float())
            loss += cross_entropy(logits, labels, reduction="sum").item()
            correct += int((logits.argmax(dim=1) == labels).sum())
    if not math.isfinite(loss):
        raise TrainingError("the loss is no longer finite: training on FER2013 diverged; lower the learning rate")
    return loss / len(faces[1]), correct


class _Run:
    """A training under way; everything that its next epoch depends on is saved and resumed together."""

    def __init__(self, learner: nn.Module, plan: FerTraining) -> None:
        self.learner, self.plan = learner, plan
        self.optimiser = Adam(learner.parameters(), lr=plan.learning_rate)
        self.schedule = ReduceLROnPlateau(self.optimiser, factor=0.5, patience=plan.plateau_patience)
        self.best: dict[str, Any] = _copy(learner)
        self.epoch, self.best_epoch, self.loss, self.best_loss = 0, 0, math.inf, math.inf

    def finished(self) -> bool:
        """Whether the limit of epochs or the patience is used up."""
        return self.epoch >= self.plan.epochs or self.epoch - self.best_epoch >= self.plan.stop_patience

    def step(self, train: Faces, validation: Faces, change: Callable[[Tensor], Tensor]) -> None:
        """One epoch; its weights are kept where they are the best so far."""
        self.epoch += 1
        torch.manual_seed(self.plan.seed * _SEED_STEP + self.epoch)
        self.learner.train()
        for rows in _batches(len(train[1]), self.plan.batch):
            loss = cross_entropy(self.learner(change(train[0][rows].float())), train[1][rows])
            self.optimiser.zero_grad()
            torch.autograd.backward(loss)
            self.optimiser.step()
        self.loss, _ = count_right(self.learner, validation, self.plan.batch)
        self.schedule.step(self.loss)
        if self.loss < self.best_loss:
            self.best, self.best_loss, self.best_epoch = _copy(self.learner), self.loss, self.epoch

    def save(self, path: Path, key: str) -> None:
        """Leave everything at `path`."""
        parts = {name: getattr(self, name) for name in ("epoch", "best_epoch", "loss", "best_loss", "best")}
        whole = {name: getattr(self, name).state_dict() for name in ("learner", "optimiser", "schedule")}
        write_state(path, {"key": key, **parts, **whole})

    def resume(self, path: Path, key: str) -> None:
        """Go on with the run that `save` left, if it was this one."""
        if not (state := read_state(path, key)):
            return
        for name in ("learner", "optimiser", "schedule"):
            getattr(self, name).load_state_dict(state[name])
        for name in ("epoch", "best_epoch", "loss", "best_loss", "best"):
            setattr(self, name, state[name])
        say(f"Continuing the interrupted training after epoch {self.epoch}")


def _copy(learner: nn.Module) -> dict[str, Tensor]:
    return {name: item.detach().clone() for name, item in learner.state_dict().items()}


def _batches(count: int, batch: int) -> Iterator[Tensor]:
    """Whole batches in random order; all at once where there are fewer (a batch norm needs more than one)."""
    rows = torch.randperm(count)
    yield from rows[: count - count % batch if count >= batch else count].split(batch)  # type: ignore[no-untyped-call]

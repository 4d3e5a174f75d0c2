"""The training loop: mini-batches, the learning-rate schedule, early stopping, and a state to continue from."""

import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD
from torch.optim.lr_scheduler import ReduceLROnPlateau

from edge_aver.console import progress, say
from edge_aver.errors import TrainingError
from edge_aver.models.examples import Examples
from edge_aver.models.network import AverNetwork
from edge_aver.models.state import read_state, write_state

__all__ = ["Epoch", "TrainingPlan", "accuracy", "fit"]

_STATE_INTERVAL_S = 10.0
"""Cheap epochs need not each be written: a killed run loses at most this and the epoch under way."""


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """How to train: the paper's protocol (4.2.2) where it speaks, a choice where it is silent.

    Attributes:
        epochs: at most this many (paper).
        batch: windows an optimiser step (paper).
        learning_rate, momentum, weight_decay: of SGD (paper).
        plateau_factor, plateau_patience: the rate is multiplied by the factor after more than so many epochs without a
            lower validation loss (the paper names ReduceLROnPlateau; the values are chosen here).
        stop_patience: epochs without better validation accuracy (then loss) before stopping (chosen here).
        clip_norm: largest norm of the gradient of a step (chosen here).
        micro_batch: windows in memory at once when the backbone is trained; gradients accumulate to `batch`.
        freeze_backbone: train the dense layer and the fusion only, on cached features.
        seed: of the first weights and the order of clips.
        device: as torch names it; None takes CUDA where present.
    """

    epochs: int = 100
    batch: int = 64
    learning_rate: float = 0.04
    momentum: float = 0.9
    weight_decay: float = 1e-3
    plateau_factor: float = 0.5
    plateau_patience: int = 4
    stop_patience: int = 15
    clip_norm: float = 1.0
    micro_batch: int = 4
    freeze_backbone: bool = False
    seed: int = 0
    device: str | None = None

    @property
    def part_size(self) -> int:
        """Windows that go through the network at once."""
        return self.batch if self.freeze_backbone else self.micro_batch

    def chosen_device(self) -> torch.device:
        """The device asked for, or CUDA where present, or the CPU.

        Raises:
            TrainingError: the device asked for does not exist or does not work here.
        """
        name = self.device or ("cuda" if torch.cuda.is_available() else "cpu")
        try:
            torch.empty(0, device=name)
        except (RuntimeError, AssertionError) as error:
            raise TrainingError(
                f"device {name} does not work here: cpu always does, cuda needs an NVIDIA GPU and its driver"
            ) from error
        return torch.device(name)


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """Losses (cross-entropy, nats) and accuracies (0 to 1) of one epoch, from 1, and the rate it used."""

    epoch: int
    learning_rate: float
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float

    @property
    def merit(self) -> tuple[float, float]:
        """What early stopping maximises: validation accuracy, then a lower validation loss."""
        return self.validation_accuracy, -self.validation_loss


def fit(
    plan: TrainingPlan, network: AverNetwork, train: Examples, validation: Examples, *, state_path: Path, key: str
) -> tuple[Epoch, ...]:
    """Train `network` in place and leave it with the weights that did best on the validation windows.

    Args:
        plan: the protocol.
        network: with its first weights.
        train: the windows to learn from.
        validation: the windows that decide on the rate and on stopping.
        state_path: where an interrupted run is found and left.
        key: a state with another key is another run's, and is not continued.

    Raises:
        TrainingError: the loss is no longer finite.
    """
    run = _Run(plan, network)
    run.resume(state_path, key)
    with progress(f"Training {network.architecture}", plan.epochs) as advance:
        advance(len(run.history))
        saved_at = time.monotonic()
        while not run.finished():
            epoch = run.step(train, validation)
            if time.monotonic() - saved_at >= _STATE_INTERVAL_S:
                run.save(state_path, key)
                saved_at = time.monotonic()
            advance(note=f"loss {epoch.train_loss:.3f}, validation {epoch.validation_accuracy:.1%}")
    run.module.load_state_dict(run.best)
    return tuple(run.history)


def accuracy(plan: TrainingPlan, network: AverNetwork, examples: Examples) -> float:
    """Share of windows whose largest logit is their label."""
    return _evaluate(plan, network, examples)[1]


class _Run:
    """A training under way: weights, optimiser, schedule and history, which are saved and resumed together."""

    def __init__(self, plan: TrainingPlan, network: AverNetwork) -> None:
        self.plan, self.network = plan, network
        frozen_parts = nn.ModuleList([network.frame_encoder.dense, network.fusion])
        self.module: nn.Module = frozen_parts if plan.freeze_backbone else network
        self.optimiser = SGD(
            self.module.parameters(), lr=plan.learning_rate, momentum=plan.momentum, weight_decay=plan.weight_decay
        )
        self.schedule = ReduceLROnPlateau(self.optimiser, factor=plan.plateau_factor, patience=plan.plateau_patience)
        self.history: list[Epoch] = []
        self.best: dict[str, Tensor] = {}

    def finished(self) -> bool:
        """Whether the limit of epochs or the patience is used up."""
        if not self.history:
            return self.plan.epochs < 1
        best = max(self.history, key=lambda epoch: epoch.merit).epoch
        return len(self.history) >= self.plan.epochs or len(self.history) - best >= self.plan.stop_patience

    def step(self, train: Examples, validation: Examples) -> Epoch:
        """Train one epoch, validate, and keep the weights where they are the best so far."""
        number, rate = len(self.history) + 1, float(self.optimiser.param_groups[0]["lr"])
        train_loss, train_accuracy = self._learn(train, number)
        validation_loss, validation_accuracy = _evaluate(self.plan, self.network, validation)
        self.schedule.step(validation_loss)
        epoch = Epoch(
            epoch=number,
            learning_rate=rate,
            train_loss=train_loss,
            train_accuracy=train_accuracy,
            validation_loss=validation_loss,
            validation_accuracy=validation_accuracy,
        )
        if not self.history or epoch.merit > max(past.merit for past in self.history):
            self.best = {name: tensor.detach().clone() for name, tensor in self.module.state_dict().items()}
        self.history.append(epoch)
        return epoch

    def save(self, path: Path, key: str) -> None:
        """Write everything the next epoch depends on."""
        state = {
            "key": key,
            "weights": self.module.state_dict(),
            "best": self.best,
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "history": [asdict(epoch) for epoch in self.history],
        }
        write_state(path, state)

    def resume(self, path: Path, key: str) -> None:
        """Continue the run that `save` left at `path`, if it was this one."""
        state = read_state(path, key)
        if not state:
            return
        self.module.load_state_dict(state["weights"])
        self.best = state["best"]
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        self.history = [Epoch(**epoch) for epoch in state["history"]]
        say(f"Continuing the interrupted training after epoch {len(self.history)}")

    def _learn(self, examples: Examples, number: int) -> tuple[float, float]:
        self.module.train()
        total, correct = 0.0, 0
        for batch in _shuffled(len(examples.labels), self.plan, number):
            self.optimiser.zero_grad()
            for part in torch.split(batch, self.plan.part_size):
                logits, labels = examples.logits(part), examples.labels[part]
                loss = cross_entropy(logits, labels, reduction="sum")
                torch.autograd.backward(loss / len(batch))
                total += _finite(loss.item(), number)
                correct += int((logits.argmax(dim=1) == labels).sum())
            nn.utils.clip_grad_norm_(self.module.parameters(), self.plan.clip_norm)
            self.optimiser.step()
        return total / len(examples.labels), correct / len(examples.labels)


def _evaluate(plan: TrainingPlan, network: AverNetwork, examples: Examples) -> tuple[float, float]:
    network.eval()
    total, correct, count = 0.0, 0, len(examples.labels)
    with torch.inference_mode():
        for part in torch.split(torch.arange(count), plan.part_size):
            logits, labels = examples.logits(part), examples.labels[part]
            total += cross_entropy(logits, labels, reduction="sum").item()
            correct += int((logits.argmax(dim=1) == labels).sum())
    return _finite(total / count, None), correct / count


def _shuffled(count: int, plan: TrainingPlan, number: int) -> tuple[Tensor, ...]:
    """Batches of one epoch; the order depends on seed and epoch alone, so that a resumed run sees the same."""
    generator = torch.Generator().manual_seed(plan.seed * 1_000_003 + number)
    return torch.split(torch.randperm(count, generator=generator), plan.batch)


def _finite(loss: float, epoch: int | None) -> float:
    if not math.isfinite(loss):
        where = "in validation" if epoch is None else f"in epoch {epoch}"
        raise TrainingError(f"the loss is {loss} {where}: the training diverged; lower the learning rate")
    return loss

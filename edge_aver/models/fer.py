"""Training and testing of one backbone on FER2013 by the paper's protocol (4.1.1)."""

import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import timm
import torch
from huggingface_hub import constants
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, affine_grid, cross_entropy, grid_sample, interpolate
from torch.optim import Adam
from torch.optim.lr_scheduler import ReduceLROnPlateau

from edge_aver.console import say
from edge_aver.corpora.fer2013_parts import FerPart, read_parts
from edge_aver.errors import CheckpointError, TrainingError
from edge_aver.models.backbone import FETCH_FAILURES
from edge_aver.models.backbones import FaceNetwork, build_face_network, settle_norms

__all__ = ["FerOutcome", "FerPlan", "FerSystem", "train_on_fer"]

_NO_WEIGHTS: tuple[type[Exception], ...] = (CheckpointError, *FETCH_FAILURES)
_GRID = 2
"""The last feature map is pooled to 2 x 2: EfficientNetV2-B0's 1,280 channels then give the paper's 5,120 inputs."""

_REACH_TIMEOUT_S = 5.0
_TURN_RADIANS, _ZOOM, _SHIFT, _BRIGHTNESS, _CONTRAST, _ERASED = 0.17, 0.1, 0.1, 0.2, 0.2, 0.3
"""Strength of the augmentations that the paper names without values (chosen here)."""


@dataclass(frozen=True, kw_only=True)
class FerPlan:
    """How to train; the suite's keys, and whether the backbone learns too."""

    face_px: int
    hidden: int
    outputs: int
    batch: int
    learning_rate: float
    epochs: int
    plateau_patience: int
    stop_patience: int
    most_faces: int = 0
    freeze_backbone: bool = False
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class FerOutcome:
    """The test part answered with the weights that did best on the validation part; sizes in fp32."""

    correct: int
    total: int
    parameters: int
    file_bytes: int
    epochs: int
    weights: str
    frozen: bool


class FerSystem(nn.Module):
    """A backbone and the paper's classifier: features, a hidden layer, the emotions (3.94 M parameters behind B0).

    Args:
        network: the backbone.
        plan: sizes of the classifier, and of the faces.
    """

    def __init__(self, network: FaceNetwork, plan: FerPlan) -> None:
        super().__init__()
        self.network, self.face_px = network, plan.face_px
        with torch.no_grad():
            channels = network.feature_map(torch.zeros(1, plan.face_px, plan.face_px, 3)).shape[1]
        self.classifier = nn.Sequential(
            nn.Linear(channels * _GRID**2, plan.hidden), nn.ReLU(), nn.Linear(plan.hidden, plan.outputs)
        )

    def forward(self, faces: Tensor) -> Tensor:
        """(N, 48, 48) float32, gray values from 0 to 255, to logits."""
        logits: Tensor = self.classifier(self.features(faces))
        return logits

    def features(self, faces: Tensor) -> Tensor:
        """The same, to what the classifier takes."""
        side = (self.face_px, self.face_px)
        large = interpolate(faces[:, None], size=side, mode="bilinear", align_corners=False)
        pixels = large.expand(-1, 3, -1, -1).permute(0, 2, 3, 1)
        return adaptive_avg_pool2d(self.network.feature_map(pixels), _GRID).flatten(1)


def train_on_fer(name: str, data: Path, plan: FerPlan) -> FerOutcome:
    """Train on the train part, keep the epoch with the lowest validation loss, answer the test part once.

    With a frozen backbone its features are computed once, without augmentation.

    Args:
        name: as timm knows the backbone.
        data: FER2013 (`read_parts`).
        plan: the protocol.

    Raises:
        CorpusError: no FER2013.
        TrainingError: the loss is no longer finite.
    """
    parts, device = read_parts(data), "cuda" if torch.cuda.is_available() else "cpu"
    chance = torch.Generator().manual_seed(plan.seed)
    torch.manual_seed(plan.seed)
    network, weights = _start(name, parts["train"], plan)
    system = FerSystem(network, plan).to(device)
    train, validation, test = (_tensors(parts[part], device) for part in ("train", "validation", "test"))
    if plan.most_faces:
        rows = torch.randperm(len(train[1]), generator=chance)[: plan.most_faces].to(device)
        train = (train[0][rows], train[1][rows])
    if plan.freeze_backbone:
        train, validation, test = ((_features(system, part[0], plan), part[1]) for part in (train, validation, test))
    learner: nn.Module = system.classifier if plan.freeze_backbone else system
    epochs = _fit(learner, train, validation, plan, chance)
    parameters = sum(item.numel() for item in system.parameters())
    return FerOutcome(
        correct=_evaluate(learner, test, plan)[1],
        total=len(test[1]),
        parameters=parameters,
        file_bytes=4 * sum(item.numel() for item in system.state_dict().values() if item.is_floating_point()),
        epochs=epochs,
        weights=weights,
        frozen=plan.freeze_backbone,
    )


_Part = tuple[Tensor, Tensor]


def _start(name: str, train: FerPart, plan: FerPlan) -> tuple[FaceNetwork, str]:
    """The backbone with timm's weights; with random ones where there are none or the hub cannot be reached."""
    try:
        if not timm.list_pretrained(name):
            raise CheckpointError("timm has none")
        with urllib.request.urlopen(
            urllib.request.Request(constants.ENDPOINT, method="HEAD"), timeout=_REACH_TIMEOUT_S
        ):
            return build_face_network(name, pretrained=True), "imagenet"
    except _NO_WEIGHTS as error:
        say(f"{name}: no ImageNet weights ({type(error).__name__}: {error}); it is trained from random ones")
    network = build_face_network(name, seed=plan.seed)
    faces = interpolate(torch.from_numpy(train.faces[:64]).float()[:, None], size=(plan.face_px, plan.face_px))
    settle_norms(network, faces.expand(-1, 3, -1, -1).permute(0, 2, 3, 1))
    return network, "random"


def _tensors(part: FerPart, device: str) -> _Part:
    return torch.from_numpy(part.faces).to(device), torch.from_numpy(part.labels).to(device)


def _features(system: FerSystem, faces: Tensor, plan: FerPlan) -> Tensor:
    system.eval()
    with torch.no_grad():
        return torch.cat([system.features(part.float()) for part in torch.split(faces, plan.batch)])


def _fit(learner: nn.Module, train: _Part, validation: _Part, plan: FerPlan, chance: torch.Generator) -> int:
    optimiser = Adam(learner.parameters(), lr=plan.learning_rate)
    schedule = ReduceLROnPlateau(optimiser, factor=0.5, patience=plan.plateau_patience)
    best, best_loss, best_epoch, epoch = learner.state_dict(), float("inf"), 0, 0
    while epoch < plan.epochs and epoch - best_epoch < plan.stop_patience:
        epoch += 1
        _learn(learner, optimiser, train, plan, chance)
        loss, _ = _evaluate(learner, validation, plan)
        schedule.step(loss)
        if loss < best_loss:
            best_loss, best_epoch = loss, epoch
            best = {name: item.detach().clone() for name, item in learner.state_dict().items()}
    learner.load_state_dict(best)
    return epoch


def _learn(learner: nn.Module, optimiser: Adam, train: _Part, plan: FerPlan, chance: torch.Generator) -> None:
    learner.train()
    for rows in _batches(len(train[1]), plan.batch, chance):
        inputs = train[0][rows]
        logits = learner(inputs if plan.freeze_backbone else _augmented(inputs.float()))
        loss = cross_entropy(logits, train[1][rows])
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()


def _batches(count: int, batch: int, chance: torch.Generator) -> Iterator[Tensor]:
    """Whole batches in random order; all at once where there are fewer (a batch norm needs more than one)."""
    rows = torch.randperm(count, generator=chance)
    yield from rows[: count - count % batch if count >= batch else count].split(batch)  # type: ignore[no-untyped-call]


def _evaluate(learner: nn.Module, part: _Part, plan: FerPlan) -> tuple[float, int]:
    """Mean cross-entropy, and how many are right."""
    learner.eval()
    loss, correct = 0.0, 0
    with torch.no_grad():
        for inputs, labels in zip(torch.split(part[0], plan.batch), torch.split(part[1], plan.batch), strict=True):
            logits = learner(inputs.float())
            loss += cross_entropy(logits, labels, reduction="sum").item()
            correct += int((logits.argmax(dim=1) == labels).sum())
    if not loss < float("inf"):
        raise TrainingError("the loss is no longer finite: training on FER2013 diverged")
    return loss / len(part[1]), correct


def _augmented(faces: Tensor) -> Tensor:
    """Turned, shifted, zoomed, mirrored, brighter or darker, of other contrast, partly erased: (N, 48, 48)."""
    count, device = len(faces), faces.device

    def draw(reach: float) -> Tensor:
        return (2 * torch.rand(count, device=device) - 1) * reach

    angle, zoom, mirror = draw(_TURN_RADIANS), 1 + draw(_ZOOM), torch.where(draw(1.0) < 0, -1.0, 1.0)
    cosine, sine = zoom * angle.cos(), zoom * angle.sin()
    rows = (
        torch.stack([mirror * cosine, -sine, draw(_SHIFT)], dim=1),
        torch.stack([mirror * sine, cosine, draw(_SHIFT)], dim=1),
    )
    grid = affine_grid(torch.stack(rows, dim=1), [count, 1, *faces.shape[1:]], align_corners=False)
    moved = grid_sample(faces[:, None], grid, align_corners=False)[:, 0]
    contrast, brightness = 1 + draw(_CONTRAST)[:, None, None], 255 * draw(_BRIGHTNESS)[:, None, None]
    changed = ((moved - 127.5) * contrast + 127.5 + brightness).clamp(0, 255)
    return _erased(changed)


def _erased(faces: Tensor) -> Tensor:
    side = faces.shape[1]
    places = torch.arange(side, device=faces.device)
    tops, lefts = (torch.randint(0, side, (len(faces), 1), device=faces.device) for _ in range(2))
    heights, widths = (torch.randint(side // 8, side // 3, (len(faces), 1), device=faces.device) for _ in range(2))
    rows, columns = (places >= tops) & (places < tops + heights), (places >= lefts) & (places < lefts + widths)
    hidden = rows[:, :, None] & columns[:, None, :] & (torch.rand(len(faces), 1, 1, device=faces.device) < _ERASED)
    return torch.where(hidden, 255 * torch.rand_like(faces), faces)

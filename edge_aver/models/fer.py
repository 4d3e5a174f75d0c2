"""Training and testing of one backbone on FER2013 by the paper's protocol (4.1.1)."""

from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, interpolate

from edge_aver.console import say
from edge_aver.corpora.fer2013_parts import FerPart, content_sha256, read_parts
from edge_aver.files import json_text, sha256_bytes
from edge_aver.models.backbones import FaceNetwork, build_face_network, settle_norms
from edge_aver.models.face_weights import fetch_face_weights
from edge_aver.models.fer_augment import augmented
from edge_aver.models.fer_fitting import Faces, count_right, fit_on_faces
from edge_aver.models.fer_protocol import FerOutcome, FerTraining

__all__ = ["FerSystem", "train_on_fer"]

_GRID = 2
"""The last feature map is pooled to 2 x 2: EfficientNetV2-B0's 1,280 channels then give the paper's 5,120 inputs."""

_SETTLING_FACES = 64


class FerSystem(nn.Module):
    """A backbone and the paper's classifier: features, a hidden layer, the emotions (3.94 M parameters behind B0).

    Args:
        network: the backbone.
        plan: sizes of the classifier, and of the faces.
    """

    def __init__(self, network: FaceNetwork, plan: FerTraining) -> None:
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
        return adaptive_avg_pool2d(self.network.feature_map(_enlarged(faces, self.face_px)), _GRID).flatten(1)


def train_on_fer(name: str, data: Path, plan: FerTraining, *, state: Path | None = None) -> FerOutcome:
    """Train on the train part, keep the epoch with the lowest validation loss, answer the test part once.

    With a frozen backbone its features are computed once, without augmentation.

    Args:
        name: as timm knows the backbone.
        data: FER2013 (`read_parts`).
        plan: the protocol.
        state: where an interrupted training of the same network, plan and content of `data` is found and left.

    Raises:
        CorpusError: no FER2013.
        CheckpointError: timm has no such network, or its ImageNet weights cannot be fetched.
        TrainingError: the loss is no longer finite.
    """
    parts, device = read_parts(data), "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(plan.seed)
    network, weights = _start(name, parts["train"], plan)
    system = FerSystem(network, plan).to(device)
    train, validation, test = (_tensors(parts[part], device) for part in ("train", "validation", "test"))
    if plan.most_faces:
        rows = torch.randperm(len(train[1]), generator=torch.Generator().manual_seed(plan.seed))[: plan.most_faces]
        train = (train[0][rows.to(device)], train[1][rows.to(device)])
    if plan.freeze_backbone:
        train, validation, test = ((_features(system, part[0], plan), part[1]) for part in (train, validation, test))
    learner: nn.Module = system.classifier if plan.freeze_backbone else system
    key = sha256_bytes(json_text([name, content_sha256(data), asdict(plan), torch.__version__]).encode())
    epochs = fit_on_faces(
        learner,
        train,
        validation,
        plan,
        change=_unchanged if plan.freeze_backbone else augmented,
        state=None if state is None else (state, key),
    )
    return FerOutcome(
        correct=count_right(learner, test, plan.batch)[1],
        total=len(test[1]),
        train_faces=len(train[1]),
        parameters=sum(item.numel() for item in system.parameters()),
        file_bytes=4 * sum(item.numel() for item in system.state_dict().values() if item.is_floating_point()),
        epochs=epochs,
        weights=weights,
        frozen=plan.freeze_backbone,
    )


def _start(name: str, train: FerPart, plan: FerTraining) -> tuple[FaceNetwork, str]:
    """The backbone with its first weights, and their name; random ones have their batch norms measured on faces."""
    if plan.weights == "imagenet":
        if (fetched := fetch_face_weights(name)) is not None:
            return build_face_network(name, weights=fetched.path), fetched.name
        say(f"{name}: timm has no ImageNet weights of it; it is trained from random ones")
    network = build_face_network(name, seed=plan.seed)
    settle_norms(network, _enlarged(torch.from_numpy(train.faces[:_SETTLING_FACES]).float(), plan.face_px))
    return network, "random"


def _enlarged(faces: Tensor, side: int) -> Tensor:
    """(N, 48, 48) gray to (N, side, side, 3)."""
    large = interpolate(faces[:, None], size=(side, side), mode="bilinear", align_corners=False)
    return large.expand(-1, 3, -1, -1).permute(0, 2, 3, 1)


def _tensors(part: FerPart, device: str) -> Faces:
    return torch.from_numpy(part.faces).to(device), torch.from_numpy(part.labels).to(device)


def _features(system: FerSystem, faces: Tensor, plan: FerTraining) -> Tensor:
    system.eval()
    with torch.no_grad():
        return torch.cat([system.features(part.float()) for part in torch.split(faces, plan.batch)])


def _unchanged(inputs: Tensor) -> Tensor:
    return inputs

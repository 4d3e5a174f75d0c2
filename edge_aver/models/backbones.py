"""Bare backbones of timm as networks of single faces: what a study of them counts, exports and trains."""

from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from edge_aver.errors import CheckpointError
from edge_aver.models.weights import UNREADABLE
from edge_aver.spec import Parameters

__all__ = ["FaceNetwork", "build_face_network", "count_backbone", "settle_norms"]


class FaceNetwork(nn.Module):
    """A backbone and the mean over its last feature map; modules are named as in `AverNetwork`, so recipes fit.

    Args:
        backbone: of timm, normalised pixels to a feature map; how to normalise is told by timm for its weights.
    """

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.frame_encoder = _Encoder(backbone)

    def forward(self, faces: Tensor) -> Tensor:
        """(N, H, W, 3) uint8 RGB, or float32 of the same values, to features (N, C)."""
        return self.feature_map(faces).mean(dim=(2, 3))

    def feature_map(self, faces: Tensor) -> Tensor:
        """The same, before the mean: (N, C, h, w)."""
        features: Tensor = self.frame_encoder(faces)
        return features


class _Encoder(nn.Module):
    mean: Tensor
    scale: Tensor

    def __init__(self, backbone: Any) -> None:
        super().__init__()
        known = backbone.pretrained_cfg
        self.register_buffer("mean", 255 * torch.tensor(known["mean"]).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", 1 / (255 * torch.tensor(known["std"])).reshape(1, 3, 1, 1), persistent=False)
        self.backbone = backbone

    def forward(self, faces: Tensor) -> Tensor:
        pixels = faces.to(torch.float32).permute(0, 3, 1, 2)
        features: Tensor = self.backbone((pixels - self.mean) * self.scale)
        return features


def build_face_network(name: str, *, weights: Path | None = None, seed: int = 0) -> FaceNetwork:
    """A backbone without its classifier.

    Args:
        name: as timm knows it.
        weights: a file that timm reads for it (`fetch_face_weights`); None: random ones.
        seed: of random weights.

    Raises:
        CheckpointError: timm has no such network, or the file is not weights of it.
    """
    if not timm.is_model(name):
        raise CheckpointError(f"timm {timm.__version__} has no network {name!r}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        backbone = _create(name, weights)
    if hasattr(backbone, "pre_logits"):  # VGG's first dense layers, which are of its classifier
        backbone.pre_logits = nn.Identity()
    return FaceNetwork(backbone).eval()


def count_backbone(name: str) -> Parameters:
    """Parameters without the classifier, and the paper's way: with the ImageNet classifier. Nothing is allocated."""
    with torch.device("meta"):
        whole, bare = timm.create_model(name), build_face_network(name)
    return Parameters(deployed=_count(bare), paper=_count(whole))


def settle_norms(network: FaceNetwork, faces: Tensor) -> None:
    """Measure the batch norms of a random network on faces (M, H, W, 3) uint8.

    Without that its activations shrink or grow from layer to layer; denormal numbers would slow it down, and there
    would be nothing to calibrate.
    """
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    if not norms:
        return
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    network.train()
    with torch.no_grad():
        network(faces)
    network.eval()


def _create(name: str, weights: Path | None) -> Any:
    if weights is None:
        return timm.create_model(name, num_classes=0, global_pool="")
    overlay = {"file": str(weights)}
    try:
        return timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay, num_classes=0, global_pool="")
    except (*UNREADABLE, SafetensorError) as error:
        raise CheckpointError(f"{weights}: no weights of {name} that timm reads: {error}") from error


def _count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())

"""EfficientNetV2-B0 as a feature extractor, and where its weights come from."""

import urllib.request
from pathlib import Path
from typing import cast

import timm
from huggingface_hub import constants, hf_hub_download, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import HfHubHTTPError
from torch import nn

from edge_aver.errors import CheckpointError
from edge_aver.files import sha256_file
from edge_aver.models.weights import assign, read_weights

__all__ = ["FEATURES", "FETCH_FAILURES", "build_backbone", "fetch_weights", "load_backbone_weights"]

FEATURES = 1280
"""Channels of the last feature map."""

_MODEL = "tf_efficientnetv2_b0"
_HUB_REPOSITORY = f"timm/{_MODEL}.in1k"
_HUB_FILE = "model.safetensors"
_OTHERWISE = "give --backbone-weights PATH, or none for random ones"
_REACH_TIMEOUT_S = 5.0

# The bases of the hub's error are those of the HTTP library it uses, which has changed over the years.
FETCH_FAILURES = cast("tuple[type[Exception], ...]", (OSError, *HfHubHTTPError.__bases__))


def build_backbone() -> nn.Module:
    """The backbone with random weights: (M, 3, H, W) float32, normalised, to the feature map (M, 1280, H/32, W/32).

    It does not pool: timm's pooling exports as a gather over strides, a mean exports as a mean.
    """
    backbone: nn.Module = timm.create_model(_MODEL, pretrained=False, num_classes=0, global_pool="")
    return backbone


def load_backbone_weights(backbone: nn.Module, source: str | Path) -> str:
    """Load what the backbone starts from.

    Args:
        backbone: what `build_backbone` made.
        source: `imagenet` (timm's, from the Hugging Face hub or its cache), `none` (leave it random), or a path to a
            timm state dict as safetensors or PyTorch file; a classifier in it is ignored.

    Returns:
        provenance: `imagenet`, `none`, or the file's name and SHA-256, for the ModelSpec.

    Raises:
        CheckpointError: the hub cannot be reached, or the file is not weights of this backbone.
    """
    if str(source) == "none":
        return "none"
    path = fetch_weights(_HUB_REPOSITORY, _OTHERWISE) if str(source) == "imagenet" else Path(source)
    state, _ = read_weights(path)
    features = {name: tensor for name, tensor in state.items() if not name.startswith("classifier.")}
    assign(backbone, features, where=str(path))
    return "imagenet" if str(source) == "imagenet" else f"{path.name} sha256:{sha256_file(path)}"


def fetch_weights(repository: str, otherwise: str) -> Path:
    """ImageNet weights as safetensors, from the cache of the Hugging Face hub or from the hub.

    Args:
        repository: of the hub.
        otherwise: what the message advises where they cannot be fetched.

    Raises:
        CheckpointError: they are not in the cache, and the hub cannot be reached or does not have them.
    """
    cached = try_to_load_from_cache(repository, _HUB_FILE)
    if isinstance(cached, str):
        return Path(cached)
    try:
        _reach_hub(repository)
        return Path(hf_hub_download(repository, _HUB_FILE))
    except FETCH_FAILURES as error:
        raise CheckpointError(
            f"ImageNet weights cannot be fetched from {constants.ENDPOINT} ({type(error).__name__}: {error}); "
            f"{otherwise}"
        ) from error


def _reach_hub(repository: str) -> None:
    """Ask once, with a short timeout: the hub's own client would retry an unreachable hub for half a minute."""
    if not constants.HF_HUB_OFFLINE:
        request = urllib.request.Request(hf_hub_url(repository, _HUB_FILE), method="HEAD")
        with urllib.request.urlopen(request, timeout=_REACH_TIMEOUT_S):
            pass

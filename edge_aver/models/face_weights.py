"""ImageNet weights of timm's networks: from the Hugging Face hub, its cache, or the address that timm names."""

from pathlib import Path
from typing import NamedTuple

import timm
import torch

from edge_aver.errors import CheckpointError
from edge_aver.models.backbone import FETCH_FAILURES, fetch_weights

__all__ = ["FaceWeights", "fetch_face_weights"]

_OTHERWISE = 'for random ones set weights = "random" under [backbones.training] in a copy of the suite'


class FaceWeights(NamedTuple):
    """What training starts from: timm's name of the weights, which tells what they were trained on, and their file."""

    name: str
    path: Path


def fetch_face_weights(name: str) -> FaceWeights | None:
    """Timm's preferred ImageNet weights of a network; None where it has none.

    Raises:
        CheckpointError: timm has no such network, or the weights are not cached and cannot be fetched.
    """
    if not timm.is_model(name):
        raise CheckpointError(f"timm {timm.__version__} has no network {name!r}")
    found = timm.get_pretrained_cfg(name)
    if found is None or not (found.hf_hub_id or found.url):
        return None
    title = f"{name}.{found.tag}"
    if found.hf_hub_id:
        return FaceWeights(title, fetch_weights(found.hf_hub_id, _OTHERWISE))
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(found.url).name
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(found.url, str(path), progress=False)
        except FETCH_FAILURES as error:
            raise CheckpointError(
                f"ImageNet weights cannot be fetched from {found.url} ({type(error).__name__}: {error}); {_OTHERWISE}"
            ) from error
    return FaceWeights(title, path)

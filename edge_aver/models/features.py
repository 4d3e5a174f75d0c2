"""Frame features of a frozen backbone, computed once a clip and kept on disk."""

import hashlib
from collections.abc import Callable, Sequence
from copy import deepcopy
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from timm.layers import BatchNormAct2d
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from edge_aver.console import progress
from edge_aver.corpora.store import PreparedStore
from edge_aver.files import atomic_path
from edge_aver.locks import sweep
from edge_aver.models.backbone import FEATURES
from edge_aver.models.network import AverNetwork

__all__ = ["frame_features", "module_digest"]

Frames = npt.NDArray[np.uint8]
Features = npt.NDArray[np.float32]
Encode = Callable[[Frames], Features]


def frame_features(
    network: AverNetwork, store: PreparedStore, ids: Sequence[str], *, cache: Path
) -> npt.NDArray[np.float32]:
    """Pooled backbone features of whole clips, before the dense layer.

    Each clip has a file in `cache`, named by the hashes of the backbone's weights and of the clip's tensors: what is
    there is not computed again, so an interrupted run continues and folds share their clips.

    Args:
        network: whose backbone encodes.
        store: the prepared clips.
        ids: which clips, in this order.
        cache: folder of the files; made where missing.

    Returns:
        features: (N, 15, 1280) float32.
    """
    folder = cache / "features" / module_digest(network.frame_encoder.backbone)[:16]
    digests = {record.id: record.tensors_sha256 for record in store.records()}
    paths = {identifier: folder / f"{digests[identifier]}.npy" for identifier in ids}
    missing = [identifier for identifier, path in paths.items() if not path.is_file()]
    if missing:
        sweep(folder)
        encode = _encoder(network, store.preprocessing.face_size_px)
        with progress("Encoding faces", len(missing)) as advance:
            for identifier in missing:
                _save(paths[identifier], encode(store.load(identifier).faces))
                advance()
    shape = (store.preprocessing.frames, FEATURES)
    return np.stack([np.load(paths[identifier]) for identifier in ids]) if ids else np.empty((0, *shape), np.float32)


def module_digest(module: nn.Module) -> str:
    """SHA-256 over the names and values of a module's state, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _encoder(network: AverNetwork, side: int) -> Encode:
    device = next(network.parameters()).device
    encoder = deepcopy(network.frame_encoder).eval()
    _fuse_norms(encoder)

    def forward(frames: Frames) -> Features:
        with torch.inference_mode():
            pooled: Features = encoder.pooled(torch.from_numpy(frames).to(device)).cpu().numpy()
            return pooled

    black = forward(np.zeros((1, side, side, 3), np.uint8))

    def encode(frames: Frames) -> Features:
        shown = frames.any(axis=(1, 2, 3))
        features = np.repeat(black, len(frames), axis=0)
        if shown.any():
            features[shown] = forward(frames[shown])
        return features

    return encode


def _fuse_norms(module: nn.Module) -> None:
    """Fold each batch norm into the convolution before it; what remains of timm's norms is their activation."""
    children = list(module.named_children())
    for (conv_name, conv), (norm_name, norm) in pairwise(children):
        if isinstance(conv, nn.Conv2d) and isinstance(norm, BatchNormAct2d):
            setattr(module, conv_name, fuse_conv_bn_eval(conv, norm))
            setattr(module, norm_name, norm.act)
    for _, child in children:
        _fuse_norms(child)


def _save(path: Path, features: npt.NDArray[np.float32]) -> None:
    with atomic_path(path) as temporary:
        np.save(temporary, features)

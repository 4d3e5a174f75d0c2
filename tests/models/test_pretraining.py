"""Pretraining on single faces: learns, repeats itself, and leaves weights that the network takes."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from edge_aver.errors import TrainingError
from edge_aver.models.backbone import build_backbone, load_backbone_weights
from edge_aver.models.pretraining import pretrain_backbone

Faces = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], npt.NDArray[np.float32]]


@pytest.fixture(scope="module")
def faces() -> Faces:
    """The brightness of the middle tells the label."""
    labels = np.arange(32) % 4
    noise = np.random.default_rng(0).integers(0, 40, (32, 64, 64, 3))
    faces = (noise + 60 * labels[:, None, None, None]).astype(np.uint8)
    return faces, labels.astype(np.int64), np.stack([labels, -labels], axis=1).astype(np.float32)


def test_its_weights_load_as_a_backbone_and_tell_labels_apart(faces: Faces, tmp_path: Path) -> None:
    out = pretrain_backbone(*faces, out=tmp_path / "deep" / "backbone.safetensors", steps=12, batch=8)
    backbone = build_backbone().eval()
    assert load_backbone_weights(backbone, out).startswith("backbone.safetensors sha256:")
    with torch.inference_mode():
        shades = torch.linspace(-2, 2, 4).reshape(4, 1, 1, 1).expand(4, 3, 224, 224)
        features = backbone(shades).mean(dim=(2, 3))
    assert torch.isfinite(features).all()
    assert torch.pdist(features).min() > 1e-3


def test_the_seed_decides(faces: Faces, tmp_path: Path) -> None:
    files = [
        pretrain_backbone(*faces, out=tmp_path / f"{turn}.safetensors", steps=1, batch=4, seed=seed)
        for turn, seed in enumerate((0, 0, 1))
    ]
    contents = [path.read_bytes() for path in files]
    assert contents[0] == contents[1]
    assert contents[0] != contents[2]


def test_too_few_faces_are_refused(faces: Faces, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="32 faces to pretrain on, a batch takes 64"):
        pretrain_backbone(*faces, out=tmp_path / "x.safetensors", steps=1, batch=64)
    assert not list(tmp_path.iterdir())

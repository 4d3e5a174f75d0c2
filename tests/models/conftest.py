"""Prepared stores for training: real files, with speech that tells the emotion and faces that do not."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from edge_aver.corpora.ravdess import SourceClip
from edge_aver.corpora.store import PreparedStore, write_clip_tensors
from edge_aver.spec import Preprocessing

TrainingStore = Callable[..., PreparedStore]


@pytest.fixture(scope="session")
def training_store() -> TrainingStore:
    """Write a store with one clip of each actor and label: `training_store(folder, actors, labels, side_px)`."""
    return write_training_store


def write_training_store(folder: Path, actors: Iterable[int], labels: Iterable[int], side_px: int) -> PreparedStore:
    store = PreparedStore.create(folder, "synthetic", Preprocessing(face_size_px=side_px), "test")
    for actor in actors:
        for label in labels:
            _write_clip(store, actor, label, side_px)
    return store


def _write_clip(store: PreparedStore, actor: int, label: int, side_px: int) -> None:
    chance = np.random.default_rng([actor, label])
    faces = chance.integers(0, 256, (15, side_px, side_px, 3), dtype=np.uint8)
    faces[13:] = 0
    prototype = np.random.default_rng(label).standard_normal(128)
    name = f"01-01-{label + 1:02d}-01-01-01-{actor:02d}"
    write_clip_tensors(
        store,
        clip=SourceClip(id=name, label=label, actor=actor, path=store.folder / f"{name}.mp4"),
        source_sha256="0" * 64,
        faces=faces,
        audio=(5 + prototype + 0.5 * chance.standard_normal((15, 128))).astype(np.float32),
        face_found=np.arange(15) < 13,
    )

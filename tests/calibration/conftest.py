"""A small prepared store: tiny faces, so that hundreds of clips cost little, but real files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from edge_aver.corpora.ravdess import SourceClip
from edge_aver.corpora.store import PreparedStore, write_clip_tensors
from edge_aver.spec import Preprocessing

SIDE = 8

MakeStore = Callable[..., PreparedStore]


@pytest.fixture
def make_store(tmp_path: Path) -> MakeStore:
    """Write a store of clips (actor, label, repetition) for one test."""
    return store_maker(tmp_path)


@pytest.fixture(scope="session")
def whole_store(tmp_path_factory: pytest.TempPathFactory) -> PreparedStore:
    """24 actors, eight emotions; as in RAVDESS, neutral has half as many clips."""
    keys = [(actor, label, turn) for actor in range(1, 25) for label in range(8) for turn in range(1 + (label > 0))]
    return store_maker(tmp_path_factory.mktemp("whole"))(keys)


def store_maker(folder: Path) -> MakeStore:
    """What writes a store into `folder`; faces and audio are smooth unless given."""

    def make(
        keys: list[tuple[int, int, int]],
        *,
        corpus: str = "ravdess",
        faces: Callable[[np.random.Generator], npt.NDArray[np.uint8]] | None = None,
        audio: Callable[[np.random.Generator], npt.NDArray[np.float32]] | None = None,
    ) -> PreparedStore:
        store = PreparedStore.create(folder / "store", corpus, Preprocessing(face_size_px=SIDE), "test")
        for actor, label, repetition in keys:
            chance = np.random.default_rng([actor, label, repetition])
            name = f"01-01-{label + 1:02d}-01-01-{repetition:02d}-{actor:02d}"
            write_clip_tensors(
                store,
                clip=SourceClip(id=name, label=label, actor=actor, path=folder / f"{name}.mp4"),
                source_sha256="0" * 64,
                faces=(faces or smooth_faces)(chance),
                audio=(audio or overlapping_audio)(chance),
                face_found=np.ones(15, dtype=np.bool_),
            )
        return store

    return make


def smooth_faces(chance: np.random.Generator) -> npt.NDArray[np.uint8]:
    """A ramp from left to right, with a little noise."""
    ramp = np.linspace(40, 200, SIDE)[None, None, :, None] + chance.normal(0, 5, (15, SIDE, SIDE, 3))
    return ramp.clip(0, 255).astype(np.uint8)


def overlapping_audio(chance: np.random.Generator) -> npt.NDArray[np.float32]:
    """Segments of 32 values, each frame holding those at -2, -1, 0 and 1, as the clip contract has it."""
    segments = np.zeros((18, 32), dtype=np.float32)
    segments[2:17] = chance.standard_normal((15, 32))
    return np.concatenate([segments[offset + 2 : offset + 17] for offset in (-2, -1, 0, 1)], axis=1)

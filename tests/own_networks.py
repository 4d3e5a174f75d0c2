"""Networks of strangers: small modules in files of their own, their specs, weights and prepared clips, for tests."""

from pathlib import Path

import numpy as np

from edge_aver.corpora.ravdess import SourceClip
from edge_aver.corpora.store import PreparedStore, store_name, write_clip_tensors
from edge_aver.corpora.synthetic import draw_faces
from edge_aver.media.audio import segments
from edge_aver.spec import ModelSpec
from edge_aver.spec_file import load_spec
from edge_aver.workspace import Workspace

ACTORS = (1, 2, 5, 6, *range(9, 21))
"""Of fold 1: two that test, two that validate, twelve that train."""

_STEPS = 400
"""10 ms each: more than a window."""

HEADER = """
import torch
from torch import nn
"""


def write_network(folder: Path, name: str, body: str, toml: str) -> tuple[Path, ModelSpec]:
    """Write `<name>.py` and `<name>.toml`; gives the path of the latter and the spec it holds."""
    (folder / f"{name}.py").write_text(HEADER + body)
    path = folder / f"{name}.toml"
    path.write_text(f'architecture = "{name.replace("_", "-")}"\ncorpus = "synthetic"\nfold = 1\n{toml}')
    return path, load_spec(path)


def write_weights(folder: Path, name: str, *, seed: int = 0) -> Path:
    """Random weights of `<name>.network()`, as torch.save writes them; batch statistics that are not those of birth."""
    import importlib

    import torch

    torch.manual_seed(seed)
    network = importlib.import_module(name).network()
    for item in network.modules():
        if isinstance(item, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            item.running_mean.normal_()
            item.running_var.uniform_(0.5, 2.0)
    path = folder / f"{name}.pt"
    torch.save(network.state_dict(), path)
    return path


def write_store(root: Path, spec: ModelSpec, *, each: int = 1) -> PreparedStore:
    """A prepared store of drawn faces and smooth features, `each` clips an actor, as the spec's inputs have them."""
    constants = spec.preprocessing
    shapes = {item.name: item.shape[1:] for item in spec.inputs}
    store = PreparedStore.create(
        Workspace(root=root).prepared(store_name(spec.corpus, constants)), spec.corpus, constants, "drawn"
    )
    side, frames = constants.face_size_px, constants.frames
    pictures = draw_faces(len(ACTORS) * each, size_px=side, seed=3).pictures
    audio_shape = tuple(map(int, shapes.get("audio", (frames, constants.audio_features))))
    audio_offsets = np.random.default_rng(99).normal(size=audio_shape[1]) * 3
    for index in range(len(ACTORS) * each):
        actor, label = ACTORS[index % len(ACTORS)], index % 8
        chance = np.random.default_rng(index)
        moved = [np.roll(pictures[index], step, axis=1) for step in range(frames)]
        steps = chance.normal(size=(_STEPS, constants.step_features))
        audio = segments(steps.astype(np.float32), constants)
        if audio.shape != audio_shape:
            noise = chance.normal(size=(audio_shape[0] + 1, audio_shape[1]))
            audio = audio_offsets + noise[1:] + noise[:-1]
        name = f"01-01-{label + 1:02d}-01-01-{index // len(ACTORS) + 1:02d}-{actor:02d}"
        write_clip_tensors(
            store,
            clip=SourceClip(id=name, label=label, actor=actor, path=root / f"{name}.mp4"),
            source_sha256="0" * 64,
            faces=np.stack(moved).astype(np.uint8),
            audio=audio.astype(np.float32),
            face_found=np.ones(frames, dtype=np.bool_),
        )
    return store

"""A workspace whose one network is made already, and a grid of it and of one that is missing."""

from dataclasses import replace

import numpy as np
from runtime_models import SPEC, tiny_onnx

from edge_aver.bundle import Artifact, write_artifact
from edge_aver.corpora.ravdess import SourceClip
from edge_aver.corpora.store import PreparedStore, write_clip_tensors
from edge_aver.files import sha256_file
from edge_aver.quantize import load_recipe
from edge_aver.spec import Preprocessing
from edge_aver.workspace import Workspace

GRID = """
name = "trial"
corpus = "synthetic"
architectures = ["sa", "ca"]
folds = [1]
precisions = ["fp32"]
targets = ["onnxruntime-cpu"]
suite = "{suite}"
threads = 1
"""
SUITE = """
name = "tiny"
network_queries = 4
min_duration_s = 0.01
processes = 1
warmup_queries = 1
end_to_end_clips = 0
timeout_s = 300.0
seed = 1
"""


def make_workspace(tmp_path):
    """Eight prepared clips, a checkpoint that nobody needs to read, and the artifact that came of it."""
    place = Workspace(root=tmp_path / "ws")
    store = PreparedStore.create(place.prepared("synthetic"), "synthetic", Preprocessing(), "fake")
    random = np.random.default_rng(0)
    for label in range(8):
        write_clip_tensors(
            store,
            clip=SourceClip(id=f"clip-{label}", label=label, actor=1, path=tmp_path / f"{label}.mp4"),
            source_sha256="0" * 64,
            faces=random.integers(0, 256, (15, 224, 224, 3), dtype=np.uint8),
            audio=random.normal(size=(15, 128)).astype(np.float32),
            face_found=np.ones(15, bool),
        )
    checkpoint = place.checkpoints / "aver-sa-synthetic-fold1.safetensors"
    checkpoint.parent.mkdir()
    checkpoint.write_bytes(b"weights")
    recipe = load_recipe("fp32")
    artifact = Artifact(
        path=place.artifacts / "aver-sa-synthetic-fold1-fp32.onnx",
        target="onnxruntime-cpu",
        runtime="onnxruntime",
        precision="fp32",
        spec=replace(SPEC, checkpoint_sha256=sha256_file(checkpoint), precision="fp32", recipe_sha256=recipe.sha256),
    )
    with write_artifact(artifact, folder=False) as path:
        tiny_onnx(path)
    (tmp_path / "tiny.toml").write_text(SUITE)
    (tmp_path / "grid.toml").write_text(GRID.format(suite=tmp_path / "tiny.toml"))
    return place

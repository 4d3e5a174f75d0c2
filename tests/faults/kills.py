"""Commands of edge-aver that are killed at random moments, and what may be found afterwards."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from edge_aver.bundle import open_artifact, open_bundle
from edge_aver.corpora.store import PreparedStore
from edge_aver.corpora.synthetic import write_clip
from edge_aver.errors import ArtifactError
from edge_aver.workspace import Workspace

ROOT = Path(__file__).parent.parent.parent
PATIENCE_S = 1800


def start(arguments: list[str], cache: Path) -> subprocess.Popen[str]:
    """A command in a session of its own, by whose number its workers are found."""
    return subprocess.Popen(
        [sys.executable, "-m", "edge_aver", *arguments],
        cwd=ROOT,
        env={**os.environ, "EDGE_AVER_CACHE": str(cache)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(arguments: list[str], cache: Path) -> float:
    """Run a command to its end, which must be a good one; how many seconds it took."""
    began = time.monotonic()
    process = start(arguments, cache)
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, output
    return time.monotonic() - began


def kill(rng: random.Random, arguments: list[str], cache: Path, place: Path, longest_s: float) -> bool:
    """Start a command and SIGKILL it: at any moment, or shortly after it began to write below `place`.

    Returns:
        Whether it was still running; False where it had ended before its moment came.
    """
    process = start(arguments, cache)
    at_s = time.monotonic() + rng.uniform(0, longest_s)
    if rng.random() < 0.5:
        skipped = rng.randrange(4)
        while process.poll() is None and skipped >= 0:
            until = time.monotonic() + PATIENCE_S
            while process.poll() is None and time.monotonic() < until and not any(place.rglob(".writing-*")):
                time.sleep(0.001)
            time.sleep(rng.uniform(0, 0.05))
            skipped -= 1
    else:
        while process.poll() is None and time.monotonic() < at_s:
            time.sleep(0.005)
    running = process.poll() is None
    process.kill()
    process.communicate(timeout=PATIENCE_S)
    wait_for_workers(process.pid)
    return running


def wait_for_workers(session: int) -> None:
    """What a killed command had started must end by itself."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            os.killpg(session, 0)
        except ProcessLookupError:
            return
        time.sleep(0.02)
    raise AssertionError("a worker outlives the command that started it")


def check_nothing_damaged(root: Path) -> None:
    """Whatever reading accepts in the workspace is whole."""
    for path in root.rglob("*.npz"):
        if not any(part.startswith(".") for part in path.relative_to(root).parts):
            assert PreparedStore.open(path.parent.parent).load(path.stem).record.id == path.stem
    for path in root.glob("checkpoints/*.safetensors"):
        from edge_aver.models.checkpoint import load_checkpoint

        assert load_checkpoint(path).spec.architecture == "sa"
    for sidecar in root.glob("artifacts/aver-*.json"):
        check_artifact(sidecar.with_suffix(""))
    for path in root.glob("*.aver"):
        with open_bundle(path) as bundle:
            bundle.check()


def check_artifact(path: Path) -> None:
    """It is refused, or it answers."""
    from edge_aver import runtime

    try:
        open_artifact(path)
    except ArtifactError:
        return
    with runtime.load(path, threads=1) as model:
        logits = model.predict_tensors(np.zeros((1, 15, 224, 224, 3), np.uint8), np.zeros((1, 15, 128), np.float32))
    assert np.isfinite(logits).all()


def left_behind(root: Path) -> list[Path]:
    """Half-written things."""
    return [path for path in root.rglob(".*") if path.name.startswith(".writing-") or "exporting" in path.name]


def toy_corpus(folder: Path, actors: int) -> Path:
    """One short clip of each actor, marked as generated."""
    from edge_aver.corpora.synthetic.generate import MARKER

    for actor in range(1, actors + 1):
        emotion = actor % 7 + 1
        write_clip(folder / f"01-01-{emotion + 1:02}-01-01-01-{actor:02}.mp4", actor=actor, emotion=emotion)
    (folder / MARKER).write_text(json.dumps({}))
    return folder


def commands(root: Path, data: Path) -> dict[str, list[str]]:
    """The four commands that write, in their order."""
    place = ["--workspace", str(root)]
    artifact = Workspace(root=root).artifacts / "aver-sa-synthetic-fold1-fp32.onnx"
    training = ["--freeze-backbone", "--backbone-weights", "none", "--epochs", "3"]
    return {
        "prepare": ["prepare", "--corpus", "synthetic", "--data", str(data), "--workers", "2", *place],
        "train": ["train", "--arch", "sa", "--corpus", "synthetic", *training, *place],
        "export": ["export", "--arch", "sa", "--precision", "fp32", "--target", "onnxruntime-cpu", *place],
        "bundle": ["bundle", str(artifact), "-o", str(root / "sa.aver")],
    }

"""Ten thousand predictions in one process: it ends as large as it was."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the detector is exported on a workstation")
pytest.importorskip("facenet_pytorch", reason="carries the detector's weights: needs the extra reference")

from face_clips import drawn, scene, write_still
from runtime_models import tiny_artifact

from edge_aver.export.detector import ensure_detector
from edge_aver.runtime.make_bundle import make_bundle

ROOT = Path(__file__).parent.parent.parent

SOAK = """
import json, sys, time
from pathlib import Path
import numpy as np
from edge_aver import runtime
from edge_aver.runtime.memory import share_one_heap

bundle, clip, tensors, media = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
share_one_heap()  # as `edge-aver run` does: what threads free for themselves alone would look like growth


def resident_kb():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS"))


random = np.random.default_rng(0)
feeds = [
    (random.integers(0, 256, (1, 15, 224, 224, 3), dtype=np.uint8), random.normal(size=(1, 15, 128)).astype("float32"))
    for _ in range(4)
]
readings, seconds = [], time.monotonic()
every = tensors // media
with runtime.load(bundle, threads=1) as model:
    for i in range(tensors):
        model.predict_tensors(*feeds[i % 4])
        if i % every == 0:
            model.predict(clip if i % 2 else clip.read_bytes())
        if i % 50 == 49:
            readings.append(resident_kb())
    answer = {"label": model.predict(clip).label, "kb": readings, "seconds": time.monotonic() - seconds}
print(json.dumps(answer))
"""


def soak(bundle, clip, cache, *, tensors, media):
    """Resident memory after every 50 predictions, in kB, of a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", SOAK, str(bundle), str(clip), str(tensors), str(media)],
        cwd=ROOT,
        env={**os.environ, "EDGE_AVER_CACHE": str(cache)},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])["kb"]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="resident memory is read from /proc")
@pytest.mark.parametrize("target", ["openvino-cpu", "onnxruntime-cpu"])
def test_memory_does_not_grow_over_ten_thousand_tensors_and_five_hundred_clips(tmp_path, target, record_property):
    ensure_detector(tmp_path)
    make_bundle([tiny_artifact(tmp_path, target=target).path], tmp_path / "sa.aver")
    clip = write_still(tmp_path / "clip.mp4", scene((drawn(0, 160), 80, 40)))

    readings = soak(tmp_path / "sa.aver", clip, tmp_path / "cache", tensors=10_000, media=500)

    assert len(readings) == 200
    # A large block is given back and taken again, and whether a reading meets it is chance: the highest of forty
    # readings after the first 500 predictions, beside the highest of the last forty.
    first, last = readings[10:50], readings[-40:]
    record_property("resident", f"{target}: {min(first)} to {max(first)} kB, at the end {min(last)} to {max(last)} kB")
    assert max(last) <= 1.01 * max(first)

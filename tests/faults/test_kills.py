"""SIGKILL at random moments: the same command finishes afterwards, and nothing damaged is ever taken for whole."""

import random
import shutil
import time

import pytest

pytest.importorskip("torch", reason="needs the extras that train")
pytest.importorskip("facenet_pytorch", reason="carries the detector's weights: needs the extra reference")

from kills import check_nothing_damaged, commands, finish, kill, left_behind, toy_corpus
from runtime_models import tiny_artifact

from edge_aver.export.detector import ensure_detector

SEED = 9
KILLS = 25
"""Of each of four commands."""

IN_A_ROW = 5

MADE = {
    "prepare": ["prepared"],
    "train": ["checkpoints", "cache"],
    "export": ["artifacts"],
    "bundle": ["sa.aver"],
}
"""Below the workspace; removed before every second row of kills, so that there is an older one or none."""


def forget(root, names):
    for name in names:
        path = root / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def killed_often(rng, root, arguments, made, *, rows, in_a_row):
    """Rows of kills, each followed by a run to the end; how many kills found the command at work."""
    cache, hits = root.parent / "cache", 0
    longest_s = finish(arguments, cache)
    for row in range(rows):
        if row % 2 == 0:
            forget(root, made)
        for _ in range(in_a_row):
            hits += kill(rng, arguments, cache, root, longest_s)
            check_nothing_damaged(root)
        finish(arguments, cache)
        check_nothing_damaged(root)
        assert left_behind(root) == []
    return hits


@pytest.mark.slow
def test_a_hundred_kills_of_the_line_leave_nothing_damaged(tmp_path, record_property):
    rng, root = random.Random(SEED), tmp_path / "workspace"
    hits = {}
    for name, arguments in commands(root, toy_corpus(tmp_path / "data", 24)).items():
        began = time.monotonic()
        rows = KILLS // IN_A_ROW
        hits[name] = killed_often(rng, root, arguments, MADE[name], rows=rows, in_a_row=IN_A_ROW)
        print(f"{name}: {hits[name]} of {KILLS} kills found it at work, {time.monotonic() - began:.0f} s")
    record_property("counted", f"kills by command: {hits}")
    assert min(hits.values()) >= KILLS // 2


def test_prepare_survives_kills(tmp_path):
    rng, root = random.Random(SEED), tmp_path / "workspace"
    arguments = commands(root, toy_corpus(tmp_path / "data", 6))["prepare"]
    assert killed_often(rng, root, arguments, MADE["prepare"], rows=1, in_a_row=2) >= 1


def test_bundle_survives_kills(tmp_path):
    rng, root = random.Random(SEED), tmp_path / "workspace"
    (root / "artifacts").mkdir(parents=True)
    ensure_detector(root / "artifacts")
    tiny_artifact(root / "artifacts", target="onnxruntime-cpu")
    arguments = commands(root, tmp_path)["bundle"]
    assert killed_often(rng, root, arguments, MADE["bundle"], rows=1, in_a_row=2) >= 1

"""Preparing a corpus: with a made-up front end what may happen around it, with the real one that clips go through."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import fake_front_end
import numpy as np
import pytest

from edge_aver.corpora import fanout
from edge_aver.corpora.prepare import prepare
from edge_aver.corpora.ravdess import Refusal, SourceClip, find_clips
from edge_aver.corpora.store import PreparedStore
from edge_aver.errors import CorpusError
from edge_aver.spec import Preprocessing

SMALL = Preprocessing(face_size_px=8)


def corpus(folder, **contents):
    folder.mkdir(exist_ok=True)
    for name, content in contents.items():
        (folder / f"{name}.mp4").write_bytes(content)
    return [
        SourceClip(id=name, label=i % 8, actor=i % 24 + 1, path=folder / f"{name}.mp4")
        for i, name in enumerate(contents)
    ]


def run(clips, folder, **options):
    with ThreadPoolExecutor(1) as executor:
        options = {
            "corpus": "ravdess",
            "constants": SMALL,
            "front_end": fake_front_end.FakePlan(),
            "executor": executor,
            **options,
        }
        return prepare(clips, folder=folder, workers=1, **options)


def snapshot(store):
    return {path.name: (path.stat().st_ino, path.read_bytes()) for path in (store / "clips").iterdir()}


def test_every_clip_becomes_tensors_with_its_label_actor_and_source(tmp_path):
    clips = corpus(tmp_path / "in", a=b"one", b=b"blink", c=b"three")
    summary = run(clips, tmp_path / "out")
    assert (summary.prepared, summary.reused, summary.refused) == (3, 0, ())
    assert summary.clips_with_missing_faces == (("b", 2),)
    store = PreparedStore.open(tmp_path / "out")
    assert [(record.id, record.label, record.actor) for record in store.records()] == [
        ("a", 0, 1),
        ("b", 1, 2),
        ("c", 2, 3),
    ]
    expected = fake_front_end.FakeFrontEnd(SMALL).tensors(b"three")
    np.testing.assert_array_equal(store.load("c").faces, expected.faces)
    np.testing.assert_array_equal(store.load("c").audio, expected.audio)
    assert store.load("c").record.source == tmp_path / "in" / "c.mp4"


def test_a_finished_clip_is_not_done_again(tmp_path):
    clips = corpus(tmp_path / "in", a=b"one", b=b"blink")
    run(clips[:1], tmp_path / "out")
    before = snapshot(tmp_path / "out")
    summary = run(clips, tmp_path / "out")
    assert (summary.prepared, summary.reused) == (1, 1)
    assert snapshot(tmp_path / "out")["a.npz"] == before["a.npz"]
    again = run(clips, tmp_path / "out")
    assert (again.prepared, again.reused, again.clips_with_missing_faces) == (0, 2, (("b", 2),))


def test_a_changed_file_is_done_again_and_the_rest_kept(tmp_path):
    clips = corpus(tmp_path / "in", a=b"one", b=b"two")
    run(clips, tmp_path / "out")
    clips = corpus(tmp_path / "in", a=b"another", b=b"two")
    summary = run(clips, tmp_path / "out")
    assert (summary.prepared, summary.reused) == (1, 1)
    found = PreparedStore.open(tmp_path / "out").load("a").audio[0, 0]
    assert found == sum(b"another")


def test_a_damaged_clip_is_done_again(tmp_path):
    clips = corpus(tmp_path / "in", a=b"one", b=b"two")
    run(clips, tmp_path / "out")
    (tmp_path / "out/clips/a.npz").write_bytes(b"damaged")
    assert run(clips, tmp_path / "out").prepared == 1
    assert PreparedStore.open(tmp_path / "out").load("a").audio[0, 0] == sum(b"one")


def test_a_corpus_that_moved_is_reused_and_found_at_its_new_place(tmp_path):
    clips = corpus(tmp_path / "in", a=b"one")
    run(clips, tmp_path / "out")
    (tmp_path / "in").rename(tmp_path / "moved")
    summary = run([replace(clips[0], path=tmp_path / "moved" / "a.mp4")], tmp_path / "out")
    assert (summary.prepared, summary.reused) == (0, 1)
    assert PreparedStore.open(tmp_path / "out").load("a").record.source == tmp_path / "moved" / "a.mp4"


def test_changed_constants_invalidate_every_clip(tmp_path, capsys):
    clips = corpus(tmp_path / "in", a=b"one", b=b"two")
    run(clips, tmp_path / "out")
    summary = run(clips, tmp_path / "out", constants=Preprocessing(face_size_px=8, n_mels=64))
    assert (summary.prepared, summary.reused) == (2, 0)
    assert "preprocessing changed; 2 clips made before are removed" in capsys.readouterr().err


def test_bad_clips_are_refused_one_line_each_and_stop_nothing(tmp_path):
    clips = corpus(tmp_path / "in", a=b"bad", b=b"good", c=b"blind", d=b"fine")
    absent = SourceClip(id="e", label=0, actor=1, path=tmp_path / "in" / "e.mp4")
    before = Refusal(path=tmp_path / "in" / "zoo.mp4", reason="not a RAVDESS name")
    summary = run([*clips, absent], tmp_path / "out", refusals=[before])
    assert summary.prepared == 2
    assert [(refusal.path.name, refusal.reason) for refusal in summary.refused] == [
        ("a.mp4", "not a video"),
        ("c.mp4", "no face found in any of 15 frames"),
        ("e.mp4", "cannot be read: No such file or directory"),
        ("zoo.mp4", "not a RAVDESS name"),
    ]
    assert [record.id for record in PreparedStore.open(tmp_path / "out").records()] == ["b", "d"]


def test_tensors_of_a_file_that_went_bad_do_not_stay(tmp_path):
    run(corpus(tmp_path / "in", a=b"one", b=b"two"), tmp_path / "out")
    run(corpus(tmp_path / "in", a=b"bad", b=b"two"), tmp_path / "out")
    assert [record.id for record in PreparedStore.open(tmp_path / "out").records()] == ["b"]


def test_clips_that_left_the_corpus_stay_in_the_store(tmp_path):
    clips = corpus(tmp_path / "in", a=b"one", b=b"two")
    run(clips, tmp_path / "out")
    run(clips[:1], tmp_path / "out")
    assert len(PreparedStore.open(tmp_path / "out").records()) == 2


def test_a_corpus_of_which_nothing_remains_is_an_error(tmp_path):
    with pytest.raises(CorpusError, match=r"none of 2 files could be prepared; the first, .*a.mp4: not a video"):
        run(corpus(tmp_path / "in", a=b"bad", b=b"blind"), tmp_path / "out")


def test_a_full_disk_stops_the_run_and_leaves_nothing_half_written(tmp_path):
    clips = corpus(tmp_path / "in", a=b"one", b=b"full", c=b"three")
    with pytest.raises(OSError, match="No space left on device"):
        run(clips, tmp_path / "out")
    assert set(snapshot(tmp_path / "out")) <= {"a.npz", "c.npz"}
    (tmp_path / "in" / "b.mp4").write_bytes(b"room again")
    assert run(clips, tmp_path / "out").reused >= 1


def test_a_folder_that_cannot_be_made_is_an_os_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        run(corpus(tmp_path / "in", a=b"one"), tmp_path / "file" / "out")


def test_a_bug_is_not_taken_for_a_bad_clip(tmp_path):
    with pytest.raises(ZeroDivisionError):
        run(corpus(tmp_path / "in", a=b"bug"), tmp_path / "out")


def processes(workers):
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=fake_front_end.ignore_interrupts)


def test_a_clip_that_kills_its_worker_is_named_and_the_corpus_survives(tmp_path, monkeypatch):
    monkeypatch.setattr(fanout, "local_executor", processes)
    clips = corpus(tmp_path / "in", a=b"one", b=b"die", c=b"three", d=b"four", e=b"five")
    summary = run(clips, tmp_path / "out", executor=None)
    assert summary.prepared == 4
    assert [(refusal.path.name, refusal.reason.split(" (")[0]) for refusal in summary.refused] == [
        ("b.mp4", "its worker process died")
    ]
    assert [record.id for record in PreparedStore.open(tmp_path / "out").records()] == ["a", "c", "d", "e"]


def test_a_given_executor_that_breaks_is_an_error_that_says_to_run_again(tmp_path):
    clips = corpus(tmp_path / "in", a=b"die", b=b"two")
    with processes(1) as executor, pytest.raises(CorpusError, match=r"executor given broke .* run again"):
        run(clips, tmp_path / "out", executor=executor)


INTERRUPTED = """
import importlib, sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from edge_aver.corpora import fanout
from edge_aver.corpora.prepare import prepare
from edge_aver.corpora.ravdess import SourceClip
from edge_aver.spec import Preprocessing
from fake_front_end import FakePlan

ignore_interrupts = importlib.import_module(sys.argv[2]).ignore_interrupts
fanout.local_executor = lambda workers: ProcessPoolExecutor(workers, get_context("spawn"), ignore_interrupts)
folder = Path(sys.argv[1])
clips = [SourceClip(id=p.stem, label=0, actor=1, path=p) for p in sorted((folder / "in").glob("*.mp4"))]
try:
    prepare(clips, folder=folder / "out", corpus="ravdess", constants=Preprocessing(face_size_px=8),
            front_end=FakePlan(), workers=2)
except KeyboardInterrupt:
    sys.exit(130)
"""


def start_interruptible(folder, initializer="fake_front_end"):
    paths = [str(Path(__file__).parent.parent), str(folder), str(Path.cwd())]
    return subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, str(folder), initializer],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def interrupt(process):
    """Ctrl-C as a terminal gives it: to every process. The slow clips would take ten minutes."""
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors


def test_ctrl_c_ends_at_once_quietly_and_the_next_run_continues(tmp_path):
    clips = corpus(tmp_path / "in", a=b"one", b=b"slow", c=b"slow", d=b"four")
    process = start_interruptible(tmp_path)
    while not all((tmp_path / "in" / f"{name}.started").exists() for name in "bc"):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    interrupt(process)
    assert [path.name for path in (tmp_path / "out" / "clips").iterdir()] == ["a.npz"]
    corpus(tmp_path / "in", b=b"two", c=b"three")
    summary = run(clips, tmp_path / "out")
    assert (summary.prepared, summary.reused) == (3, 1)


SLOW_START = """
import os, pathlib, time

if "WORKER" in os.environ:
    pathlib.Path(__file__).with_name(f"{os.getpid()}.worker").touch()
    time.sleep(600)
os.environ["WORKER"] = "what this process starts from now on"


def ignore_interrupts():
    pass
"""


def test_ctrl_c_while_workers_start_is_as_quiet(tmp_path):
    corpus(tmp_path / "in", a=b"one", b=b"two")
    (tmp_path / "slow_start.py").write_text(SLOW_START)
    process = start_interruptible(tmp_path, initializer="slow_start")
    while not (started := list(tmp_path.glob("*.worker"))):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    os.kill(int(started[0].stem), signal.SIGINT)  # a little sooner than the process that would end it
    time.sleep(0.2)
    interrupt(process)


@pytest.mark.parametrize("reference", [True, False])
def test_real_clips_go_through_worker_processes(test_data, tmp_path, reference):
    pytest.importorskip("facenet_pytorch")
    pytest.importorskip("librosa")
    from edge_aver.export.front_end import front_end_plan

    front_end = front_end_plan(tmp_path / "artifacts", reference=reference)
    clips, refusals = find_clips(test_data / "ravdess")
    bad = tmp_path / "01-01-01-01-01-01-09.mp4"
    bad.write_bytes(clips[1].path.read_bytes()[:500_000])
    chosen = [clips[0], SourceClip(id=bad.stem, label=0, actor=9, path=bad)]
    summary = prepare(chosen, refusals, folder=tmp_path / "out", corpus="ravdess", front_end=front_end, workers=1)
    assert summary.prepared == 1
    assert summary.clips_with_missing_faces == ((clips[0].id, 1),)
    assert [refusal.path for refusal in summary.refused] == [bad]
    assert "truncated" in summary.refused[0].reason
    faces, audio, labels = PreparedStore.open(tmp_path / "out").batch([clips[0].id])
    assert faces.shape == (1, 15, 224, 224, 3)
    assert faces[0, :14].any(axis=(1, 2, 3)).all()
    assert audio.shape == (1, 15, 128)
    assert np.isfinite(audio).all()
    assert labels.tolist() == [0]

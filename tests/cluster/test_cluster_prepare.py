"""Stores prepared by workers of a cluster: the bytes of those prepared here, and what happens when a clip kills."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import fake_front_end
import pytest

from edge_aver import cli
from edge_aver.cluster import connected
from edge_aver.corpora import prepare as prepare_module
from edge_aver.corpora.prepare import prepare
from edge_aver.corpora.ravdess import SourceClip
from edge_aver.errors import CorpusError
from edge_aver.spec import Preprocessing

SMALL = Preprocessing(face_size_px=8)


def corpus(folder, **contents):
    folder.mkdir(exist_ok=True)
    for name, content in contents.items():
        (folder / f"{name}.mp4").write_bytes(content)
    return [SourceClip(id=name, label=0, actor=1, path=folder / f"{name}.mp4") for name in contents]


def run(clips, folder, executor):
    options = {"corpus": "ravdess", "constants": SMALL, "front_end": fake_front_end.FakePlan(), "workers": 1}
    return prepare(clips, folder=folder, executor=executor, **options)


def files(store):
    return {str(path.relative_to(store)): path.read_bytes() for path in sorted(store.rglob("*")) if path.is_file()}


def test_bad_clips_are_refused_as_they_are_here_and_the_stores_are_the_same_bytes(pair, tmp_path):
    clips = corpus(tmp_path / "in", a=b"one", b=b"blink", c=b"bad", d=b"blind", e=b"five")
    with connected(pair.address) as executor:
        there = run(clips, tmp_path / "there", executor)
    with ThreadPoolExecutor(1) as executor:
        here = run(clips, tmp_path / "here", executor)
    assert there == here
    assert there.prepared == 3
    assert files(tmp_path / "there") == files(tmp_path / "here")


def test_where_workers_do_not_see_the_store_its_files_come_over_the_wire(pair, tmp_path, monkeypatch):
    """A folder of that name is there, but another one's: as on a disk of the worker's own."""
    (tmp_path / "token").write_text("another")
    hatch = prepare_module._Hatch(folder=tmp_path, token="ours")
    clips = corpus(tmp_path / "in", a=b"one", b=b"two", c=b"bad")
    sent = []
    put = prepare_module._put
    monkeypatch.setattr(prepare_module, "_put", lambda job, item: sent.append(item) or put(job, item))
    with connected(pair.address) as executor:
        run(clips, tmp_path / "seen", executor)
        monkeypatch.setattr(prepare_module, "_hatch", lambda jobs: nullcontext(hatch))
        run(clips, tmp_path / "unseen", executor)
    assert [type(item).__name__ for item in sent] == ["_HandedIn"] * 2 + ["PackedClip"] * 2
    assert files(tmp_path / "seen") == files(tmp_path / "unseen")
    assert not any(path.name.startswith(".writing") for path in tmp_path.rglob("*"))


def test_a_clip_that_kills_workers_is_quarantined_and_named_until_it_is_well(pair, tmp_path):
    clips = corpus(tmp_path / "in", a=b"one", b=b"die", c=b"three", d=b"four")
    with connected(pair.address) as executor:
        summary = run(clips, tmp_path / "out", executor)
    ((path, reason),) = [(item.path, item.reason) for item in summary.refused]
    assert summary.prepared == 3
    assert path.name == "b.mp4"
    assert reason.startswith("quarantined: one worker after another died of it")
    noted = json.loads((tmp_path / "out" / "quarantine.json").read_text())
    assert noted == {"b": {"path": str(path), "reason": reason}}
    corpus(tmp_path / "in", b=b"two")
    with connected(pair.address) as executor:
        again = run(clips, tmp_path / "out", executor)
    assert (again.prepared, again.reused, again.refused) == (1, 3, ())
    assert not (tmp_path / "out" / "quarantine.json").exists()


def test_a_store_of_which_all_clips_kill_is_an_error_that_names_one(pair, tmp_path):
    clips = corpus(tmp_path / "in", a=b"die")
    with connected(pair.address) as executor, pytest.raises(CorpusError, match=r"a\.mp4: quarantined"):
        run(clips, tmp_path / "out", executor)
    assert "a" in json.loads((tmp_path / "out" / "quarantine.json").read_text())


@pytest.mark.slow
def test_real_clips_give_the_same_bytes_by_the_command(pair, tmp_path, monkeypatch):
    pytest.importorskip("facenet_pytorch")
    from edge_aver.corpora.synthetic import write_clip
    from edge_aver.corpora.synthetic.generate import MARKER

    monkeypatch.chdir(tmp_path)
    media = tmp_path / "media"
    for emotion in (2, 4):
        write_clip(media / f"01-01-{emotion + 1:02}-01-01-01-09.mp4", actor=9, emotion=emotion, intensity=1)
    (media / MARKER).touch()
    command = ["prepare", "--corpus", "synthetic", "--data", "media"]
    assert cli._run([*command, "--workspace", "here", "--workers", "1"]) == 0
    shutil.copytree("here/artifacts", "there/artifacts")
    assert cli._run([*command, "--workspace", "there", "--cluster", pair.address]) == 0
    assert len(list(tmp_path.glob("here/prepared/synthetic/clips/*.npz"))) == 2
    assert files(tmp_path / "here" / "prepared") == files(tmp_path / "there" / "prepared")


def test_an_address_that_is_none_is_a_usage_error(tmp_path, capsys):
    command = ["prepare", "--corpus", "synthetic", "--workspace", str(tmp_path), "--cluster", "localhost"]
    assert cli._run(command) == 2
    assert "expected the scheduler's address, tcp://HOST:8786" in capsys.readouterr().err

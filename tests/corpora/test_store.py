from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_aver.corpora.ravdess import SourceClip
from edge_aver.corpora.store import PreparedStore, tensors_digest, write_clip_tensors
from edge_aver.errors import CorpusError
from edge_aver.spec import Preprocessing

CONSTANTS = Preprocessing()


def add(store, identifier, label=3, seed=0):
    random = np.random.default_rng(seed)
    return write_clip_tensors(
        store,
        clip=SourceClip(id=identifier, label=label, actor=7, path=Path("videos") / f"{identifier}.mp4"),
        source_sha256="ab" * 32,
        faces=random.integers(0, 256, (15, 224, 224, 3), dtype=np.uint8),
        audio=random.standard_normal((15, 128)).astype(np.float32),
        face_found=np.arange(15) < 13,
    )


@pytest.fixture
def store(tmp_path):
    made = PreparedStore.create(tmp_path / "prepared", "ravdess", CONSTANTS, "reference")
    add(made, "b", label=1, seed=1)
    add(made, "a", label=2, seed=2)
    return made


def test_what_was_written_is_read(store):
    record = add(store, "c", seed=3)
    clip = PreparedStore.open(store.folder).load("c")
    random = np.random.default_rng(3)
    np.testing.assert_array_equal(clip.faces, random.integers(0, 256, (15, 224, 224, 3), dtype=np.uint8))
    np.testing.assert_array_equal(clip.audio, random.standard_normal((15, 128)).astype(np.float32))
    assert clip.face_found.tolist() == [True] * 13 + [False] * 2
    assert clip.record == record
    assert (record.label, record.actor, record.faces_found, record.source_sha256) == (3, 7, 13, "ab" * 32)
    assert record.source == Path("videos/c.mp4").absolute()


def test_a_store_knows_how_it_was_made(tmp_path):
    constants = Preprocessing(face_size_px=112, segment_offsets=(-1, 0))
    add(PreparedStore.create(tmp_path, "synthetic", constants, "reference"), "a")
    opened = PreparedStore.open(tmp_path)
    assert (opened.corpus, opened.preprocessing, opened.front_end) == ("synthetic", constants, "reference")


def test_records_are_sorted_and_batches_keep_the_order_asked_for(store):
    assert [record.id for record in store.records()] == ["a", "b"]
    faces, audio, labels = store.batch(["b", "a", "b"])
    assert faces.shape == (3, 15, 224, 224, 3)
    assert audio.shape == (3, 15, 128)
    assert labels.tolist() == [1, 2, 1]
    np.testing.assert_array_equal(faces[1], store.load("a").faces)
    np.testing.assert_array_equal(audio[0], audio[2])


def test_the_hash_of_tensors_covers_each_of_them(store):
    clip = store.load("a")
    tensors = (clip.faces, clip.audio, clip.face_found)
    assert clip.record.tensors_sha256 == tensors_digest(*tensors)
    for i, tensor in enumerate(tensors):
        changed = tensor.copy()
        changed.flat[5] = not changed.flat[5]
        assert tensors_digest(*(changed if i == j else same for j, same in enumerate(tensors))) != tensors_digest(
            *tensors
        )


def test_opening_nothing_names_the_command(tmp_path):
    with pytest.raises(CorpusError, match=r"no prepared clips here; make them with: edge-aver prepare"):
        PreparedStore.open(tmp_path / "absent")
    PreparedStore.create(tmp_path, "ravdess", CONSTANTS, "reference")
    with pytest.raises(CorpusError, match=r"without clips; make them with: edge-aver prepare"):
        PreparedStore.open(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "{}",
        '{"format_version": 2}',
        '{"format_version": 1, "preprocessing": {"segment_offsets": [], "x": 1}}',
    ],
)
def test_another_format_is_refused(store, content):
    (store.folder / "store.json").write_text(content)
    with pytest.raises(CorpusError, match=r"store.json: not a store this edge-aver can read .*edge-aver prepare"):
        PreparedStore.open(store.folder)


def test_an_unknown_clip_is_refused(store):
    with pytest.raises(CorpusError, match="no prepared clip 'z'"):
        store.load("z")


def damage_by_cutting(path):
    path.write_bytes(path.read_bytes()[:1000])


def damage_by_a_flipped_bit(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def damage_by_another_file(path):
    path.write_text("not an archive")


def damage_by_swapped_tensors(path):
    with np.load(path) as members:
        contents = dict(members)
    np.savez(path, **{**contents, "audio": contents["audio"] + 1})


def damage_by_a_missing_member(path):
    with np.load(path) as members:
        contents = dict(members)
    del contents["meta"]
    np.savez(path, **contents)


@pytest.mark.parametrize(
    "damage",
    [
        damage_by_cutting,
        damage_by_a_flipped_bit,
        damage_by_another_file,
        damage_by_swapped_tensors,
        damage_by_a_missing_member,
    ],
)
def test_a_damaged_clip_is_named(store, damage):
    damage(store.path("a"))
    with pytest.raises(CorpusError, match=r"clips/a.npz: damaged prepared clip; run edge-aver prepare again"):
        store.load("a")
    assert store.load("b").record.id == "b"


def test_records_name_a_damaged_clip(store):
    damage_by_cutting(store.path("a"))
    with pytest.raises(CorpusError, match=r"clips/a.npz: damaged"):
        store.records()


def test_continuing_keeps_clips_and_removes_what_was_half_written(store):
    half = store.clips_folder / ".writing-x" / "c.npz"
    half.parent.mkdir()
    half.write_bytes(b"half")
    half.with_name(".in-use").touch()  # and nobody holds it
    assert PreparedStore.create(store.folder, "ravdess", CONSTANTS, "reference") == store
    assert [path.name for path in sorted(store.clips_folder.iterdir())] == ["a.npz", "b.npz"]


@pytest.mark.parametrize(
    ("changed", "remark"),
    [
        ({"corpus": "synthetic"}, "corpus changed"),
        ({"front_end": "fast"}, "front_end changed"),
        ({"preprocessing": replace(CONSTANTS, pitch_threshold=0.2)}, "preprocessing changed"),
    ],
)
def test_changed_terms_remove_the_clips_with_one_remark(store, changed, remark, capsys):
    wanted = replace(store, **changed)
    made = PreparedStore.create(wanted.folder, wanted.corpus, wanted.preprocessing, wanted.front_end)
    assert made == wanted
    assert made.records() == ()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert remark in lines[0]
    assert "2 clips made before are removed" in lines[0]


def test_files_of_someone_else_are_not_touched(tmp_path):
    foreign = tmp_path / "clips" / "mine.npz"
    foreign.parent.mkdir()
    foreign.write_bytes(b"precious")
    with pytest.raises(CorpusError, match="not a prepared store; name another folder"):
        PreparedStore.create(tmp_path, "ravdess", CONSTANTS, "reference")
    assert foreign.read_bytes() == b"precious"
    assert not (tmp_path / "store.json").exists()


def test_a_failed_write_leaves_the_old_clip(store, monkeypatch):
    before = store.path("a").read_bytes()

    def full_disk(path, data):
        path.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(OSError, match="No space left"):
        add(store, "a", seed=9)
    assert store.path("a").read_bytes() == before
    assert [path.name for path in sorted(store.clips_folder.iterdir())] == ["a.npz", "b.npz"]

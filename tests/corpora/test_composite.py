"""Composite clips: whose face goes with which recording, what the tensors hold, and that they are called composite."""

import re
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from composite_files import drawn_faces, jpeg, write_recording, write_recordings, write_zip

from edge_aver import cli
from edge_aver.corpora.composite import deal_faces, prepare_composite, usable_faces
from edge_aver.corpora.fer2013 import open_faces
from edge_aver.corpora.ravdess import find_recordings
from edge_aver.corpora.store import PreparedStore
from edge_aver.corpora.sway import Sway, swaying
from edge_aver.errors import CorpusError
from edge_aver.media.audio import segments
from edge_aver.media.decode import decode_speech
from edge_aver.media.speech import speech_steps
from edge_aver.spec import LABELS, Preprocessing

FER = dict(zip(LABELS, ("neutral", "neutral", "happy", "sad", "angry", "fear", "disgust", "surprise"), strict=True))


@pytest.fixture(scope="module")
def files():
    return drawn_faces(26)


@pytest.fixture(scope="module")
def faces(files, tmp_path_factory):
    """26 faces of each emotion, so that actors 1 and 2 own two and the others one; of neutral twice as many."""
    return write_zip(tmp_path_factory.mktemp("faces") / "fer.zip", files)


@pytest.fixture
def speech(tmp_path):
    return write_recordings(tmp_path / "speech", actors=(1, 2), emotions=(1, 6))


def run(speech, faces, folder, **options):
    with ThreadPoolExecutor(1) as executor:
        return prepare_composite(speech, faces, folder=folder, workers=1, executor=executor, **options)


def tensors(folder):
    return {record.id: record.tensors_sha256 for record in PreparedStore.open(folder).records()}


def test_a_clip_is_its_recording_with_a_face_that_moves_a_little(faces, tmp_path):
    path = write_recording(tmp_path / "speech" / "03-01-05-02-01-01-02.flac", 2.0)

    summary = run(tmp_path / "speech", faces, tmp_path / "store")

    store = PreparedStore.open(tmp_path / "store", Preprocessing())
    clip = store.load(path.stem)
    assert (summary.corpus, summary.prepared, store.corpus, store.front_end) == ("composite", 1, *2 * ["composite"])
    assert (clip.record.label, clip.record.actor, clip.record.source) == (4, 2, path)
    assert clip.face_found.tolist() == 8 * [True] + 7 * [False]  # 0.12 s to 1.8 s, and from 2.04 s on
    assert not clip.faces[8:].any()
    shown = clip.faces[:8].astype(int)
    assert (shown == shown[..., :1]).all()
    steps = np.abs(np.diff(shown, axis=0)).mean(axis=(1, 2, 3))
    assert 0.1 < steps.min() < steps.max() < np.abs(shown[0] - shown[0].mean()).mean()


def test_the_audio_is_what_a_front_end_makes_of_the_first_window(faces, tmp_path):
    constants = Preprocessing()
    tone = write_recording(tmp_path / "speech" / "03-01-05-02-01-01-02.wav", 5.0, rate_hz=48_000)
    short = write_recording(tmp_path / "speech" / "03-01-05-02-01-02-02.wav", 1.0)
    run(tmp_path / "speech", faces, tmp_path / "store")

    for path, samples in ((tone, 57_600), (short, 16_000)):
        signal, end_s = decode_speech(path, constants)
        t = np.arange(samples) / 16_000
        assert (len(signal), end_s) == (57_600, samples / 16_000)
        assert np.abs(signal[:samples] - 0.3 * np.sin(2 * np.pi * 150 * t))[20:-20].max() < 2e-3
        assert not signal[samples:].any()
        expected = segments(speech_steps(signal, constants), constants)
        np.testing.assert_array_equal(PreparedStore.open(tmp_path / "store").load(path.stem).audio, expected)


def test_faces_show_the_emotion_and_belong_to_one_actor(faces, files, tmp_path):
    folder = write_recordings(tmp_path / "speech", actors=(1, 2, 24), repetitions=(1, 2))
    recordings, _ = find_recordings(folder)
    names = {data: name for name, data in files.items()}
    with open_faces(faces) as archive:
        makers = deal_faces(recordings, archive, 1)

    assert [maker.clip for maker in makers] == list(recordings)
    owners, shown = defaultdict(set), defaultdict(list)
    for maker in makers:
        emotion = FER[LABELS[maker.clip.label]]
        assert names[maker.face].split("/")[1] == emotion
        owners[maker.face].add(maker.clip.actor)
        shown[maker.clip.actor, emotion].append(maker.face)
    assert {len(actors) for actors in owners.values()} == {1}
    assert {actor: len(set(shown[actor, "sad"])) for actor in (1, 2, 24)} == {1: 2, 2: 2, 24: 1}
    assert {actor: len(set(shown[actor, "neutral"])) for actor in (1, 2, 24)} == {1: 3, 2: 3, 24: 2}
    for each in shown.values():  # none a third time before all have served twice
        assert {each.count(face) for face in each} <= {1, 2}


def test_who_has_too_few_faces_shows_them_again_and_that_is_told(faces, tmp_path, capsys):
    run(write_recordings(tmp_path / "speech", actors=(24,), emotions=(6,), repetitions=(1, 2)), faces, tmp_path / "a")
    assert "disgust: 1 faces for 2 clips; one serves up to 2 of its actor's" in capsys.readouterr().err


def test_equal_inputs_give_equal_bytes_in_any_order(speech, faces, files, tmp_path):
    shuffled = write_zip(tmp_path / "shuffled.zip", dict(reversed(files.items())))
    run(speech, faces, tmp_path / "a")
    run(speech, shuffled, tmp_path / "b")
    paths = sorted((tmp_path / "a" / "clips").iterdir())
    assert len(paths) == 4
    for path in paths:
        assert path.read_bytes() == (tmp_path / "b" / "clips" / path.name).read_bytes()


def test_clips_with_the_same_face_move_differently(faces, tmp_path):
    run(write_recordings(tmp_path / "speech", actors=(24,), emotions=(6,), repetitions=(1, 2)), faces, tmp_path / "a")
    one, other = (PreparedStore.open(tmp_path / "a").load(f"03-01-07-01-01-0{k}-24").faces for k in (1, 2))
    assert (one != other).any(axis=(1, 2, 3)).all()


def test_what_is_done_is_kept_and_what_changed_is_done_again(speech, faces, files, tmp_path, monkeypatch):
    store = tmp_path / "store"
    run(speech, faces, store)
    before = tensors(store)
    again = run(speech, faces, store)
    assert (again.prepared, again.reused) == (0, 4)

    write_recording(speech / "Actor_01" / "03-01-07-01-01-01-01.flac", 3.7, 333.0)
    changed = run(speech, faces, store)
    assert (changed.prepared, changed.reused) == (1, 3)
    assert {name for name, digest in tensors(store).items() if digest != before[name]} == {"03-01-07-01-01-01-01"}

    others = write_zip(tmp_path / "others.zip", drawn_faces(26, seed=1))
    assert run(speech, others, store).prepared == 4
    monkeypatch.setattr("edge_aver.corpora.composite._SEED", 2014)
    assert run(speech, others, store).prepared == 4


def test_further_draws_add_clips_of_other_faces_to_the_same_actors(speech, faces, tmp_path):
    recordings, _ = find_recordings(speech)
    with open_faces(faces) as archive:
        once, twice = (deal_faces(recordings, archive, draws) for draws in (1, 2))
    assert twice[:4] == once
    assert [maker.clip for maker in twice[4:]] == [replace(clip, id=f"{clip.id}.2") for clip in recordings]
    for first, second in zip(twice[:4], twice[4:], strict=True):
        assert first.face != second.face

    run(speech, faces, tmp_path / "store")
    before = tensors(tmp_path / "store")
    summary = run(speech, faces, tmp_path / "store", draws=2)
    assert (summary.prepared, summary.reused) == (4, 4)
    after = tensors(tmp_path / "store")
    assert len(after) == 8
    assert before.items() < after.items()
    actors = {record.id: record.actor for record in PreparedStore.open(tmp_path / "store").records()}
    assert (actors["03-01-07-01-01-01-01.2"], actors["03-01-07-01-01-01-02.2"]) == (1, 2)


def test_no_recording_gets_a_face_twice_though_others_of_its_actor_do(faces, tmp_path):
    folder = write_recordings(tmp_path / "speech", actors=(1,), emotions=(6,), repetitions=(1, 2))
    with open_faces(faces) as archive:
        makers = deal_faces(find_recordings(folder)[0], archive, 2)
    first, second, first_again, second_again = (maker.face for maker in makers)
    assert len({first, second}) == 2
    assert (first_again, second_again) == (second, first)


def test_more_draws_than_an_actor_has_faces_are_refused_with_what_is_possible(speech, faces, tmp_path):
    with pytest.raises(CorpusError, match=r"3 draws .*at most 2 are possible: actor 1 has 2 faces of 'disgust'"):
        run(speech, faces, tmp_path / "store", draws=3)
    assert not (tmp_path / "store").exists()


def test_faces_that_a_backbone_may_have_seen_or_that_show_nothing_are_left_out(tmp_path, capsys):
    one, two, three, four = list(drawn_faces(1).values())[:4]
    files = {
        "test/happy/a.jpg": one,
        "test/happy/again.jpg": one,
        "test/happy/seen.jpg": two,
        "train/sad/seen.jpg": two,
        "test/happy/doubtful.jpg": three,
        "test/sad/doubtful.jpg": three,
        "test/sad/blank.jpg": jpeg(np.full((48, 48), 90, np.uint8)),
        "test/sad/b.jpg": four,
        "train/sad/c.jpg": jpeg(np.eye(48, dtype=np.uint8)),
    }
    with open_faces(write_zip(tmp_path / "fer.zip", files)) as archive:
        assert [face.name for face in usable_faces(archive)] == ["test/happy/a.jpg", "test/sad/b.jpg"]
    assert "fer.zip: 5 of 7 test faces are left out" in capsys.readouterr().err


def few(files, emotion):
    return {name: data for name, data in files.items() if f"/{emotion}/" not in name or name.endswith("-001.jpg")}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda files: {name.replace("test/", "train/"): data for name, data in files.items()}, "train part only"),
        (lambda files: {name: data for name, data in files.items() if "disgust" not in name}, "0 usable .* 'disgust'"),
        (lambda files: few(files, "disgust"), "1 usable test faces of 'disgust'; each of 24 actors needs one"),
        (lambda files: {**files, "test/happy/0-001.jpg": b"words"}, "happy/0-001.jpg: not a JPEG file"),
    ],
)
def test_faces_that_do_not_do_are_refused(speech, files, tmp_path, change, message):
    faces = write_zip(tmp_path / "fer.zip", change(files))
    with pytest.raises(CorpusError, match=message):
        run(speech, faces, tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_one_bad_recording_stops_nothing(speech, faces, tmp_path):
    whole = (speech / "Actor_01" / "03-01-02-01-01-01-01.flac").read_bytes()
    (speech / "Actor_01" / "03-01-02-01-01-02-01.flac").write_bytes(whole[: len(whole) // 2])
    (speech / "Actor_01" / "03-01-02-01-02-01-01.flac").write_bytes(b"words")
    (speech / "Actor_01" / "03-01-02-01-02-02-01.flac").write_bytes(b"")
    (speech / "copy").mkdir()
    (speech / "copy" / "03-01-02-01-01-01-01.wav").write_bytes(whole)
    (speech / "holiday.wav").write_bytes(whole)

    summary = run(speech, faces, tmp_path / "store", draws=2)

    assert (summary.prepared, len(summary.refused)) == (8, 5)
    reasons = {refusal.path.name: refusal.reason for refusal in summary.refused}
    expected = {
        "03-01-02-01-01-02-01.flac": "truncated",
        "03-01-02-01-02-01-01.flac": "its audio track is empty",
        "03-01-02-01-02-02-01.flac": "is empty",
        "03-01-02-01-01-01-01.wav": "the same clip was found before",
        "holiday.wav": "not a RAVDESS name",
    }
    assert reasons.keys() == expected.keys()
    for name, reason in expected.items():
        assert reason in reasons[name]


def test_a_swaying_face_stays_about_where_it_is():
    face = np.zeros((48, 48), np.uint8)
    face[20:28, 20:28] = 200
    times = tuple(np.arange(15) * 0.24)
    still = Sway(shift=0, zoom=0, roll_deg=0, light=0)
    centre = swaying(face, times, 96, still, np.random.default_rng(0))
    assert (centre == centre[:1]).all()
    assert centre[0, 48, 48].tolist() == [200, 200, 200]
    rows, columns = np.nonzero(centre[0, ..., 0] > 100)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (40, 55, 40, 55)

    seen = np.concatenate([swaying(face, times, 96, Sway(), np.random.default_rng(seed)) for seed in range(20)])
    grid = np.arange(96)
    weight = seen[..., 0].sum(axis=(1, 2))
    for axis in (1, 2):
        middle = (seen[..., 0].sum(axis=3 - axis) * grid).sum(axis=1) / weight - 47.5
        assert 1 < np.abs(middle).max() < 3.2
    assert 0.87 < weight.min() / weight.mean() < 0.97
    bright = swaying(face, times, 96, replace(still, light=0.06), np.random.default_rng(0))[:, 48, 48, 0]
    assert 188 <= bright.min() < 200 < bright.max() <= 212


@pytest.fixture
def edge_aver(tmp_path, capsys):
    def run(*arguments):
        status = cli._run([*map(str, arguments), "--workspace", str(tmp_path / "workspace")])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def test_the_command_prepares_and_says_what_the_clips_are(edge_aver, speech, faces, tmp_path):
    command = ("prepare", "--corpus", "composite", "--speech", speech, "--faces", faces, "--workers", "2")

    status, out, _ = edge_aver(*command)
    _, table, _ = edge_aver(*command, "--draws", "2", "--json", "-")

    assert status == 0
    assert out.splitlines()[0] == "4 clips prepared, 0 already there, 0 refused"
    assert out.splitlines()[1].startswith("Composite clips: ")
    assert re.search(r'"note": "Composite clips: ', table)
    assert re.search(r'"prepared": 4,\n', table)
    assert len(tensors(tmp_path / "workspace" / "prepared" / "composite")) == 8


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ("--corpus composite --speech DIR", "--faces ZIP"),
        ("--corpus composite --faces ZIP", "--speech DIR"),
        ("--corpus composite --speech DIR --faces ZIP --data DIR", "--data is not for corpus composite"),
        ("--corpus composite --speech DIR --faces ZIP --reference", "--reference is not for corpus composite"),
        ("--corpus composite --speech DIR --faces ZIP --draws 0", "--draws"),
        ("--corpus ravdess --data DIR --speech DIR", "--speech is not for corpus ravdess"),
        ("--corpus synthetic --faces ZIP", "--faces is not for corpus synthetic"),
        ("--corpus ravdess --data DIR --draws 2", "--draws is not for corpus ravdess"),
    ],
)
def test_options_of_another_corpus_are_a_usage_error(edge_aver, arguments, word):
    status, out, err = edge_aver("prepare", *arguments.split())
    assert (status, out) == (2, "")
    assert re.fullmatch(r"error: [^\n]+\n", err)
    assert word in err


def test_a_missing_store_is_told_with_the_options_it_takes(tmp_path):
    with pytest.raises(CorpusError, match=r"prepare --corpus composite --speech DIR --faces ZIP$"):
        PreparedStore.open(tmp_path / "composite")


def real(test_data, *parts):
    path = test_data.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"no {path.name} among the test data")
    return path


def test_every_real_recording_gets_a_face_and_no_face_two_actors(test_data):
    recordings, refusals = find_recordings(real(test_data, "ravdess-speech-16k"))
    with open_faces(real(test_data, "fer2013.zip")) as archive:
        makers = deal_faces(recordings, archive, 2)
        train = {face.checksum for face in archive.faces if face.split == "train"}
        checksums = {archive.read(face): face for face in archive.faces if face.split == "test"}

    assert (len(recordings), refusals) == (1440, ())
    assert len({maker.clip.id for maker in makers}) == 2880
    owners = defaultdict(set)
    for maker in makers:
        face = checksums[maker.face]
        assert face.emotion == FER[LABELS[maker.clip.label]]
        assert face.checksum not in train
        owners[face.checksum].add(maker.clip.actor)
    assert {len(actors) for actors in owners.values()} == {1}


def test_real_clips_of_every_actor_are_prepared(test_data, tmp_path):
    speech = real(test_data, "ravdess-speech-16k")
    for actor in range(1, 25):
        name = f"03-01-{actor % 8 + 1:02}-01-01-01-{actor:02}.flac"
        (tmp_path / "speech").mkdir(exist_ok=True)
        (tmp_path / "speech" / name).symlink_to(speech / f"Actor_{actor:02}" / name)

    summary = run(tmp_path / "speech", real(test_data, "fer2013.zip"), tmp_path / "store")

    store = PreparedStore.open(tmp_path / "store")
    assert (summary.prepared, summary.refused) == (24, ())
    assert {record.actor for record in store.records()} == set(range(1, 25))
    for record in store.records():
        clip = store.load(record.id)
        assert record.faces_found >= 12
        assert clip.faces[clip.face_found].std(axis=(1, 2, 3)).min() > 10
        assert np.isfinite(clip.audio).all()


def test_one_recording_under_two_names_is_two_clips(faces, tmp_path):
    """As in RAVDESS, where 03-01-03-01-02-01-07 and 03-01-03-01-02-02-07 are one recording."""
    first = write_recording(tmp_path / "speech" / "03-01-03-01-02-01-07.flac", 3.7)
    second = first.with_name("03-01-03-01-02-02-07.flac")
    second.write_bytes(first.read_bytes())
    recordings, _ = find_recordings(tmp_path / "speech")
    assert [clip.path for clip in recordings] == [first, second]
    assert run(tmp_path / "speech", faces, tmp_path / "store").prepared == 2
    one, other = (PreparedStore.open(tmp_path / "store").load(path.stem) for path in (first, second))
    np.testing.assert_array_equal(one.audio, other.audio)
    assert (one.faces != other.faces).any()

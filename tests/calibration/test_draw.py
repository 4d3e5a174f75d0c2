"""Calibration clips: spread evenly, always the same, never of an actor who validates or tests, never made up."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from edge_aver.calibration.draw import calibration_clips, check_manifest, draw_calibration
from edge_aver.calibration.folds import load_fold
from edge_aver.corpora.store import PreparedStore
from edge_aver.errors import CorpusError, LeakError
from edge_aver.spec import CalibrationManifest

MakeStore = Callable[..., PreparedStore]

FOLD = load_fold("ravdess", 1)
FEW = [(actor, label, 0) for actor in (1, 5, 9, 10) for label in range(2)]


def drawn_keys(store: PreparedStore, manifest: CalibrationManifest) -> list[tuple[int, int]]:
    records = {record.id: record for record in store.records()}
    return [(records[name].actor, records[name].label) for name, _ in manifest.clips]


def test_one_clip_of_each_actor_and_emotion(whole_store: PreparedStore) -> None:
    keys = drawn_keys(whole_store, draw_calibration(whole_store, FOLD, 128))
    assert sorted(keys) == [(actor, label) for actor in FOLD.train for label in range(8)]


@pytest.mark.parametrize("count", [16, 40, 100, 200])
def test_any_count_is_spread_evenly(count: int, whole_store: PreparedStore) -> None:
    manifest = draw_calibration(whole_store, FOLD, count)
    keys = drawn_keys(whole_store, manifest)
    assert len({name for name, _ in manifest.clips}) == count
    cells, actors, labels = Counter(keys), Counter(key[0] for key in keys), Counter(key[1] for key in keys)
    assert max(cells.values()) == -(-count // 128)
    assert set(actors) == set(FOLD.train)
    assert max(actors.values()) - min(actors.values()) <= 2
    if count <= 128:
        assert max(labels.values()) - min(labels.values()) <= 2


def test_same_seed_same_clips_another_seed_others(whole_store: PreparedStore) -> None:
    first = draw_calibration(whole_store, FOLD, 60, seed=3)
    assert draw_calibration(whole_store, FOLD, 60, seed=3) == first
    assert set(draw_calibration(whole_store, FOLD, 60, seed=4).clips) != set(first.clips)


def test_fewer_than_asked_takes_all_training_clips(make_store: MakeStore) -> None:
    manifest = draw_calibration(make_store(FEW), FOLD, 300)
    assert len(manifest.clips) == 4
    assert manifest.actors == (9, 10)


def test_every_fold_keeps_to_its_training_actors(whole_store: PreparedStore) -> None:
    for index in range(1, 6):
        fold = load_fold("ravdess", index)
        manifest = draw_calibration(whole_store, fold, 50)
        assert set(manifest.actors) <= set(fold.train)
        assert {actor for actor, _ in drawn_keys(whole_store, manifest)} == set(manifest.actors)
        check_manifest(manifest, fold)


def test_no_training_clip_is_one_line(make_store: MakeStore) -> None:
    store = make_store([(1, 0, 0), (5, 1, 0)])
    with pytest.raises(CorpusError, match="ravdess, fold 1: 0 clips of training actors, 10 asked for"):
        draw_calibration(store, FOLD, 10)


def test_zero_clips_are_refused(whole_store: PreparedStore) -> None:
    with pytest.raises(CorpusError, match="0 asked for"):
        draw_calibration(whole_store, FOLD, 0)


def test_store_of_another_corpus_is_refused(whole_store: PreparedStore) -> None:
    with pytest.raises(CorpusError, match="holds ravdess clips, fold 1 is one of synthetic"):
        draw_calibration(whole_store, load_fold("synthetic", 1), 10)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"actors": (9, 5)}, "validation actors 5"),
        ({"actors": (2, 9)}, "test actors 2"),
        ({"actors": (9, 25)}, "actors 25 are not training actors"),
        ({"clips": ()}, "manifest is empty"),
        ({"fold": 2}, "drawn for ravdess, fold 2"),
        ({"corpus": "composite"}, "drawn for composite, fold 1"),
    ],
)
def test_a_manifest_that_leaks_is_refused(change: dict[str, object], message: str, make_store: MakeStore) -> None:
    manifest = draw_calibration(make_store(FEW), FOLD, 4)
    check_manifest(manifest, FOLD)
    with pytest.raises(LeakError, match=message):
        check_manifest(replace(manifest, **change), FOLD)  # type: ignore[arg-type]


def test_clips_come_in_order_with_their_tensors(make_store: MakeStore) -> None:
    store = make_store(FEW)
    manifest = draw_calibration(store, FOLD, 3)
    clips = list(calibration_clips(store, manifest))
    assert [(clip.record.id, clip.record.tensors_sha256) for clip in clips] == list(manifest.clips)
    assert all(np.array_equal(clip.faces, store.load(clip.record.id).faces) for clip in clips)


def test_a_changed_clip_is_refused(make_store: MakeStore) -> None:
    manifest = draw_calibration(make_store(FEW), FOLD, 4)
    store = make_store(
        FEW, faces=lambda chance: np.flip(np.sort(chance.integers(0, 255, (15, 8, 8, 3)), axis=2)).astype(np.uint8)
    )
    with pytest.raises(CorpusError, match="has changed since it was drawn"):
        calibration_clips(store, manifest)


def test_a_missing_clip_is_refused(make_store: MakeStore) -> None:
    store = make_store(FEW)
    manifest = draw_calibration(store, FOLD, 4)
    store.path(manifest.clips[2][0]).unlink()
    with pytest.raises(CorpusError, match=f"{manifest.clips[2][0]} is not in the prepared ravdess store"):
        calibration_clips(store, manifest)


def test_a_clip_of_an_actor_the_manifest_hides_is_refused(make_store: MakeStore) -> None:
    store = make_store(FEW)
    smuggled = next((record.id, record.tensors_sha256) for record in store.records() if record.actor == 1)
    manifest = draw_calibration(store, FOLD, 2)
    with pytest.raises(LeakError, match="is of actor 1, not in the manifest"):
        calibration_clips(store, replace(manifest, clips=(*manifest.clips, smuggled)))


@pytest.mark.parametrize(
    ("tensor", "make", "message"),
    [
        ("faces", lambda chance: np.full((15, 8, 8, 3), 7, np.uint8), r"faces are constant \(7\) over all 4"),
        ("audio", lambda chance: np.zeros((15, 128), np.float32), r"audio are constant \(0\)"),
        ("faces", lambda chance: chance.integers(0, 256, (15, 8, 8, 3), dtype=np.uint8), "faces look random"),
        ("audio", lambda chance: chance.standard_normal((15, 128), dtype=np.float32), "audio look random"),
    ],
)
def test_made_up_tensors_are_refused(
    tensor: str, make: Callable[[np.random.Generator], object], message: str, make_store: MakeStore
) -> None:
    store = make_store(FEW, **{tensor: make})
    with pytest.raises(LeakError, match=message):
        calibration_clips(store, draw_calibration(store, FOLD, 4))


def test_one_clip_without_faces_among_others_is_fine(make_store: MakeStore) -> None:
    make_store(FEW[:-1])
    store = make_store(FEW[-1:], faces=lambda chance: np.zeros((15, 8, 8, 3), np.uint8))
    assert len(list(calibration_clips(store, draw_calibration(store, FOLD, 4)))) == 4

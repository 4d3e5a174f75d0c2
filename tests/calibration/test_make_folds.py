"""Folds of one's own: no subject twice, labels spread evenly, the same for the same seed."""

from itertools import combinations

import numpy as np
import pytest

from edge_aver.calibration.folds import FOLDS_FILE, load_fold, read_folds
from edge_aver.calibration.make_folds import folds_of_splits, make_folds, write_folds
from edge_aver.errors import CorpusError, LeakError


def uneven(subjects=60, labels=4, seed=3):
    """Subjects who differ in how many clips of which label they have; label 0 is rare."""
    chance = np.random.default_rng(seed)
    rates = np.array([0.5, *chance.uniform(2, 12, labels - 1)])
    return {100 + i: tuple(map(int, chance.poisson(rates * chance.uniform(0.2, 2)))) for i in range(subjects)}


@pytest.mark.parametrize("count", [3, 5, 7])
def test_every_subject_is_tested_once_and_stands_in_one_part_of_each_fold(count):
    counts = uneven()
    splits = make_folds(counts, count)

    assert [split.index for split in splits] == list(range(1, count + 1))
    assert sorted(actor for split in splits for actor in split.test) == sorted(counts)
    for split in splits:
        assert sorted((*split.train, *split.validation, *split.test)) == sorted(counts)
        assert all(not set(one) & set(other) for one, other in combinations(split.parts.values(), 2))
        assert split.validation == splits[split.index % count].test


def test_labels_are_spread_as_evenly_as_by_the_method_that_is_cited():
    counts = uneven()
    whole = np.sum(list(counts.values()), axis=0)

    held = np.array([np.sum([counts[actor] for actor in split.test], axis=0) for split in make_folds(counts, 5)])
    shares = held / whole
    assert np.abs(shares - 0.2).max() < 0.05
    by_name = np.array_split(sorted(counts), 5)
    naive = np.array([np.sum([counts[actor] for actor in part], axis=0) for part in by_name]) / whole
    assert shares.std(axis=0).mean() < naive.std(axis=0).mean() / 2


def test_a_balanced_corpus_is_dealt_out_in_equal_parts():
    splits = make_folds({actor: (2, 2, 2) for actor in range(1, 24)}, 5)

    assert sorted(len(split.test) for split in splits) == [4, 4, 5, 5, 5]


def test_no_part_is_empty_where_there_are_as_many_subjects_as_folds():
    lopsided = {1: (50, 0), 2: (0, 1), 3: (0, 1), 4: (1, 0), 5: (30, 30)}

    assert [len(split.test) for split in make_folds(lopsided, 5)] == [1] * 5


def test_the_seed_decides_and_the_order_of_subjects_does_not():
    counts = {actor: (3, 3) for actor in range(40)}
    backwards = dict(reversed(counts.items()))

    assert make_folds(counts, 5, seed=1) == make_folds(backwards, 5, seed=1)
    assert make_folds(counts, 5, seed=1) != make_folds(counts, 5, seed=2)


def test_too_few_subjects_or_folds_are_refused():
    with pytest.raises(CorpusError, match="--folds 5: there are 4 subjects"):
        make_folds({actor: (1, 1) for actor in range(4)}, 5)
    with pytest.raises(CorpusError, match=r"--folds 2: .* give 3 or more"):
        make_folds({actor: (1, 1) for actor in range(4)}, 2)


def test_a_split_column_is_one_fold():
    (split,) = folds_of_splits({3: "train", 1: "test", 2: "val", 4: "train"})

    assert (split.index, split.train, split.validation, split.test) == (1, (3, 4), (2,), (1,))
    with pytest.raises(CorpusError, match="no subject is in val, test"):
        folds_of_splits({3: "train"})


def test_written_folds_are_read_again_from_the_store(tmp_path):
    counts = uneven(subjects=400)
    splits = make_folds(counts, 3, seed=4)
    names = {f'"{actor}" \\ é': actor for actor in counts}
    write_folds(tmp_path, "mine", splits, names, origin="3 folds")

    file = read_folds(tmp_path / FOLDS_FILE)
    assert (file.corpora, file.folds, file.subjects) == (("mine",), splits, names)
    fold = load_fold("mine", 2, store=tmp_path)
    assert (fold.corpus, fold.index, fold.test) == ("mine", 2, splits[1].test)
    assert load_fold("ravdess", 1, store=tmp_path / "none").test == (1, 2, 3, 4)


def test_a_fold_file_with_a_subject_in_two_parts_is_refused(tmp_path):
    text = 'corpora = ["mine"]\n[[folds]]\nindex = 1\ntest = [1]\nvalidation = [2]\ntrain = [2, 3]\n'
    (tmp_path / FOLDS_FILE).write_text(text)

    with pytest.raises(LeakError, match="actors 2 stand in both train and validation"):
        load_fold("mine", 1, store=tmp_path)

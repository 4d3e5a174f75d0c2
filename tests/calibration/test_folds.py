"""The declared folds are subject-independent, and mistakes in them are refused on reading."""

from pathlib import Path

import pytest

from edge_aver import declarations
from edge_aver.calibration.folds import fold_count, load_fold
from edge_aver.errors import DeclarationError, LeakError

CORPORA = ("ravdess", "synthetic", "composite")


def wrap(actor: int) -> int:
    return (actor - 1) % 24 + 1


@pytest.mark.parametrize("corpus", CORPORA)
@pytest.mark.parametrize("index", range(1, 6))
def test_every_fold_is_what_the_design_says(corpus: str, index: int) -> None:
    fold = load_fold(corpus, index)
    assert fold.corpus == corpus
    assert fold.test == tuple(range(4 * index - 3, 4 * index + 1))
    assert fold.validation == tuple(wrap(actor + 4) for actor in fold.test)
    assert sorted(fold.train + fold.validation + fold.test) == list(range(1, 25))


@pytest.mark.parametrize("index", range(1, 6))
def test_women_and_men_are_even_in_every_part(index: int) -> None:
    fold = load_fold("ravdess", index)
    for part in (fold.train, fold.validation, fold.test):
        assert sum(actor % 2 for actor in part) * 2 == len(part)


def test_five_folds_and_each_corpus_knows_them() -> None:
    assert [fold_count(corpus) for corpus in CORPORA] == [5, 5, 5]


def test_unknown_fold_and_corpus_name_the_known_ones() -> None:
    with pytest.raises(DeclarationError, match="unknown fold 6 of corpus ravdess; known: 1, 2, 3, 4, 5"):
        load_fold("ravdess", 6)
    with pytest.raises(DeclarationError, match="'crema'; known: composite, ravdess, synthetic"):
        load_fold("crema", 1)


@pytest.mark.parametrize(
    ("row", "error", "message"),
    [
        ("train = [1, 2]\nvalidation = [3]\ntest = [2]", LeakError, "actors 2 stand in both train and test"),
        ("train = [1, 3]\nvalidation = [3]\ntest = [2]", LeakError, "actors 3 stand in both train and validation"),
        ("train = [1]\nvalidation = []\ntest = [2]", DeclarationError, "validation is empty"),
        ("train = [1, 1]\nvalidation = [3]\ntest = [2]", DeclarationError, "names an actor twice"),
        ("train = [1]\nvalidation = [3]\ntset = [2]", DeclarationError, "unknown key 'tset'"),
    ],
)
def test_a_declared_leak_is_refused_on_reading(
    row: str, error: type[Exception], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "calibration" / "folds"
    folder.mkdir(parents=True)
    (folder / "mine.toml").write_text(f'corpora = ["mine"]\n[[folds]]\nindex = 1\n{row}\n')
    monkeypatch.setattr(declarations, "_root", lambda: tmp_path)
    with pytest.raises(error, match=message):
        load_fold("mine", 1)

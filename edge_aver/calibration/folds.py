"""Subject-independent folds, read from the declarations in `calibration/folds`."""

from dataclasses import dataclass
from itertools import combinations

from edge_aver.declarations import load, shipped_names
from edge_aver.errors import DeclarationError, LeakError

__all__ = ["Fold", "fold_count", "load_fold"]

_FOLDER = "calibration/folds"


@dataclass(frozen=True, kw_only=True)
class Fold:
    """One split of a corpus by actor; no actor stands in two of its parts (paper, 4.2.2)."""

    corpus: str
    index: int
    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class _Split:
    index: int
    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class _Declaration:
    corpora: tuple[str, ...]
    folds: tuple[_Split, ...]


def load_fold(corpus: str, index: int, *, folds: str | None = None) -> Fold:
    """The declared fold `index` (from 1) of a corpus.

    Args:
        corpus: which the declaration must name.
        index: from 1.
        folds: shipped name or TOML file; None takes the shipped one that names the corpus.

    Raises:
        DeclarationError: unknown corpus or fold; the known ones are listed.
        LeakError: an actor stands in two parts of the declared fold.
    """
    splits = _splits(corpus, folds)
    if index not in splits:
        known = ", ".join(map(str, sorted(splits)))
        raise DeclarationError(f"unknown fold {index} of corpus {corpus}; known: {known}")
    split = splits[index]
    _check_independence(corpus, split)
    return Fold(corpus=corpus, index=index, train=split.train, validation=split.validation, test=split.test)


def fold_count(corpus: str) -> int:
    """How many folds are declared for a corpus; DeclarationError for an unknown one."""
    return len(_splits(corpus))


def _splits(corpus: str, folds: str | None = None) -> dict[int, _Split]:
    declarations = [load(_Declaration, _FOLDER, name) for name in ((folds,) if folds else shipped_names(_FOLDER))]
    for declaration in declarations:
        if corpus in declaration.corpora:
            return {split.index: split for split in declaration.folds}
    known = sorted(name for declaration in declarations for name in declaration.corpora)
    raise DeclarationError(f"no folds are declared for corpus {corpus!r}; known: {', '.join(known)}")


def _check_independence(corpus: str, split: _Split) -> None:
    parts = {"train": split.train, "validation": split.validation, "test": split.test}
    for name, actors in parts.items():
        if not actors or len(set(actors)) < len(actors):
            raise DeclarationError(f"{corpus}, fold {split.index}: {name} is empty or names an actor twice: {actors}")
    for (one, actors), (other, others) in combinations(parts.items(), 2):
        if shared := sorted(set(actors) & set(others)):
            names = ", ".join(map(str, shared))
            raise LeakError(f"{corpus}, fold {split.index}: actors {names} stand in both {one} and {other}")

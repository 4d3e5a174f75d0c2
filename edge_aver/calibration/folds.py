"""Subject-independent folds, read from the declarations in `calibration/folds` or from the store of one's own clips."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

from edge_aver.declarations import load, shipped_names
from edge_aver.errors import DeclarationError, LeakError
from edge_aver.spec import ModelSpec

__all__ = [
    "FOLDS_FILE",
    "Fold",
    "FoldFile",
    "Split",
    "check_network_fold",
    "check_split",
    "fold_count",
    "load_fold",
    "read_folds",
]

_FOLDER = "calibration/folds"

FOLDS_FILE = "folds.toml"
"""In the prepared store of a corpus of one's own."""


@dataclass(frozen=True, kw_only=True)
class Fold:
    """One split of a corpus by actor; no actor stands in two of its parts (paper, 4.2.2)."""

    corpus: str
    index: int
    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Split:
    """A fold as it is declared: its number from 1, and the actors of its parts."""

    index: int
    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]

    @property
    def parts(self) -> dict[str, tuple[int, ...]]:
        """Actors by the name of the part."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


@dataclass(frozen=True, kw_only=True)
class FoldFile:
    """What a file of folds holds.

    Attributes:
        corpora: that it is for.
        folds: in order.
        subjects: of a corpus of one's own: the actor's number by the subject's name in the manifest.
    """

    corpora: tuple[str, ...]
    folds: tuple[Split, ...]
    subjects: Mapping[str, int] = field(default_factory=dict)


def load_fold(corpus: str, index: int, *, folds: str | Path | None = None, store: Path | None = None) -> Fold:
    """The declared fold `index` (from 1) of a corpus.

    Args:
        corpus: which the declaration must name.
        index: from 1.
        folds: shipped name or TOML file; None takes the store's own or else the shipped one that names the corpus.
        store: folder of the corpus's prepared store, where one's own folds lie.

    Raises:
        DeclarationError: unknown corpus or fold; the known ones are listed.
        LeakError: an actor stands in two parts of the declared fold.
    """
    if folds is None and store is not None and (store / FOLDS_FILE).is_file():
        folds = store / FOLDS_FILE
    splits = _splits(corpus, folds)
    if index not in splits:
        known = ", ".join(map(str, sorted(splits)))
        raise DeclarationError(f"unknown fold {index} of corpus {corpus}; known: {known}")
    split = splits[index]
    check_split(corpus, split)
    return Fold(corpus=corpus, index=index, train=split.train, validation=split.validation, test=split.test)


def fold_count(corpus: str) -> int:
    """How many folds are declared for a corpus; DeclarationError for an unknown one."""
    return len(_splits(corpus))


def read_folds(path: Path) -> FoldFile:
    """A file of folds as it stands; DeclarationError for one that cannot be read."""
    return load(FoldFile, _FOLDER, path)


def check_network_fold(spec: ModelSpec, fold: Fold) -> None:
    """Refuse a network whose actors are not those of the fold.

    The spec may lack actors that were not prepared, but no part may hold one of another part.

    Raises:
        LeakError: with the actors.
    """
    for part, said, declared in (
        ("train", spec.train_actors, fold.train),
        ("validation", spec.validation_actors, fold.validation),
        ("test", spec.test_actors, fold.test),
    ):
        if strangers := sorted(set(said) - set(declared)):
            raise LeakError(
                f"{part} actors {', '.join(map(str, strangers))} of the spec are not {part} actors of "
                f"{fold.corpus}, fold {fold.index}; if the folds were made anew since, train again"
            )


def check_split(corpus: str, split: Split) -> None:
    """Refuse a part that is empty or names an actor twice (DeclarationError), or shares one (LeakError)."""
    for name, actors in split.parts.items():
        if not actors or len(set(actors)) < len(actors):
            raise DeclarationError(f"{corpus}, fold {split.index}: {name} is empty or names an actor twice: {actors}")
    for (one, actors), (other, others) in combinations(split.parts.items(), 2):
        if shared := sorted(set(actors) & set(others)):
            names = ", ".join(map(str, shared))
            raise LeakError(f"{corpus}, fold {split.index}: actors {names} stand in both {one} and {other}")


def _splits(corpus: str, folds: str | Path | None = None) -> dict[int, Split]:
    declarations = [load(FoldFile, _FOLDER, name) for name in ((folds,) if folds else shipped_names(_FOLDER))]
    for declaration in declarations:
        if corpus in declaration.corpora:
            return {split.index: split for split in declaration.folds}
    known = sorted(name for declaration in declarations for name in declaration.corpora)
    raise DeclarationError(
        f"no folds are declared for corpus {corpus!r}; known: {', '.join(known)}; those of clips of your own are made "
        "by edge-aver prepare --folds K"
    )

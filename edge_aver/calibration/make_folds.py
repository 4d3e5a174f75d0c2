"""Folds of one's own clips: by subject, stratified by label, the same for the same seed."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from edge_aver.calibration.folds import FOLDS_FILE, Split, check_split
from edge_aver.errors import CorpusError
from edge_aver.files import write_text

__all__ = ["FEWEST_FOLDS", "folds_of_splits", "make_folds", "write_folds"]

FEWEST_FOLDS = 3
"""A fold has three parts, and each takes one share of the subjects or more."""

_LINE = 110


def make_folds(counts: Mapping[int, Sequence[int]], count: int, *, seed: int = 0) -> tuple[Split, ...]:
    """Deal subjects out to `count` shares; fold k tests share k, validates on the next and trains on the others.

    Stratified group k-fold, as scikit-learn's StratifiedGroupKFold does it (after J. Wasikowski's notebook of that name
    on Kaggle): subjects are taken in order of the spread (standard deviation) of their clips over the labels, the
    widest first, those alike in the seeded order; each goes to the share where the mean over labels of the standard
    deviation over shares, of the part of the label's clips that a share holds, becomes lowest; of such shares to the
    one with the fewest clips. No share stays empty: an empty one is never worse.

    Args:
        counts: clips of each label, (L,), by subject.
        count: of folds, 3 or more.
        seed: of the order of subjects that are alike.

    Raises:
        CorpusError: fewer folds than 3, or fewer subjects than folds.
    """
    if count < FEWEST_FOLDS:
        raise CorpusError(f"--folds {count}: a fold tests, validates and trains on other subjects; give 3 or more")
    if len(counts) < count:
        raise CorpusError(
            f"--folds {count}: there are {len(counts)} subjects, and each fold tests one of its own or more"
        )
    shares = _deal(counts, count, seed)
    return tuple(_split(shares, index) for index in range(count))


def folds_of_splits(splits: Mapping[int, str]) -> tuple[Split, ...]:
    """The one fold that a split column says: `train`, `val` or `test` by subject.

    Raises:
        CorpusError: a part has no subject.
    """
    parts = {part: tuple(sorted(actor for actor, said in splits.items() if said == part)) for part in _PARTS}
    if empty := [part for part, actors in parts.items() if not actors]:
        raise CorpusError(f"column split: no subject is in {', '.join(empty)}; a fold needs train, val and test")
    return (Split(index=1, train=parts["train"], validation=parts["val"], test=parts["test"]),)


def write_folds(store: Path, corpus: str, splits: Sequence[Split], subjects: Mapping[str, int], *, origin: str) -> None:
    """Write the folds of a corpus into its prepared store, atomically.

    Args:
        store: folder of the prepared store.
        corpus: its name.
        splits: the folds.
        subjects: the actor's number by the subject's name.
        origin: how they came about, for a reader of the file.
    """
    lines = [f"# Written by edge-aver prepare: {origin}.", "", f"corpora = [{_text(corpus)}]"]
    for split in splits:
        check_split(corpus, split)
        lines += ["", "[[folds]]", f"index = {split.index}"]
        lines += [f"{part} = {_numbers(split.parts[part])}" for part in ("test", "validation", "train")]
    lines += ["", "[subjects]", *(f"{_text(name)} = {number}" for name, number in subjects.items())]
    write_text(store / FOLDS_FILE, "\n".join(lines) + "\n")


_PARTS = ("train", "val", "test")


def _deal(counts: Mapping[int, Sequence[int]], count: int, seed: int) -> list[list[int]]:
    actors = sorted(counts)
    random.Random(seed).shuffle(actors)
    clips = np.array([counts[actor] for actor in actors], dtype=np.float64)
    order = np.argsort(-clips.std(axis=1), kind="stable")
    whole = clips.sum(axis=0)
    portions = clips / np.where(whole > 0, whole, 1)
    held, sizes = np.zeros((count, clips.shape[1])), np.zeros(count)
    shares: list[list[int]] = [[] for _ in range(count)]
    squares, total = np.zeros(clips.shape[1]), np.zeros(clips.shape[1])
    for place in order:
        added = portions[place]
        total += added
        # Sum of squares over shares, for each share that the subject may go to: (K, L).
        possible = squares + 2 * held * added + added**2
        spread = np.sqrt(np.maximum(possible / count - (total / count) ** 2, 0)).mean(axis=1)
        best = min(range(count), key=lambda share: (round(float(spread[share]), 12), sizes[share]))
        squares = possible[best]
        held[best] += added
        sizes[best] += clips[place].sum()
        shares[best].append(actors[place])
    return shares


def _split(shares: Sequence[Sequence[int]], index: int) -> Split:
    other = (index + 1) % len(shares)
    rest = [actor for place, share in enumerate(shares) if place not in (index, other) for actor in share]
    return Split(
        index=index + 1,
        train=tuple(sorted(rest)),
        validation=tuple(sorted(shares[other])),
        test=tuple(sorted(shares[index])),
    )


def _numbers(actors: Sequence[int]) -> str:
    text = ", ".join(map(str, actors))
    if len(text) < _LINE:
        return f"[{text}]"
    lines, line = [], ""
    for actor in actors:
        if len(line) + len(str(actor)) > _LINE:
            lines.append(line)
            line = ""
        line += f" {actor},"
    return "\n".join(["[", *(f"   {line}" for line in [*lines, line]), "]"])


def _text(name: str) -> str:
    """A basic string of TOML; names hold no control characters."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'

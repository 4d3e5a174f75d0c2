"""Two sides of a comparison paired clip by clip; different clips are refused."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PureWindowsPath

from edge_aver.benchmarks.sides import Prediction, Side
from edge_aver.corpora.ravdess import RavdessName, parse_name
from edge_aver.errors import ComparisonError, CorpusError

__all__ = ["Pair", "pair_sides"]

_Key = tuple[str, str | None]
"""A clip and its fold: folds pool, so a clip may stand in several of them."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """What both networks said of one clip: `label` is the truth, `a` and `b` are the predictions."""

    clip: str
    actor: str
    label: str
    a: str
    b: str


def pair_sides(a: Side, b: Side) -> tuple[Pair, ...]:
    """Pair the predictions of two sides, in the order of clip and fold.

    A clip named as RAVDESS names them is the same clip with and without folder and suffix; a number that follows the
    name, as composite clips have it, is part of it. Folds must agree where both
    sides name them; where one names none, clips pair by name alone. The actor is the one that a side states (an `actor`
    column, or a result), else the last number of a RAVDESS name.

    Raises:
        ComparisonError: a clip twice, other clips in A than in B, one clip with two labels, two actors or two
            different sets of tensors, no actor to be had, or labels that differ in their case alone.
    """
    by_fold = all(item.fold is not None for side in (a, b) for item in side.predictions)
    first, second = (_index(letter, side, by_fold=by_fold) for letter, side in (("A", a), ("B", b)))
    _check_same_clips(first, second)
    pairs = tuple(
        _pair(key[0], first[key], second[key]) for key in sorted(first, key=lambda key: (key[0], str(key[1])))
    )
    _check_case(pairs)
    return pairs


def _index(letter: str, side: Side, *, by_fold: bool) -> dict[_Key, Prediction]:
    found: dict[_Key, Prediction] = {}
    for item in side.predictions:
        key = (_clip_name(item.clip), item.fold if by_fold else None)
        if key in found:
            hint = (
                "" if by_fold or item.fold is None else ", in several folds; the other side names no folds to pair by"
            )
            raise ComparisonError(f"{letter} ({side.name}): clip {_told(key)} stands there twice{hint}")
        found[key] = item
    return found


def _check_same_clips(first: dict[_Key, Prediction], second: dict[_Key, Prediction]) -> None:
    only_a, only_b = sorted(first.keys() - second.keys(), key=str), sorted(second.keys() - first.keys(), key=str)
    if not only_a and not only_b:
        return
    if {clip for clip, _ in first} == {clip for clip, _ in second}:
        hint = "; the clips are the same and stand in other folds"
    else:
        hint = "; compare needs predictions of the same clips"
    counted = [
        f"{len(keys)} only in {letter} (such as {_told(keys[0])})"
        for letter, keys in (("A", only_a), ("B", only_b))
        if keys
    ]
    raise ComparisonError(f"A and B hold different clips: {', '.join(counted)}{hint}")


def _pair(clip: str, a: Prediction, b: Prediction) -> Pair:
    for what, one, other in (
        ("label", a.label, b.label),
        ("actor", a.actor and _actor_name(a.actor), b.actor and _actor_name(b.actor)),
    ):
        if one and other and one != other:
            raise ComparisonError(f"clip {clip}: {what} {one!r} in A, {other!r} in B")
    if a.tensors_sha256 and b.tensors_sha256 and a.tensors_sha256 != b.tensors_sha256:
        raise ComparisonError(
            f"clip {clip}: A and B were measured on different tensors of it (their sha256 differ), so these are"
            " different clips; benchmark both on one prepared store"
        )
    return Pair(clip=clip, actor=_actor(clip, a.actor or b.actor), label=a.label, a=a.prediction, b=b.prediction)


def _actor(clip: str, stated: str | None) -> str:
    if stated is not None:
        return _actor_name(stated)
    if name := _ravdess_name(clip):
        return str(name.actor)
    raise ComparisonError(
        f"clip {clip}: whose it is cannot be told, since it is no RAVDESS name; add a column 'actor' to the CSV file"
    )


def _actor_name(text: str) -> str:
    """`07` and `7` are one actor."""
    return str(int(text)) if text.isascii() and text.isdigit() else text


def _check_case(pairs: Iterable[Pair]) -> None:
    """`Happy` beside `happy` would count as a wrong answer, silently."""
    seen: dict[str, str] = {}
    for name in (name for pair in pairs for name in (pair.label, pair.a, pair.b)):
        if (first := seen.setdefault(name.casefold(), name)) != name:
            raise ComparisonError(f"labels {first!r} and {name!r} differ in their case alone; write them alike")


def _clip_name(text: str) -> str:
    name = _ravdess_name(text)
    return f"{name}{_form(text)['draw'] or ''}" if name else text


@lru_cache(maxsize=16_384)
def _ravdess_name(text: str) -> RavdessName | None:
    try:
        return parse_name(_form(text)["name"])
    except CorpusError:
        return None


@lru_cache(maxsize=16_384)
def _form(text: str) -> re.Match[str]:
    """A file name in parts: `name`, and the `.2` of `03-01-03-01-02-01-07.2` in `draw` where it has one."""
    name = PureWindowsPath(text).name  # a Windows path takes both kinds of slash
    found = re.fullmatch(r"(?P<name>.*?)(?P<draw>\.[0-9]+)?(?:\.[^.]*)?", name, flags=re.DOTALL)
    assert found is not None  # any text has a name
    return found


def _told(key: _Key) -> str:
    return key[0] if key[1] is None else f"{key[0]} of fold {key[1]}"

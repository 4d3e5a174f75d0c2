"""Clips of the RAVDESS corpus, found by their file names in a folder of any nesting."""

from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

from edge_aver.console import say
from edge_aver.errors import CorpusError

__all__ = ["RavdessName", "Refusal", "SourceClip", "find_clips", "parse_name"]

_HIGHEST = {
    "modality": 3,
    "channel": 2,
    "emotion": 8,
    "intensity": 2,
    "statement": 2,
    "repetition": 2,
    "actor": 24,
}
_FORM = "MM-CC-EE-II-SS-RR-AA (modality, channel, emotion, intensity, statement, repetition, actor)"


@dataclass(frozen=True, kw_only=True)
class SourceClip:
    """A media file of a corpus.

    Attributes:
        id: names the clip within its corpus, and its file in a prepared store.
        label: index into `edge_aver.spec.LABELS`.
        actor: from 1.
        path: of the media file.
    """

    id: str
    label: int
    actor: int
    path: Path


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A file that is no clip, and why, in one line."""

    path: Path
    reason: str


@dataclass(frozen=True, kw_only=True)
class RavdessName:
    """The seven numbers of a RAVDESS file name (Livingstone and Russo 2018).

    Attributes:
        modality: 1 audio and video, 2 video only, 3 audio only.
        channel: 1 speech, 2 song.
        emotion: 1 neutral to 8 surprised, in the order of `edge_aver.spec.LABELS`.
        intensity: 1 normal, 2 strong.
        statement, repetition: 1 or 2.
        actor: 1 to 24; odd numbers are men.
    """

    modality: int
    channel: int
    emotion: int
    intensity: int
    statement: int
    repetition: int
    actor: int

    def __str__(self) -> str:
        return "-".join(f"{value:02d}" for value in astuple(self))

    @property
    def is_audiovisual_speech(self) -> bool:
        """Whether this is the part of RAVDESS that the networks are trained on."""
        return self.modality == 1 and self.channel == 1


def parse_name(stem: str) -> RavdessName:
    """Read a file name without its suffix.

    Raises:
        CorpusError: not seven two-digit numbers, or one out of range.
    """
    parts = stem.split("-")
    if len(parts) != len(_HIGHEST) or not all(len(part) == 2 and part.isascii() and part.isdigit() for part in parts):
        raise CorpusError(f"{stem}: not a RAVDESS name; expected {_FORM}")
    numbers = dict(zip(_HIGHEST, map(int, parts), strict=True))
    for name, number in numbers.items():
        if not 1 <= number <= _HIGHEST[name]:
            raise CorpusError(f"{stem}: {name} {number:02d} is not one of RAVDESS's 01 to {_HIGHEST[name]:02d}")
    return RavdessName(**numbers)


def find_clips(folder: Path) -> tuple[tuple[SourceClip, ...], tuple[Refusal, ...]]:
    """Find the audiovisual speech clips (`01-01-*.mp4`) in a folder, however deep.

    Other recordings of RAVDESS are left out with one remark. Hidden files are not looked at.

    Returns:
        The clips, sorted by id; and the mp4 files refused: a name that is not RAVDESS's, or a clip found twice.

    Raises:
        CorpusError: the folder does not exist or holds no such clip.
    """
    if not folder.is_dir():
        raise CorpusError(f"{folder}: no such folder; expected the one that holds RAVDESS's Actor_XX/01-01-*.mp4")
    clips: dict[str, SourceClip] = {}
    refusals: list[Refusal] = []
    others = 0
    for path in _media(folder):
        try:
            name = parse_name(path.stem)
        except CorpusError as error:
            refusals.append(Refusal(path=path, reason=str(error).removeprefix(f"{path.stem}: ")))
            continue
        if not name.is_audiovisual_speech:
            others += 1
        elif first := clips.get(path.stem):
            refusals.append(Refusal(path=path, reason=f"the same clip was found before, at {first.path}"))
        else:
            clips[path.stem] = SourceClip(id=path.stem, label=name.emotion - 1, actor=name.actor, path=path)
    if others:
        say(f"{folder}: left out {others} recordings that are not audiovisual speech (01-01-*)")
    if not clips:
        for refusal in refusals:
            say(f"refused: {refusal.path}: {refusal.reason}")
        raise CorpusError(f"{folder}: no RAVDESS clips; looked for audiovisual speech named 01-01-*.mp4, at any depth")
    return tuple(clips[key] for key in sorted(clips)), tuple(refusals)


def _media(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() == ".mp4" and not hidden and path.is_file():
            yield path

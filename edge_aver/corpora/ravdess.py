"""Clips of the RAVDESS corpus, found by their file names in a folder of any nesting."""

from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

from edge_aver.console import say
from edge_aver.errors import CorpusError

__all__ = ["ACTORS", "RavdessName", "Refusal", "SourceClip", "find_clips", "find_recordings", "parse_name"]

ACTORS = 24

_HIGHEST = {
    "modality": 3,
    "channel": 2,
    "emotion": 8,
    "intensity": 2,
    "statement": 2,
    "repetition": 2,
    "actor": ACTORS,
}
_FORM = "MM-CC-EE-II-SS-RR-AA (modality, channel, emotion, intensity, statement, repetition, actor)"


@dataclass(frozen=True, kw_only=True)
class SourceClip:
    """A media file of a corpus, or a part of one.

    Attributes:
        id: names the clip within its corpus, and its file in a prepared store.
        label: index into the labels of its corpus: `edge_aver.spec.LABELS`, or a person's own.
        actor: from 1.
        path: of the media file.
        start_s: where in it the clip begins.
        end_s: where it ends, in seconds from the start of the file; None at the end of the file.
    """

    id: str
    label: int
    actor: int
    path: Path
    start_s: float = 0.0
    end_s: float | None = None


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
    def part(self) -> tuple[int, int]:
        """Modality and channel: the parts in which RAVDESS is downloaded."""
        return self.modality, self.channel


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


@dataclass(frozen=True, kw_only=True)
class _Part:
    """A part of RAVDESS as it is unpacked.

    Attributes:
        code: modality and channel.
        title: how messages name it.
        suffixes: of its files.
        pattern: of its files' names.
    """

    code: tuple[int, int]
    title: str
    suffixes: tuple[str, ...]
    pattern: str


_VIDEOS = _Part(code=(1, 1), title="audiovisual speech", suffixes=(".mp4",), pattern="01-01-*.mp4")
_RECORDINGS = _Part(
    code=(3, 1), title="audio-only speech", suffixes=(".flac", ".wav"), pattern="03-01-*.flac or 03-01-*.wav"
)


def find_clips(folder: Path) -> tuple[tuple[SourceClip, ...], tuple[Refusal, ...]]:
    """Find the audiovisual speech clips (`01-01-*.mp4`) in a folder, however deep.

    Other recordings of RAVDESS are left out with one remark. Hidden files are not looked at.

    Returns:
        The clips, sorted by id; and the mp4 files refused: a name that is not RAVDESS's, or a clip found twice.

    Raises:
        CorpusError: the folder does not exist or holds no such clip.
    """
    return _find(folder, _VIDEOS)


def find_recordings(folder: Path) -> tuple[tuple[SourceClip, ...], tuple[Refusal, ...]]:
    """Find the recordings of speech without pictures (`03-01-*.flac` or `.wav`), as `find_clips` finds clips."""
    return _find(folder, _RECORDINGS)


def _find(folder: Path, part: _Part) -> tuple[tuple[SourceClip, ...], tuple[Refusal, ...]]:
    if not folder.is_dir():
        raise CorpusError(f"{folder}: no such folder; expected the one that holds RAVDESS's Actor_XX/{part.pattern}")
    clips: dict[str, SourceClip] = {}
    refusals: list[Refusal] = []
    others = 0
    for path in _media(folder, part.suffixes):
        try:
            name = parse_name(path.stem)
        except CorpusError as error:
            refusals.append(Refusal(path=path, reason=str(error).removeprefix(f"{path.stem}: ")))
            continue
        if name.part != part.code:
            others += 1
        elif first := clips.get(path.stem):
            refusals.append(Refusal(path=path, reason=f"the same clip was found before, at {first.path}"))
        else:
            clips[path.stem] = SourceClip(id=path.stem, label=name.emotion - 1, actor=name.actor, path=path)
    if others:
        say(f"{folder}: left out {others} recordings that are not {part.title} ({part.pattern[:6]}*)")
    if not clips:
        for refusal in refusals:
            say(f"refused: {refusal.path}: {refusal.reason}")
        raise CorpusError(f"{folder}: no RAVDESS clips; looked for {part.title} named {part.pattern}, at any depth")
    return tuple(clips[key] for key in sorted(clips)), tuple(refusals)


def _media(folder: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() in suffixes and not hidden and path.is_file():
            yield path

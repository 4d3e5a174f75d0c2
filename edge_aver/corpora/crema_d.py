"""Clips of CREMA-D, found by their file names in a folder of any nesting (Cao et al. 2014)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_aver.console import say
from edge_aver.corpora.own import OwnCorpus, refuse_generated
from edge_aver.corpora.ravdess import Refusal, SourceClip
from edge_aver.errors import CorpusError

__all__ = ["CORPUS", "LABELS", "CremaName", "find_crema_clips", "parse_crema_name"]

CORPUS = "crema-d"

LABELS = ("anger", "disgust", "fear", "happy", "neutral", "sad")
"""CREMA-D's own names of its six emotions."""

_EMOTIONS = dict(zip(("ANG", "DIS", "FEA", "HAP", "NEU", "SAD"), LABELS, strict=True))
_SENTENCES = ("DFA", "IEO", "IOM", "ITH", "ITS", "IWL", "IWW", "MTI", "TAI", "TIE", "TSI", "WSI")
_LEVELS = ("LO", "MD", "HI", "XX", "X")
"""Low, medium, high, unspecified; one recording's name ends in a single X."""

_FIRST_SUBJECT, _LAST_SUBJECT = 1001, 1091
_SUFFIXES = (".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".webm")
_FORM = "SSSS_TTT_EEE_LL (subject 1001 to 1091, sentence, emotion, level), as 1001_DFA_ANG_XX.flv"


@dataclass(frozen=True, kw_only=True)
class CremaName:
    """The four parts of a file name of CREMA-D: subject 1001 to 1091, sentence, emotion and its level, as codes."""

    subject: int
    sentence: str
    emotion: str
    level: str

    @property
    def label(self) -> int:
        """Index into `LABELS`."""
        return LABELS.index(_EMOTIONS[self.emotion])


def parse_crema_name(stem: str) -> CremaName:
    """Read a file name without its suffix.

    Raises:
        CorpusError: not four parts, or one that is none of CREMA-D's.
    """
    parts = stem.split("_")
    if len(parts) != 4 or not (len(parts[0]) == 4 and parts[0].isascii() and parts[0].isdigit()):
        raise CorpusError(f"{stem}: not a CREMA-D name; expected {_FORM}")
    subject, (sentence, emotion, level) = int(parts[0]), parts[1:]
    if not _FIRST_SUBJECT <= subject <= _LAST_SUBJECT:
        raise CorpusError(f"{stem}: subject {subject} is not one of CREMA-D's {_FIRST_SUBJECT} to {_LAST_SUBJECT}")
    for what, code, known in (
        ("sentence", sentence, _SENTENCES),
        ("emotion", emotion, tuple(_EMOTIONS)),
        ("level", level, _LEVELS),
    ):
        if code not in known:
            raise CorpusError(f"{stem}: {what} {code!r} is not one of CREMA-D's {', '.join(known)}")
    return CremaName(subject=subject, sentence=sentence, emotion=emotion, level=level)


def find_crema_clips(folder: Path) -> OwnCorpus:
    """Find the videos in a folder, however deep (`VideoFlash/*.flv`, or what they were converted to).

    Recordings of sound alone are not looked at, nor are hidden files. Videos with another name, and a clip found twice,
    are refusals.

    Raises:
        CorpusError: the folder does not exist or holds no such clip.
    """
    if not folder.is_dir():
        raise CorpusError(f"{folder}: no such folder; expected the one that holds CREMA-D's VideoFlash/*.flv")
    clips: dict[str, SourceClip] = {}
    refusals: list[Refusal] = []
    for path in _videos(folder):
        try:
            name = parse_crema_name(path.stem)
        except CorpusError as error:
            refusals.append(Refusal(path=path, reason=str(error).removeprefix(f"{path.stem}: ")))
            continue
        if first := clips.get(path.stem):
            refusals.append(Refusal(path=path, reason=f"the same clip was found before, at {first.path}"))
        else:
            clips[path.stem] = SourceClip(id=path.stem, label=name.label, actor=name.subject, path=path)
    if not clips:
        for refusal in refusals:
            say(f"refused: {refusal.path}: {refusal.reason}")
        raise CorpusError(f"{folder}: no CREMA-D clips; looked for videos named {_FORM}, at any depth")
    refuse_generated((clip.path for clip in clips.values()), folder)
    return OwnCorpus(
        name=CORPUS,
        labels=LABELS,
        clips=tuple(clips[key] for key in sorted(clips)),
        subjects={str(actor): actor for actor in sorted({clip.actor for clip in clips.values()})},
        splits={},
        refusals=tuple(refusals),
    )


def _videos(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() in _SUFFIXES and not hidden and path.is_file():
            yield path

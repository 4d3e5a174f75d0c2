"""A corpus of one's own: its clips with labels of any number and name, and whose each clip is."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edge_aver.corpora.ravdess import Refusal, SourceClip
from edge_aver.corpora.synthetic.generate import MARKER
from edge_aver.errors import CorpusError
from edge_aver.files import sha256_bytes

__all__ = ["SPLITS", "OwnCorpus", "check_name", "refuse_generated", "subject_number"]

SPLITS = ("train", "val", "test")
"""What a split column may say."""

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_TAKEN = ("ravdess", "composite", "synthetic", "crema-d", "backbones")
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")
_FIRST_HASHED = 10**11


@dataclass(frozen=True, kw_only=True)
class OwnCorpus:
    """What a manifest, or a reader of file names, tells of a corpus.

    Attributes:
        name: of the corpus, which checkpoints and artifacts carry in theirs.
        labels: in the order of the logits; the clips' own are indices into them.
        clips: sorted by id.
        subjects: the actor's number by the subject's name, sorted by name.
        splits: of a subject, by its name, one of `SPLITS`; empty where the corpus says nothing of them.
        refusals: files that are no clips.
        remarks: what a person should know, one line each.
    """

    name: str
    labels: tuple[str, ...]
    clips: tuple[SourceClip, ...]
    subjects: Mapping[str, int]
    splits: Mapping[str, str]
    refusals: tuple[Refusal, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def files(self) -> int:
        """How many media files the clips are parts of."""
        return len({clip.path for clip in self.clips})

    def clips_by_label(self) -> dict[str, int]:
        """How many clips each label has, in order."""
        counts = Counter(clip.label for clip in self.clips)
        return {label: counts[index] for index, label in enumerate(self.labels)}


def subject_number(name: str) -> int:
    """The number that stands for a subject: the same in any workspace, and whoever else is in the corpus.

    A plain number stands for itself, anything else has twelve digits of its SHA-256. Were subjects numbered in turn,
    another row in a manifest could make those whom a network learned from its test subjects.
    """
    if _NUMBER.fullmatch(name):
        return int(name)
    return _FIRST_HASHED + int(sha256_bytes(name.encode())[:16], 16) % (9 * _FIRST_HASHED)


def check_name(name: str) -> str:
    """Refuse a name that cannot stand in the names of files, or that is another corpus's.

    Raises:
        CorpusError: with what is expected.
    """
    if not _NAME.fullmatch(name) or len(name) > 40:
        raise CorpusError(
            f"--name {name!r} is part of file names: expected at most 40 lower-case letters, digits, and - between"
        )
    if name in _TAKEN:
        raise CorpusError(f"--name {name}: is another corpus's; give yours another name")
    return name


def refuse_generated(paths: Iterable[Path], where: Path) -> None:
    """Generated clips must not pass for recordings of people: their note would be lost.

    Raises:
        CorpusError: a path lies in a corpus that edge-aver generated.
    """
    inner = {folder.resolve() for folder in {path.parent for path in paths}}
    for folder in sorted({above for place in inner for above in (place, *place.parents)}):
        if (folder / MARKER).is_file():
            raise CorpusError(
                f"{where}: {folder} holds clips that edge-aver generated; prepare them with --corpus synthetic"
            )

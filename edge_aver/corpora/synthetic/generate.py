"""Generation of the whole synthetic corpus, in RAVDESS's names and folders, parallel and resumable."""

import os
from collections.abc import Iterable
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from edge_aver.console import progress
from edge_aver.corpora.fanout import fan_out
from edge_aver.corpora.synthetic.clip import write_clip
from edge_aver.corpora.synthetic.cues import VARIATION
from edge_aver.errors import CorpusError
from edge_aver.files import json_text, write_text
from edge_aver.locks import sweep, turn
from edge_aver.spec import LABELS, provenance_note

__all__ = ["GENERATOR_VERSION", "MARKER", "generate_corpus"]

GENERATOR_VERSION = 1
"""Raise it with any change of what clips look or sound like: corpora of another version are made again."""

MARKER = "SYNTHETIC.json"
"""The file that says what a folder holds and how it was made."""

_TAKES = ((1, 1, 1), (2, 1, 2), (1, 2, 2), (2, 2, 1))
"""Statement, repetition and intensity of each take; neutral knows intensity 1 only, as in RAVDESS."""


@dataclass(frozen=True, kw_only=True)
class _Job:
    actor: int
    emotion: int
    statement: int
    repetition: int
    intensity: int
    seed: int

    @property
    def place(self) -> Path:
        """Path inside the corpus."""
        fields = (1, 1, self.emotion + 1, self.intensity, self.statement, self.repetition, self.actor)
        name = "-".join(f"{field:02d}" for field in fields)
        return Path(f"Video_Speech_Actor_{self.actor:02d}") / f"Actor_{self.actor:02d}" / f"{name}.mp4"


def generate_corpus(
    folder: Path, *, actors: int = 24, takes: int = 2, seed: int = 0, workers: int | None = None
) -> int:
    """Make the clips that `folder` lacks; a killed run continues where it stopped.

    Clips of another seed, generator version or variation, or beyond what is asked for, are removed first.

    Args:
        folder: where `Video_Speech_Actor_XX/Actor_XX/01-01-EE-II-SS-RR-XX.mp4` go.
        actors: how many, from 1 to 24.
        takes: clips an actor and emotion, 1 to 4.
        seed: of everything random.
        workers: processes; as many as there are cores by default.

    Returns:
        How many clips were written this time.

    Raises:
        CorpusError: the folder holds clips that were not generated, or cannot be written to.
    """
    if not 1 <= actors <= 24 or not 1 <= takes <= len(_TAKES):
        raise CorpusError(f"{actors} actors with {takes} takes: there are 1 to 24 actors and 1 to {len(_TAKES)} takes")
    jobs = list(_jobs(actors, takes, seed))
    try:
        with turn(folder, "a generation of clips"):
            missing = _settle(folder, jobs, seed)
            _write_all(folder, missing, workers or os.cpu_count() or 1)
    except OSError as error:
        raise CorpusError(f"{folder}: the synthetic corpus cannot be written there: {error.strerror}") from error
    return len(missing)


def _jobs(actors: int, takes: int, seed: int) -> Iterable[_Job]:
    for actor in range(1, actors + 1):
        for emotion in range(len(LABELS)):
            for statement, repetition, intensity in _TAKES[:takes]:
                yield _Job(
                    actor=actor,
                    emotion=emotion,
                    statement=statement,
                    repetition=repetition,
                    intensity=intensity if emotion else 1,
                    seed=seed,
                )


def _settle(folder: Path, jobs: list[_Job], seed: int) -> list[_Job]:
    """Remove what does not belong, mark the folder, and tell which clips are missing."""
    marker, wanted = _marker(seed), {folder / job.place for job in jobs}
    known = (folder / MARKER).is_file()
    if known:
        _sweep(folder)
    found = set(folder.rglob("*.mp4"))
    if found and not known:
        raise CorpusError(f"{folder}: holds {len(found)} clips that were not generated; choose another folder")
    current = known and (folder / MARKER).read_text(encoding="utf-8") == marker
    for path in found - wanted if current else found:
        path.unlink()
    if not current:
        write_text(folder / MARKER, marker)
    return [job for job in jobs if not (folder / job.place).is_file()]


def _marker(seed: int) -> str:
    return json_text(
        {
            "note": provenance_note("synthetic"),
            "generator_version": GENERATOR_VERSION,
            "variation": asdict(VARIATION),
            "seed": seed,
        }
    )


def _write_all(folder: Path, jobs: list[_Job], workers: int) -> None:
    if not jobs:
        return
    results = fan_out(partial(_write, folder), jobs, workers=min(workers, len(jobs)))
    try:
        # Closed at once on Ctrl-C: the workers must be gone before their half-written files are swept.
        with closing(results), progress("Generating synthetic clips", len(jobs)) as advance:
            for job, written in results:
                if written is None:
                    raise CorpusError(f"{folder / job.place}: the process that drew it died, out of memory perhaps")
                advance()
    finally:
        _sweep(folder)


def _sweep(folder: Path) -> None:
    """Remove what processes that were killed had begun to write."""
    for parent in {begun.parent for begun in folder.rglob(".writing-*")}:
        sweep(parent)


def _write(folder: Path, job: _Job) -> Path:
    write_clip(folder / job.place, **asdict(job))
    return job.place

"""Generation of the whole synthetic corpus, in RAVDESS's names and folders, parallel and resumable."""

import multiprocessing
import os
from collections.abc import Iterable
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

from edge_aver.console import progress
from edge_aver.corpora.synthetic.clip import write_clip
from edge_aver.corpora.synthetic.cues import VARIATION
from edge_aver.errors import CorpusError
from edge_aver.files import json_text, write_text
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
        missing = _settle(folder, jobs, seed)
        with _executor(min(workers or os.cpu_count() or 1, len(missing) or 1)) as executor:
            _write_all(executor, folder, missing)
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
    found = {path for path in folder.rglob("*.mp4") if ".writing-" not in str(path)}
    known = (folder / MARKER).is_file()
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


def _executor(workers: int) -> ProcessPoolExecutor:
    """Fresh processes: forking one that runs threads can hang."""
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))


def _write_all(executor: Executor, folder: Path, jobs: list[_Job]) -> None:
    with progress("Generating synthetic clips", len(jobs)) as advance:
        futures = [executor.submit(_write, folder, job) for job in jobs]
        try:
            for future in as_completed(futures):
                future.result()
                advance()
        except BaseException:
            executor.shutdown(wait=True, cancel_futures=True)
            raise


def _write(folder: Path, job: _Job) -> None:
    write_clip(folder / job.place, **asdict(job))

"""From the clips of a corpus to its prepared store: parallel, resumable, and never stopped by one bad clip."""

import os
import secrets
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Protocol

from edge_aver.cluster import RemoteExecutor
from edge_aver.console import Advance, progress, say
from edge_aver.corpora.fanout import fan_out
from edge_aver.corpora.quarantine import read_quarantine, write_quarantine
from edge_aver.corpora.ravdess import Refusal, SourceClip
from edge_aver.corpora.store import ClipRecord, PackedClip, PreparedStore, pack_clip_tensors, write_clip_tensors
from edge_aver.errors import ClipError, CorpusError
from edge_aver.files import put_in_place, sha256_file
from edge_aver.locks import scratch_folder, turn
from edge_aver.media.clip import ClipTensors, FrontEnd, FrontEndPlan, require_face
from edge_aver.spec import LABELS, Preprocessing

__all__ = ["ClipMaker", "PrepareSummary", "make_store", "prepare"]


@dataclass(frozen=True, kw_only=True)
class PrepareSummary:
    """What came of preparing a corpus.

    Attributes:
        corpus: what was prepared.
        prepared: clips done by this run.
        reused: clips that an earlier run had done.
        refused: files that are not in the store, sorted by path.
        clips_with_missing_faces: id and number of frames without a face, of clips that have some.
    """

    corpus: str
    prepared: int
    reused: int
    refused: tuple[Refusal, ...]
    clips_with_missing_faces: tuple[tuple[str, int], ...]


class ClipMaker(Protocol):
    """How one clip of a corpus is made: a value that can be pickled."""

    @property
    def clip(self) -> SourceClip:
        """Which one."""

    def source_sha256(self) -> str:
        """Over everything it is made of; OSError where that cannot be read."""

    def make(self, constants: Preprocessing) -> ClipTensors:
        """Its tensors; ClipError where there are none."""


@dataclass(frozen=True, kw_only=True)
class _MediaMaker:
    """From a media file, by a front end."""

    clip: SourceClip
    front_end: FrontEndPlan

    def source_sha256(self) -> str:
        status = self.clip.path.stat()
        return _sha256_of(self.clip.path, status.st_size, status.st_mtime_ns)

    def make(self, constants: Preprocessing) -> ClipTensors:
        part = {"start_s": self.clip.start_s} if self.clip.start_s else {}
        if self.clip.end_s is not None:
            part["end_s"] = self.clip.end_s
        return _front_end(self.front_end, constants)(self.clip.path, **part)


@dataclass(frozen=True, kw_only=True)
class _Job:
    store: PreparedStore
    maker: ClipMaker
    source_sha256: str

    @property
    def clip(self) -> SourceClip:
        return self.maker.clip


def prepare(
    clips: Sequence[SourceClip],
    refusals: Sequence[Refusal] = (),
    *,
    folder: Path,
    corpus: str,
    front_end: FrontEndPlan,
    labels: tuple[str, ...] = LABELS,
    constants: Preprocessing | None = None,
    workers: int | None = None,
    executor: Executor | RemoteExecutor | None = None,
) -> PrepareSummary:
    """Make the prepared store of a corpus of media files, or continue it.

    A clip that an earlier run finished is not done again, unless its file, the constants or the front end changed.
    Clips of the store that are not among `clips` stay. A file of which there are several clips is hashed once.

    Args:
        clips: of the corpus.
        refusals: files that were refused before, for the summary.
        folder: of the store.
        corpus: its name.
        front_end: what makes the tensors.
        labels: of the corpus; the clips' own are indices into them.
        constants: of the clip contract; None for those of this version.
        workers: processes; None for one a core.
        executor: does the work instead of processes of this machine; `workers` tells how much it takes at a time. The
            workers of a cluster read the files at the same paths; they hand their tensors in through the store's folder
            where they see it, else these come back and are written here.

    Raises:
        ClusterError: workers do not see the files, or are all gone.
        CorpusError: no clip at all could be prepared, or the folder holds something else.
        MissingLibraryError: a library of the front end is not installed.
        ArtifactError: the networks of the front end are missing or changed.
        OSError: the store cannot be written (a full disk).
    """
    return make_store(
        [_MediaMaker(clip=clip, front_end=front_end) for clip in clips],
        refusals,
        folder=folder,
        corpus=corpus,
        made_by=front_end.name,
        labels=labels,
        constants=constants,
        workers=workers,
        executor=executor,
    )


def make_store(
    makers: Sequence[ClipMaker],
    refusals: Sequence[Refusal] = (),
    *,
    folder: Path,
    corpus: str,
    made_by: str,
    labels: tuple[str, ...] = LABELS,
    constants: Preprocessing | None = None,
    workers: int | None = None,
    executor: Executor | RemoteExecutor | None = None,
) -> PrepareSummary:
    """As `prepare`, of clips however they are made.

    Args:
        makers: one a clip.
        refusals: as for `prepare`.
        folder: as for `prepare`.
        corpus: as for `prepare`.
        made_by: what the store records as its front end.
        labels: as for `prepare`.
        constants: as for `prepare`.
        workers: as for `prepare`.
        executor: as for `prepare`.
    """
    with turn(folder, "edge-aver prepare"):
        store = PreparedStore.create(folder, corpus, constants or Preprocessing(), made_by, labels)
        try:
            with progress(f"prepare {corpus}", len(makers)) as advance:
                jobs, reused, unreadable = _sort_out(store, makers)
                advance(len(makers) - len(jobs))
                suspected = read_quarantine(folder)
                jobs.sort(key=lambda job: job.clip.id in suspected)  # what may kill a worker again comes last
                records, bad = _work(store, jobs, workers or _cores(), executor, advance)
        finally:
            store.remove_temporaries()
    return _summary(store, records, reused, [*refusals, *unreadable, *bad])


def _sort_out(store: PreparedStore, makers: Sequence[ClipMaker]) -> tuple[list[_Job], list[ClipRecord], list[Refusal]]:
    """What is to do, what is done, and which files cannot even be read."""
    jobs: list[_Job] = []
    reused: list[ClipRecord] = []
    unreadable: list[Refusal] = []
    for maker in makers:
        try:
            job = _Job(store=store, maker=maker, source_sha256=maker.source_sha256())
        except OSError as error:
            unreadable.append(Refusal(path=maker.clip.path, reason=f"cannot be read: {error.strerror}"))
            continue
        if (record := _finished(job)) is not None:
            reused.append(record)
        else:
            jobs.append(job)
    return jobs, reused, unreadable


def _finished(job: _Job) -> ClipRecord | None:
    """The record of a clip that is in the store, sound, and made of the same part of the same file; else None."""
    clip = job.clip
    if not job.store.path(clip.id).is_file():
        return None
    try:
        prepared = job.store.load(clip.id, relabel=job.store.labels[clip.label])
    except CorpusError:
        return None
    old = prepared.record
    if (old.source_sha256, old.start_s, old.end_s) != (job.source_sha256, clip.start_s, clip.end_s):
        return None
    if (old.source, old.label, old.actor) == (clip.path.absolute(), clip.label, clip.actor) and not prepared.relabelled:
        return old
    return write_clip_tensors(  # the same tensors: of a file at another place, of another person, or labelled anew
        job.store,
        clip=job.clip,
        source_sha256=old.source_sha256,
        faces=prepared.faces,
        audio=prepared.audio,
        face_found=prepared.face_found,
    )


def _work(
    store: PreparedStore, jobs: list[_Job], workers: int, executor: Executor | RemoteExecutor | None, advance: Advance
) -> tuple[list[ClipRecord], list[Refusal]]:
    """Do all jobs; their workers are gone when this ends, however it ends."""
    records: list[ClipRecord] = []
    refused: list[Refusal] = []
    killers: dict[str, Refusal] = {}
    with closing(_results(jobs, workers=min(workers, max(1, len(jobs))), executor=executor)) as results:
        for job, result in results:
            if isinstance(result, ClipRecord):
                records.append(result)
            else:
                refused.append(result or killers.setdefault(job.clip.id, _death(job, executor)))
                store.path(job.clip.id).unlink(missing_ok=True)  # made of what the file held before
            advance(note=job.clip.id)
    write_quarantine(store.folder, killers, tried={job.clip.id for job in jobs})
    return records, refused


def _results(
    jobs: list[_Job], *, workers: int, executor: Executor | RemoteExecutor | None
) -> Generator[tuple[_Job, ClipRecord | Refusal | None], None, None]:
    """Processes of this machine write what they make; what a cluster makes is put in its place here."""
    if not isinstance(executor, RemoteExecutor):
        yield from fan_out(_prepare_one, jobs, workers=workers, executor=executor)
        return
    executor.require_files(job.clip.path for job in jobs)
    putting: deque[tuple[_Job, Future[ClipRecord] | Refusal | None]] = deque()
    with (
        _hatch(jobs) as hatch,
        ThreadPoolExecutor(1) as hand,  # a file is on the disk before it counts: workers do not wait for that
        closing(fan_out(_send_one, [(hatch, job) for job in jobs], workers=workers, executor=executor)) as results,
    ):
        for (_, job), sent in results:
            putting.append((job, sent if sent is None or isinstance(sent, Refusal) else hand.submit(_put, job, sent)))
            while len(putting) > _MOST_PUTTING:
                yield _done(*putting.popleft())
        while putting:
            yield _done(*putting.popleft())


_MOST_PUTTING = 8
"""Clips of 2.3 MB that came from a cluster and are not in their place yet."""


@dataclass(frozen=True, kw_only=True)
class _Hatch:
    """A folder within the store through which workers hand in files, where they see it; it is gone with the run.

    Attributes:
        folder: its place.
        token: what a file of that name in it says, so that a worker does not take another machine's folder for it.
    """

    folder: Path
    token: str

    def is_seen(self) -> bool:
        """Whether it is this very folder that is seen here."""
        try:
            return (self.folder / "token").read_text(encoding="ascii") == self.token
        except OSError:
            return False


@dataclass(frozen=True, kw_only=True)
class _HandedIn:
    """A clip's file that lies in the hatch."""

    record: ClipRecord
    path: Path


@contextmanager
def _hatch(jobs: Sequence[_Job]) -> Iterator[_Hatch | None]:
    if not jobs:
        yield None
        return
    with scratch_folder(jobs[0].store.folder) as folder:
        hatch = _Hatch(folder=folder, token=secrets.token_hex())
        (folder / "token").write_text(hatch.token, encoding="ascii")
        yield hatch


def _send_one(asked: tuple[_Hatch | None, _Job]) -> PackedClip | _HandedIn | Refusal:
    """What a worker of a cluster does: a clip's file, which comes back over the wire unless the store is seen there.

    It never goes to its place: whoever gave out the work may be gone, and another run with other constants there.
    """
    hatch, job = asked
    packed = _pack_one(job)
    if isinstance(packed, Refusal) or hatch is None or not hatch.is_seen():
        return packed
    path = hatch.folder / f"{secrets.token_hex(8)}.npz"  # a worker that was given up may still write the same clip
    path.write_bytes(packed.file.data)
    return _HandedIn(record=packed.record, path=path)


def _put(job: _Job, sent: PackedClip | _HandedIn) -> ClipRecord:
    if isinstance(sent, PackedClip):
        return sent.write(job.store)
    put_in_place(sent.path, job.store.path(sent.record.id))
    return sent.record


def _done(job: _Job, outcome: Future[ClipRecord] | Refusal | None) -> tuple[_Job, ClipRecord | Refusal | None]:
    return job, outcome.result() if isinstance(outcome, Future) else outcome


def _pack_one(job: _Job) -> PackedClip | Refusal:
    """One clip's file of the store, not written yet, or the reason why not."""
    path = job.clip.path
    try:
        tensors = job.maker.make(job.store.preprocessing)
        require_face(tensors, str(path))
    except ClipError as error:
        return Refusal(path=path, reason=_place(job.clip) + str(error).removeprefix(f"{path}: "))
    return pack_clip_tensors(
        job.store,
        clip=job.clip,
        source_sha256=job.source_sha256,
        faces=tensors.faces,
        audio=tensors.audio,
        face_found=tensors.face_found,
    )


def _prepare_one(job: _Job) -> ClipRecord | Refusal:
    """What a worker of this machine does: one clip into the store, or the reason why not."""
    packed = _pack_one(job)
    return packed.write(job.store) if isinstance(packed, PackedClip) else packed


def _place(clip: SourceClip) -> str:
    """Which part of a file a message is about; "" for the whole."""
    if clip.start_s == 0 and clip.end_s is None:
        return ""
    return f"from {clip.start_s:g} s" + (f" to {clip.end_s:g} s: " if clip.end_s is not None else ": ")


@lru_cache(maxsize=1 << 16)
def _sha256_of(path: Path, size: int, changed_ns: int) -> str:
    """Read once, however many clips a file holds; a file that changes meanwhile is another one."""
    return sha256_file(path)


@cache
def _front_end(plan: FrontEndPlan, constants: Preprocessing) -> FrontEnd:
    """Loaded once a process; single-threaded, for there is one process a core."""
    return plan.load(constants, 1)


def _death(job: _Job, executor: Executor | RemoteExecutor | None) -> Refusal:
    why = "out of memory, or a crash in a media library"
    if isinstance(executor, RemoteExecutor):
        return Refusal(path=job.clip.path, reason=f"quarantined: one worker after another died of it ({why})")
    return Refusal(path=job.clip.path, reason=f"its worker process died ({why})")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _summary(
    store: PreparedStore, records: list[ClipRecord], reused: list[ClipRecord], refused: list[Refusal]
) -> PrepareSummary:
    # One file of which several clips were to be made is refused once.
    refused = sorted(set(refused), key=lambda refusal: str(refusal.path))
    if not records and not reused:
        for refusal in refused:
            say(f"refused: {refusal.path}: {refusal.reason}")
        first = f"; the first, {refused[0].path}: {refused[0].reason}" if refused else ""
        raise CorpusError(f"{store.folder}: none of {len(refused)} files could be prepared{first}")
    missing = {
        record.id: store.preprocessing.frames - record.faces_found
        for record in sorted([*records, *reused], key=lambda record: record.id)
    }
    return PrepareSummary(
        corpus=store.corpus,
        prepared=len(records),
        reused=len(reused),
        refused=tuple(refused),
        clips_with_missing_faces=tuple((name, count) for name, count in missing.items() if count),
    )

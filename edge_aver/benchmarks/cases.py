"""The worker processes of a run, in the order they start, and what each is asked for."""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edge_aver.benchmarks.clips import find_media, media_of_test_actors
from edge_aver.benchmarks.conditions import BOTH
from edge_aver.benchmarks.offline import combinations
from edge_aver.benchmarks.request import GOLDEN, MediaClip, Request
from edge_aver.benchmarks.suites import FrontEndPart, Suite
from edge_aver.bundle import Artifact, open_artifact
from edge_aver.corpora.store import PreparedStore, store_name
from edge_aver.errors import EdgeAverError, MeasurementError
from edge_aver.files import sha256_file

__all__ = ["Case", "Subject", "find_subjects", "interleaved", "request"]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One worker process: `artifact` counts the artifacts, `repetition` the processes of the same case.

    `condition` is that of accuracy (`conditions`); there is one process for each.
    """

    artifact: int
    name: str
    repetition: int
    condition: str = BOTH


@dataclass(frozen=True, kw_only=True)
class Subject:
    """An artifact to measure, with what its cases need.

    Attributes:
        artifact: what to measure.
        store: folder of the prepared store of its corpus; `GOLDEN` for made-up clips.
        media: files for a front-end part.
        given: whether a person named their folders; else they are the fold's test clips.
        checkpoint: the network as PyTorch has it; None where it is not at hand.
    """

    artifact: Artifact
    store: Path
    media: tuple[MediaClip, ...] = ()
    given: bool = False
    checkpoint: Path | None = None


def find_subjects(
    artifacts: Sequence[Artifact],
    prepared: Callable[[str], Path],
    suite: Suite,
    data: Sequence[Path],
    checkpoints: Path | None,
    *,
    golden: bool = False,
) -> list[Subject]:
    """What to measure, and on what; one bad artifact among good ones stays, as a row with its reason.

    Args:
        artifacts: at least one.
        prepared: from a corpus's name to the folder of its prepared store.
        suite: what is to be measured.
        data: folders of media files for a front-end part; none: the files of the fold's test clips.
        checkpoints: folder in which the artifacts' own networks are looked for.
        golden: whether made-up clips stand in where a corpus is not prepared.

    Raises:
        EdgeAverError: what would be a gap in every case.
    """
    if data and suite.front_end is None:
        raise MeasurementError(f"suite {suite.name} measures the fold's test clips; leave out --data")
    given = find_media(data, count=suite.end_to_end_clips, seed=suite.seed) if data else ()
    subjects, problems = [], []
    for artifact in artifacts:
        store = prepared(store_name(artifact.spec.corpus, artifact.spec.preprocessing))
        subject = Subject(
            artifact=artifact,
            store=Path(GOLDEN) if golden and not store.is_dir() else store,
            media=given,
            given=bool(data),
            checkpoint=_checkpoint(checkpoints, artifact) if suite.front_end is not None else None,
        )
        try:
            subject = _checked(subject, suite)
        except EdgeAverError as error:
            problems.append(error)
        subjects.append(subject)
    if len(problems) == len(subjects):
        raise problems[0]
    return subjects


def interleaved(artifacts: int, suite: Suite, conditions: Sequence[str] = (BOTH,)) -> list[Case]:
    """All cases in seeded random order, block by block, so that a drift of the machine meets every artifact alike.

    A block has the same share of the processes of every case of every artifact. Where a suite holds our latency against
    the library's own program, one process of each stand together: a machine's phases last for several processes.
    """
    part = suite.front_end
    counts = _network_counts(suite) if part is None else _counts(part)
    chance, blocks = random.Random(suite.seed), max(1, *counts.values())
    pairs: dict[tuple[int, int, int, str], list[Case]] = {}
    for artifact in range(artifacts):
        for name, count in counts.items():
            for repetition in range(count):
                for condition in conditions if name == "accuracy" else (BOTH,):
                    case = Case(artifact=artifact, name=name, repetition=repetition, condition=condition)
                    beside = "network" if name == "library_tool" else name
                    key = (repetition * blocks // count, artifact, repetition, f"{beside} {condition}")
                    pairs.setdefault(key, []).append(case)
    cases = []
    for block in range(blocks):
        inside = [pair for key, pair in pairs.items() if key[0] == block]
        for pair in chance.sample(inside, len(inside)):
            cases += chance.sample(pair, len(pair))
    return cases


def request(case: Case, subject: Subject, suite: Suite, threads: int | None) -> Request:
    """The suite's counts and times hold for all processes together: each takes its share."""
    processes, part = max(1, suite.processes), suite.front_end
    queries = {"network": math.ceil(suite.network_queries / processes), "end_to_end": suite.end_to_end_clips}
    if part is not None:
        queries["prepare_scaling"] = part.prepare_clips
    if suite.overhead is not None:
        queries |= {"overhead": suite.overhead.rounds, "library_tool": queries["network"]}
    batch, callers = combinations(suite.offline)[case.repetition] if case.name == "throughput" else (1, 1)
    offline_s = suite.offline.min_duration_s if suite.offline else 0.0
    shared = case.name == "end_to_end"
    needs_checkpoint = case.name == "reference" and subject.checkpoint is not None
    return Request(
        case=case.name,
        artifact=str(subject.artifact.path),
        store=str(subject.store),
        threads=threads,
        queries=queries.get(case.name, 0),
        min_duration_s=offline_s if case.name == "throughput" else suite.min_duration_s / processes,
        warmup_queries=suite.warmup_queries,
        rounds=part.prepare_rounds if part is not None else 1,
        seed=suite.seed if shared else suite.seed + case.repetition,
        media=_media(case, subject.media),
        checkpoint=str(subject.checkpoint) if needs_checkpoint else None,
        condition=case.condition,
        part=case.repetition if shared else 0,
        parts=_end_to_end_processes(suite) if shared else 1,
        batch=batch,
        callers=callers,
    )


def _end_to_end_processes(suite: Suite) -> int:
    """Two processes differ by more than the clips of one, so the clips are shared out."""
    return min(suite.processes, suite.end_to_end_clips)


def _network_counts(suite: Suite) -> dict[str, int]:
    """Processes of each case."""
    overhead = suite.overhead.processes if suite.overhead else 0
    return {
        "network": suite.processes,
        "throughput": len(combinations(suite.offline)),
        "overhead": overhead,
        "library_tool": overhead,
        "accuracy": int(suite.accuracy),
        "end_to_end": _end_to_end_processes(suite),
    }


def _counts(part: FrontEndPart) -> dict[str, int]:
    """Processes of each case."""
    return {
        "ours": part.rounds,
        "reference": part.rounds if part.reference else 0,
        "front_end_parity": int(part.parity),
        "fresh_run": part.fresh_runs,
        "prepare_scaling": int(min(part.prepare_clips, part.prepare_rounds) > 0),
    }


def _media(case: Case, media: tuple[MediaClip, ...]) -> tuple[MediaClip, ...]:
    """A fresh process takes one clip, the next one another."""
    if case.name == "fresh_run" and media:
        return (media[case.repetition % len(media)],)
    return () if case.name == "prepare_scaling" else media


def _checked(subject: Subject, suite: Suite) -> Subject:
    artifact = open_artifact(subject.artifact.path)
    if suite.front_end is not None and not subject.given:
        media = media_of_test_actors(artifact, subject.store, count=suite.end_to_end_clips, seed=suite.seed)
        return replace(subject, media=media)
    if not subject.given and subject.store != Path(GOLDEN):
        PreparedStore.open(subject.store, artifact.spec.preprocessing)
    return subject


def _checkpoint(folder: Path | None, artifact: Artifact) -> Path | None:
    """The very network that an artifact came from."""
    wanted = artifact.spec.checkpoint_sha256
    if folder is None or wanted is None or artifact.spec.network is not None:
        return None
    return next((path for path in sorted(folder.glob("*.safetensors")) if sha256_file(path) == wanted), None)

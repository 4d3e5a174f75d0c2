"""What is measured of front ends, as raw values: times of whole stacks, boxes of every frame, fresh processes."""

from dataclasses import dataclass

from edge_aver.benchmarks.machine import CpuUse

__all__ = [
    "OURS",
    "REFERENCES",
    "STAGES",
    "ClipAgreement",
    "EndToEndQuery",
    "FreshRun",
    "FrontEndMeasurements",
    "MeasuredClip",
    "PrepareRun",
    "StackRound",
]

OURS = "ours"
"""The stack that ships: an artifact with the fast front end."""

REFERENCES = {"reference_together": None, "reference_singly": 1}
"""The two ways people call facenet-pytorch, and how many pictures go into a call: all of a clip, or one at a time."""


STAGES = ("decode", "faces", "audio", "network")
"""In the order in which a clip passes them."""


@dataclass(frozen=True, kw_only=True)
class EndToEndQuery:
    """One media file from its bytes to a label; `total_s` includes reading it, `stages_s` what each stage took.

    `process` counts the processes of the case from 0: each takes its share of the clips.
    """

    id: str
    prediction: str
    total_s: float
    stages_s: dict[str, float]
    process: int = 0


@dataclass(frozen=True, kw_only=True)
class MeasuredClip:
    """A media file that was measured on; `sha256` is of its bytes."""

    id: str
    width_px: int
    height_px: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class StackRound:
    """One process that brought every clip to a label once, after one that warmed up.

    Attributes:
        stack: `OURS` or one of `REFERENCES`.
        queries: one for each clip, in seeded random order.
        refused: clips that could not be brought to a label, by id, and why.
        cpu_use: what else used the processors meanwhile; None where the kernel does not tell.
    """

    stack: str
    queries: tuple[EndToEndQuery, ...]
    refused: dict[str, str]
    cpu_use: CpuUse | None = None


@dataclass(frozen=True, kw_only=True)
class ClipAgreement:
    """What both front ends see in every decoded frame of a clip, and what the artifact makes of their tensors.

    Attributes:
        id: of the clip.
        reference_found, found: one character a frame, 1 where the reference and ours see a face, 0 where not.
        reference_boxes, boxes: for each frame with a face left, top, right, bottom in pixels, before squaring.
        reference_logits, logits: of the artifact, from the tensors of either front end.
    """

    id: str
    reference_found: str
    found: str
    reference_boxes: tuple[tuple[float, ...], ...]
    boxes: tuple[tuple[float, ...], ...]
    reference_logits: tuple[float, ...]
    logits: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class FreshRun:
    """One `edge-aver run` in a process of its own.

    Attributes:
        id: of the clip.
        wall_s: from starting the process to its end.
        peak_bytes: its largest resident memory; None where the kernel does not tell.
        modules: import names of the top-level packages it held at the end.
    """

    id: str
    wall_s: float
    peak_bytes: int | None = None
    modules: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class PrepareRun:
    """One `prepare` of generated clips by single-threaded worker processes, from their start to their end."""

    workers: int
    clips: int
    wall_s: float


@dataclass(frozen=True, kw_only=True)
class FrontEndMeasurements:
    """What a suite with a front-end part measured.

    Attributes:
        given: whether the clips came from folders a person named; else they are the fold's test clips.
        clips: that were measured on.
        rounds: one for each stack and process.
        agreement: one entry for each clip.
        fresh_runs: one entry for each process.
        prepare_runs: one entry for each run.
    """

    given: bool
    clips: tuple[MeasuredClip, ...]
    rounds: tuple[StackRound, ...] = ()
    agreement: tuple[ClipAgreement, ...] = ()
    fresh_runs: tuple[FreshRun, ...] = ()
    prepare_runs: tuple[PrepareRun, ...] = ()

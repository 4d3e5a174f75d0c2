"""Suites: how much is measured, as TOML declarations in `benchmarks/suites`."""

from dataclasses import dataclass
from pathlib import Path

from edge_aver import declarations
from edge_aver.benchmarks.backbone_suite import BackbonesPart
from edge_aver.errors import DeclarationError

__all__ = ["FrontEndLimits", "FrontEndPart", "OfflinePart", "OverheadPart", "Suite", "load_suite", "suite_names"]

_FOLDER = "benchmarks/suites"


@dataclass(frozen=True, kw_only=True)
class FrontEndLimits:
    """What the front end has to reach; a report says of each whether it does.

    Attributes:
        height_px: of the pictures that the limits are meant for: what the reference costs grows with their size.
        min_speedup: of our stack over the reference stack, end to end.
        max_over_decode_and_network: our total, over what decoding and the network alone take.
        max_real_time_factor: our total over the length of the window.
        min_faces_speedup: of our face stage over facenet-pytorch's defaults.
        max_fresh_s: a fresh process takes from artifact to label.
        max_fresh_mb: of resident memory, of 10^6 bytes.
        forbidden_modules: that such a process may not import.
        min_prepare_scaling: from one worker process to two.
        min_same_found: share of frames in which both detectors decide alike whether there is a face.
        min_median_iou, min_p5_iou: intersection over union of both detectors' boxes, over frames: median and 5th
            percentile.
        min_same_label: share of clips in which both front ends lead to the same label.
    """

    height_px: int
    min_speedup: float
    max_over_decode_and_network: float
    max_real_time_factor: float
    min_faces_speedup: float
    max_fresh_s: float
    max_fresh_mb: float
    forbidden_modules: tuple[str, ...]
    min_prepare_scaling: float
    min_same_found: float
    min_median_iou: float
    min_p5_iou: float
    min_same_label: float


@dataclass(frozen=True, kw_only=True)
class FrontEndPart:
    """What a suite measures of the front end, beside the reference.

    Attributes:
        rounds: processes of our stack, and of the reference's, each of which takes every clip once.
        fresh_runs: processes of `edge-aver run`.
        prepare_clips: generated clips that one and two workers prepare; 0 leaves it out.
        prepare_rounds: how often either number of workers does.
        reference: whether to time the reference stack.
        parity: whether to compare boxes in every frame, and labels.
        limits: what has to be reached.
    """

    rounds: int
    fresh_runs: int
    prepare_clips: int
    prepare_rounds: int
    reference: bool = True
    parity: bool = True
    limits: FrontEndLimits


@dataclass(frozen=True, kw_only=True)
class OfflinePart:
    """How a suite measures throughput with all clips at hand: each batch with each number of callers.

    Attributes:
        batches: clips of one query.
        callers: threads that ask at the same time.
        min_duration_s: seconds that each combination takes, at least.
    """

    batches: tuple[int, ...]
    callers: tuple[int, ...]
    min_duration_s: float


@dataclass(frozen=True, kw_only=True)
class OverheadPart:
    """How a suite measures what edge-aver adds to its runtime library.

    Attributes:
        processes: of a bare loop and edge-aver by turns, and of the library's own benchmark program.
        rounds: of each process; the program makes as many queries as a process of ours.
        max_over_other: our median latency over that of the bare loop, and over the program's.
    """

    processes: int
    rounds: int
    max_over_other: float


@dataclass(frozen=True, kw_only=True)
class Suite:
    """What a benchmark runs for each artifact.

    Attributes:
        name: as the command line knows it.
        network_queries: one-clip queries of the network, over all processes together, at least.
        min_duration_s: seconds those queries take together, at least.
        processes: fresh processes they are divided over: the unit of repetition.
        warmup_queries: queries of each process before the first that counts.
        end_to_end_clips: media files brought from bytes to label, after one that warms up; with a front-end part, at
            most; without, 0 leaves them out.
        timeout_s: a worker process that takes longer is killed and its case failed.
        seed: of the order of cases and of the choice of clips.
        front_end: what is measured instead of network and accuracy, which such a suite leaves out; None in the others.
        accuracy: whether every test clip is labelled.
        offline: how throughput is measured; None leaves it out.
        overhead: how our overhead is measured; None leaves it out.
        backbones: what is measured instead of artifacts; None in the others.
    """

    name: str
    network_queries: int = 0
    min_duration_s: float = 0.0
    processes: int = 0
    warmup_queries: int = 0
    end_to_end_clips: int
    timeout_s: float
    seed: int
    front_end: FrontEndPart | None = None
    accuracy: bool = True
    offline: OfflinePart | None = None
    overhead: OverheadPart | None = None
    backbones: BackbonesPart | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be run."""
        part = self.front_end
        counts: list[float] = [self.timeout_s]
        counts += [self.network_queries, self.processes] if part is None else [part.rounds, self.end_to_end_clips]
        others = [self.min_duration_s, self.warmup_queries, self.end_to_end_clips]
        others += [] if part is None else [part.fresh_runs, part.prepare_clips, part.prepare_rounds]
        if self.offline is not None:
            counts += [*self.offline.batches, *self.offline.callers, self.offline.min_duration_s]
        if self.overhead is not None:
            counts += [self.overhead.processes, self.overhead.rounds, self.overhead.max_over_other]
        if min(counts) <= 0 or min(others) < 0:
            raise DeclarationError(f"suite {self.name}: counts and times must be positive")
        if part is not None and (self.offline or self.overhead):
            raise DeclarationError(f"suite {self.name}: with a front_end part, offline and overhead belong elsewhere")
        if part is not None and max(self.network_queries, self.processes) > 0:
            raise DeclarationError(f"suite {self.name}: with a front_end part, network queries belong in another suite")


def suite_names() -> tuple[str, ...]:
    """Names of the shipped suites."""
    return declarations.shipped_names(_FOLDER)


def load_suite(name: str | Path) -> Suite:
    """Read a suite by shipped name or by path.

    Raises:
        DeclarationError: unknown name, unknown or missing keys, wrong types, counts below one.
    """
    return declarations.load(Suite, _FOLDER, name)

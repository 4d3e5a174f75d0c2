"""What a worker process is asked for."""

from dataclasses import dataclass

from edge_aver.benchmarks.conditions import BOTH, accuracy_case

__all__ = ["GOLDEN", "MediaClip", "Request"]

GOLDEN = "golden"
"""Instead of a prepared store: made-up clips, on which latency can be measured and nothing else."""


@dataclass(frozen=True, kw_only=True)
class MediaClip:
    """A media file to measure on.

    Attributes:
        id: names it within one run.
        path: where it lies; results never tell.
        width_px, height_px: of its pictures.
        sha256: of its bytes.
    """

    id: str
    path: str
    width_px: int
    height_px: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a worker is asked for.

    Attributes:
        case: one of the worker's cases: `network`, `accuracy`, `end_to_end`, or one of the front end's.
        artifact, store: paths of the artifact and of the prepared store of its corpus, or `GOLDEN`.
        threads: CPU threads; None leaves it to the runtime.
        queries: network queries, rounds by turns, media files brought end to end, or clips prepared, at least; unused
            for accuracy and throughput.
        min_duration_s: seconds the queries take together, at least.
        warmup_queries: queries before the first that counts.
        rounds: how often a case does all its work, where it does it more than once.
        seed: of the choice and order of clips.
        media: files that the front end's cases measure on.
        checkpoint: path of the network as PyTorch has it; None where it is not at hand or not needed.
        condition: under which accuracy is measured (`conditions`).
        part, parts: which of how many shares of the clips a process brings end to end.
        batch, callers: clips of one query and threads that ask, for throughput.
    """

    case: str
    artifact: str
    store: str
    threads: int | None = None
    queries: int = 0
    min_duration_s: float = 0.0
    warmup_queries: int = 0
    rounds: int = 1
    seed: int = 0
    media: tuple[MediaClip, ...] = ()
    checkpoint: str | None = None
    condition: str = BOTH
    part: int = 0
    parts: int = 1
    batch: int = 1
    callers: int = 1

    @property
    def name(self) -> str:
        """The case, and what is missing where something is."""
        return accuracy_case(self.condition) if self.case == "accuracy" else self.case

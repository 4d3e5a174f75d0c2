"""Suites: how much is measured, as TOML declarations in `benchmarks/suites`."""

from dataclasses import dataclass
from pathlib import Path

from edge_aver import declarations
from edge_aver.errors import DeclarationError

__all__ = ["Suite", "load_suite", "suite_names"]

_FOLDER = "benchmarks/suites"


@dataclass(frozen=True, kw_only=True)
class Suite:
    """What a benchmark runs for each artifact.

    Attributes:
        name: as the command line knows it.
        network_queries: one-clip queries of the network, over all processes together, at least.
        min_duration_s: seconds those queries take together, at least.
        processes: fresh processes they are divided over: the unit of repetition.
        warmup_queries: queries of each process before the first that counts.
        end_to_end_clips: media files brought from bytes to label, after one that warms up.
        timeout_s: a worker process that takes longer is killed and its case failed.
        seed: of the order of cases and of the choice of clips.
    """

    name: str
    network_queries: int
    min_duration_s: float
    processes: int
    warmup_queries: int
    end_to_end_clips: int
    timeout_s: float
    seed: int

    def __post_init__(self) -> None:
        """Refuse what cannot be run."""
        counts = (self.network_queries, self.processes, self.end_to_end_clips, self.timeout_s)
        if min(counts) <= 0 or min(self.min_duration_s, self.warmup_queries) < 0:
            raise DeclarationError(f"suite {self.name}: counts and times must be positive")


def suite_names() -> tuple[str, ...]:
    """Names of the shipped suites."""
    return declarations.shipped_names(_FOLDER)


def load_suite(name: str | Path) -> Suite:
    """Read a suite by shipped name or by path.

    Raises:
        DeclarationError: unknown name, unknown or missing keys, wrong types, counts below one.
    """
    return declarations.load(Suite, _FOLDER, name)

"""More machines: the interface through which a fan-out leaves this one, and the way to a Dask cluster behind it."""

import re
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

__all__ = ["ADDRESS", "RemoteExecutor", "connected"]

J = TypeVar("J")
R = TypeVar("R")

ADDRESS = re.compile(r"(tcp|tls)://[^\s/]+:\d+")
"""Of a scheduler: `tcp://host:8786`; with `tls://` both sides show certificates."""


@runtime_checkable
class RemoteExecutor(Protocol):
    """What does jobs on other machines; processes of this one are `edge_aver.corpora.fanout`."""

    def run(
        self, task: Callable[[J], R], jobs: Iterable[J], *, alone: bool = False
    ) -> Generator[tuple[J, R | None], None, None]:
        """Do every job and give each result as it comes.

        Args:
            task: a function that can be pickled, as the jobs and results.
            jobs: taken in order.
            alone: one job at a time on each machine, so that what it measures is not disturbed by another.

        Yields:
            Pairs of job and result, in the order of completion; None where the job killed one worker after another.

        Raises:
            ClusterError: the scheduler is gone, or all workers are.
            BaseException: what a task raised.
        """

    def require_files(self, paths: Iterable[Path]) -> None:
        """Check that every worker sees these files under the same paths.

        Raises:
            ClusterError: one does not; it and a file are named.
        """


@contextmanager
def connected(address: str | None) -> Iterator[RemoteExecutor | None]:
    """The workers of a Dask cluster, for as long as the context lasts; None without an address: this machine's.

    Raises:
        ClusterError: no scheduler there, no workers, or one that differs from this machine in a version.
        MissingLibraryError: the extra `cluster` is not installed.
    """
    if address is None:
        yield None
        return
    from edge_aver.cluster.crew import open_crew

    with open_crew(address) as crew:
        yield crew

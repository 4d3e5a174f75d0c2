"""The workers of a Dask cluster as an executor: Dask carries jobs and results, who does what is decided here.

Dask would give a job that kills its worker to the next one by itself, and blame all jobs that the worker had. So each
batch is bound to one worker, and a worker that disappears is noticed and its batches are taken back.
"""

import logging
import queue
import time
import uuid
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from edge_aver.cluster.admission import check_files, check_versions, versions_there
from edge_aver.cluster.assignment import Assignment
from edge_aver.cluster.task import run_batch
from edge_aver.console import say
from edge_aver.errors import ClusterError, EdgeAverError, MissingLibraryError

__all__ = ["Crew", "open_crew"]

J = TypeVar("J")
R = TypeVar("R")

_CONNECT_S = 10.0
_ROLL_CALL_S = 1.0
"""How often it is looked who is still there."""
_WITHOUT_WORKERS_S = 60.0
"""How long nobody may be there before the work is given up; a worker that was killed is started again meanwhile."""
_RESULT_S = 5.0
_FILES_LOOKED_FOR = 16


@contextmanager
def open_crew(address: str) -> Iterator["Crew"]:
    """Connect to a scheduler and check its workers.

    Raises:
        ClusterError: no scheduler, no workers, or one of another version.
        MissingLibraryError: Dask is not installed.
    """
    try:
        import distributed
    except ImportError as error:
        raise MissingLibraryError("distributed", "cluster", "--cluster") from error
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what matters of it is told in one line
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # versions are checked here, where they matter
        try:
            client = distributed.Client(
                address, timeout=_CONNECT_S, direct_to_workers=True, set_as_default=False, name="edge-aver"
            )
        except (OSError, TimeoutError, ValueError, TypeError) as error:
            raise ClusterError(f"{address}: no Dask scheduler answers there; start one with: dask scheduler") from error
        try:
            crew = Crew(client, address)
            crew.admit_first()
            yield crew
        finally:
            with suppress(Exception):
                client.close(timeout=2)


class Crew:
    """The workers behind a client of Dask."""

    def __init__(self, client: Any, address: str) -> None:
        self._client = client
        self._address = address
        self._admitted: dict[str, str] = {}
        self._refused: set[str] = set()
        self._files: tuple[str, ...] = ()

    def admit_first(self) -> None:
        """Wait for a worker, and check all that are there.

        Raises:
            ClusterError: there is none, or one differs.
        """
        try:
            self._client.wait_for_workers(1, timeout=_CONNECT_S)
        except TimeoutError as error:
            raise ClusterError(
                f"{self._address}: the scheduler has no workers; start some with: dask worker {self._address}"
            ) from error
        threads = self._threads()
        check_versions(versions_there(self._client, list(threads)))
        self._admitted = {worker: _machine(worker) for worker in threads}
        if any(count > 1 for count in threads.values()):
            say(
                "each worker process takes one job at a time: start them with --nthreads 1, --nworkers as many as cores"
            )

    def require_files(self, paths: Iterable[Path]) -> None:
        """Check that every worker sees these files, of many a sample; see `RemoteExecutor`."""
        listed = [str(path) for path in paths]
        step = max(1, len(listed) // _FILES_LOOKED_FOR)
        self._files = (*self._files, *listed[::step][: _FILES_LOOKED_FOR + 1])
        check_files(self._client, list(self._admitted), self._files)

    def run(
        self, task: Callable[[J], R], jobs: Iterable[J], *, alone: bool = False
    ) -> Generator[tuple[J, R | None], None, None]:
        """Do every job; see `RemoteExecutor`."""
        errand = _Errand(self._client, task, Assignment(jobs, alone=alone))
        called_s = time.monotonic()
        try:
            while not errand.book.finished:
                errand.hand_out(self._admitted)
                came = errand.collect(_ROLL_CALL_S)
                errand.hand_out(self._admitted)  # before the results are looked at, which may take a while
                yield from came
                if time.monotonic() - called_s >= _ROLL_CALL_S or errand.puzzled:
                    self._roll_call()
                    called_s = time.monotonic()
                    yield from errand.take_back(self._admitted)
        finally:
            errand.give_up()

    def _roll_call(self) -> None:
        """Who is there; newcomers are checked, and left out with a remark if they differ."""
        began_s = time.monotonic()
        while True:
            there = self._threads()
            for worker in [worker for worker in there if worker not in self._admitted and worker not in self._refused]:
                self._admit(worker)
            self._admitted = {worker: machine for worker, machine in self._admitted.items() if worker in there}
            if self._admitted:
                return
            if time.monotonic() - began_s > _WITHOUT_WORKERS_S:
                raise ClusterError(
                    f"{self._address}: no worker left, and none came back in {_WITHOUT_WORKERS_S:g} s; what was "
                    "finished is kept: start workers and run again"
                )
            time.sleep(_ROLL_CALL_S / 4)

    def _admit(self, worker: str) -> None:
        try:
            check_versions(versions_there(self._client, [worker]))
            check_files(self._client, [worker], self._files)
        except EdgeAverError as error:
            self._refused.add(worker)
            say(f"left out: {error}")
        except Exception:  # it went away while it was asked
            return
        else:
            self._admitted[worker] = _machine(worker)

    def _threads(self) -> dict[str, int]:
        try:
            if self._client.status != "running":
                raise OSError(self._client.status)
            return dict(self._client.nthreads())
        except (OSError, TimeoutError, RuntimeError) as error:
            raise ClusterError(
                f"{self._address}: the scheduler went away; what was finished is kept: start it and run again"
            ) from error


class _Errand:
    """One fan-out: what was submitted to Dask and has not come back."""

    def __init__(self, client: Any, task: Callable[[Any], Any], book: Assignment[Any]) -> None:
        self._client = client
        self._task = task
        self.book = book
        self._puzzles: list[Any] = []
        self._name = f"edge-aver-{uuid.uuid4().hex}"
        self._count = 0
        self._futures: dict[Any, tuple[str, tuple[int, ...]]] = {}
        self._done: queue.SimpleQueue[Any] = queue.SimpleQueue()

    @property
    def puzzled(self) -> bool:
        """Whether something came back without its result."""
        return bool(self._puzzles)

    def hand_out(self, workers: dict[str, str]) -> None:
        """Submit what the book says, each batch bound to its worker."""
        for worker, batch in self.book.hand_out(workers):
            self._count += 1
            future = self._client.submit(
                run_batch,
                self._task,
                [self.book.job(number) for number in batch],
                key=f"{self._name}-{self._count}",
                workers=[worker],
                allow_other_workers=False,
                pure=False,
            )
            self._futures[future] = (worker, batch)
            future.add_done_callback(self._done.put)

    def collect(self, patience_s: float) -> list[tuple[Any, Any]]:
        """Results that came; waits for the first one."""
        came: list[tuple[Any, Any]] = []
        with suppress(queue.Empty):
            came += self._take(self._done.get(timeout=patience_s))
            while True:
                came += self._take(self._done.get_nowait())
        return came

    def take_back(self, workers: dict[str, str]) -> Iterator[tuple[Any, None]]:
        """What workers had that are gone is to be done again; jobs that are given up come with None.

        A worker that was started again at its old address is gone too: it has lost what it was given.
        """
        puzzles, self._puzzles = self._puzzles, []
        gone = set(self.book.missing(workers))
        for future in puzzles:
            if future in self._futures and future.status == "finished":
                self._done.put(future)
            elif future in self._futures:
                gone.add(self._futures[future][0])
        for worker in sorted(gone):
            taken = [future for future, (where, _) in self._futures.items() if where == worker]
            for future in taken:
                del self._futures[future]
            self._client.cancel(taken, force=True)
            yield from ((self.book.job(number), None) for number in self.book.bury(worker))

    def give_up(self) -> None:
        """Tell Dask that nobody waits any more."""
        futures, self._futures = list(self._futures), {}
        if futures:
            with suppress(Exception):
                self._client.cancel(futures, force=True)

    def _take(self, future: Any) -> list[tuple[Any, Any]]:
        if future not in self._futures:  # taken back meanwhile
            return []
        if future.status == "error" and not _is_loss(error := future.exception(timeout=_RESULT_S)):
            raise error
        try:
            results, seconds = future.result(timeout=_RESULT_S)
        except Exception:  # its worker went away with it, or is slow to send it: the roll call will tell
            self._puzzles.append(future)
            return []
        worker, batch = self._futures.pop(future)
        future.release()
        self.book.complete(worker, batch, seconds)
        return [(self.book.job(number), result) for number, result in zip(batch, results, strict=True)]


def _is_loss(error: BaseException) -> bool:
    """Whether an error is Dask's own, for a task whose worker went away, and not what the task raised."""
    return type(error).__module__.startswith("distributed")


def _machine(worker: str) -> str:
    return urlsplit(worker).hostname or worker

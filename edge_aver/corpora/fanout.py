"""Work spread over processes by an executor, outliving the death of a worker."""

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from typing import Generic, TypeVar

from edge_aver.cluster import RemoteExecutor
from edge_aver.errors import CorpusError

__all__ = ["fan_out", "local_executor"]

J = TypeVar("J")
R = TypeVar("R")


def fan_out(
    task: Callable[[J], R], jobs: Iterable[J], *, workers: int, executor: Executor | RemoteExecutor | None = None
) -> Generator[tuple[J, R | None], None, None]:
    """Do every job and give each result as it comes, with at most two jobs a worker under way.

    When a worker dies, those under way are done again one at a time, so that the one that kills it is known.

    Args:
        task: a function that can be pickled, as the jobs and results.
        jobs: taken in order.
        workers: how many processes.
        executor: does the work instead of processes of this machine; a cluster knows itself how much it takes.

    Yields:
        Pairs of job and result, in the order of completion; None where the job killed its worker.

    Raises:
        CorpusError: the executor given broke (only those made here can be made again).
        BaseException: what a task raised; on it, and on Ctrl-C, jobs under way are given up at once.
    """
    if isinstance(executor, RemoteExecutor):
        yield from executor.run(task, jobs)
        return
    crew = _Crew[J, R](task, workers, executor)
    waiting, suspects = deque(jobs), deque[J]()
    try:
        while waiting or suspects or crew.running:
            if suspects:
                crew.submit(suspects.popleft())
            else:
                while waiting and len(crew.running) < 2 * workers:
                    crew.submit(waiting.popleft())
            results, lost = crew.collect()
            yield from results
            if len(lost) == 1:
                yield lost[0], None
            else:
                suspects.extend(lost)
    finally:
        crew.dismiss()


def local_executor(workers: int) -> Executor:
    """Processes of this machine, started afresh: none inherits a thread, a lock or a loaded library."""
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=_settle_worker)


class _Crew(Generic[J, R]):
    """An executor and the jobs it has under way; made anew when it breaks."""

    def __init__(self, task: Callable[[J], R], workers: int, executor: Executor | None) -> None:
        self._task = task
        self._workers = workers
        self._given = executor
        self._strangers = set(multiprocessing.active_children())
        self._executor = executor or local_executor(workers)
        self.running: dict[Future[R], J] = {}

    def submit(self, job: J) -> None:
        """Hand over one job."""
        try:
            with _interrupts_held():
                future = self._executor.submit(self._task, job)
        except BrokenExecutor as error:  # it broke while nothing was under way
            future = Future()
            future.set_exception(error)
        self.running[future] = job

    def collect(self) -> tuple[list[tuple[J, R | None]], list[J]]:
        """Wait until some job is done; the results, and the jobs that a breaking executor lost."""
        done, _ = wait(self.running, return_when=FIRST_COMPLETED)
        broken = any(isinstance(future.exception(), BrokenExecutor) for future in done)
        if broken:
            done, _ = wait(self.running)
        results: list[tuple[J, R | None]] = []
        lost: list[J] = []
        for future in done:
            job = self.running.pop(future)
            if isinstance(future.exception(), BrokenExecutor):
                lost.append(job)
            else:
                results.append((job, future.result()))
        if broken:
            self._renew()
        return results, lost

    def dismiss(self) -> None:
        """Give up what is under way and, of processes made here, do not wait for it."""
        if self._given is not None:
            for future in self.running:
                future.cancel()
            return
        if self.running:
            for child in set(multiprocessing.active_children()) - self._strangers:
                child.terminate()
        # Waits, but only for the thread that minds the workers: one left behind complains when the interpreter ends.
        self._executor.shutdown(cancel_futures=True)

    def _renew(self) -> None:
        if self._given is not None:
            raise CorpusError("the executor given broke while clips were under way; finished ones are kept: run again")
        self._executor.shutdown()
        self._executor = local_executor(self._workers)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Let processes that start meanwhile inherit a mask, or Ctrl-C would find them before `_settle_worker` runs."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _settle_worker() -> None:
    """Ctrl-C reaches every process of a terminal; only the one that gave out the work answers it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker holds both ends of the pipe it waits on: without this it would outlive a killed parent for ever."""
    if (parent := multiprocessing.parent_process()) is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)

"""Which job goes to which worker, and which job is to blame when a worker dies: bookkeeping without any network."""

from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping
from typing import Generic, TypeVar

__all__ = ["Assignment"]

J = TypeVar("J")

_MOST_DEATHS = 2
"""A job is given up when this many workers died while it was under way, the last of them with nothing else to do."""

_WAITING = 2
"""Batches that a worker has at a time: one that runs, and one so that it need not wait for us."""

_BATCH_S, _MOST_JOBS = 0.1, 64
"""A batch is to last about this long: jobs that take longer go one by one, shorter ones up to so many together."""


class Assignment(Generic[J]):
    """The jobs of one fan-out: waiting, under way on a worker, suspected, or given up.

    Args:
        jobs: in the order in which they are to be given out.
        alone: one job at a time on a machine.
    """

    def __init__(self, jobs: Iterable[J], *, alone: bool = False) -> None:
        self._jobs = list(jobs)
        self._alone = alone
        self._waiting = deque(range(len(self._jobs)))
        self._suspects: deque[int] = deque()
        self._under_way: dict[str, list[tuple[int, ...]]] = {}
        self._deaths: Counter[int] = Counter()
        self._seconds_a_job: float | None = None

    @property
    def finished(self) -> bool:
        """Whether nothing waits and nothing is under way."""
        return not (self._waiting or self._suspects or any(self._under_way.values()))

    def job(self, number: int) -> J:
        """A job by its number."""
        return self._jobs[number]

    def hand_out(self, workers: Mapping[str, str]) -> list[tuple[str, tuple[int, ...]]]:
        """What is to be started now, as pairs of worker and numbers of jobs.

        A suspect goes to a worker that does nothing else meanwhile, so that a second death tells who is to blame.

        Args:
            workers: machine of each worker by its address.
        """
        given = []
        for _ in range(_WAITING):
            for worker, machine in workers.items():
                batch = self._choose(worker, machine, workers)
                if batch:
                    self._under_way.setdefault(worker, []).append(batch)
                    given.append((worker, batch))
        return given

    def complete(self, worker: str, batch: tuple[int, ...], seconds: float) -> None:
        """A batch came back, after this time on the worker."""
        self._under_way[worker].remove(batch)
        measured = seconds / len(batch)
        self._seconds_a_job = measured if self._seconds_a_job is None else (self._seconds_a_job + measured) / 2

    def bury(self, worker: str) -> list[int]:
        """A worker is gone: what it had is to be done again elsewhere; the jobs that are given up are returned."""
        lost = [number for batch in self._under_way.pop(worker, []) for number in batch]
        self._deaths.update(lost)
        if len(lost) == 1 and self._deaths[lost[0]] >= _MOST_DEATHS:
            return lost
        self._suspects.extend(lost)
        return []

    def missing(self, workers: Collection[str]) -> list[str]:
        """Workers that have something under way and are not among these."""
        return [worker for worker, batches in self._under_way.items() if batches and worker not in workers]

    def _choose(self, worker: str, machine: str, workers: Mapping[str, str]) -> tuple[int, ...]:
        has = self._under_way.get(worker, [])
        busy = {workers.get(other) for other, batches in self._under_way.items() if batches}
        if self._alone and machine in busy:
            return ()
        if self._suspects:
            return () if has else (self._suspects.popleft(),)
        if len(has) >= _WAITING or any(self._deaths[number] for batch in has for number in batch):
            return ()
        return tuple(self._waiting.popleft() for _ in range(min(self._size(), len(self._waiting))))

    def _size(self) -> int:
        if self._alone or self._seconds_a_job is None:
            return 1
        return max(1, min(_MOST_JOBS, int(_BATCH_S / max(self._seconds_a_job, 1e-6))))

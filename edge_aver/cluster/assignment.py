"""Which job goes to which worker, and which job is to blame when a worker dies: bookkeeping without any network."""

from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping
from typing import Generic, TypeVar

__all__ = ["Assignment"]

J = TypeVar("J")

_MOST_DEATHS = 2
"""A job is given up when this many workers died while they had it, the last of them with nothing else."""

_BATCH_S, _MOST_JOBS = 0.1, 64
"""A batch is to last about this long: jobs that take longer go one by one, shorter ones up to so many together."""


class Assignment(Generic[J]):
    """The jobs of one fan-out: waiting, under way on a worker, suspected, or given up.

    A worker has one batch at a time and gets the next when the results of the last are here: one that dies has at most
    that batch to repeat.

    Args:
        jobs: in the order in which they are to be given out.
        alone: one job at a time on a machine.
    """

    def __init__(self, jobs: Iterable[J], *, alone: bool = False) -> None:
        self._jobs = list(jobs)
        self._alone = alone
        self._waiting = deque(range(len(self._jobs)))
        self._suspects: deque[int] = deque()
        self._under_way: dict[str, tuple[int, ...]] = {}
        self._deaths: Counter[int] = Counter()
        self._seconds_a_job: float | None = None

    @property
    def finished(self) -> bool:
        """Whether nothing waits and nothing is under way."""
        return not (self._waiting or self._suspects or self._under_way)

    def job(self, number: int) -> J:
        """A job by its number."""
        return self._jobs[number]

    def hand_out(self, workers: Mapping[str, str]) -> list[tuple[str, tuple[int, ...]]]:
        """What is to be started now, as pairs of worker and numbers of jobs; suspects first, each by itself.

        Args:
            workers: machine of each worker by its address.
        """
        given = []
        busy = {workers.get(worker) for worker in self._under_way}
        for worker, machine in workers.items():
            if worker in self._under_way or (self._alone and machine in busy):
                continue
            if batch := self._next():
                self._under_way[worker] = batch
                busy.add(machine)
                given.append((worker, batch))
        return given

    def complete(self, worker: str, seconds: float) -> None:
        """The batch of a worker came back, after this time there."""
        measured = seconds / len(self._under_way.pop(worker))
        self._seconds_a_job = measured if self._seconds_a_job is None else (self._seconds_a_job + measured) / 2

    def bury(self, worker: str) -> list[int]:
        """A worker is gone: what it had is to be done again elsewhere; the jobs that are given up are returned."""
        lost = list(self._under_way.pop(worker, ()))
        self._deaths.update(lost)
        if len(lost) == 1 and self._deaths[lost[0]] >= _MOST_DEATHS:
            return lost
        self._suspects.extend(lost)
        return []

    def missing(self, workers: Collection[str]) -> list[str]:
        """Workers that have something under way and are not among these."""
        return [worker for worker in self._under_way if worker not in workers]

    def _next(self) -> tuple[int, ...]:
        if self._suspects:
            return (self._suspects.popleft(),)
        return tuple(self._waiting.popleft() for _ in range(min(self._size(), len(self._waiting))))

    def _size(self) -> int:
        if self._alone or self._seconds_a_job is None:
            return 1
        return max(1, min(_MOST_JOBS, int(_BATCH_S / max(self._seconds_a_job, 1e-6))))

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

_AHEAD_S = 1.0
"""Of jobs that take less, a worker has the next at hand before the last has come back: waiting would cost a tenth."""


class Assignment(Generic[J]):
    """The jobs of one fan-out: waiting, under way on a worker, suspected, or given up.

    A worker does one batch at a time, and of short jobs has one more at hand, which it has not begun: one that dies has
    at most one batch to repeat.

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
        idle = [worker for worker in workers if worker not in self._under_way]
        for worker in [*idle, *(worker for worker in self._under_way if worker in workers)]:
            if self._alone and workers[worker] in busy:
                continue
            if self._takes_one(worker) and (batch := self._next()):
                self._under_way.setdefault(worker, []).append(batch)
                busy.add(workers[worker])
                given.append((worker, batch))
        return given

    def complete(self, worker: str, batch: tuple[int, ...], seconds: float) -> None:
        """A batch of a worker came back, after this time there."""
        held = self._under_way[worker]
        held.remove(batch)
        if not held:
            del self._under_way[worker]
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
        return [worker for worker in self._under_way if worker not in workers]

    def _takes_one(self, worker: str) -> bool:
        """Whether it is idle, or has short jobs under way that nobody died of."""
        held = self._under_way.get(worker, [])
        if not held:
            return True
        short = self._seconds_a_job is not None and self._seconds_a_job < _AHEAD_S
        suspected = self._suspects or any(self._deaths[number] for number in held[0])
        return len(held) == 1 and short and not suspected

    def _next(self) -> tuple[int, ...]:
        if self._suspects:
            return (self._suspects.popleft(),)
        return tuple(self._waiting.popleft() for _ in range(min(self._size(), len(self._waiting))))

    def _size(self) -> int:
        if self._alone or self._seconds_a_job is None:
            return 1
        return max(1, min(_MOST_JOBS, int(_BATCH_S / max(self._seconds_a_job, 1e-6))))

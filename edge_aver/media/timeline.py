"""Decoded pieces put onto the clock of a window: the nearest picture, and one unbroken signal."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["JITTER_S", "Moment", "lay_out", "nearest"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

JITTER_S = 0.02
"""Time stamps rounded to milliseconds are not gaps: a piece this close to the last one's end follows it."""


@dataclass(frozen=True, kw_only=True)
class Moment(Generic[T_co]):
    """Something that is presented from `time_s` for `duration_s` seconds."""

    time_s: float
    duration_s: float
    value: T_co

    @property
    def end_s(self) -> float:
        """When it stops being presented."""
        return self.time_s + self.duration_s


def nearest(moments: Iterable[Moment[T]], times_s: Sequence[float]) -> tuple[tuple[T | None, ...], float | None]:
    """For each time, what is presented nearest to it.

    Args:
        moments: in order of time; no more of them are taken than the last time needs.
        times_s: ascending.

    Returns:
        One value a time (None before the first moment, by more than its duration, and after the end of the last), and
        the end of the last moment taken (None if there was none).
    """
    picked: list[T | None] = []
    last: Moment[T] | None = None
    for moment in moments:
        while len(picked) < len(times_s) and times_s[len(picked)] <= moment.time_s:
            picked.append(_nearer(last, moment, times_s[len(picked)]))
        last = moment
        if len(picked) == len(times_s):
            break
    for time_s in times_s[len(picked) :]:
        picked.append(last.value if last and time_s <= last.end_s else None)
    return tuple(picked), last.end_s if last else None


def lay_out(
    pieces: Iterable[Moment[npt.NDArray[np.float32]]], *, rate_hz: int, start_s: float, samples: int
) -> tuple[npt.NDArray[np.float32], float | None]:
    """Join pieces of a signal where their times put them.

    Args:
        pieces: (n,) float32 each, in order of time; no more of them are taken than the window needs.
        rate_hz: samples a second.
        start_s: time of the first sample wanted.
        samples: how many are wanted.

    Returns:
        (samples,) float32 with silence wherever no piece lies, and the end of the last piece taken (None: no piece).
    """
    signal = np.zeros(samples, dtype=np.float32)
    end: int | None = None
    for piece in pieces:
        begin = round((piece.time_s - start_s) * rate_hz)
        if end is not None and abs(begin - end) <= JITTER_S * rate_hz:
            begin = end
        end = begin + len(piece.value)
        inside = slice(max(begin, 0), max(min(end, samples), 0))
        signal[inside] = piece.value[inside.start - begin :][: max(inside.stop - inside.start, 0)]
        if end >= samples:
            break
    return signal, None if end is None else start_s + end / rate_hz


def _nearer(last: Moment[T] | None, moment: Moment[T], time_s: float) -> T | None:
    until_s = moment.time_s - time_s
    if last is not None:
        return last.value if time_s - last.time_s <= until_s else moment.value
    return moment.value if until_s <= moment.duration_s else None

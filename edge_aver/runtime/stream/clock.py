"""The clocks of a stream: the one of this machine, and the stream's own, which starts at 0 and never jumps."""

import time
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Clock", "StreamClock", "SystemClock"]

_BACK_S = 1.0
"""Time stamps that go back by more than this have started anew ..."""

_AHEAD_S = 10.0
"""... and so have those that run ahead of this machine's clock by more than this."""

_TOGETHER_S = 1.0
"""Picture and sound that start anew do so at the same time, within this."""


class Clock(Protocol):
    """Time on this machine."""

    def now_s(self) -> float:
        """Seconds since any moment; it never goes back."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The clock of the system."""

    def now_s(self) -> float:
        """Seconds, monotonic."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


@dataclass(kw_only=True)
class _Track:
    stamp_s: float
    arrived_s: float
    offset_s: float

    @property
    def time_s(self) -> float:
        return self.stamp_s + self.offset_s


class StreamClock:
    """Puts time stamps of picture and sound on the stream's clock.

    A source that starts anew (a camera that was switched off and on, a stream that wraps around) goes on with other
    time stamps. They continue the old ones, as much later as they came later.

    Args:
        zero_s: time stamp at which the stream starts; None for the first that comes.
    """

    def __init__(self, zero_s: float | None = None) -> None:
        self._zero_s = zero_s
        self._tracks: dict[str, _Track] = {}
        self.jumps = 0

    def place(self, kind: str, stamp_s: float, arrived_s: float) -> float:
        """Time of something on the stream's clock.

        Args:
            kind: `picture` or `sound`.
            stamp_s: its time stamp.
            arrived_s: when it came, by this machine's clock.
        """
        if self._zero_s is None:
            self._zero_s = stamp_s
        last = self._tracks.get(kind)
        offset_s = -self._zero_s if last is None else last.offset_s
        if last is None and self._tracks:
            offset_s = next(iter(self._tracks.values())).offset_s
        elif last is not None and self._starts_anew(last, stamp_s, arrived_s):
            offset_s = self._continued(kind, last, stamp_s, arrived_s)
        self._tracks[kind] = _Track(stamp_s=stamp_s, arrived_s=arrived_s, offset_s=offset_s)
        return stamp_s + offset_s

    def peek(self, kind: str, stamp_s: float) -> float | None:
        """Time of something that is to come, if nothing starts anew; None before the first of its kind."""
        track = self._tracks.get(kind)
        return None if track is None else stamp_s + track.offset_s

    def _starts_anew(self, last: _Track, stamp_s: float, arrived_s: float) -> bool:
        advance_s = stamp_s - last.stamp_s
        return advance_s < -_BACK_S or advance_s - (arrived_s - last.arrived_s) > _AHEAD_S

    def _continued(self, kind: str, last: _Track, stamp_s: float, arrived_s: float) -> float:
        """The offset after a jump: the other track's if that has jumped already."""
        for other, track in self._tracks.items():
            if other != kind and abs(stamp_s + track.offset_s - track.time_s) <= _TOGETHER_S:
                return track.offset_s
        self.jumps += 1
        return last.time_s + max(0.0, arrived_s - last.arrived_s) - stamp_s

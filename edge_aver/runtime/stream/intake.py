"""What has come from a source and waits to be recognised: bounded, the oldest pictures go first."""

import threading
from collections import deque
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from edge_aver.media.picture import Picture
from edge_aver.media.slots import SlotGrid
from edge_aver.media.timeline import Moment
from edge_aver.runtime.stream.pictures import PATIENCE_S, PictureSampler, SlotPicture
from edge_aver.runtime.stream.sound import SoundTrack
from edge_aver.spec import Preprocessing

__all__ = ["MOST_PICTURES", "Intake", "SlotSound"]

MOST_PICTURES = 8
"""That wait at once: two seconds of them, and the memory that they hold."""

_MOST_SLOTS = 64
"""That wait with or without a picture; beyond, the oldest are forgotten."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SlotSound:
    """What a slot sounds like.

    Attributes:
        slot: its number.
        signal: (lead + samples,) float32 (see `SlotGrid`), silence where nothing came; None where nothing at all did.
        heard: share of the slot for which sound came.
        arrived_s: when the last of it came, by this machine's clock.
    """

    slot: int
    signal: npt.NDArray[np.float32] | None
    heard: float
    arrived_s: float


class Intake:
    """Between the thread that reads a source and the one that recognises.

    Args:
        constants: of the clip contract.
        grid: of the constants.
        has_sound: whether the source has a sound track.
        began_s: when it was opened, by this machine's clock.
    """

    def __init__(self, constants: Preprocessing, grid: SlotGrid, *, has_sound: bool, began_s: float) -> None:
        self._grid = grid
        self._has_sound = has_sound
        self._changed = threading.Condition()
        self._pictures = PictureSampler(grid)
        self._sound = SoundTrack(constants.sample_rate_hz)
        self._waiting: deque[SlotPicture] = deque(maxlen=_MOST_SLOTS)
        self._decided = 0
        self._next_sound = self._sound_to = 0
        self._sound_arrived: deque[tuple[int, float]] = deque(maxlen=_MOST_SLOTS)
        self._slots: int | None = None
        self._failure: BaseException | None = None
        self.arrived_s = began_s
        self.dropped = 0

    @property
    def pictures(self) -> PictureSampler:
        """Counts of the pictures."""
        return self._pictures

    @property
    def sound(self) -> SoundTrack:
        """Drift of the sound."""
        return self._sound

    @property
    def slots(self) -> int | None:
        """How many there are; None as long as the stream goes on."""
        return self._slots

    def add_picture(self, moment: Moment[Picture], arrived_s: float) -> None:
        """Take a decoded picture, at its time on the stream's clock."""
        with self._changed:
            self.arrived_s = arrived_s
            self._queue(self._pictures.add(moment, arrived_s))
            self._settle_sound(arrived_s)

    def add_sound(self, time_s: float, samples: npt.NDArray[np.float32], rate_hz: int, arrived_s: float) -> None:
        """Take a decoded piece of sound, (n,) float32 mono."""
        with self._changed:
            self.arrived_s = arrived_s
            self._sound.add(time_s, samples, rate_hz)
            self._queue(self._pictures.give_up(self._sound.end_s, arrived_s))
            self._settle_sound(arrived_s)

    def keep_alive(self, arrived_s: float) -> None:
        """Something came, if nothing that is decoded."""
        self.arrived_s = arrived_s

    def finish(self, arrived_s: float) -> None:
        """The stream has ended: what came is decided."""
        with self._changed:
            self._sound.finish()
            end_s = max(self._pictures.end_s, self._sound.end_s if self._has_sound else 0.0)
            # Half a sample: an end that is a slot's end up to rounding begins no other slot.
            slots = max(self._decided, int(np.ceil(end_s / self._grid.slot_s - 1e-4)))
            self._queue(self._pictures.finish(slots, arrived_s))
            self._slots = slots

    def fail(self, error: BaseException) -> None:
        """The reader cannot go on: whoever takes gets the error once all that came is taken."""
        self.finish(self.arrived_s)
        with self._changed:
            self._failure = error

    def take(self, timeout_s: float) -> SlotPicture | SlotSound | None:
        """The next picture, or else the next sound; None if none comes in time, or no more are to come.

        Raises:
            Exception: what the reader failed with, after the last of what it read.
        """
        with self._changed:
            for last in (False, True):
                if self._waiting:
                    return self._waiting.popleft()
                if (sound := self._ready_sound()) is not None:
                    return sound
                if self._slots is not None:
                    if self._failure is not None:
                        raise self._failure
                    return None
                if not last:
                    self._changed.wait(timeout_s)
            return None

    def _queue(self, decided: list[SlotPicture]) -> None:
        """Let them wait; where too many do, the oldest lose their pictures."""
        self._decided += len(decided)
        for shown in decided:
            if len(self._waiting) == _MOST_SLOTS:
                self.dropped += self._waiting[0].picture is not None
            self._waiting.append(shown)
        with_picture = [i for i, shown in enumerate(self._waiting) if shown.picture is not None]
        for i in with_picture[: max(0, len(with_picture) - MOST_PICTURES)]:
            self._waiting[i] = replace(self._waiting[i], picture=None, dropped=True)
            self.dropped += 1
        self._changed.notify()

    def _settle_sound(self, arrived_s: float) -> None:
        """Note which slots will get no more sound than they have, and what came last for them."""
        while self._is_settled(self._sound_to):
            self._sound_arrived.append((self._sound_to, arrived_s))
            self._sound_to += 1

    def _is_settled(self, slot: int) -> bool:
        """Without a track once its picture is decided; else if all came, or the pictures are too far ahead."""
        if not self._has_sound:
            return slot < self._decided
        overdue = self._pictures.time_s > (slot + 1) * self._grid.slot_s + PATIENCE_S
        return overdue or self._sound.end >= (slot + 1) * self._grid.samples

    def _ready_sound(self) -> SlotSound | None:
        """The next slot's, if it is settled or the stream has ended."""
        slot = self._next_sound
        if slot >= (self._sound_to if self._slots is None else self._slots):
            return None
        self._next_sound += 1
        while self._sound_arrived and self._sound_arrived[0][0] < slot:
            self._sound_arrived.popleft()
        settled = bool(self._sound_arrived) and self._sound_arrived[0][0] == slot
        start, stop = slot * self._grid.samples, (slot + 1) * self._grid.samples
        signal, _ = self._sound.read(start - self._grid.lead, stop)
        heard = self._sound.read(start, stop)[1]
        return SlotSound(
            slot=slot,
            signal=signal if heard else None,
            heard=heard,
            arrived_s=self._sound_arrived[0][1] if settled else self.arrived_s,
        )

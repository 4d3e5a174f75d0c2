"""For every slot of a stream the picture nearest to it in time, chosen as soon as no nearer one can come."""

from dataclasses import dataclass

from edge_aver.media.picture import Picture
from edge_aver.media.slots import SlotGrid
from edge_aver.media.timeline import Moment

__all__ = ["PATIENCE_S", "PictureSampler", "SlotPicture"]

PATIENCE_S = 0.96
"""How far sound may be ahead of the pictures, or these of it, before the other is given up: four slots."""

_ROUNDING_S = 1e-6
"""A picture at a slot's time decides it, though either is rounded."""


@dataclass(frozen=True, kw_only=True)
class SlotPicture:
    """What a slot shows.

    Attributes:
        slot: its number.
        picture: None where none came near enough, or it was dropped.
        arrived_s: when what decided it came, by this machine's clock.
        dropped: whether there was one, and nobody was free to look at it.
    """

    slot: int
    picture: Picture | None
    arrived_s: float
    dropped: bool = False


class PictureSampler:
    """Chooses pictures.

    The nearest in time is taken, as for a clip, but none that is further away than a slot is long (or than it is shown,
    if that is longer): a picture of long ago is none of now. A slot is decided by the first picture at or after its
    time, or by sound that is `PATIENCE_S` ahead. A picture that comes for a decided slot, or before one that was
    already seen, is late: counted, and not used.

    Args:
        grid: of the slots.
    """

    def __init__(self, grid: SlotGrid) -> None:
        self._grid = grid
        self._next = 0
        self._last: Moment[Picture] | None = None
        self._given_up_s = float("-inf")
        self.seen = 0
        self.late = 0

    @property
    def time_s(self) -> float:
        """Of the last picture; minus infinity before the first."""
        return self._last.time_s if self._last else float("-inf")

    @property
    def end_s(self) -> float:
        """When the last picture stops being shown; 0 before the first."""
        return self._last.end_s if self._last else 0.0

    def add(self, moment: Moment[Picture], arrived_s: float) -> list[SlotPicture]:
        """Take a picture; gives the slots that it decides."""
        self.seen += 1
        if moment.time_s <= self.time_s or moment.time_s < self._given_up_s:
            self.late += 1
            return []
        decided = []
        while self._grid.time_s(self._next) <= moment.time_s + _ROUNDING_S:
            decided.append(self._decide(self._nearer(self._grid.time_s(self._next), moment), arrived_s))
        self._last = moment
        return decided

    def give_up(self, time_s: float, arrived_s: float) -> list[SlotPicture]:
        """Decide the slots for which no picture came until sound of `time_s` did."""
        decided = []
        while self._grid.time_s(self._next) + PATIENCE_S < time_s:
            self._given_up_s = self._grid.time_s(self._next)
            decided.append(self._decide(self._within_reach(self._last, self._given_up_s), arrived_s))
        return decided

    def finish(self, slots: int, arrived_s: float) -> list[SlotPicture]:
        """Decide what is left of the first `slots`: the stream has ended."""
        decided = []
        while self._next < slots:
            last, time_s = self._last, self._grid.time_s(self._next)
            shown = last.value if last and time_s <= last.end_s else None
            decided.append(self._decide(shown, arrived_s))
        return decided

    def _decide(self, picture: Picture | None, arrived_s: float) -> SlotPicture:
        self._next += 1
        return SlotPicture(slot=self._next - 1, picture=picture, arrived_s=arrived_s)

    def _nearer(self, time_s: float, moment: Moment[Picture]) -> Picture | None:
        last = self._last
        if last is None:
            return moment.value if moment.time_s - time_s <= moment.duration_s else None
        earlier = time_s - last.time_s <= moment.time_s - time_s
        return self._within_reach(last if earlier else moment, time_s)

    def _within_reach(self, moment: Moment[Picture] | None, time_s: float) -> Picture | None:
        if moment is None:
            return None
        reach_s = max(self._grid.slot_s, moment.duration_s)
        return moment.value if abs(time_s - moment.time_s) <= reach_s else None

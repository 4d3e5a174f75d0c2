"""Which packets of a stream's pictures are decoded: not those that nothing needs, nor a backlog that only grows."""

from av.packet import Packet
from av.video.stream import VideoStream

from edge_aver.media.packets import VideoPacket, role_reader
from edge_aver.media.slots import SlotGrid

__all__ = ["Backlog", "PacketGate"]

_EVEN_FOR = 50
"""Pictures that have to come evenly before any is passed over: else the nearest to a time is not known beforehand."""

_UNEVEN = 0.1
"""Share of a picture's length by which even ones may differ."""

_BACKLOG_S = 2.0
_WAITED_S = 0.004


class PacketGate:
    """Passes over pictures that no other depends on and that are nearest to no slot (H.264 and HEVC).

    Only while pictures come evenly, one a duration: then the nearest to a time is at most half of one from it.

    Args:
        track: of the pictures.
        grid: of the slots.
    """

    def __init__(self, track: VideoStream, grid: SlotGrid) -> None:
        self._read_role = role_reader(track)
        self._grid = grid
        self._even = 0
        self._last_dts: int | None = None
        self.passed_over = 0

    def lets_in(self, packet: VideoPacket, time_s: float) -> bool:
        """Whether a packet is to be decoded.

        Args:
            packet: with its time stamps.
            time_s: of its picture, on the stream's clock.
        """
        self._watch(packet)
        if self._even < _EVEN_FOR or not packet.duration or packet.time_base is None:
            return True
        duration_s = float(packet.duration * packet.time_base)
        if abs(time_s % self._grid.slot_s - self._grid.slot_s / 2) <= 1.5 * duration_s or not self._may_go(packet):
            return True
        self.passed_over += 1
        return False

    def _watch(self, packet: VideoPacket) -> None:
        if packet.dts is None or not packet.duration:
            self._even = 0
            return
        step = None if self._last_dts is None else packet.dts - self._last_dts
        even = step is not None and abs(step - packet.duration) <= max(1, _UNEVEN * packet.duration)
        self._even = self._even + 1 if even else 0
        self._last_dts = packet.dts

    def _may_go(self, packet: VideoPacket) -> bool:
        if self._read_role is None:
            return False
        try:
            role = self._read_role(packet)
        except ValueError:
            role = None
        if role is None or role.layer > 0:  # laid out otherwise, or of layers that are not all known
            self._read_role = None
            return False
        return role.simple and not role.parameters and not role.referenced


class Backlog:
    """Notices that packets come faster than they are decoded, and skips to the next key picture then.

    What counts is how far the stream has fallen behind since reading last had to wait for it: a source that pauses, or
    whose clock is slow, has no backlog.
    """

    def __init__(self) -> None:
        self._behind_s: float | None = None
        self._skipping = False
        self.skipped = 0

    def skips(self, packet: "Packet[VideoStream]", time_s: float, now_s: float, waited_s: float) -> bool:
        """Whether a packet of the pictures goes unseen.

        Args:
            packet: that came.
            time_s: when it was due, by its time stamps.
            now_s: when it is looked at, by this machine's clock.
            waited_s: how long reading waited for it.
        """
        behind_s = now_s - time_s
        if self._behind_s is None or waited_s > _WAITED_S or behind_s < self._behind_s:
            self._behind_s = behind_s
        if behind_s - self._behind_s > _BACKLOG_S:
            self._skipping = True
        if self._skipping and packet.is_keyframe:
            self._skipping, self._behind_s = False, behind_s
        self.skipped += self._skipping
        return self._skipping

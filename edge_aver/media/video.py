"""The pictures of a track nearest to some times: as decoding all of it would give them, but less is decoded."""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from edge_aver.errors import ClipError
from edge_aver.media import container as media
from edge_aver.media.packets import VideoPacket, needed, role_reader
from edge_aver.media.timeline import Moment, T, nearest

__all__ = ["Picked", "Sampling", "pick_all", "pick_needed"]

Picked = tuple[tuple[VideoFrame | None, ...], float | None]
"""A frame for each time, and the end of the last picture that it took to choose them; see `timeline.nearest`."""

_REORDERED = 16
"""No picture is shown before more than so many that are decoded before it (ITU-T H.264, E.2.1; H.265, A.4.2)."""


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """What to take of a track.

    Attributes:
        track: whose decoder is set up.
        times_s: ascending, on the clip's clock.
        zero_s: of the clip's clock, on that of the track.
        source: how messages name the clip.
    """

    track: VideoStream
    times_s: Sequence[float]
    zero_s: float
    source: Path | bytes


def pick_all(sampling: Sampling, packets: Iterable[VideoPacket]) -> Picked:
    """Decode every picture up to the last time.

    Raises:
        ClipError: data that cannot be read or decoded.
    """
    frames = media.decoded_video(packets, sampling.source)
    # FFmpeg's decoder of H.264 guesses how far pictures are reordered, and gives some too early where it guesses wrong.
    held = _REORDERED if sampling.track.codec_context.name == "h264" else 0
    return nearest((_moment(sampling, frame, frame) for frame in _in_order(frames, held)), sampling.times_s)


def pick_needed(sampling: Sampling, packets: Iterable[VideoPacket]) -> Picked | None:
    """Pick the frames that `pick_all` would, and decode no more than they depend on.

    Damage to a picture that nothing picked depends on goes unseen.

    Args:
        sampling: what to take.
        packets: of the track in order of decoding; a few after the last time are read too.

    Returns:
        None where the packets do not tell what is needed, so that everything has to be decoded: another codec, a
        packet without a time or with that of another, interlaced pictures, damage, or a decoder that gives other
        times than the packets.
    """
    read_role = role_reader(sampling.track)
    if read_role is None:
        return None
    try:
        window = list(_window(sampling, packets))
        wanted = _wanted(sampling, window)
        parts = needed(window, [read_role(packet) for packet in window], wanted)
        frames = _decoded(sampling, parts, wanted)
    except (_UnusualError, ValueError, ClipError):
        return None
    return nearest([_moment(sampling, frame, frame) for frame in frames], sampling.times_s)


def _in_order(frames: Iterable[VideoFrame], held: int) -> Iterator[VideoFrame]:
    """Frames sorted by time, where none comes later than by `held`; what has come is given before an error is."""
    waiting: list[tuple[int, int, VideoFrame]] = []
    failure: ClipError | None = None
    try:
        for i, frame in enumerate(frames):
            heapq.heappush(waiting, (frame.pts or 0, i, frame))
            if len(waiting) > held:
                yield heapq.heappop(waiting)[-1]
    except ClipError as error:
        failure = error
    while waiting:
        yield heapq.heappop(waiting)[-1]
    if failure is not None:
        raise failure


class _UnusualError(Exception):
    """What keeps the packets from telling which pictures are needed."""


def _moment(sampling: Sampling, shown: "VideoFrame | VideoPacket", value: T) -> Moment[T]:
    """When a picture is shown, by itself or by its packet: the same arithmetic, so that both agree to the last bit."""
    base, rate = shown.time_base or Fraction(1), sampling.track.average_rate
    usual_s = 1 / float(rate) if rate else 0.04
    return Moment(
        time_s=float(shown.pts or 0) * base.numerator / base.denominator - sampling.zero_s,
        duration_s=float(shown.duration * base) if shown.duration else usual_s,
        value=value,
    )


def _window(sampling: Sampling, packets: Iterable[VideoPacket]) -> Iterator[VideoPacket]:
    """The packets up to the first after which no picture of the window can come."""
    after, seen = 0, set()
    for packet in packets:
        if not packet.size or after > _REORDERED:
            break
        if packet.pts is None or packet.pts in seen:
            raise _UnusualError("no time, or the same twice")
        if packet.is_corrupt or packet.has_sidedata("new_extradata"):
            raise _UnusualError("damaged, or decoded otherwise from here on")
        seen.add(packet.pts)
        if not packet.is_discard:
            after += _moment(sampling, packet, None).time_s >= sampling.times_s[-1]
        yield packet


def _wanted(sampling: Sampling, window: Sequence[VideoPacket]) -> set[int]:
    """Time stamps of the pictures nearest to the times, and of those that show that no other is nearer.

    Those are one at or before the first time, or else the first of all, and the first at or after the last time.
    """
    ordered = sorted((packet for packet in window if not packet.is_discard), key=_pts)
    taken: list[VideoPacket] = []

    def take() -> Iterator[Moment[VideoPacket]]:
        for packet in ordered:
            taken.append(packet)
            yield _moment(sampling, packet, packet)

    picked, _ = nearest(take(), sampling.times_s)
    if not taken:
        raise _UnusualError("no picture")
    keys = [packet for packet in taken if packet.is_keyframe]
    before = [packet for packet in keys if _moment(sampling, packet, None).time_s <= sampling.times_s[0]]
    first = before[-1] if before else taken[0]
    return {_pts(packet) for packet in (first, *picked, taken[-1]) if packet}


def _decoded(sampling: Sampling, packets: Sequence[VideoPacket], wanted: set[int]) -> list[VideoFrame]:
    """The wanted frames in order of time; the others are let go at once."""
    flush = cast("VideoPacket", Packet())
    flush.stream, flush.time_base = sampling.track, packets[0].time_base
    found: dict[int, VideoFrame] = {}
    for frame in media.decoded_video((*packets, flush), sampling.source):
        if frame.pts in wanted:
            if frame.interlaced_frame or frame.is_corrupt:
                raise _UnusualError("interlaced or damaged")
            found[frame.pts] = frame
        if len(found) == len(wanted):
            return [found[pts] for pts in sorted(found)]
    raise _UnusualError("a picture that the packets announce does not come")


def _pts(packet: VideoPacket) -> int:
    return packet.pts or 0

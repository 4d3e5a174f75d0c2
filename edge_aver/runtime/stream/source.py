"""What a stream is read from: a file at its own speed, or whatever FFmpeg opens that comes at its own."""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import av.error
from av.container import InputContainer
from av.packet import Packet

from edge_aver.errors import StreamError
from edge_aver.runtime.stream.clock import Clock

__all__ = ["Source", "at_real_speed", "known_source", "open_source", "packet_time_s"]

_AHEAD_S = 1.0
"""How far a file is read ahead: its packets do not lie in the order in which they are due."""

_MOST_AHEAD = 2_000
"""Packets that are read ahead at most."""

_LIVE_OPTIONS = {"analyzeduration": "1000000"}
"""FFmpeg looks at five seconds of a stream before it gives any of it, unless told otherwise (microseconds)."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A source.

    Attributes:
        name: as it was given.
        address: for FFmpeg.
        format: that FFmpeg cannot guess; None where it can.
        is_file: whether it has to be slowed down to its own speed, and is not opened again where it breaks off.
    """

    name: str
    address: str
    format: str | None = None
    is_file: bool = False


def known_source(name: str) -> Source:
    """What a name means: a file, a pipe (`-` for standard input), a camera of Linux, or an address for FFmpeg."""
    path = Path(name)
    if path.is_file():
        return Source(name=name, address=f"file:{name}", is_file=True)
    if name == "-":
        return Source(name="standard input", address="pipe:0")
    if path.is_fifo():
        return Source(name=name, address=f"file:{name}")
    if name.startswith("/dev/video"):
        return Source(name=name, address=name, format="v4l2")
    return Source(name=name, address=name)


def open_source(source: Source, timeout_s: float) -> InputContainer:
    """Open a source.

    Args:
        source: to open.
        timeout_s: how long opening, and later each reading, may take.

    Raises:
        StreamError: it cannot be opened.
    """
    try:
        return av.open(
            source.address,
            mode="r",
            format=source.format,
            options={} if source.is_file else _LIVE_OPTIONS,
            timeout=None if source.is_file else (timeout_s, timeout_s),
        )
    except av.error.ExitError as error:
        raise StreamError(f"{source.name}: cannot be opened: nothing came for {timeout_s:g} s") from error
    except (av.error.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise StreamError(f"{source.name}: cannot be opened: {reason}; give a file, or what FFmpeg opens") from error


def packet_time_s(packet: "Packet[Any]", *, is_picture: bool) -> float | None:
    """When a packet is there at the earliest in real time: a picture to be decoded, sound once it has ended."""
    stamp = packet.dts if is_picture else packet.pts
    if stamp is None or packet.time_base is None:
        return None
    return float((stamp + (0 if is_picture else packet.duration or 0)) * packet.time_base)


def at_real_speed(packets: "Iterable[Packet[Any]]", picture_track: int, clock: Clock) -> "Iterator[Packet[Any]]":
    """The packets of a file when they are due, the first at once; those of a track stay in order.

    Args:
        packets: of a file.
        picture_track: index of the track that has pictures; the others have sound.
        clock: to wait by.
    """
    waiting: list[tuple[float, int, Packet[Any]]] = []
    due_s: dict[int, float] = {}
    began_s: float | None = None
    for number, packet in enumerate(packets):
        track = packet.stream.index
        time_s = packet_time_s(packet, is_picture=track == picture_track) if packet.size else None
        last_s = due_s.get(track, float("-inf"))
        due_s[track] = last_s if time_s is None else max(last_s, time_s)
        heapq.heappush(waiting, (due_s[track], number, packet))
        ahead_s = max(due_s.values())
        if began_s is None and time_s is not None:
            began_s = clock.now_s() - time_s
        while waiting and (waiting[0][0] < ahead_s - _AHEAD_S or len(waiting) > _MOST_AHEAD):
            yield _when_due(heapq.heappop(waiting), began_s, clock)
    while waiting:
        yield _when_due(heapq.heappop(waiting), began_s, clock)


def _when_due(item: "tuple[float, int, Packet[Any]]", began_s: float | None, clock: Clock) -> "Packet[Any]":
    if began_s is not None and (wait_s := began_s + item[0] - clock.now_s()) > 0:
        clock.sleep(wait_s)
    return item[2]

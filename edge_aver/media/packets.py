"""Which compressed pictures of a track have to be decoded to see some of them (H.264 and HEVC)."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from av.packet import Packet
from av.video.stream import VideoStream

__all__ = ["Role", "VideoPacket", "needed", "role_reader"]

VideoPacket: TypeAlias = "Packet[VideoStream]"
"""As PyAV types it for tools; at run time it has one class for packets of every kind."""

_H264_SLICES = range(1, 6)
_H264_HARMLESS = {6, 9, 12}
"""Supplemental information, delimiter, filler: later pictures do not need them (ITU-T H.264, table 7-1)."""

_HEVC_SLICES = range(32)
_HEVC_UNREFERENCED = range(0, 16, 2)
"""Sub-layer non-reference pictures (ITU-T H.265, table 7-1)."""

_HEVC_IDR = {19, 20}
_HEVC_HARMLESS = {35, 38, 39, 40}
"""Delimiter, filler, supplemental information before and after."""

_HEADER_BYTES = 2
"""Of a unit: H.264 has one, and no unit here that ends with it."""


@dataclass(frozen=True, kw_only=True)
class Role:
    """What one compressed picture is to the others.

    Attributes:
        bare: holds pictures alone, and no parameters that later ones are decoded by.
        restart: no picture from here on depends on one before (an instantaneous decoder refresh).
        referenced: pictures of the same or a higher layer may depend on it.
        layer: temporal; no picture depends on one of a higher layer.
    """

    bare: bool
    restart: bool
    referenced: bool
    layer: int


def role_reader(track: VideoStream) -> Callable[[VideoPacket], Role] | None:
    """What tells the role of each packet of a track; None for codecs it does not know.

    The function raises ValueError for a packet that is not laid out as its codec and container have it.
    """
    readers: dict[str, tuple[Callable[[Sequence[bytes]], Role], int]] = {
        "h264": (_h264_role, 4),
        "hevc": (_hevc_role, 21),
    }
    if track.codec_context.name not in readers:
        return None
    role, at = readers[track.codec_context.name]
    extradata = track.codec_context.extradata or b""
    if len(extradata) <= at or extradata[0] != 1:
        return lambda packet: role(_headers_after_start_codes(bytes(packet)))
    length_bytes = (extradata[at] & 3) + 1
    return lambda packet: role(_headers_after_lengths(bytes(packet), length_bytes))


def needed(packets: Sequence[VideoPacket], roles: Sequence[Role], wanted: Collection[int]) -> list[VideoPacket]:
    """The packets that the wanted pictures need, themselves among them, in order of decoding.

    Args:
        packets: in order of decoding.
        roles: one a packet.
        wanted: presentation time stamps.
    """
    top = max(role.layer for role in roles)
    starts = [i for i, role in enumerate(roles) if role.restart and i > 0]
    kept: list[VideoPacket] = []
    for begin, end in zip([0, *starts], [*starts, len(packets)], strict=True):
        for i in range(begin, _last_needed(packets, roles, wanted, begin, end)):
            role = roles[i]
            if packets[i].pts in wanted or role.referenced or role.layer < top or not role.bare:
                kept.append(packets[i])
    return kept


def _last_needed(
    packets: Sequence[VideoPacket], roles: Sequence[Role], wanted: Collection[int], begin: int, end: int
) -> int:
    """Where a run of packets between two restarts may be cut off: after its last wanted picture."""
    last = max((i + 1 for i in range(begin, end) if packets[i].pts in wanted), default=begin)
    return last if all(role.bare for role in roles[last:end]) else end


def _h264_role(headers: Sequence[bytes]) -> Role:
    kinds = [header[0] & 31 for header in headers]
    slices = [header[0] for header in headers if header[0] & 31 in _H264_SLICES]
    return Role(
        bare=bool(slices) and all(kind in _H264_SLICES or kind in _H264_HARMLESS for kind in kinds),
        restart=bool(slices) and all(head & 31 == 5 for head in slices),
        referenced=any(head >> 5 & 3 for head in slices),
        layer=0,
    )


def _hevc_role(headers: Sequence[bytes]) -> Role:
    kinds = [header[0] >> 1 & 63 for header in headers]
    slices = [kind for kind in kinds if kind in _HEVC_SLICES]
    views = {(header[0] & 1) << 5 | header[1] >> 3 for header in headers}
    harmless = all(kind in _HEVC_SLICES or kind in _HEVC_HARMLESS for kind in kinds)
    return Role(
        bare=bool(slices) and views == {0} and harmless,
        restart=bool(slices) and views == {0} and all(kind in _HEVC_IDR for kind in slices),
        referenced=any(kind not in _HEVC_UNREFERENCED for kind in slices),
        layer=max((header[1] & 7) - 1 for header in headers),
    )


def _headers_after_lengths(data: bytes, length_bytes: int) -> list[bytes]:
    headers, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + length_bytes], "big")
        at += length_bytes
        if not _HEADER_BYTES <= size <= len(data) - at:
            msg = f"a unit of {size} bytes where {len(data) - at} are left"
            raise ValueError(msg)
        headers.append(data[at : at + _HEADER_BYTES])
        at += size
    return headers


def _headers_after_start_codes(data: bytes) -> list[bytes]:
    before, *units = data.split(b"\0\0\1")
    if before.strip(b"\0") or any(len(unit) < _HEADER_BYTES for unit in units):
        msg = "bytes that are no unit"
        raise ValueError(msg)
    return [unit[:_HEADER_BYTES] for unit in units]

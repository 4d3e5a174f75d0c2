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

_H264_PARAMETERS = {7, 8, 13, 15}

_HEVC_SLICES = range(32)
_HEVC_UNREFERENCED = range(0, 16, 2)
"""Sub-layer non-reference pictures (ITU-T H.265, table 7-1)."""

_HEVC_IDR = {19, 20}
_HEVC_HARMLESS = {35, 38, 39, 40}
"""Delimiter, filler, supplemental information before and after."""

_HEVC_PARAMETERS = {32, 33, 34}

_HEADER_BYTES = 2
"""Of a unit: H.264 has one, and no unit here that ends with it."""


@dataclass(frozen=True, kw_only=True)
class Role:
    """What one compressed picture is to the others.

    Attributes:
        simple: holds a picture, perhaps parameters, and nothing else that later pictures are decoded by.
        parameters: that it brings (the parameter sets of the standards, one after the other); empty for none.
        restart: no picture from here on depends on one before (an instantaneous decoder refresh).
        referenced: pictures of the same or a higher layer may depend on it.
        layer: temporal; no picture depends on one of a higher layer.
    """

    simple: bool
    parameters: bytes
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
        return lambda packet: role(_units_after_start_codes(bytes(packet)))
    length_bytes = (extradata[at] & 3) + 1
    return lambda packet: role(_units_after_lengths(bytes(packet), length_bytes))


def needed(packets: Sequence[VideoPacket], roles: Sequence[Role], wanted: Collection[int]) -> list[VideoPacket]:
    """The packets that the wanted pictures need, themselves among them, in order of decoding.

    Args:
        packets: in order of decoding.
        roles: one a packet.
        wanted: presentation time stamps.
    """
    top = max(role.layer for role in roles)
    passing = _passing(roles)
    starts = [i for i, role in enumerate(roles) if role.restart and i > 0]
    kept: list[VideoPacket] = []
    for begin, end in zip([0, *starts], [*starts, len(packets)], strict=True):
        last = max((i + 1 for i in range(begin, end) if packets[i].pts in wanted), default=begin)
        if not all(passing[last:end]):
            last = end
        for i in range(begin, last):
            dispensable = passing[i] and not roles[i].referenced and roles[i].layer == top
            if packets[i].pts in wanted or not dispensable:
                kept.append(packets[i])
    return kept


def _passing(roles: Sequence[Role]) -> list[bool]:
    """Which packets leave nothing behind but their pictures: parameters only such as every restart brings again."""
    again = len({role.parameters for role in roles if role.restart}) == 1
    return [role.simple and (not role.parameters or (role.restart and again)) for role in roles]


def _h264_role(units: Sequence[bytes]) -> Role:
    kinds = [unit[0] & 31 for unit in units]
    slices = [unit[0] for unit, kind in zip(units, kinds, strict=True) if kind in _H264_SLICES]
    known = {*_H264_SLICES, *_H264_HARMLESS, *_H264_PARAMETERS}
    return Role(
        simple=bool(slices) and known.issuperset(kinds),
        parameters=b"".join(unit for unit, kind in zip(units, kinds, strict=True) if kind in _H264_PARAMETERS),
        restart=bool(slices) and all(head & 31 == 5 for head in slices),
        referenced=any(head >> 5 & 3 for head in slices),
        layer=0,
    )


def _hevc_role(units: Sequence[bytes]) -> Role:
    kinds = [unit[0] >> 1 & 63 for unit in units]
    slices = [kind for kind in kinds if kind in _HEVC_SLICES]
    one_view = all((unit[0] & 1) << 5 | unit[1] >> 3 == 0 for unit in units)
    known = {*_HEVC_SLICES, *_HEVC_HARMLESS, *_HEVC_PARAMETERS}
    return Role(
        simple=bool(slices) and one_view and known.issuperset(kinds),
        parameters=b"".join(unit for unit, kind in zip(units, kinds, strict=True) if kind in _HEVC_PARAMETERS),
        restart=bool(slices) and one_view and all(kind in _HEVC_IDR for kind in slices),
        referenced=any(kind not in _HEVC_UNREFERENCED for kind in slices),
        layer=max(((unit[1] & 7) - 1 for unit in units), default=0),
    )


def _units_after_lengths(data: bytes, length_bytes: int) -> list[bytes]:
    units, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + length_bytes], "big")
        at += length_bytes
        if not _HEADER_BYTES <= size <= len(data) - at:
            msg = f"a unit of {size} bytes where {len(data) - at} are left"
            raise ValueError(msg)
        units.append(data[at : at + size])
        at += size
    return units


def _units_after_start_codes(data: bytes) -> list[bytes]:
    before, *units = data.split(b"\0\0\1")
    if before.strip(b"\0") or any(len(unit) < _HEADER_BYTES for unit in units):
        msg = "bytes that are no unit"
        raise ValueError(msg)
    return units

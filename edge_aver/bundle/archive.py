"""The container of a bundle: a zip of stored members in the one form that is written here, so that no byte is free."""

import os
import re
import stat
import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from edge_aver.errors import ArtifactError
from edge_aver.files import atomic_path

__all__ = ["Member", "Source", "check_name", "open_archive", "read_member", "write_archive"]

Source = bytes | Path
"""What a member holds: its bytes, or the file that has them."""

MAX_MEMBERS = 1_000
MAX_BYTES = (1 << 32) - 2
"""Of the whole file: what a zip without 64-bit fields can hold."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*(/[A-Za-z0-9_][A-Za-z0-9._+-]*){0,5}")
_MAX_NAME = 200

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_VERSION = 10
_MADE_BY = 3 << 8 | _VERSION
_DATE = 1 << 5 | 1
_ATTRIBUTES = (stat.S_IFREG | 0o644) << 16
"""Unix, a regular file that all may read, written on 1980-01-01: nothing of where or when it was made."""

_PIECE = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Member:
    """Where a member lies in the archive, as its headers say.

    Attributes:
        name: relative path with forward slashes.
        size: in bytes.
        crc: CRC-32.
        offset: of its first byte in the file.
    """

    name: str
    size: int
    crc: int
    offset: int


def check_name(name: str) -> None:
    """Refuse what could name a place outside a folder, or two places on some file system.

    Raises:
        ArtifactError: absolute, with `..`, a backslash, a hidden part, other than ASCII, too long or too deep.
    """
    if len(name) > _MAX_NAME or not _NAME.fullmatch(name):
        raise ArtifactError(
            f"a member is named {name[:80]!r}: not a plain relative path of letters, digits and ._+- "
            f"(at most {_MAX_NAME} characters)"
        )


def write_archive(path: Path, members: Mapping[str, Source]) -> None:
    """Write members in the given order, atomically; the same members give the same bytes, anywhere.

    They are stored: weights hardly compress, and what zlib makes of a file differs between its versions.

    Raises:
        ArtifactError: too many or too large for the format, or a name that no reader would take.
    """
    for name in members:
        check_name(name)
    total = sum(_size(source) + 200 + 2 * len(name) for name, source in members.items())
    if len(members) > MAX_MEMBERS or total > MAX_BYTES:
        raise ArtifactError(f"{path}: {len(members)} members of {total:,} bytes: a bundle holds {_LIMITS}")
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        written = [_write_member(file, name, source) for name, source in members.items()]
        start = file.tell()
        for member in written:
            file.write(_central(member))
        file.write(_end(len(written), start, file.tell() - start))


@contextmanager
def open_archive(path: Path) -> Iterator[tuple[BinaryIO, tuple[Member, ...]]]:
    """Open a bundle's container and check every byte of it that is not of a member's content.

    Nothing is unpacked and no size is believed: members lie one after the other without a gap, from the file's first
    byte to its directory, and all headers are exactly what `write_archive` would have written.

    Raises:
        ArtifactError: no such file, or not such a container; how it differs is told.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ArtifactError(f"{path}: not a file")
    except FileNotFoundError as error:
        raise ArtifactError(f"{path}: no such bundle; make one with edge-aver bundle") from error
    with path.open("rb") as file:
        try:
            members = _read_directory(file)
        except ArtifactError as error:
            raise ArtifactError(f"{path}: {error}") from error
        yield file, members


def read_member(file: BinaryIO, member: Member) -> Iterator[bytes]:
    """The content of a member, in pieces.

    Raises:
        ArtifactError: after the last piece: it is not what its checksum says, or the file ended early.
    """
    file.seek(member.offset)
    left, crc = member.size, 0
    while left:
        piece = file.read(min(left, _PIECE))
        if not piece:
            raise ArtifactError(f"{member.name}: truncated")
        left, crc = left - len(piece), zlib.crc32(piece, crc)
        yield piece
    if crc != member.crc:
        raise ArtifactError(f"{member.name}: damaged: its bytes do not have the checksum of its header")


_LIMITS = f"at most {MAX_MEMBERS:,} members and {MAX_BYTES / 1e9:.1f} GB"


def _size(source: Source) -> int:
    return source.stat().st_size if isinstance(source, Path) else len(source)


def _pieces(source: Source) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield source
        return
    with source.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece


def _write_member(file: BinaryIO, name: str, source: Source) -> Member:
    """Write the header once its checksum is known: the content comes first, the header is put before it."""
    begin = file.tell()
    offset = begin + _LOCAL.size + len(name)
    file.seek(offset)
    size = crc = 0
    for piece in _pieces(source):
        file.write(piece)
        size, crc = size + len(piece), zlib.crc32(piece, crc)
    member = Member(name=name, size=size, crc=crc, offset=offset)
    file.seek(begin)
    file.write(_local(member))
    file.seek(offset + size)
    return member


def _local(member: Member) -> bytes:
    name = member.name.encode()
    return _LOCAL.pack(b"PK\3\4", _VERSION, 0, 0, 0, _DATE, member.crc, member.size, member.size, len(name), 0) + name


def _central(member: Member) -> bytes:
    name = member.name.encode()
    sizes = (member.crc, member.size, member.size, len(name))
    head = (b"PK\1\2", _MADE_BY, _VERSION, 0, 0, 0, _DATE)
    begin = member.offset - _LOCAL.size - len(name)
    return _CENTRAL.pack(*head, *sizes, 0, 0, 0, 0, _ATTRIBUTES, begin) + name


def _end(count: int, start: int, size: int) -> bytes:
    return _END.pack(b"PK\5\6", 0, 0, count, count, size, start, 0)


def _read_directory(file: BinaryIO) -> tuple[Member, ...]:
    total = file.seek(0, os.SEEK_END)
    if total > MAX_BYTES:
        raise ArtifactError(f"{total:,} bytes: a bundle holds {_LIMITS}")
    count, start = _read_end(file, total)
    file.seek(start)
    directory = file.read(total - _END.size - start)
    members: list[Member] = []
    at = 0
    for _ in range(count):
        member, at = _read_central(directory, at)
        members.append(member)
    if at != len(directory):
        raise ArtifactError(f"{len(directory) - at} bytes too many in its directory")
    _check_names(members)
    _check_places(file, members, start)
    return tuple(members)


def _read_end(file: BinaryIO, total: int) -> tuple[int, int]:
    """Number of members, and where the directory begins; it must end where the file's last record begins."""
    file.seek(max(0, total - _END.size))
    end = file.read(_END.size)
    if len(end) != _END.size or not end.startswith(b"PK\5\6"):
        raise ArtifactError("not a bundle, truncated, or with something after its end; copy it again")
    _, _, _, _, count, size, start, _ = _END.unpack(end)
    if count > MAX_MEMBERS:
        raise ArtifactError(f"{count:,} members: a bundle holds {_LIMITS}")
    if end != _end(count, start, size) or start + size + _END.size != total:
        raise ArtifactError("its end record does not fit the file: truncated, or something was put before or into it")
    if size > count * (_CENTRAL.size + 5 * _MAX_NAME):
        raise ArtifactError(f"a directory of {size:,} bytes for {count} members")
    return count, start


def _read_central(directory: bytes, at: int) -> tuple[Member, int]:
    """One member as the directory describes it, and where the next description begins."""
    head = directory[at : at + _CENTRAL.size]
    if len(head) != _CENTRAL.size or not head.startswith(b"PK\1\2"):
        raise ArtifactError("its directory is damaged: fewer members than it counts")
    _, _, _, flags, method, _, _, crc, packed, size, length, _, _, _, _, attributes, begin = _CENTRAL.unpack(head)
    end = at + _CENTRAL.size + length
    name = directory[at + _CENTRAL.size : end].decode("ascii", errors="replace")
    check_name(name)
    kind = stat.S_IFMT(attributes >> 16)
    if kind not in (0, stat.S_IFREG):
        raise ArtifactError(f"{name}: a link, folder or device, where only files may be")
    if flags & 1 or method != 0 or packed != size:
        raise ArtifactError(f"{name}: compressed or encrypted ({packed:,} bytes for {size:,}); members are stored")
    member = Member(name=name, size=size, crc=crc, offset=begin + _LOCAL.size + length)
    if directory[at:end] != _central(member):
        raise ArtifactError(f"{name}: its entry in the directory is not as edge-aver writes it")
    return member, end


def _check_names(members: list[Member]) -> None:
    """No two that some file system would take for one, and no file that is a folder for another."""
    seen: set[str] = set()
    for name in (member.name.lower() for member in members):
        if name in seen:
            raise ArtifactError(f"{name}: more than one member has this name")
        seen.add(name)
    for name in seen:
        parts = name.split("/")
        if any("/".join(parts[:depth]) in seen for depth in range(1, len(parts))):
            raise ArtifactError(f"{name}: a part of its path is another member")


def _check_places(file: BinaryIO, members: list[Member], start: int) -> None:
    """Members one after the other, each behind the very header that its entry in the directory calls for."""
    at = 0
    for member in members:
        header = _local(member)
        if member.offset != at + len(header) or member.offset + member.size > start:
            raise ArtifactError(f"{member.name}: does not lie where the member before it ends, or reaches too far")
        file.seek(at)
        if file.read(len(header)) != header:
            raise ArtifactError(f"{member.name}: its header is not the one of its entry in the directory")
        at = member.offset + member.size
    if at != start:
        raise ArtifactError(f"{start - at:,} bytes between the last member and the directory")

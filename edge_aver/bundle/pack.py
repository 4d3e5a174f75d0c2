"""Writing and opening a bundle: the manifest vouches for every member, and a signature may vouch for the manifest."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from edge_aver import __version__
from edge_aver.bundle.archive import Member, Source, open_archive, read_member, write_archive
from edge_aver.bundle.artifact import FileEntry
from edge_aver.bundle.signature import SIGNATURE_BYTES, check_signature, key_fingerprint, sign
from edge_aver.declarations import parse
from edge_aver.errors import ArtifactError, DeclarationError
from edge_aver.files import json_text, sha256_bytes, sha256_file

__all__ = ["ARTIFACTS", "BUNDLE_SUFFIX", "Bundle", "Manifest", "is_bundle", "open_bundle", "write_bundle"]

BUNDLE_SUFFIX = ".aver"

ARTIFACTS = "artifacts"
"""Folder of a bundle that is like any folder of artifacts: with sidecars, and the detector beside them."""

_MANIFEST = "manifest.json"
_SIGNATURE = "manifest.sig"
_FORMAT = "edge-aver bundle"
_VERSION = 1
_MAX_MANIFEST_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a bundle says of itself.

    Attributes:
        artifacts: names in `ARTIFACTS`, the preferred one first.
        members: size and hash of every member but the manifest and its signature.
        edge_aver: version that wrote it.
        signed_by: SHA-256 of the raw public key that signed it; None where nobody did.
    """

    artifacts: tuple[str, ...]
    members: Mapping[str, FileEntry]
    edge_aver: str
    signed_by: str | None = None


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """An opened bundle; its container, manifest and signature have been checked, its members are as they are read.

    Attributes:
        path: of the file.
        manifest: what it says of itself.
        digest: SHA-256 of the manifest: the bundle's address by content.
        signature_checked: whether a key was given and the signature is that key's.
    """

    path: Path
    manifest: Manifest
    digest: str
    signature_checked: bool
    _file: BinaryIO
    _members: Mapping[str, Member]

    def check(self) -> None:
        """Read every member and hold it to its hash.

        Raises:
            ArtifactError: one is damaged.
        """
        for name in self.manifest.members:
            for _ in self._read(name):
                pass

    def extract(self, folder: Path) -> None:
        """Write every member below `folder`, which is empty, as each is held to its hash.

        Raises:
            ArtifactError: one is damaged; what was written up to then is not to be used.
        """
        for name in self.manifest.members:
            place = folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("xb") as file:
                for piece in self._read(name):
                    file.write(piece)

    def _read(self, name: str) -> Iterator[bytes]:
        digest = hashlib.sha256()
        try:
            for piece in read_member(self._file, self._members[name]):
                digest.update(piece)
                yield piece
        except ArtifactError as error:
            raise ArtifactError(f"{self.path}: {error}") from error
        if digest.hexdigest() != self.manifest.members[name].sha256:
            raise ArtifactError(f"{self.path}: {name}: not the file of the manifest (changed, or a wrong hash)")


def is_bundle(path: Path) -> bool:
    """Whether a path is named as bundles are."""
    return path.suffix == BUNDLE_SUFFIX


def write_bundle(
    path: Path, members: Mapping[str, Source], artifacts: tuple[str, ...], *, key: Path | None = None
) -> Manifest:
    """Write a bundle, whole or not at all; the same members and key give the same bytes.

    Args:
        path: of the file.
        members: by name.
        artifacts: names in `ARTIFACTS`, the preferred one first.
        key: private key to sign with.

    Raises:
        ArtifactError: a member's name or size is beyond the format, or the key cannot be used.
        MissingLibraryError: signing needs a library that is not installed.
    """
    manifest = Manifest(
        artifacts=artifacts,
        members={name: _entry(source) for name, source in sorted(members.items())},
        edge_aver=__version__,
        signed_by=None if key is None else key_fingerprint(key),
    )
    text = json_text(asdict(manifest) | {"format": _FORMAT, "format_version": _VERSION}).encode()
    if len(text) > _MAX_MANIFEST_BYTES:
        raise ArtifactError(f"{path}: {len(members)} members are too many for a manifest of 1 MB")
    head: dict[str, Source] = {_MANIFEST: text}
    if key is not None:
        head[_SIGNATURE] = sign(text, key)
    write_archive(path, head | dict(sorted(members.items())))
    return manifest


@contextmanager
def open_bundle(path: Path, *, key: Path | None = None) -> Iterator[Bundle]:
    """Open a bundle and check its container, its manifest and, with a key, who signed it; no content is read yet.

    Args:
        path: of the file.
        key: public key that must have signed it.

    Raises:
        ArtifactError: no bundle, damaged, hostile, of another format version, or not signed by the key.
        MissingLibraryError: a key was given, and the library that verifies is not installed.
    """
    with open_archive(path) as (file, members):
        named = {member.name: member for member in members}
        try:
            text = _head(file, named.get(_MANIFEST))
            manifest = _parse(text)
            _check_members(manifest, members)
            signature = _head(file, named[_SIGNATURE]) if manifest.signed_by else None
            if key is not None:
                _check_key(manifest, text, signature, key)
        except ArtifactError as error:
            raise ArtifactError(f"{path}: {error}") from error
        yield Bundle(
            path=path,
            manifest=manifest,
            digest=sha256_bytes(text),
            signature_checked=key is not None,
            _file=file,
            _members=named,
        )


def _entry(source: Source) -> FileEntry:
    if isinstance(source, bytes):
        return FileEntry(bytes=len(source), sha256=sha256_bytes(source))
    return FileEntry(bytes=source.stat().st_size, sha256=sha256_file(source))


def _head(file: BinaryIO, member: Member | None) -> bytes:
    if member is None:
        raise ArtifactError(f"no {_MANIFEST} in it: a zip, but no bundle")
    if member.size > _MAX_MANIFEST_BYTES:
        raise ArtifactError(f"{member.name}: {member.size:,} bytes, at most {_MAX_MANIFEST_BYTES:,}")
    return b"".join(read_member(file, member))


def _parse(text: bytes) -> Manifest:
    try:
        table = json.loads(text)
        if table["format"] != _FORMAT:
            raise ValueError(f"format {table['format']!r}")
        if table["format_version"] != _VERSION:
            raise ValueError(f"format_version {table['format_version']!r}, this edge-aver reads {_VERSION}")
        if json_text(table).encode() != text:
            raise ValueError("it is not written as edge-aver writes it")
        return _manifest(table)
    except (KeyError, TypeError, ValueError, RecursionError, DeclarationError) as error:
        raise ArtifactError(f"{_MANIFEST}: cannot be read ({error}); bundle it again, or update edge-aver") from error


def _manifest(table: dict[str, Any]) -> Manifest:
    del table["format"], table["format_version"]
    manifest = parse(Manifest, table, where="manifest")
    if not manifest.artifacts or any("/" in name for name in manifest.artifacts):
        raise ValueError("it names no artifacts")
    for name in manifest.artifacts:
        if f"{ARTIFACTS}/{name}.json" not in manifest.members:
            raise ValueError(f"artifact {name} has no sidecar")
    return manifest


def _check_members(manifest: Manifest, members: tuple[Member, ...]) -> None:
    """Every member is in the manifest, with its size, and in order; nothing else is there."""
    expected = [_MANIFEST, *([_SIGNATURE] if manifest.signed_by else []), *sorted(manifest.members)]
    there = [member.name for member in members]
    if strangers := sorted(set(there) - set(expected)):
        raise ArtifactError(f"{strangers[0]}: a member that is not in the manifest")
    if missing := sorted(set(expected) - set(there)):
        raise ArtifactError(f"{missing[0]}: missing")
    if there != expected:
        raise ArtifactError("its members are not in the order in which edge-aver writes them")
    for member in members:
        size = SIGNATURE_BYTES if member.name == _SIGNATURE else None
        if member.name in manifest.members:
            size = manifest.members[member.name].bytes
        if size not in (None, member.size):
            raise ArtifactError(f"{member.name}: {member.size:,} bytes, {size:,} expected")


def _check_key(manifest: Manifest, text: bytes, signature: bytes | None, key: Path) -> None:
    if signature is None:
        raise ArtifactError("not signed, and a key was given: get a signed bundle, or leave --key out")
    if check_signature(text, signature, key) != manifest.signed_by:
        raise ArtifactError("signed_by in its manifest is not the key that signed it")

"""A verified bundle's files in a private folder named by their content: made once, reused, safe among processes."""

import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge_aver.bundle.artifact import FileEntry
from edge_aver.bundle.pack import ARTIFACTS, Bundle, Manifest, open_bundle
from edge_aver.errors import ArtifactError
from edge_aver.files import sha256_file
from edge_aver.locks import scratch_folder, sweep

__all__ = ["Unpacked", "unpack"]

_ATTEMPTS = 5


@dataclass(frozen=True, kw_only=True)
class Unpacked:
    """Where a bundle's files lie.

    Attributes:
        folder: of all members; not to be written to.
        manifest: of the bundle.
        signature_checked: whether a key was given and the signature is that key's.
        temporary: whether `remove` removes the folder: there was no cache to keep it in.
    """

    folder: Path
    manifest: Manifest
    signature_checked: bool
    temporary: bool

    @property
    def artifacts(self) -> tuple[Path, ...]:
        """Paths of the artifacts, the preferred one first."""
        return tuple(self.folder / ARTIFACTS / name for name in self.manifest.artifacts)

    def remove(self) -> None:
        """Remove the folder if it is temporary; once is enough, more does no harm."""
        if self.temporary:
            shutil.rmtree(self.folder.parent, ignore_errors=True)


def unpack(path: Path, *, key: Path | None = None) -> Unpacked:
    """Check a bundle whole and give a folder with its files, each held to its hash.

    The folder lies in `$EDGE_AVER_CACHE`, else in `edge-aver` of `$XDG_CACHE_HOME` or `~/.cache`; where that cannot be
    written, or others may write to it, in a temporary folder of its own. It may be removed at any time.

    Args:
        path: of the bundle.
        key: public key that must have signed it.

    Raises:
        ArtifactError: no bundle, damaged, hostile, or not signed by the key; nothing of it is left on disk.
    """
    with open_bundle(path, key=key) as bundle:
        bundle.check()
        root = _private_root()
        temporary = root is None
        if root is None:
            root = Path(tempfile.mkdtemp(prefix="edge-aver-"))
        folder = _settle(bundle, root)
        return Unpacked(
            folder=folder,
            manifest=bundle.manifest,
            signature_checked=bundle.signature_checked,
            temporary=temporary,
        )


def _private_root() -> Path | None:
    """The cache's folder, made if need be; None where it cannot be written or is not ours alone to write."""
    try:
        root = _cache() / "bundles"
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        state = root.stat()
    except (OSError, RuntimeError):  # RuntimeError: there is no home
        return None
    ours = state.st_uid == os.geteuid() and not state.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return root if ours and os.access(root, os.W_OK | os.X_OK) else None


def _cache() -> Path:
    if own := os.environ.get("EDGE_AVER_CACHE"):
        return Path(own)
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "edge-aver"


def _settle(bundle: Bundle, root: Path) -> Path:
    """The folder of this content: the one that is there if it is whole, else a new one."""
    place = root / bundle.digest
    if _is_whole(place, bundle.manifest.members):
        return place
    sweep(root)
    with scratch_folder(root) as scratch:
        made = scratch / "made"
        made.mkdir()
        bundle.extract(made)
        for _ in range(_ATTEMPTS):
            try:
                made.rename(place)
                return place
            except OSError:  # one is there: of a process that was faster, or damaged
                if _is_whole(place, bundle.manifest.members):
                    return place
                _move_aside(place, Path(tempfile.mkdtemp(dir=scratch)) / "damaged")
        raise ArtifactError(f"{place}: cannot be put in place; remove it")


def _move_aside(place: Path, aside: Path) -> None:
    try:
        place.rename(aside)
    except FileNotFoundError:
        return


def _is_whole(place: Path, members: Mapping[str, FileEntry]) -> bool:
    """Whether a folder holds exactly these files, as files, with their hashes."""
    if place.is_symlink() or not place.is_dir():
        return False
    found = {
        item.relative_to(place).as_posix(): item for item in place.rglob("*") if item.is_symlink() or item.is_file()
    }
    if set(found) != set(members):
        return False
    try:
        return all(
            not item.is_symlink()
            and item.stat().st_size == members[name].bytes
            and sha256_file(item) == members[name].sha256
            for name, item in found.items()
        )
    except FileNotFoundError:  # being replaced by another process
        return False

"""Processes that keep out of each other's way: locks that the system takes back from a process however it ends."""

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_aver.console import say

try:
    import fcntl
except ImportError:  # Windows: no locks, and what was left behind is told by its age alone
    fcntl = None  # type: ignore[assignment]

__all__ = ["scratch_folder", "sweep", "turn"]

_PREFIX = ".writing-"
_STALE_S = 24 * 3600.0
"""Where no lock can tell whether a scratch folder is in use, it is left behind once nobody has touched it this long."""

_MARK = ".in-use"


@contextmanager
def turn(path: Path, doing: str) -> Iterator[None]:
    """Wait until no other process has the turn at `path`, and have it; a killed process has none.

    Where the system or the file system has no locks, nobody waits.

    Args:
        path: what is written; the lock is a hidden file beside it, which stays.
        doing: what this process does there, for the line that others see while they wait.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("a+", encoding="utf-8") as file:
        if not _lock(file.fileno()):
            file.seek(0)
            say(f"{path}: waiting for {file.read(200).strip() or 'another process'} to finish")
            _lock(file.fileno(), wait=True)
        file.truncate(0)
        file.write(f"{doing} (process {os.getpid()})")
        file.flush()
        yield


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """A new hidden folder in `parent`, removed afterwards; `sweep` leaves it alone as long as this process lives."""
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    try:
        with (folder / "mark").open("w") as mark:
            _lock(mark.fileno())
            (folder / "mark").rename(folder / _MARK)  # locked before anybody can find it
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(parent: Path) -> None:
    """Remove the scratch folders in `parent` of processes that are gone, and nobody else's."""
    for folder in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if _left_behind(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _left_behind(folder: Path) -> bool:
    old = time.time() - folder.stat().st_mtime > _STALE_S
    try:
        with (folder / _MARK).open("r+") as mark:
            return old if fcntl is None else _lock(mark.fileno())
    except FileNotFoundError:  # being made or removed, or its process died between the two
        return old


def _lock(descriptor: int, *, wait: bool = False) -> bool:
    """Whether the lock could be had; True where there are none."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True

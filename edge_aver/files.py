"""Writing that leaves the old file or the new one, never half of either."""

import contextlib
import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edge_aver.locks import scratch_folder

__all__ = [
    "atomic_directory",
    "atomic_path",
    "json_text",
    "put_in_place",
    "sha256_bytes",
    "sha256_file",
    "write_bytes",
    "write_text",
]


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; on a clean exit fsync it and rename it to `path`, else remove it.

    The temporary name keeps the suffix (libraries look at it) and starts with a dot, so that listings by pattern
    never meet a file that is being written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with scratch_folder(path.parent) as folder:
        temporary = folder / path.name
        yield temporary
        _sync(temporary)
        temporary.replace(path)
        _sync(path.parent)


@contextmanager
def atomic_directory(path: Path) -> Iterator[Path]:
    """As `atomic_path`, for a directory of files; an older directory at `path` is replaced as a whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with scratch_folder(path.parent) as folder:
        temporary = folder / path.name
        temporary.mkdir()
        yield temporary
        for member in (*temporary.rglob("*"), temporary):
            _sync(member)
        _replace_directory(temporary, path, folder)
        _sync(path.parent)


def put_in_place(temporary: Path, path: Path) -> None:
    """Fsync a file that another process wrote and rename it to `path`, in the same file system."""
    _sync(temporary)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary.replace(path)
    _sync(path.parent)


def write_bytes(path: Path, data: bytes | memoryview) -> None:
    """Write `data` to `path` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` atomically, as UTF-8."""
    write_bytes(path, text.encode())


def json_text(value: Any) -> str:
    """JSON with sorted keys and no NaN (`ValueError`): equal values give equal bytes."""
    return json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n"


def sha256_bytes(data: bytes | memoryview) -> str:
    """SHA-256 of `data`, as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits, read a piece at a time."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


_ATTEMPTS = 5
"""Another process may put its own directory there between two renames."""


def _replace_directory(new: Path, path: Path, scratch: Path) -> None:
    """Rename `new` to `path`; what stood there is moved aside first (no rename replaces it), and back on failure."""
    for attempt in range(_ATTEMPTS):
        aside = Path(tempfile.mkdtemp(dir=scratch)) / "replaced"
        with contextlib.suppress(FileNotFoundError):  # there is none, or another process was faster
            path.rename(aside)
        try:
            new.rename(path)
            return
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY) or attempt == _ATTEMPTS - 1:
                _put_back(aside, path)
                raise
        except BaseException:
            _put_back(aside, path)
            raise


def _put_back(aside: Path, path: Path) -> None:
    if aside.exists() and not path.exists():
        aside.rename(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

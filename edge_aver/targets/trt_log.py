"""What TensorRT says while it works: one logger a library, since a process keeps the first it is given."""

import functools
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["error_text", "logger", "recorded"]

_KEPT = 20
"""Errors kept for messages."""


@functools.cache
def logger(library: Any) -> Any:
    """The logger of `tensorrt` or `tensorrt_rtx`.

    Its `lines` are the last errors, oldest first; `record` is None, or a list that takes every message.
    """

    class Log(library.ILogger):  # type: ignore[misc]
        """Keeps the last errors, and everything while it is recorded."""

        def __init__(self) -> None:
            library.ILogger.__init__(self)
            self.lines: deque[str] = deque(maxlen=_KEPT)
            self.record: list[str] | None = None

        def log(self, severity: Any, message: str) -> None:
            """Called by the library, from any thread."""
            if self.record is not None:
                self.record.append(message)
            if severity in (library.ILogger.Severity.ERROR, library.ILogger.Severity.INTERNAL_ERROR):
                self.lines.append(message)

    return Log()


@contextmanager
def recorded(library: Any) -> Iterator[list[str]]:
    """Collect every message, and forget earlier errors; builds of one process take turns."""
    log = logger(library)
    log.lines.clear()
    log.record = []
    try:
        yield log.record
    finally:
        log.record = None


def error_text(library: Any) -> str:
    """The errors since the last `recorded`, in one line."""
    return " / ".join(logger(library).lines) or "it gives no reason"

"""A command that opens files of strangers runs in a child process: if a native library crashes, one line says so."""

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType

__all__ = ["contained"]

_PR_SET_PDEATHSIG = 1
"""Of prctl(2), Linux: the signal that a process gets when its parent dies."""

_FORWARDED = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


def contained(run: Callable[[], int], doing: str) -> int:
    """Run a command in a child of this process and give its exit status; 1 and one line if it dies of a signal.

    A decoder is C code that reads what anybody may have written. The child is a copy of this process, made before
    anything heavy is loaded: it costs a few milliseconds, and nothing while a clip is decoded. Where there is no fork
    (Windows), or threads run already, the command runs here.

    Args:
        run: the command.
        doing: how the line names it.
    """
    if not hasattr(os, "fork") or threading.active_count() > 1:
        return run()
    parent = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        _follow(parent)
        return run()
    return _wait(child, doing)


def _follow(parent: int) -> None:
    """In the child: signals come from the parent alone, once each, and its death ends this process too."""
    os.setpgid(0, 0)
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def _wait(child: int, doing: str) -> int:
    def forward(number: int, frame: FrameType | None) -> None:
        os.kill(child, number)

    before = {number: signal.signal(number, forward) for number in _FORWARDED}
    try:
        _, state = os.waitpid(child, 0)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    status = os.waitstatus_to_exitcode(state)
    if status >= 0:
        return status
    name = signal.Signals(-status).name
    why = "the system ran out of memory, or somebody killed it" if name == "SIGKILL" else "a library crashed on it"
    print(f"error: {doing}: died of {name}: {why}; the file is damaged, or means harm", file=sys.stderr)
    return 1

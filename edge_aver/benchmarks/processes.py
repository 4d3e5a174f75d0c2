"""One worker process, asked once: JSON in, JSON out, and whatever becomes of it told in words."""

import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from edge_aver.console import say

__all__ = ["WorkerFailure", "ask_process", "without_places"]

_LAST_WORDS_S = 5.0
"""How long a process that ended may keep its remarks open through one that it left behind."""


class WorkerFailure(Exception):
    """Why a process gave no answer: it took too long, was killed, or ended with a bug's traceback."""


def ask_process(
    command: Sequence[str], request: str, *, timeout_s: float, heard: Callable[[str], None] | None = None
) -> str:
    """Run a process to its end and give what it printed.

    Args:
        command: the process, in a session of its own, so that its own workers can be stopped with it.
        request: what it reads.
        timeout_s: after which it is stopped.
        heard: takes each line that it says on standard error, at once.

    Raises:
        WorkerFailure: it gave no answer; unless `heard` took them, its remarks were shown in full.
    """
    pipe = subprocess.PIPE
    with (
        _listening(heard) as (remarks, ear),
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=ear, text=True, start_new_session=True) as process,
    ):
        try:
            text, _ = process.communicate(request, timeout=timeout_s)
        except subprocess.TimeoutExpired as error:
            raise WorkerFailure(f"took longer than the suite's {timeout_s:g} s and was stopped") from error
        finally:
            # An interruption of this process must not leave that one behind.
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    if process.returncode:
        if heard is None and process.returncode > 0:
            say("\n".join(remarks))
        raise WorkerFailure(_death(process.returncode, remarks))
    return text


def without_places(reason: str) -> str:
    """A reason for a result, which names no place on the machine: of every absolute path the last part is kept."""
    return re.sub(r"(?<![\w.])/(?:[^\s/'\":]+/)+", "", reason)


@contextmanager
def _listening(heard: Callable[[str], None] | None) -> Iterator[tuple[list[str], int]]:
    """What a process writes to the descriptor given, by lines; complete on leaving."""
    reading, writing = os.pipe()
    lines: list[str] = []

    def listen() -> None:
        with os.fdopen(reading, encoding="utf-8", errors="replace") as file:
            for line in file:
                lines.append(line.rstrip())
                if heard is not None:
                    heard(lines[-1])

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        yield lines, writing
    finally:
        os.close(writing)
        listener.join(_LAST_WORDS_S)


def _death(status: int, remarks: Sequence[str]) -> str:
    if status < 0:
        name = signal.Signals(-status).name
        return f"the process was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
    last = next((line.strip() for line in reversed(remarks) if line.strip()), "no message")
    return f"the process ended with status {status}: {last}"

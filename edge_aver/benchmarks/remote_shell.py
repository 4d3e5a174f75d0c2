"""Commands on another machine, by the system's OpenSSH client; whatever goes wrong between is one clear line."""

import re
import shlex
import shutil
import subprocess
import threading
from collections import deque
from dataclasses import dataclass
from typing import IO

from edge_aver.console import say
from edge_aver.errors import MeasurementError

__all__ = ["DroppedError", "Host", "RemoteError", "run_script"]

_DEFAULTS = ("BatchMode=yes", "LogLevel=ERROR", "ConnectTimeout=15", "ServerAliveInterval=15", "ServerAliveCountMax=4")
_CONNECTION_FAILED = 255
_KEPT_LINES = 20

_GUARD = """exec 3<&0
{command} </dev/null 3<&- & work=$!
{{ read _ <&3; kill -TERM $work; }} >/dev/null 2>&1 & guard=$!
wait $work; status=$?
kill $guard 2>/dev/null
exit $status"""
"""A command that ends when the connection does, so that an interruption here leaves nothing running there."""

_DROPPED = r"closed by|reset by peer|Broken pipe|send disconnect|Timeout, server|Connection to \S+ closed"
_REASONS = (
    (r"Could not resolve hostname", "no such host: check the name, or what ~/.ssh/config says of it"),
    (r"Connection refused", "nothing listens for ssh there: is its ssh server running, and on this port?"),
    (
        r"IDENTIFICATION HAS CHANGED",
        "its host key is not the one known: if the device was installed anew, remove the old key with "
        "ssh-keygen -R {host}; else somebody may stand between",
    ),
    (r"Host key verification failed", "its host key is not known yet: run ssh {host} once and confirm it"),
    (r"Permission denied", "it takes no key of yours (passwords are not asked for): try ssh-copy-id {host}"),
    (r"timed out|No route to host|Network is unreachable", "it does not answer: is it switched on and reachable?"),
    (_DROPPED, "the connection dropped; run the command again, and what was copied is not copied twice"),
)


class RemoteError(MeasurementError):
    """A command on the device that failed; `status` is its exit status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class DroppedError(MeasurementError):
    """A connection that was lost half-way."""


@dataclass(frozen=True, kw_only=True)
class Host:
    """A device to reach.

    Attributes:
        destination: `user@device`, or a name of `~/.ssh/config`, whose settings hold.
        options: as of `ssh -o`; they go before the ones given here (no questions, a timeout, keep-alive).
        program: how `edge-aver` is called there; `~` and PATH are that machine's.
    """

    destination: str
    options: tuple[str, ...] = ()
    program: str = "edge-aver"

    def command(self, script: str) -> list[str]:
        """What to start here; the script goes to a POSIX shell whatever shell the user has there."""
        options = [part for option in (*self.options, *_DEFAULTS) for part in ("-o", option)]
        return ["ssh", "-T", *options, "--", self.destination, f"exec sh -c {shlex.quote(script)}"]


def run_script(host: Host, script: str, *, source: IO[bytes] | None = None, guarded: bool = False) -> str:
    """Run a script on the device and give its standard output.

    Args:
        host: where.
        script: POSIX shell; it starts in the user's home.
        source: an open file, sent from where it stands; the script reads it from its standard input.
        guarded: the script is one command that works for long: it is stopped with the connection, and what it says on
            standard error is told here as it comes.

    Raises:
        DroppedError: the connection was lost half-way.
        RemoteError: the script failed; its last words are told.
        MeasurementError: no connection; why, and what to do.
    """
    if shutil.which("ssh") is None:
        raise MeasurementError("ssh is not installed here: --host needs OpenSSH's client")
    command = host.command(_GUARD.format(command=script) if guarded else script)
    stdin = source if source is not None else subprocess.PIPE
    with subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        words: deque[str] = deque(maxlen=_KEPT_LINES)
        listener = threading.Thread(target=_listen, args=(process.stderr, words, guarded), daemon=True)
        listener.start()
        try:
            if process.stdin and not guarded:
                process.stdin.close()
            assert process.stdout is not None
            answer = process.stdout.read().decode(errors="replace")
            status = process.wait()
        finally:
            # An interruption here closes the connection, by which the guard there stops the work.
            process.kill()
            listener.join()
    if status:
        raise _failure(host, status, list(words))
    return answer


def _listen(stream: IO[bytes] | None, words: deque[str], aloud: bool) -> None:
    for line in stream or ():
        text = line.decode(errors="replace").rstrip()
        if text:
            words.append(text)
            if aloud and not text.startswith("error: "):
                say(f"there: {text}")


def _failure(host: Host, status: int, words: list[str]) -> MeasurementError:
    text = "\n".join(words)
    if status == _CONNECTION_FAILED:
        for pattern, reason in _REASONS:
            if re.search(pattern, text):
                message = f"{host.destination}: {reason.format(host=host.destination.rpartition('@')[2])}"
                return DroppedError(message) if pattern == _DROPPED else MeasurementError(message)
        if not words:
            return DroppedError(f"{host.destination}: {_REASONS[-1][1]}")
    last = words[-1].removeprefix("error: ") if words else f"exit status {status} and no message"
    return RemoteError(f"{host.destination}: {last}", status)

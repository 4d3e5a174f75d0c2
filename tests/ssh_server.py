"""A real OpenSSH server on loopback, as an ordinary process of the test, with keys of its own."""

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge_aver.benchmarks.remote_shell import Host

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server that runs; `home` is where its users start, whatever their real home is."""

    port: int
    home: Path
    folder: Path

    @property
    def options(self) -> tuple[str, ...]:
        """What the client needs to get in."""
        return (
            f"Port={self.port}",
            f"IdentityFile={self.folder / 'user_key'}",
            "IdentitiesOnly=yes",
            f"UserKnownHostsFile={self.folder / 'known_hosts'}",
            "GlobalKnownHostsFile=/dev/null",
        )

    def host(self, *options: str, program: str = "edge-aver") -> Host:
        return Host(destination=f"{getpass.getuser()}@127.0.0.1", options=(*options, *self.options), program=program)


@contextlib.contextmanager
def ssh_server(folder: Path):
    """Start a server; skips where there is none to start, or where it may not run."""
    if SSHD is None or shutil.which("ssh") is None:
        pytest.skip("no OpenSSH here: sshd is not installed (Debian: openssh-server)")
    if os.geteuid() == 0:
        # Where no service ever started it, sshd as root misses this folder and refuses to run.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    home = folder / "home"
    home.mkdir(parents=True)
    for name in ("host_key", "user_key"):
        keygen = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(folder / name))
        subprocess.run(keygen, check=True)
    shutil.copy(folder / "user_key.pub", folder / "authorized_keys")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    public = (folder / "host_key.pub").read_text()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {public}")
    configuration = folder / "sshd_config"
    configuration.write_text(
        f"""Port {port}
ListenAddress 127.0.0.1
HostKey {folder / "host_key"}
AuthorizedKeysFile {folder / "authorized_keys"}
PidFile {folder / "pid"}
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
ForceCommand cd {home} && eval "$SSH_ORIGINAL_COMMAND"
"""
    )
    log = (folder / "log").open("w")
    process = subprocess.Popen(
        [SSHD, "-D", "-e", "-f", configuration], stderr=log, stdout=log, stdin=subprocess.DEVNULL
    )
    try:
        _wait(process, port, folder / "log")
        yield Server(port=port, home=home, folder=folder)
    finally:
        process.terminate()
        process.wait()
        log.close()


def _wait(process, port: int, log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as talk:
            if talk.recv(4) == b"SSH-":
                return
        time.sleep(0.05)
    pytest.skip(f"sshd does not run here: {log.read_text().strip()[-300:]}")


@contextlib.contextmanager
def cutting_proxy(port: int, *, after_bytes: int, cuts: int):
    """A port that leads to `port`; its first `cuts` connections that carry more than `after_bytes` are cut there."""
    left = [cuts]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=_serve, args=(listener, port, after_bytes, left))
        server.start()
        try:
            yield listener.getsockname()[1]
        finally:
            # Closing alone does not wake a thread that waits in accept.
            listener.shutdown(socket.SHUT_RDWR)
            server.join()


def _serve(listener, port, after_bytes, left):
    talks = []
    with contextlib.suppress(OSError):
        while True:
            client, _ = listener.accept()
            talks.append(threading.Thread(target=_talk, args=(client, port, after_bytes, left)))
            talks[-1].start()
    for talk in talks:
        talk.join()


def _talk(client, port, after_bytes, left):
    with client, socket.create_connection(("127.0.0.1", port)) as server:
        back = threading.Thread(target=_pump, args=(server, client, None, left))
        back.start()
        _pump(client, server, after_bytes, left)
        back.join()


def _pump(source, sink, after_bytes, left):
    carried = 0
    with contextlib.suppress(OSError):
        while piece := source.recv(1 << 14):
            carried += len(piece)
            if after_bytes is not None and carried > after_bytes and left[0] > 0:
                left[0] -= 1
                break
            sink.sendall(piece)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)

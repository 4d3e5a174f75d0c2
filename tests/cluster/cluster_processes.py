"""A real scheduler and workers over TCP on this machine, each a process of its own."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def environment(*folders):
    """Of workers: the package, the tests' modules, and folders that go before both."""
    places = [*folders, ROOT, ROOT / "tests", ROOT / "tests" / "cluster"]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, places)),
        "DASK_DISTRIBUTED__WORKER__MEMORY__TERMINATE": "0",
        "OMP_NUM_THREADS": "1",
    }


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Cluster:
    """A scheduler; workers are added and killed by the test."""

    def __init__(self, folder):
        self.folder = folder
        self.address = f"tcp://127.0.0.1:{free_port()}"
        self.processes = []
        self._start("scheduler", "--host", self.address, "--no-dashboard")

    def add_worker(self, *folders, nanny=False):
        options = ["--no-dashboard", "--nthreads", "1", "--memory-limit", "0", "--death-timeout", "60"]
        options += ["--local-directory", str(self.folder)]
        return self._start("worker", self.address, *options, "--nanny" if nanny else "--no-nanny", folders=folders)

    def wait_for(self, workers):
        """Until so many workers have registered."""
        from distributed import Client

        deadline = time.monotonic() + 180
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), Client(self.address, timeout=5, set_as_default=False) as client:
                client.wait_for_workers(workers, timeout=120)
                return self
        raise TimeoutError(f"{workers} workers did not come")

    def kill(self, process):
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def close(self):
        for process in reversed(self.processes):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _start(self, what, *options, folders=()):
        with (self.folder / f"{what}-{len(self.processes)}.log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.dask_{what}", *options],
                env=environment(*folders),
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

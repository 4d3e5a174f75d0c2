"""Many cases through a few worker processes; a case that kills or hangs its worker is named, and the rest go on."""

import json
import os
import selectors
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from fuzz_cases import SEED

TIMEOUT_S = 120.0
"""By the clock, on a machine that does other things too; a case takes a tenth of a second."""

CPU_LIMIT_S = 20.0

_HERE = Path(__file__).parent


@dataclass
class Results:
    """Counts by outcome, what went wrong by index, and the most processor time that a case took."""

    outcomes: Counter[str] = field(default_factory=Counter)
    failures: dict[int, str] = field(default_factory=dict)
    slowest: tuple[float, int] = (0.0, -1)

    def add(self, index: int, answer: dict) -> None:
        self.outcomes[answer["outcome"]] += 1
        if answer["failure"]:
            self.failures[index] = answer["failure"]
        seconds = answer.get("cpu_s", 0.0)
        self.slowest = max(self.slowest, (seconds, index))
        if seconds > CPU_LIMIT_S:
            self.failures[index] = f"took {seconds:.0f} s of processor time"

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {name}" for name, count in self.outcomes.most_common())
        return f"{counts}; slowest {self.slowest[0]:.2f} s (case {self.slowest[1]})"


class Worker:
    """One worker process at a time; another takes its place when it dies."""

    def __init__(self, folder: Path, base: Path, seed: int, timeout_s: float = TIMEOUT_S) -> None:
        self._folder, self._base, self._seed, self._timeout_s = folder, base, seed, timeout_s
        for name in ("cwd", "home", "tmp", "place"):
            (folder / name).mkdir(parents=True)
        self._process: subprocess.Popen[str] | None = None

    def run(self, kind: str, index: int) -> dict:
        """The answer to one case, or why there is none."""
        process = self._process or self._start()
        try:
            process.stdin.write(json.dumps([kind, index]) + "\n")
            process.stdin.flush()
            line = self._answer(process)
        except BrokenPipeError:
            line = ""
        if line:
            return json.loads(line)
        return {"outcome": "failure", "failure": self._end(process, hung=line is None)}

    def close(self) -> None:
        if self._process is not None:
            self._process.stdin.close()
            self._process.wait(60)
            self._process.stdout.close()

    def _answer(self, process: subprocess.Popen[str]) -> str | None:
        """Its line; empty where it died, None where it takes too long."""
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            return process.stdout.readline() if selector.select(self._timeout_s) else None

    def _end(self, process: subprocess.Popen[str], *, hung: bool) -> str:
        if hung:
            process.kill()
        status = process.wait()
        self._process = None
        process.stdin.close()
        process.stdout.close()
        for name in ("cwd", "home", "tmp", "place"):
            subprocess.run(["rm", "-rf", str(self._folder / name)], check=True)
            (self._folder / name).mkdir()
        if hung:
            return f"no answer in {self._timeout_s:.0f} s"
        return f"the process died: {signal.Signals(-status).name if status < 0 else status}"

    def _start(self) -> subprocess.Popen[str]:
        folder = self._folder
        environment = {
            "HOME": str(folder / "home"),
            "TMPDIR": str(folder / "tmp"),
            "EDGE_AVER_CACHE": str(folder / "place" / "case" / "cache"),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(_HERE), str(_HERE.parent), str(_HERE.parent.parent)]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
            "COLUMNS": "200",
        }
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-X",
                "faulthandler",
                str(_HERE / "fuzz_worker.py"),
                str(folder),
                str(self._base),
                str(self._seed),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        self._process.stdout.readline()  # libraries are loaded, and the time of a case counts from here
        return self._process


def run_cases(
    kind: str, indices: Iterable[int], *, base: Path, folder: Path, workers: int, seed: int = SEED
) -> Results:
    """Run the cases of one kind, spread over worker processes."""
    results, waiting, lock = Results(), iter(indices), threading.Lock()

    def work(number: int) -> None:
        worker = Worker(folder / str(number), base, seed)
        while True:
            with lock:
                index = next(waiting, None)
            if index is None:
                break
            answer = worker.run(kind, index)
            with lock:
                results.add(index, answer)
        worker.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results

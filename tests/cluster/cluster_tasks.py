"""Jobs that workers of the tests do."""

import os
import time
from pathlib import Path


def nothing(job):
    return job


def note(job):
    """Leave a line for each start, take a while, and die where the job says so."""
    folder, name, seconds = job
    with (Path(folder) / "started").open("a") as file:
        file.write(f"{name} {os.getpid()}\n")
    time.sleep(seconds)
    if name.startswith("poison"):
        os._exit(7)
    return name


def divide(job):
    return 1 / job


def time_out(job):
    raise TimeoutError("of the task itself")


def span(seconds):
    began = time.time()
    time.sleep(seconds)
    return began, time.time()


def process(seconds):
    time.sleep(seconds)
    return os.getpid()

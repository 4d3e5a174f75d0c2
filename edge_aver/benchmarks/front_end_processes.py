"""Cases of the front end that watch other processes: a fresh `edge-aver run`, and workers that prepare clips."""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_aver.benchmarks.front_end_results import FreshRun, PrepareRun
from edge_aver.benchmarks.request import Request
from edge_aver.bundle import open_artifact
from edge_aver.corpora.ravdess import SourceClip
from edge_aver.errors import MeasurementError
from edge_aver.runtime import fast_plan
from edge_aver.spec import LABELS

__all__ = ["FreshAnswer", "ScalingAnswer", "run_fresh", "scale_prepare"]

_WORKERS = (1, 2)

_ACTORS = 24

_WATCHED = """
import json, os, sys
from edge_aver.cli import _run
status = _run(sys.argv[2:])
from edge_aver.benchmarks.machine import process_memory
memory = process_memory()
with os.fdopen(int(sys.argv[1]), "w") as out:
    modules = sorted({name.partition(".")[0] for name in sys.modules if not name.startswith("_")})
    json.dump({"peak_bytes": memory and memory.peak_bytes, "modules": modules}, out)
sys.exit(status)
"""
"""The command line as it is, followed by a few lines that tell what its process came to hold."""


@dataclass(frozen=True, kw_only=True)
class FreshAnswer:
    """One fresh process."""

    run: FreshRun


@dataclass(frozen=True, kw_only=True)
class ScalingAnswer:
    """Runs of `prepare`, in the order they were made."""

    runs: tuple[PrepareRun, ...]


def run_fresh(request: Request) -> FreshAnswer:
    """Time `edge-aver run CLIP --artifact A --json -` in a process of its own, from its start to its end.

    Raises:
        MeasurementError: no clip to run, or the command failed.
    """
    if not request.media:
        raise MeasurementError("no media file to measure on")
    clip = request.media[0]
    command = ["run", clip.path, "--artifact", request.artifact, "--json", "-"]
    if request.threads is not None:
        command += ["--threads", str(request.threads)]
    _watch(command)  # brings the files into the page cache
    wall_s, told = _watch(command)
    return FreshAnswer(
        run=FreshRun(id=clip.id, wall_s=wall_s, peak_bytes=told["peak_bytes"], modules=tuple(told["modules"]))
    )


def scale_prepare(request: Request) -> ScalingAnswer:
    """Prepare the same generated clips with one worker and with two, by turns, each time into an empty store."""
    # Imported here, so that processes that measure the memory of a network do not hold it.
    from edge_aver.corpora.prepare import prepare

    artifact = open_artifact(Path(request.artifact))
    plan = fast_plan(artifact.path.parent, artifact.runtime)
    runs = []
    with tempfile.TemporaryDirectory() as name:
        clips = _generate(Path(name), request.queries)
        for turn, workers in enumerate(_WORKERS * request.rounds):
            started = time.perf_counter()
            store = Path(name) / f"store-{turn}"
            prepare(clips, folder=store, corpus="synthetic", front_end=plan, workers=workers)
            runs.append(PrepareRun(workers=workers, clips=len(clips), wall_s=time.perf_counter() - started))
    return ScalingAnswer(runs=tuple(runs))


def _watch(command: list[str]) -> tuple[float, dict[str, Any]]:
    """Run the command line to its end; the seconds it took, and what its process told of itself."""
    reader, writer = os.pipe()
    started = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", _WATCHED, str(writer), *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        pass_fds=[writer],
        text=True,
    ) as process:
        os.close(writer)
        with os.fdopen(reader, encoding="utf-8") as answer:
            text = answer.read()
        _, remarks = process.communicate()
    wall_s = time.perf_counter() - started
    if process.returncode:
        last = (remarks.strip().splitlines() or ["no message"])[-1]
        raise MeasurementError(f"edge-aver run ended with status {process.returncode}: {last}")
    told: dict[str, Any] = json.loads(text)
    return wall_s, told


def _generate(folder: Path, count: int) -> list[SourceClip]:
    """Generated clips of 960 by 720 pixels, each of another performance."""
    from edge_aver.corpora.synthetic import write_clip

    clips = []
    for index in range(count):
        actor, label = 1 + index % _ACTORS, index % len(LABELS)
        path = folder / f"clip-{index:04d}.mp4"
        write_clip(path, actor=actor, emotion=label, repetition=1 + index // _ACTORS % 2, enlarge=3)
        clips.append(SourceClip(id=path.stem, label=label, actor=actor, path=path))
    return clips

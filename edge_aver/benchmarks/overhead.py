"""What edge-aver adds to its runtime library: beside a bare loop in one process, and beside the library's own tool."""

import importlib.metadata
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_aver import runtime
from edge_aver.benchmarks.feeds import Feed, feeds_of
from edge_aver.benchmarks.request import Request
from edge_aver.benchmarks.runs import OverheadRun, ToolRun
from edge_aver.bundle import Artifact, open_artifact
from edge_aver.errors import MeasurementError

__all__ = ["OverheadAnswer", "ToolAnswer", "measure_overhead", "measure_with_tool"]

_TURN = 2
"""Queries of each turn that count. One before them does not: threads of the other side may still wind down."""

Ask = Callable[[Feed], Any]


@dataclass(frozen=True, kw_only=True)
class OverheadAnswer:
    """What one process measured; or why there is nothing to compare with."""

    overhead: OverheadRun | None = None
    not_measured: str | None = None


@dataclass(frozen=True, kw_only=True)
class ToolAnswer:
    """What the library's own program told; or why it could not be asked."""

    tool: ToolRun | None = None
    not_measured: str | None = None


def measure_overhead(request: Request) -> OverheadAnswer:
    """Ask the same file about the same clips by turns, in seeded random order, ours and bare."""
    artifact = open_artifact(Path(request.artifact))
    if artifact.runtime not in _BARE:
        return OverheadAnswer(not_measured=f"no bare loop over {artifact.runtime} to compare with")
    _, clips = feeds_of(request)
    name, bare = _BARE[artifact.runtime]
    seconds: dict[str, list[float]] = {"ours": [], "bare": []}
    chance = random.Random(request.seed)
    with runtime.load(request.artifact, threads=request.threads) as model, bare(artifact.path, request.threads) as ask:
        sides: dict[str, Ask] = {"ours": lambda feed: model.predict_tensors(*feed), "bare": ask}
        for number in range(request.warmup_queries + request.queries):
            for side in chance.sample(sorted(sides), 2):
                turn = [_timed(sides[side], clips[(number + step) % len(clips)]) for step in range(1 + _TURN)]
                if number >= request.warmup_queries:
                    seconds[side] += turn[1:]
    run = OverheadRun(other=name, ours_s=tuple(seconds["ours"]), other_s=tuple(seconds["bare"]))
    return OverheadAnswer(overhead=run)


def measure_with_tool(request: Request) -> ToolAnswer:
    """Ask OpenVINO's benchmark_app about the same file and clips, at the same precision and with as many threads.

    Raises:
        MeasurementError: it failed.
    """
    artifact = open_artifact(Path(request.artifact))
    program = _program("benchmark_app")
    if artifact.runtime != "openvino" or program is None:
        reason = "benchmark_app is not installed" if artifact.runtime == "openvino" else f"none for {artifact.runtime}"
        return ToolAnswer(not_measured=f"a benchmark program of the library: {reason}")
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.json"
        # Threads stand there too: as an option the program takes them only without a hint.
        threads = {} if request.threads is None else {"INFERENCE_NUM_THREADS": str(request.threads)}
        properties = {"CPU": {"DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"} | threads}
        config.write_text(json.dumps(properties), encoding="utf-8")
        command = [program, "-m", str(artifact.path / "model.xml"), "-load_config", str(config), *_SYNCHRONOUS]
        shapes = ((item.name, ",".join(map(str, (1, *item.shape[1:])))) for item in artifact.spec.inputs)
        command += ["-data_shape", ",".join(f"{name}[{row}]" for name, row in shapes), "-niter", str(request.queries)]
        # Clip after clip as ours, where it would else fill one with noise and ask that alone.
        command += ["-i", *_clip_files(request, artifact, Path(folder)), "-inference_only", "false"]
        command += ["-json_stats", "-report_type", "no_counters", "-report_folder", folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        report = Path(folder) / "benchmark_report.json"
        if done.returncode or not report.is_file():
            last = ([line for line in (done.stdout + done.stderr).splitlines() if line.strip()] or ["no message"])[-1]
            raise MeasurementError(f"benchmark_app ended with status {done.returncode}: {last}")
        results = json.loads(report.read_text(encoding="utf-8"))["execution_results"]
    version = importlib.metadata.version("openvino")
    run = ToolRun(
        tool=f"benchmark_app {version}",
        latency_s=(float(results["latency (ms)"]) / 1e3,),
        queries=int(results["total number of iterations"]),
    )
    return ToolAnswer(tool=run)


def _timed(ask: Ask, feed: Feed) -> float:
    started = time.perf_counter()
    ask(feed)
    return time.perf_counter() - started


def _clip_files(request: Request, artifact: Artifact, folder: Path) -> Iterator[str]:
    """Each input's name with a file for every clip, as benchmark_app takes them."""
    _, clips = feeds_of(request)
    for item in artifact.spec.inputs:
        paths = [folder / f"{item.name}-{number}.npy" for number in range(len(clips))]
        for path, clip in zip(paths, clips, strict=True):
            np.save(path, clip[_PLACES.index(item.name)])
        yield f"{item.name}:{','.join(map(str, paths))}"


def _program(name: str) -> str | None:
    """Beside the interpreter, where an environment that is not active has it; else on the PATH."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.is_file() else shutil.which(name)


@contextmanager
def _bare_onnxruntime(path: Path, threads: int | None) -> Iterator[Ask]:
    """As the library's first example, with its defaults; 8-bit products as exact as ours, else it computes less."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.x64quantprecision", "1")
    if threads is not None:
        options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [item.name for item in session.get_inputs()]
    yield lambda feed: session.run(None, {name: feed[_PLACES.index(name)] for name in names})


@contextmanager
def _bare_openvino(path: Path, threads: int | None) -> Iterator[Ask]:
    """One request of a model compiled for latency, inputs shared; the precision that the file says, as ours."""
    import openvino

    config: dict[str, Any] = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
    }
    if threads is not None:
        config["INFERENCE_NUM_THREADS"] = threads
    compiled = openvino.Core().compile_model(path / "model.xml", "CPU", config)
    request, names = compiled.create_infer_request(), [item.any_name for item in compiled.inputs]
    yield lambda feed: request.infer({name: feed[_PLACES.index(name)] for name in names}, share_inputs=True)


_BARE: Mapping[str, tuple[str, Any]] = {
    "onnxruntime": ("bare onnxruntime session.run", _bare_onnxruntime),
    "openvino": ("bare openvino request.infer", _bare_openvino),
}

_PLACES = ("faces", "audio")
"""What stands where in a `Feed`."""

_SYNCHRONOUS = ("-d", "CPU", "-hint", "latency", "-api", "sync", "-infer_precision", "CPU:f32")

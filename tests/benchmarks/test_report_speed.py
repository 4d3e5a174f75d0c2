"""How long fifty results take from their files to an open page, in units of what reading them as plain JSON takes."""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from browser import chromium

from edge_aver.benchmarks.results import ConditionPredictions, Result, write_result
from edge_aver.benchmarks.suites import load_suite

YARDSTICK = """
import json, pathlib, sys
for _ in range(8):
    for name in sys.argv[1:]:
        json.loads(pathlib.Path(name).read_text(encoding="utf-8"))
"""
"""Its processor time is the unit; 0.54 s on the machine that the limit was set on."""

MOST = 3.7
"""Units that the whole command and the browser may take together, which were 2 s there."""


@pytest.fixture
def fifty(make_result: Callable[..., Result], five_folds: Callable[..., list[Result]], tmp_path: Path) -> list[Path]:
    """Two precisions on five folds, five targets and machines, as suite `full` leaves them: 13 MB."""
    places = [(f"{runtime}-cpu", cpu) for runtime in ("openvino", "onnxruntime") for cpu in ("One", "Another")]
    paths = []
    for number, (target, cpu) in enumerate([*places, ("jetson-orin-nano", "Third")]):
        for precision, scale in (("fp32", 2.0), ("int8", 1.0)):
            (run, _) = make_result(precision, target, scale=scale).network
            # Its 32 queries are asked four times over in each of 8 processes.
            runs = (replace(run, latency_s=run.latency_s * 4),) * 8
            for result in five_folds(precision):
                masked = tuple(
                    ConditionPredictions(name=n, predictions=result.predictions) for n in ("audio", "visual")
                )
                fields: dict[str, Any] = {
                    "artifact": replace(result.artifact, target=target),
                    "machine": replace(result.machine, cpu=cpu),
                    "suite": load_suite("full"),
                    "network": runs,
                    "conditions": masked,
                    "end_to_end": result.end_to_end * 6,
                }
                folder = tmp_path / str(number) / str(result.spec.fold)
                paths.append(write_result(replace(result, **fields), folder))
    return paths


def _seconds(command: list[str]) -> tuple[float, float]:
    """Processor time and wall time of a command."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=os.environ | {"PYTHONHASHSEED": "0"})
    wall_s, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall_s


@pytest.mark.slow
def test_fifty_results_are_read_rendered_and_opened_in_little_time(fifty: list[Path], tmp_path: Path) -> None:
    """By turns, the best of three: other work on the machine slows both down and never speeds one up."""
    page = tmp_path / "fifty.html"
    files = [str(path) for path in fifty]
    commands = {
        "yardstick": [sys.executable, "-c", YARDSTICK, *files],
        "report": [sys.executable, "-m", "edge_aver", "report", *files, "-o", str(page)],
    }
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    opened = []
    with chromium(tmp_path / "profile") as tab:
        for _ in range(3):
            for name, command in commands.items():
                taken[name].append(_seconds(command))
            started = time.perf_counter()
            tab.open(page, width=1280)
            assert tab.ask("document.querySelectorAll('tbody tr').length") > 50
            opened.append(time.perf_counter() - started)
    best = {name: tuple(map(min, zip(*values, strict=True))) for name, values in taken.items()}
    unit = best["yardstick"][0]
    told = json.dumps({"seconds": best, "opened_s": min(opened), "page_bytes": page.stat().st_size}, indent=1)
    print(told)
    assert best["report"][0] + min(opened) <= MOST * unit, told

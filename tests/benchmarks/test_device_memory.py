"""Memory on a GPU: read after the queries, told of what runs there, and never a figure where none was measured."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from edge_aver.benchmarks import machine, worker
from edge_aver.benchmarks.report import write_report
from edge_aver.benchmarks.request import Request
from edge_aver.benchmarks.results import Result, read_result, write_result
from edge_aver.benchmarks.summary import summarize
from edge_aver.benchmarks.tables import result_table
from edge_aver.bundle import Artifact
from edge_aver.errors import TargetError
from edge_aver.runtime import Model
from edge_aver.targets.cuda import CudaDevice


def on(runtime: str, result: Result, *device_bytes: int | None) -> Result:
    """The result as if it had been measured in another runtime, a process for each figure."""
    runs = tuple(dataclasses.replace(result.network[0], device_memory_bytes=value) for value in device_bytes)
    artifact = dataclasses.replace(result.artifact, runtime=runtime, target=f"{runtime}-device")
    return dataclasses.replace(result, artifact=artifact, network=runs or result.network)


def shown(result: Result) -> str:
    console = Console(width=160)
    with console.capture() as capture:
        console.print(result_table([summarize(result)]))
    return capture.get()


def test_the_largest_of_all_processes_is_told(make_result: Callable[..., Result], tmp_path: Path) -> None:
    result = read_result(write_result(on("tensorrt-rtx", make_result(), 48_500_000, 51_200_000), tmp_path))
    assert summarize(result).device_memory_bytes == 51_200_000
    assert "device memory 51.2 MB" in shown(result)


def test_a_gpu_that_told_nothing_is_not_measured(make_result: Callable[..., Result]) -> None:
    assert "device memory not measured" in shown(on("onnxruntime-cuda", make_result(), None))


def test_a_cpu_has_no_device_memory(make_result: Callable[..., Result]) -> None:
    assert "device memory" not in shown(make_result())


def test_the_report_has_a_column_where_one_ran_on_a_gpu(make_result: Callable[..., Result], tmp_path: Path) -> None:
    pytest.importorskip("jinja2", reason="needs the extra report")
    there, here = on("tensorrt-rtx", make_result(), 51_200_000), make_result()
    both, alone = tmp_path / "both.html", tmp_path / "alone.html"
    write_report([here, there], both)
    write_report([here], alone)
    assert "<span>Device memory</span>" in both.read_text()
    assert ">51.2</td>" in both.read_text()
    assert ">none</td>" in both.read_text()
    assert "Device memory" not in alone.read_text()


def test_a_worker_asks_for_it_after_the_queries(tiny: tuple[Artifact, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    artifact, store = tiny
    request = Request(
        case="network",
        artifact=str(artifact.path),
        store=str(store),
        seed=1,
        queries=2,
        warmup_queries=1,
        min_duration_s=0.0,
        threads=1,
    )
    answer = worker.perform(request)
    assert isinstance(answer, worker.NetworkAnswer)
    assert answer.run.device_memory_bytes is None
    asked: list[int] = []
    predict = Model.predict_tensors
    monkeypatch.setattr(Model, "predict_tensors", lambda *given: asked.append(1) or predict(*given))
    monkeypatch.setattr(Model, "device_memory_bytes", property(lambda self: 1000 + len(asked)))
    answer = worker.perform(request)
    assert isinstance(answer, worker.NetworkAnswer)
    # After a first query, one that warms up, and two that count.
    assert answer.run.device_memory_bytes == 1004


def test_a_machine_tells_its_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    device = CudaDevice(name="Stand-in", capability=(8, 9), memory_bytes=1, driver_cuda=(13, 0))
    monkeypatch.setattr(machine, "cuda_device", lambda: device)
    assert machine.describe_machine().gpu == "Stand-in, compute capability 8.9, CUDA 13.0"

    def none() -> CudaDevice:
        raise TargetError("no driver")

    monkeypatch.setattr(machine, "cuda_device", none)
    assert machine.describe_machine().gpu is None

from collections.abc import Callable
from dataclasses import replace

from edge_aver.benchmarks.machine import ProcessMemory
from edge_aver.benchmarks.memory import memory_of
from edge_aver.benchmarks.results import Result
from edge_aver.bundle import FileEntry


def _held(resident: int, peak: int, pss: int | None = None) -> ProcessMemory:
    return ProcessMemory(resident_bytes=resident, peak_bytes=peak, pss_bytes=pss)


def test_each_part_is_told_by_itself(make_result: Callable[..., Result]) -> None:
    result = make_result()
    run = replace(
        result.network[0],
        before_load=_held(60, 60),
        with_library=_held(100, 100),
        after_load=_held(180, 230),
        after_queries=_held(200, 260, 190),
        inference_peak_bytes=260,
        device_memory_bytes=7,
    )
    table = memory_of(replace(result, network=(run, replace(run, inference_peak_bytes=250))))
    assert (table.library_bytes, table.weights_bytes, table.activations_bytes) == (40, 80, 80)
    assert (table.peak_bytes, table.pss_bytes, table.device_bytes) == (260, 190, 7)
    assert (table.parameters_paper, table.parameters_deployed) == (14_950_000, 13_660_000)
    assert table.file_bytes == 14_200_000


def test_what_an_older_result_cannot_tell_is_none(make_result: Callable[..., Result]) -> None:
    table = memory_of(make_result())
    assert (table.library_bytes, table.weights_bytes, table.activations_bytes) == (None, None, None)
    assert (table.pss_bytes, table.device_bytes, table.peak_bytes) == (None, None, 251_000_000)
    assert memory_of(make_result(network=())).peak_bytes is None


def test_files_are_held_to_the_budget_of_the_device(make_result: Callable[..., Result]) -> None:
    result = make_result()
    budget = memory_of(result).budget
    assert budget is not None
    assert (budget.limit_bytes, budget.fits) == (150e6, True)
    artifact = replace(result.artifact, files={"model.bin": FileEntry(bytes=150_000_001, sha256="ab" * 32)})
    large = memory_of(replace(result, artifact=artifact)).budget
    assert large is not None
    assert not large.fits
    unlimited = replace(result, artifact=replace(result.artifact, target="rtx-4090"))
    assert memory_of(unlimited).budget is None
    assert memory_of(replace(result, artifact=replace(result.artifact, target="gone"))).budget is None

from collections.abc import Callable
from dataclasses import replace

from edge_aver.benchmarks.detail import detail_lines
from edge_aver.benchmarks.machine import ProcessMemory
from edge_aver.benchmarks.readings import Reading
from edge_aver.benchmarks.results import Result
from edge_aver.benchmarks.runs import OverheadRun, ThroughputRun
from edge_aver.benchmarks.suites import load_suite
from edge_aver.benchmarks.summary import summarize


def test_what_was_not_measured_says_so(make_result: Callable[..., Result]) -> None:
    lines = detail_lines(summarize(make_result(network=(), predictions=())))
    assert lines == (
        "network with copies to and from the device, ms: p50 not measured, p90 not measured, p99 not measured",
        "network alone: the same, since a CPU copies nothing",
        "first answer of a fresh process, loading clips left out: not measured",
        "clips a second: one at a time not measured; offline not measured",
        "parameters: 14.95 M by paper, 13.66 M deployed",
        "memory, MB: files 14.2, library not measured, weights resident not measured, activations not measured,"
        " peak RSS not measured, PSS not measured",
        "files of 14.2 MB fit the 150 MB that openvino-cpu allows a model",
        "energy: not measured",
        "calibration error, accuracy by emotion: not measured",
    )


def test_every_figure_is_told(make_result: Callable[..., Result]) -> None:
    before = Reading(monotonic_s=0.0, wall_s=0.0, energy_j={"package-0": 0.0})
    held = [
        ProcessMemory(resident_bytes=value, peak_bytes=value, pss_bytes=value) for value in (60_000_000, 90_000_000)
    ]
    result = make_result(
        suite=load_suite("overhead"),
        throughput=(ThroughputRun(batch=4, callers=2, clips=100, wall_s=8.0),),
        overhead=(OverheadRun(other="bare loop", ours_s=(0.2,) * 8, other_s=(0.19,) * 8),),
    )
    runs = tuple(
        replace(
            run,
            before_load=held[0],
            with_library=held[0],
            after_load=held[1],
            after_queries=held[1],
            inference_peak_bytes=130_000_000,
            first_answer_s=seconds,
            before=before,
            after=replace(before, energy_j={"package-0": 32.0}),
        )
        for run, seconds in zip(result.network, (0.9, 1.1), strict=True)
    )
    text = "\n".join(detail_lines(summarize(replace(result, network=runs))))
    for part in (
        "first answer of a fresh process, loading clips left out: 900 ms (900 to 1,100)",
        "offline 12.50 in batches of 4 by 2 callers",
        "overhead, our latency over bare loop: 1.053 times (95 % 1.053 to 1.053, over 8 rounds); at most 1.03: FAIL",
        "library 0.0, weights resident 30.0, activations 40.0, peak RSS 90.0, PSS 90.0",
        "energy: 1 J a clip (95 % 1 to 1) of processor packages (RAPL)",
        "accuracy 81.2 % (98 % 67.6 to 90.0)",
        "calibration error 7.",
        "by emotion: neutral 7/8 (",
    ):
        assert part in text, part
    assert "p50 1" in text


def test_a_gpu_tells_its_copies_apart(make_result: Callable[..., Result]) -> None:
    result = make_result()
    artifact = replace(result.artifact, runtime="tensorrt", target="rtx-4090")
    runs = tuple(replace(run, compute_s=(0.002,) * 32) for run in result.network)
    lines = detail_lines(summarize(replace(result, artifact=artifact, network=runs)))
    assert "network alone, ms: p50 2.00, p90 2.00" in lines
    assert any(line.endswith("device memory not measured") for line in lines)
    untold = detail_lines(summarize(replace(result, artifact=artifact)))
    assert "network alone, ms: p50 not measured, p90 not measured" in untold

"""Mutated files by the thousand: each ends in one clear error or in a sound result, and touches nothing else.

A failure names its case: `python tests/fuzz/replay_case.py media 123` runs it again.
"""

import os
import signal

import pytest

pytest.importorskip("torch", reason="the detector is exported on a workstation")
pytest.importorskip("facenet_pytorch", reason="carries the detector's weights: needs the extra reference")

import fuzz_cases
from fuzz_base import make_base
from fuzz_pool import Worker, run_cases

WORKERS = min(4, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return make_base(tmp_path_factory.mktemp("fuzz") / "base")


def check(kind, indices, base, folder, record_property):
    results = run_cases(kind, indices, base=base, folder=folder, workers=WORKERS)
    record_property("counted", f"{kind}: {results}")
    print(f"{kind}: {results}")
    told = "\n".join(f"replay_case.py {kind} {index}: {text}" for index, text in sorted(results.failures.items())[:5])
    assert not results.failures, f"{len(results.failures)} of {len(indices)}\n{told}"
    assert results.outcomes.total() == len(indices)
    assert min(results.outcomes["valid"], results.outcomes.total() - results.outcomes["valid"]) > 0.03 * len(indices)


@pytest.mark.parametrize("kind", fuzz_cases.KINDS)
def test_the_first_tenth(kind, base, tmp_path, record_property):
    check(kind, range(fuzz_cases.KINDS[kind] // 10), base, tmp_path, record_property)


@pytest.mark.slow
@pytest.mark.parametrize("kind", fuzz_cases.KINDS)
def test_all_of_them(kind, base, tmp_path, record_property):
    check(kind, range(fuzz_cases.KINDS[kind]), base, tmp_path, record_property)


# What watches, watched.


@pytest.fixture
def worker(base, tmp_path):
    worker = Worker(tmp_path / "worker", base, fuzz_cases.SEED, timeout_s=5)
    yield worker
    worker.close()


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("abort", f"the process died: {signal.SIGABRT.name}"),
        ("hang", "no answer in 5 s"),
        ("traceback", "ZeroDivisionError"),
        ("memory", "MemoryError"),
        ("write", "written outside the workspace"),
        ("leave", "written outside the workspace"),
    ],
)
def test_a_case_that_misbehaves_is_found_out_and_the_next_one_runs(worker, kind, told):
    assert told in worker.run(kind, 0)["failure"]
    assert worker.run("media", 0)["failure"] is None


def test_a_case_is_the_same_each_time(base, tmp_path):
    files = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        fuzz_cases.run_case("media", fuzz_cases.SEED, 7, base, tmp_path / name)
        files.append(sorted((path.name, path.read_bytes()) for path in (tmp_path / name).iterdir()))
    assert files[0] == files[1]

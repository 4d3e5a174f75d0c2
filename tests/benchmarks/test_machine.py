import getpass
import platform
import re
from dataclasses import asdict

import pytest

from edge_aver.benchmarks.machine import CpuTime, cpu_time, cpu_use, describe_machine, process_memory, tool_versions


def test_the_description_names_no_person_and_no_host() -> None:
    text = str({**asdict(describe_machine()), **tool_versions()})
    words = set(re.findall(r"[\w-]+", text))
    assert not words & {platform.node(), getpass.getuser()}
    assert describe_machine().cpus >= 1
    assert "numpy" in tool_versions()


def test_memory_grows_with_what_is_held() -> None:
    before = process_memory()
    if before is None:
        pytest.skip("this kernel has no /proc/self/status")
    held = bytearray(b"x" * 50_000_000)
    after = process_memory()
    assert after is not None
    assert after.resident_bytes - before.resident_bytes > 40_000_000
    assert after.peak_bytes >= after.resident_bytes
    assert len(held) == 50_000_000


def test_shares_are_those_of_others() -> None:
    start = CpuTime(busy_s=100.0, stolen_s=0.0, total_s=1000.0, own_s=10.0)
    end = CpuTime(busy_s=107.0, stolen_s=1.0, total_s=1020.0, own_s=15.0)
    use = cpu_use(start, end)
    assert use is not None
    assert (use.others_share, use.stolen_share) == pytest.approx((0.1, 0.05))
    assert cpu_use(None, end) is None
    assert cpu_use(start, start) is None


def test_processor_time_passes() -> None:
    first = cpu_time()
    if first is None:
        pytest.skip("this kernel has no /proc/stat")
    sum(range(2_000_000))
    second = cpu_time()
    assert second is not None
    assert second.own_s >= first.own_s

import time
from dataclasses import replace
from pathlib import Path

import pytest

from edge_aver.benchmarks.readings import Reading, energy_between, read_now


def _write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_a_kernel_that_tells_everything(tmp_path: Path) -> None:
    _write(
        tmp_path,
        {
            "proc/vmstat": "pgfault 12\npswpin 34\npswpout 56\n",
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "3000000\n",
            "sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq": "2000000\n",
            "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": "3\n",
            "sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count": "4\n",
            "sys/class/thermal/thermal_zone0/temp": "61500\n",
            "sys/class/thermal/thermal_zone1/temp": "-256000\n",
            "sys/class/powercap/intel-rapl:0/name": "package-0\n",
            "sys/class/powercap/intel-rapl:0/energy_uj": "12000000\n",
            "sys/class/powercap/intel-rapl:0/max_energy_range_uj": "262143328850\n",
            "sys/class/powercap/intel-rapl:0:0/name": "core\n",
            "sys/class/powercap/intel-rapl:0:0/energy_uj": "7000000\n",
            "sys/class/powercap/intel-rapl:0:0/max_energy_range_uj": "262143328850\n",
            "sys/class/powercap/intel-rapl-mmio:0/name": "package-0\n",
            "sys/class/powercap/intel-rapl-mmio:0/energy_uj": "12000000\n",
            "sys/class/powercap/intel-rapl-mmio:0/max_energy_range_uj": "262143328850\n",
        },
    )
    reading = read_now(tmp_path)
    assert (reading.cpu_mhz, reading.throttled, reading.temperature_c) == (2500.0, 7, 61.5)
    assert reading.swapped_in_pages == 34
    assert reading.energy_j == {"package-0": 12.0}
    assert reading.energy_range_j == {"package-0": pytest.approx(262143.32885)}


def test_a_kernel_that_tells_nothing(tmp_path: Path) -> None:
    reading = read_now(tmp_path)
    assert (reading.cpu_mhz, reading.throttled, reading.temperature_c, reading.swapped_in_pages) == (None,) * 4
    assert reading.energy_j == {}


def test_both_clocks_run(tmp_path: Path) -> None:
    first = read_now(tmp_path)
    time.sleep(0.02)
    second = read_now(tmp_path)
    assert second.monotonic_s - first.monotonic_s == pytest.approx(second.wall_s - first.wall_s, abs=0.05)
    assert second.monotonic_s > first.monotonic_s


def test_energy_is_that_of_all_packages_over_an_overflow() -> None:
    start = Reading(
        monotonic_s=0.0,
        wall_s=0.0,
        energy_j={"package-0": 90.0, "package-1": 10.0},
        energy_range_j={"package-0": 100.0, "package-1": 100.0},
    )
    end = replace(start, energy_j={"package-0": 5.0, "package-1": 30.0})
    assert energy_between(start, end) == 35.0
    assert energy_between(start, replace(end, energy_j={})) is None

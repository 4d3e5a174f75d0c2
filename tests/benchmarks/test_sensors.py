import stat
import time

import pytest

from edge_aver.benchmarks.sensors import (
    SensorLog,
    SensorSample,
    describe_sensors,
    find_sensors,
    parse_nvidia_smi,
    parse_power_mode,
    parse_tegrastats,
    sampled,
)

# Lines in the format that NVIDIA's Jetson developer guide documents for each release; the figures are made up.
NANO_JETPACK_4 = (
    "RAM 2448/3956MB (lfb 6x4MB) SWAP 12/1978MB (cached 0MB) IRAM 0/252kB(lfb 252kB) CPU [16%@1479,8%@1428,off,off] "
    "EMC_FREQ 7%@1600 GR3D_FREQ 99%@921 APE 25 PLL@35C CPU@37.5C PMIC@100C GPU@36C AO@43C thermal@36.75C "
    "POM_5V_IN 5532/5210 POM_5V_GPU 1610/1500 POM_5V_CPU 805/790"
)
AGX_JETPACK_5 = (
    "02-02-2023 10:12:33 RAM 3210/30536MB (lfb 5x4MB) SWAP 0/15268MB (cached 0MB) CPU [2%@729,0%@2201,off,off] "
    "EMC_FREQ 0%@2133 GR3D_FREQ 40%@[1300,1290] VIC_FREQ 729 APE 174 CV0@-256C CPU@47.1C Tboard@36C SOC2@43.125C "
    "Tdiode@37.25C GPU@-256C tj@47.1C VDD_GPU_SOC 3213mW/3100mW VDD_CPU_CV 803mW/803mW VIN_SYS_5V0 3424mW/3424mW "
    "NC 0mW/0mW VDDQ_VDD2_1V8AO 604mW/604mW"
)
ORIN_NANO_JETPACK_6 = (
    "06-13-2024 09:31:11 RAM 2205/7620MB (lfb 3x4MB) SWAP 0/3810MB (cached 0MB) "
    "CPU [5%@1510,0%@1510,1%@1344,0%@729,off,off] EMC_FREQ 1%@2133 GR3D_FREQ 35%@[624] NVDEC off NVJPG off NVJPG1 off "
    "VIC off OFA off APE 200 cpu@51.4C soc2@49.4C soc0@50C gpu@50.2C tj@52.5C soc1@49.7C VDD_IN 4916mW/4800mW "
    "VDD_CPU_GPU_CV 1033mW/1033mW VDD_SOC 1463mW/1463mW"
)
THOR_JETPACK_7 = (
    "09-01-2025 12:00:00 RAM 5120/125772MB (lfb 12x4MB) SWAP 0/0MB (cached 0MB) CPU [1%@2601,3%@972] "
    "EMC_FREQ 0%@4266 GR3D_FREQ 12%@[1575,1575,1560] NVENC0 off VIC off cpu@40.2C tj@41C gpu@39.9C "
    "VDD_GPU 2800mW/2750mW VDD_CPU_SOC_MSS 4000mW/3990mW VIN_SYS_5V0 5100mW/5100mW VIN 20000mW/19800mW"
)


@pytest.mark.parametrize(
    ("line", "power_w", "temperature_c", "clock_mhz", "load", "used_mb"),
    [
        (
            NANO_JETPACK_4,
            {"POM_5V_IN": 5.532, "POM_5V_GPU": 1.61, "POM_5V_CPU": 0.805},
            {"PLL": 35, "CPU": 37.5, "PMIC": 100, "GPU": 36, "AO": 43, "thermal": 36.75},
            {"gpu": 921, "memory": 1600, "cpu": 1479},
            {"gpu": 0.99, "memory": 0.07, "cpu": 0.12},
            2448,
        ),
        (
            AGX_JETPACK_5,
            {"VDD_GPU_SOC": 3.213, "VDD_CPU_CV": 0.803, "VIN_SYS_5V0": 3.424, "VDDQ_VDD2_1V8AO": 0.604},
            {"CPU": 47.1, "Tboard": 36, "SOC2": 43.125, "Tdiode": 37.25, "tj": 47.1},
            {"gpu": 1300, "memory": 2133, "cpu": 2201},
            {"gpu": 0.4, "memory": 0, "cpu": 0.01},
            3210,
        ),
        (
            ORIN_NANO_JETPACK_6,
            {"VDD_IN": 4.916, "VDD_CPU_GPU_CV": 1.033, "VDD_SOC": 1.463},
            {"cpu": 51.4, "soc2": 49.4, "soc0": 50, "gpu": 50.2, "tj": 52.5, "soc1": 49.7},
            {"gpu": 624, "memory": 2133, "cpu": 1510},
            {"gpu": 0.35, "memory": 0.01, "cpu": 0.015},
            2205,
        ),
        (
            THOR_JETPACK_7,
            {"VDD_GPU": 2.8, "VDD_CPU_SOC_MSS": 4.0, "VIN_SYS_5V0": 5.1, "VIN": 20.0},
            {"cpu": 40.2, "tj": 41, "gpu": 39.9},
            {"gpu": 1575, "memory": 4266, "cpu": 2601},
            {"gpu": 0.12, "memory": 0, "cpu": 0.02},
            5120,
        ),
    ],
    ids=["nano, JetPack 4", "AGX Orin, JetPack 5", "Orin Nano, JetPack 6", "Thor, JetPack 7"],
)
def test_a_line_of_tegrastats_is_read(line, power_w, temperature_c, clock_mhz, load, used_mb):
    sample = parse_tegrastats(line)
    assert sample.power_w == pytest.approx(power_w)
    assert sample.temperature_c == temperature_c
    assert sample.clock_mhz == clock_mhz
    assert sample.load == pytest.approx(load)
    assert sample.memory_used_mb == used_mb


@pytest.mark.parametrize("line", ["", "tegrastats: command not found", "Usage: tegrastats [-option]"])
def test_what_is_no_line_of_tegrastats_is_no_sample(line):
    assert parse_tegrastats(line) is None


def test_a_line_of_nvidia_smi_is_read():
    sample = parse_nvidia_smi("61.25, 450.00, 54, 2520, 10501, 87\n")
    assert sample == SensorSample(
        power_w={"gpu": 61.25},
        temperature_c={"gpu": 54},
        clock_mhz={"sm": 2520, "memory": 10501},
        load={"gpu": 0.87},
    )


def test_what_nvidia_smi_does_not_tell_is_left_out():
    sample = parse_nvidia_smi("[N/A], [Not Supported], 48, 1410, [Unknown Error], 3")
    assert (sample.power_w, sample.temperature_c) == ({}, {"gpu": 48})
    assert sample.clock_mhz == {"sm": 1410}
    assert parse_nvidia_smi("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.") is None
    assert parse_nvidia_smi("[N/A], [N/A], [N/A], [N/A], [N/A], [N/A]") is None


def test_the_power_mode_is_read():
    assert parse_power_mode("NV Fan Mode:quiet\nNV Power Mode: MAXN_SUPER\n2\n") == "MAXN_SUPER"
    assert parse_power_mode("NV Power Mode: 15W\n0\n") == "15W"
    assert parse_power_mode("permission denied") is None


@pytest.fixture
def jetson(tmp_path, monkeypatch):
    """A PATH with a tegrastats that prints a line twice a second (every 50 ms here), and an nvpmodel."""

    def program(name, text):
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    loop = f"while echo '{ORIN_NANO_JETPACK_6}'; do sleep 0.05; done"
    program("tegrastats", f'test "$1 $2" = "--interval 500" || exit 1\n{loop}')
    program("nvpmodel", "test $1 = -q && printf 'NV Power Mode: 15W\\n0\\n'")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return program


def test_sensors_are_read_until_the_block_ends(jetson):
    with sampled(find_sensors()) as log:
        deadline = time.monotonic() + 10
        while (log() is None or len(log().samples) < 3) and time.monotonic() < deadline:
            time.sleep(0.02)
    found = log()
    time.sleep(0.2)
    assert log() == found
    assert (found.source, found.power_mode) == ("tegrastats", "15W")
    assert len(found.samples) >= 3
    assert all(sample.power_w["VDD_IN"] == 4.916 for sample in found.samples)
    times = [sample.time_s for sample in found.samples]
    assert times == sorted(times)
    assert describe_sensors(found) == (
        "power VDD_IN 4.92 W (at most 4.916), temperature 52.5 °C (at most 52.5), GPU clock 624 MHz (at most 624); "
        f"power mode 15W ({len(times)} readings of tegrastats)"
    )


def test_a_tool_that_fails_costs_the_readings_alone(jetson):
    jetson("tegrastats", "exit 3")
    with sampled(find_sensors()) as log:
        pass
    assert log() is None


def test_without_sensors_nothing_is_claimed(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_sensors() is None
    with sampled(find_sensors()) as log:
        pass
    assert log() is None
    assert "not measured" in describe_sensors(log())


def test_rails_are_told_one_by_one_where_none_carries_all():
    log = SensorLog(source="tegrastats", samples=(parse_tegrastats(AGX_JETPACK_5),))
    told = describe_sensors(log)
    for rail in ("VDD_GPU_SOC 3.21 W", "VDD_CPU_CV 0.803 W", "VIN_SYS_5V0 3.42 W"):
        assert f"power {rail}" in told
    assert "power mode not measured" in told

"""Power, temperature and clocks while a benchmark runs: tegrastats on a Jetson, nvidia-smi (NVML) beside other GPUs."""

import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import TextIO

__all__ = [
    "INPUT_RAILS",
    "QuerySpan",
    "SensorLog",
    "SensorSample",
    "SensorTool",
    "describe_sensors",
    "find_sensors",
    "join_logs",
    "parse_nvidia_smi",
    "parse_power_mode",
    "parse_tegrastats",
    "sampled",
]

INTERVAL_S = 0.5

_SMI_FIELDS = {
    "power.draw": ("power_w", "gpu"),
    "power.limit": ("power_limit_w", "gpu"),
    "temperature.gpu": ("temperature_c", "gpu"),
    "clocks.sm": ("clock_mhz", "sm"),
    "clocks.mem": ("clock_mhz", "memory"),
    "utilization.gpu": ("load", "gpu"),
}
INPUT_RAILS = ("VDD_IN", "POM_5V_IN", "VIN")
"""Rails that carry a whole module; on an AGX Orin none does, and its rails are told one by one."""

_SENSOR_OFF_C = -200.0
"""tegrastats says -256C of a sensor whose part is powered down."""


@dataclass(frozen=True, kw_only=True)
class SensorSample:
    """One reading; what a device does not tell is left out of the mappings.

    Attributes:
        time_s: since sampling began.
        power_w: of each rail.
        temperature_c: of each sensor.
        clock_mhz: `gpu` or `sm`, `memory`, and the fastest core as `cpu`.
        load: share of the time that a part was busy, 0 to 1.
        memory_used_mb: of a memory that CPU and GPU share (tegrastats), of 2^20 bytes.
    """

    time_s: float = 0.0
    power_w: dict[str, float] = field(default_factory=dict)
    temperature_c: dict[str, float] = field(default_factory=dict)
    clock_mhz: dict[str, float] = field(default_factory=dict)
    load: dict[str, float] = field(default_factory=dict)
    memory_used_mb: float | None = None


@dataclass(frozen=True, kw_only=True)
class QuerySpan:
    """When a process asked the queries that count, on the clock of a log's samples."""

    start_s: float
    end_s: float
    queries: int

    def of(self, samples: Iterable[SensorSample]) -> list[SensorSample]:
        """Those that were taken within it."""
        return [sample for sample in samples if self.start_s <= sample.time_s < self.end_s]


@dataclass(frozen=True, kw_only=True)
class SensorLog:
    """What was read while one artifact's network was asked, loading and warm-up included.

    Attributes:
        source: `tegrastats` or `nvidia-smi`.
        power_mode: as `nvpmodel` names it, or the power limit of a GPU; None where neither tells.
        samples: raw, in order.
        spans: of the queries of each process; () in results of schema 1.
    """

    source: str
    power_mode: str | None = None
    samples: tuple[SensorSample, ...] = ()
    spans: tuple[QuerySpan, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SensorTool:
    """A program that prints a reading a line, until it is stopped."""

    name: str
    command: tuple[str, ...]
    parse: Callable[[str], SensorSample | None]
    mode_command: tuple[str, ...]
    parse_mode: Callable[[str], str | None]


def find_sensors() -> SensorTool | None:
    """The sensors of this machine; None where it has neither program."""
    for tool in (_TEGRASTATS, _NVIDIA_SMI):
        if shutil.which(tool.command[0]):
            return tool
    return None


@contextmanager
def sampled(tool: SensorTool | None) -> Iterator[Callable[[], SensorLog | None]]:
    """Read the sensors until the block ends; the function given tells the log so far, None without any reading.

    Its samples count seconds from the call on.

    A program that fails to start or prints nothing readable costs the readings, never the benchmark.
    """
    if tool is None:
        yield lambda: None
        return
    samples: list[SensorSample] = []
    began_s = time.monotonic()
    mode = tool.parse_mode(_output(tool.mode_command))

    def log() -> SensorLog | None:
        return SensorLog(source=tool.name, power_mode=mode, samples=tuple(samples)) if samples else None

    try:
        process = subprocess.Popen(tool.command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    except OSError:
        yield lambda: None
        return
    with process:
        reader = threading.Thread(target=_collect, args=(process.stdout, tool.parse, samples, began_s), daemon=True)
        reader.start()
        try:
            yield log
        finally:
            process.kill()
            reader.join()


def join_logs(earlier: SensorLog | None, later: SensorLog | None) -> SensorLog | None:
    """The readings of two processes of one artifact, one after the other; times go on where the first ended."""
    if earlier is None or later is None:
        return earlier or later
    # A span may outlast the last sample: the next one must not begin within it.
    end_s = max(earlier.samples[-1].time_s, *(span.end_s for span in earlier.spans), 0.0)
    moved = tuple(replace(sample, time_s=round(end_s + sample.time_s, 3)) for sample in later.samples)
    spans = tuple(replace(span, start_s=end_s + span.start_s, end_s=end_s + span.end_s) for span in later.spans)
    return replace(earlier, samples=(*earlier.samples, *moved), spans=(*earlier.spans, *spans))


def parse_tegrastats(line: str) -> SensorSample | None:
    """Read a line of tegrastats (JetPack 4 to 7); None for one that is none.

    Rails are `NAME now/average` in mW, with the unit from JetPack 5 on; sensors `name@degreesC`; a clock follows `@`,
    in MHz, in brackets from JetPack 5 on, where it has one entry for each graphics cluster.
    """
    memory = re.search(r"\bRAM (\d+)/\d+MB", line)
    if memory is None:
        return None
    degrees = {name: float(value) for name, value in re.findall(r"([A-Za-z]\w*)@(-?\d+(?:\.\d+)?)C\b", line)}
    rails = re.findall(r"\b([A-Z][A-Z0-9_]*) (\d+)(?:mW)?/\d+(?:mW)?(?= |$)", line)
    loads, clocks = _tegra_clocks(line)
    return SensorSample(
        power_w={name: int(value) / 1000 for name, value in rails if name not in ("RAM", "SWAP", "NC", "IRAM")},
        temperature_c={name: value for name, value in degrees.items() if value > _SENSOR_OFF_C},
        clock_mhz=clocks,
        load=loads,
        memory_used_mb=float(memory[1]),
    )


def parse_nvidia_smi(line: str) -> SensorSample | None:
    """Read a line of `nvidia-smi --query-gpu=... --format=csv,noheader,nounits`; of several GPUs the caller takes one.

    None for a line with another number of fields; `[N/A]` and the like leave their field out.
    """
    cells = [cell.strip() for cell in line.split(",")]
    if len(cells) != len(_SMI_FIELDS):
        return None
    tables: dict[str, dict[str, float]] = {"power_w": {}, "temperature_c": {}, "clock_mhz": {}, "load": {}}
    for cell, (table, name) in zip(cells, _SMI_FIELDS.values(), strict=True):
        if table in tables and re.fullmatch(r"\d+(\.\d+)?", cell):
            tables[table][name] = float(cell) / (100 if table == "load" else 1)
    if not any(tables.values()):
        return None
    return SensorSample(
        power_w=tables["power_w"],
        temperature_c=tables["temperature_c"],
        clock_mhz=tables["clock_mhz"],
        load=tables["load"],
    )


def parse_power_mode(text: str) -> str | None:
    """The name in what `nvpmodel -q` prints (`NV Power Mode: 15W`); None where there is none."""
    found = re.search(r"NV Power Mode:\s*(\S+)", text)
    return found[1] if found else None


def describe_sensors(log: SensorLog | None) -> str:
    """One line for people: mean and highest of what matters; "not measured" where there are no readings."""
    if log is None:
        return "power, temperature, clocks: not measured (neither tegrastats nor nvidia-smi here)"
    rail = next((name for name in (*INPUT_RAILS, "gpu") if any(name in item.power_w for item in log.samples)), None)
    rails = (rail,) if rail else sorted({name for item in log.samples for name in item.power_w})
    parts = [_mean_and_most(f"power {name}", [s.power_w for s in log.samples], name, "W") for name in rails]
    parts = parts or ["power not measured"]
    heat = next((n for n in ("tj", "gpu", "GPU") if any(n in item.temperature_c for item in log.samples)), None)
    parts.append(_mean_and_most("temperature", [s.temperature_c for s in log.samples], heat, "°C"))
    clock = next((n for n in ("gpu", "sm") if any(n in item.clock_mhz for item in log.samples)), None)
    parts.append(_mean_and_most("GPU clock", [s.clock_mhz for s in log.samples], clock, "MHz"))
    mode = log.power_mode or "not measured"
    return f"{', '.join(parts)}; power mode {mode} ({len(log.samples)} readings of {log.source})"


def _mean_and_most(title: str, tables: Sequence[Mapping[str, float]], name: str | None, unit: str) -> str:
    values = [table[name] for table in tables if name is not None and name in table]
    if not values:
        return f"{title} not measured"
    return f"{title} {fmean(values):.3g} {unit} (at most {max(values):.4g})"


def _tegra_clocks(line: str) -> tuple[dict[str, float], dict[str, float]]:
    """Load and clock of GPU, memory and CPU."""
    loads, clocks = {}, {}
    for part, name in (("GR3D_FREQ", "gpu"), ("EMC_FREQ", "memory")):
        if found := re.search(rf"\b{part} (\d+)%(?:@\[?([\d,]+)\]?)?", line):
            loads[name] = int(found[1]) / 100
            if found[2]:
                clocks[name] = max(float(value) for value in found[2].split(",") if value)
    cores = re.search(r"\bCPU \[([^\]]*)\]", line)
    if cores and (running := re.findall(r"(\d+)%@(\d+)", cores[1])):
        loads["cpu"] = fmean(int(load) for load, _ in running) / 100
        clocks["cpu"] = max(float(clock) for _, clock in running)
    return loads, clocks


def _collect(
    lines: TextIO | None, parse: Callable[[str], SensorSample | None], samples: list[SensorSample], began_s: float
) -> None:
    for line in lines or ():
        if sample := parse(line):
            samples.append(SensorSample(**{**vars(sample), "time_s": round(time.monotonic() - began_s, 3)}))


def _output(command: Sequence[str]) -> str:
    """What a program prints; "" where it is missing, fails or hangs."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def _parse_power_limit(text: str) -> str | None:
    found = re.match(r"\s*(\d+(?:\.\d+)?)", text)
    return f"limit {float(found[1]):g} W" if found else None


_SMI = ("nvidia-smi", "--id=0", "--format=csv,noheader,nounits")
_TEGRASTATS = SensorTool(
    name="tegrastats",
    command=("tegrastats", "--interval", f"{1000 * INTERVAL_S:.0f}"),
    parse=parse_tegrastats,
    mode_command=("nvpmodel", "-q"),
    parse_mode=parse_power_mode,
)
_NVIDIA_SMI = SensorTool(
    name="nvidia-smi",
    command=(*_SMI, f"--query-gpu={','.join(_SMI_FIELDS)}", f"--loop-ms={1000 * INTERVAL_S:.0f}"),
    parse=parse_nvidia_smi,
    mode_command=(*_SMI, "--query-gpu=power.limit"),
    parse_mode=_parse_power_limit,
)

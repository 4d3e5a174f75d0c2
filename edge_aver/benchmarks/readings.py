"""What the kernel tells of a machine and this process at one moment: clocks, heat, swapping and energy."""

import resource
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Reading", "energy_between", "read_now"]

_ROOT = Path("/")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Raw facts of one moment, for a reader to judge; None or {} where the kernel does not tell.

    Attributes:
        monotonic_s: of the clock that never jumps; it counts for all processes of a machine alike.
        wall_s: of the clock that people set, seconds since 1970.
        cpu_mhz: mean clock of the processors, as the frequency driver tells it.
        throttled: how often the processors slowed down from heat so far.
        temperature_c: of the hottest thermal zone.
        swapped_in_pages: that the machine read back from swap so far.
        major_faults: of this process so far: pages that it had to wait for a disk for.
        energy_j: counters of the processor packages (RAPL), by zone.
        energy_range_j: at which each counter starts again from 0.
    """

    monotonic_s: float
    wall_s: float
    cpu_mhz: float | None = None
    throttled: int | None = None
    temperature_c: float | None = None
    swapped_in_pages: int | None = None
    major_faults: int | None = None
    energy_j: dict[str, float] = field(default_factory=dict)
    energy_range_j: dict[str, float] = field(default_factory=dict)


def read_now(root: Path = _ROOT) -> Reading:
    """Take a reading; `root` holds `proc` and `sys`."""
    energy_j, energy_range_j = _energy(root / "sys/class/powercap")
    return Reading(
        monotonic_s=time.monotonic(),
        wall_s=time.time(),
        cpu_mhz=_clock_mhz(root / "sys/devices/system/cpu"),
        throttled=_throttled(root / "sys/devices/system/cpu"),
        temperature_c=_temperature(root / "sys/class/thermal"),
        swapped_in_pages=_counter(root / "proc/vmstat", "pswpin"),
        major_faults=resource.getrusage(resource.RUSAGE_SELF).ru_majflt,
        energy_j=energy_j,
        energy_range_j=energy_range_j,
    )


def energy_between(start: Reading, end: Reading) -> float | None:
    """Joules that all processor packages used between two readings; None where no counter tells.

    A counter that started again once is put right; they take minutes to do so even under full load.
    """
    zones = start.energy_j.keys() & end.energy_j.keys()
    if not zones:
        return None
    return sum(_grown(zone, start, end) for zone in zones)


def _grown(zone: str, start: Reading, end: Reading) -> float:
    grown = end.energy_j[zone] - start.energy_j[zone]
    return grown if grown >= 0 else grown + end.energy_range_j.get(zone, 0.0)


def _clock_mhz(folder: Path) -> float | None:
    kilohertz = [_number(path) for path in folder.glob("cpu[0-9]*/cpufreq/scaling_cur_freq")]
    known = [value for value in kilohertz if value is not None]
    return sum(known) / len(known) / 1e3 if known else None


def _throttled(folder: Path) -> int | None:
    counts = [_number(path) for path in folder.glob("cpu[0-9]*/thermal_throttle/core_throttle_count")]
    known = [value for value in counts if value is not None]
    return round(sum(known)) if known else None


def _temperature(folder: Path) -> float | None:
    """Zones that are powered down tell nonsense far below freezing."""
    degrees = [value / 1e3 for path in folder.glob("thermal_zone*/temp") if (value := _number(path)) is not None]
    return max((value for value in degrees if -50 < value < 200), default=None)


def _energy(folder: Path) -> tuple[dict[str, float], dict[str, float]]:
    """Counters of whole packages in joules, and where they start again; reading them often takes privileges."""
    energy_j: dict[str, float] = {}
    range_j: dict[str, float] = {}
    for zone in sorted(folder.glob("*-rapl:[0-9]*")):
        # `intel-rapl:0:1` is a part of `intel-rapl:0`; the MMIO twin of a zone counts the same joules.
        if zone.name.count(":") != 1 or "mmio" in zone.name:
            continue
        used, limit = _number(zone / "energy_uj"), _number(zone / "max_energy_range_uj")
        if used is not None and limit is not None:
            name = _text(zone / "name") or zone.name
            if name.startswith("package"):
                energy_j[name], range_j[name] = used / 1e6, limit / 1e6
    return energy_j, range_j


def _counter(path: Path, name: str) -> int | None:
    lines: Mapping[str, str] = dict(line.split(" ", 1) for line in _text(path).splitlines() if " " in line)
    return int(lines[name]) if name in lines else None


def _number(path: Path) -> float | None:
    try:
        return float(_text(path))
    except ValueError:
        return None


def _text(path: Path) -> str:
    """Nothing where the file is missing or refused."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""

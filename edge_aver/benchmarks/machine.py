"""What a measurement must tell of the machine it ran on, and how busy others kept it; never who owns it."""

import os
import platform
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from edge_aver.errors import TargetError
from edge_aver.targets.cuda import cuda_device

__all__ = [
    "TIMING_FIELDS",
    "CpuTime",
    "CpuUse",
    "Machine",
    "ProcessMemory",
    "cpu_time",
    "cpu_use",
    "describe_machine",
    "forget_peak",
    "process_age_s",
    "process_memory",
    "tool_versions",
]

TIMING_FIELDS = ("architecture", "cpu", "cpu_flags", "cpus", "governor", "gpu")
"""What makes two machines, or two states of one, too different for a ratio of latencies to tell of the artifacts."""

_FLAGS = (
    *("avx", "avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "avx512_fp16"),
    *("amx_tile", "amx_int8", "amx_bf16", "asimd", "asimddp", "i8mm", "sve", "hypervisor"),
)
"""CPU flags that decide how fast int8, fp16 and fp32 run, and whether the machine is a virtual one."""

_TOOLS = (
    *("edge-aver", "numpy", "av", "torch", "facenet-pytorch"),
    *("onnxruntime", "onnxruntime-gpu", "openvino", "tensorrt", "tensorrt-rtx", "cuda-bindings"),
)


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Where a result was measured; no host name, no user name.

    Attributes:
        architecture: of the processor (`x86_64`, `aarch64`).
        cpu: model name as the kernel tells it.
        cpu_flags: those of interest for inference.
        cpus: logical processors this process may use.
        governor: frequency governor of the first processor; None where the kernel does not tell.
        memory_bytes: physical memory; None where the system does not tell.
        system: operating system and kernel release.
        python: version of the interpreter.
        gpu: name, compute capability and the CUDA that its driver serves; None where none can be reached.
    """

    architecture: str
    cpu: str
    cpu_flags: tuple[str, ...]
    cpus: int
    governor: str | None = None
    memory_bytes: int | None = None
    system: str
    python: str
    gpu: str | None = None

    @property
    def device(self) -> str:
        """What a reader calls it: the GPU where there is one, the processor elsewhere."""
        return self.gpu or self.cpu

    @property
    def state(self) -> tuple[object, ...]:
        """What must be the same wherever times are held against each other."""
        return tuple(getattr(self, field) for field in TIMING_FIELDS)


@dataclass(frozen=True, kw_only=True)
class ProcessMemory:
    """Resident memory of this process, now and at its peak, in bytes.

    `pss_bytes` counts pages that processes share by halves, thirds and so on; None where the kernel does not tell.
    """

    resident_bytes: int
    peak_bytes: int
    pss_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class CpuTime:
    """Processor seconds since the machine started, over all processors; `own_s` is this process's."""

    busy_s: float
    stolen_s: float
    total_s: float
    own_s: float


@dataclass(frozen=True, kw_only=True)
class CpuUse:
    """Processor time between two readings, as shares of the whole machine's.

    Attributes:
        others_share: used by other processes.
        stolen_share: taken by the hypervisor.
    """

    others_share: float
    stolen_share: float


def describe_machine() -> Machine:
    """Describe the machine this runs on."""
    cpu, flags = _cpu()
    return Machine(
        architecture=platform.machine(),
        cpu=cpu,
        cpu_flags=tuple(flag for flag in _FLAGS if flag in flags),
        cpus=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        governor=_read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") or None,
        memory_bytes=_memory_bytes(),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        gpu=_gpu(),
    )


def tool_versions() -> dict[str, str]:
    """Versions of the installed libraries that take part in a measurement, by name."""
    installed = {}
    for name in _TOOLS:
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return installed


def process_memory() -> ProcessMemory | None:
    """Resident memory of this process; None where the kernel does not tell.

    Read from /proc, because getrusage's peak survives exec: it would count the process that started this one.
    """
    status, shares = _table("/proc/self/status"), _table("/proc/self/smaps_rollup")
    if "VmRSS" not in status or "VmHWM" not in status:
        return None
    resident, peak = (int(status[key].split()[0]) * 1024 for key in ("VmRSS", "VmHWM"))
    pss = int(shares["Pss"].split()[0]) * 1024 if "Pss" in shares else None
    return ProcessMemory(resident_bytes=resident, peak_bytes=peak, pss_bytes=pss)


def forget_peak() -> bool:
    """Let the peak of this process count from now on; False where the kernel does not allow it."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def process_age_s() -> float | None:
    """Seconds since this process started, to a hundredth; None where the kernel does not tell."""
    # The second field is the command in brackets, which may hold anything.
    words = _read("/proc/self/stat").rpartition(")")[2].split()
    if len(words) < 20 or not hasattr(time, "CLOCK_BOOTTIME"):
        return None
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(words[19]) / os.sysconf("SC_CLK_TCK")


def cpu_time() -> CpuTime | None:
    """Processor time so far; None where the kernel does not tell."""
    words = _read("/proc/stat").partition("\n")[0].split()[1:9]
    if len(words) < 8:
        return None
    user, nice, system, idle, iowait, irq, softirq, stolen = (int(word) / os.sysconf("SC_CLK_TCK") for word in words)
    busy_s, own = user + nice + system + irq + softirq, os.times()
    return CpuTime(busy_s=busy_s, stolen_s=stolen, total_s=busy_s + stolen + idle + iowait, own_s=own.user + own.system)


def cpu_use(start: CpuTime | None, end: CpuTime | None) -> CpuUse | None:
    """How busy others kept the processors between two readings; None where one is missing or no time passed."""
    if start is None or end is None or end.total_s <= start.total_s:
        return None
    total_s = end.total_s - start.total_s
    others_s = (end.busy_s - start.busy_s) - (end.own_s - start.own_s)
    stolen_s = end.stolen_s - start.stolen_s
    return CpuUse(others_share=max(0.0, others_s / total_s), stolen_share=max(0.0, stolen_s / total_s))


def _cpu() -> tuple[str, set[str]]:
    """Model name and flags; the names of both differ between x86 and Arm kernels."""
    lines = [line.split(":", 1) for line in _read("/proc/cpuinfo").splitlines() if ":" in line]
    values = {key.strip().lower(): value.strip() for key, value in reversed(lines)}
    flags = values.get("flags") or values.get("features") or ""
    board = _read("/proc/device-tree/model").strip("\0")
    return values.get("model name") or board or platform.processor() or "unknown", set(flags.split())


def _table(path: str) -> dict[str, str]:
    return dict(line.split(":", 1) for line in _read(path).splitlines() if ":" in line)


def _gpu() -> str | None:
    try:
        device = cuda_device()
    except TargetError:
        return None
    return "{}, compute capability {}, CUDA {}.{}".format(device.name, device.sm, *device.driver_cuda)


def _memory_bytes() -> int | None:
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return None
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _read(path: str) -> str:
    """Text of a kernel file, "" where there is none."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""

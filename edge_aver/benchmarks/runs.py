"""Raw values of the processes that a benchmark starts, as a result stores them."""

from dataclasses import dataclass

from edge_aver.benchmarks.machine import CpuUse, ProcessMemory
from edge_aver.benchmarks.readings import Reading

__all__ = ["NetworkRun", "OverheadRun", "ThroughputRun", "ToolRun"]


@dataclass(frozen=True, kw_only=True)
class NetworkRun:
    """One process that loaded the artifact and asked it one prepared clip at a time.

    Attributes:
        latency_s: of each query after the warm-up, in order; host arrays in, logits out, copies included.
        load_s: from the path to a network that is ready, the runtime's library included.
        before_load, with_library, after_load, after_queries: memory of the process, the clips it holds included: before
            anything, with the runtime's library, with the network, and at the end; None where the kernel does not tell.
        inference_peak_bytes: most that was resident from the loaded network on, warm-up included; None likewise.
        cpu_use: what else used the processors during the queries; None where the kernel does not tell.
        device_memory_bytes: that the network holds on a GPU after the queries; None where it runs on the CPU.
        compute_s: of queries whose arrays lay on the device already; () on a CPU, where nothing is copied, and where a
            runner cannot tell.
        first_answer_s: from the start of the process to its first logits, loading the clips left out; None where the
            kernel does not tell when the process started, and in results of schema 1.
        clips: SHA-256 of the tensors of the clips it asked about, in order; () in results of schema 1.
        before, after: readings right before the first query that counts and right after the last; None in results of
            schema 1.
    """

    latency_s: tuple[float, ...]
    load_s: float
    before_load: ProcessMemory | None = None
    with_library: ProcessMemory | None = None
    after_load: ProcessMemory | None = None
    after_queries: ProcessMemory | None = None
    inference_peak_bytes: int | None = None
    cpu_use: CpuUse | None = None
    device_memory_bytes: int | None = None
    compute_s: tuple[float, ...] = ()
    first_answer_s: float | None = None
    clips: tuple[str, ...] = ()
    before: Reading | None = None
    after: Reading | None = None


@dataclass(frozen=True, kw_only=True)
class ThroughputRun:
    """One process that had all its clips at once: `callers` threads asked for `batch` clips at a time.

    Attributes:
        batch, callers: as above; threads share one network.
        clips: answered.
        wall_s: from the first query after the warm-up to the last answer.
        cpu_use: what else used the processors meanwhile; None where the kernel does not tell.
    """

    batch: int
    callers: int
    clips: int
    wall_s: float
    cpu_use: CpuUse | None = None


@dataclass(frozen=True, kw_only=True)
class OverheadRun:
    """One process that asked the same file by turns, through edge-aver and through a bare loop over its library.

    Attributes:
        other: what the bare loop calls (`onnxruntime: session.run`).
        ours_s, other_s: seconds of each round.
    """

    other: str
    ours_s: tuple[float, ...]
    other_s: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class ToolRun:
    """What a runtime's own benchmark program told of the file, in a process of its own.

    Attributes:
        tool: name and version of the program.
        latency_s: of its queries, where it tells them; else its median alone.
        queries: how many it made.
    """

    tool: str
    latency_s: tuple[float, ...]
    queries: int

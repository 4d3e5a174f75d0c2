"""CUDA through cuda-python: devices, memory, streams and graphs, every return code checked by one helper."""

import contextlib
import ctypes
import importlib
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_aver.errors import MissingLibraryError, TargetError

__all__ = [
    "Arena",
    "CudaDevice",
    "call",
    "capture",
    "cuda_device",
    "free_bytes",
    "load_runtime",
    "to_device",
    "to_host",
]

_LIBRARIES = ("cuda.bindings.runtime", "cuda.cudart")
"""cuda-python's CUDA runtime; the second is its name before 12.8."""

_ADVICE = {
    "cudaErrorNoDevice": "no NVIDIA GPU is visible to this process; is CUDA_VISIBLE_DEVICES set?",
    "cudaErrorMemoryAllocation": "the GPU is out of memory: stop what else uses it, or export for a smaller batch",
    "cudaErrorDevicesUnavailable": "the GPU is taken by another process in exclusive mode; stop that one",
    "cudaErrorNoKernelImageForDevice": "the engine holds no code for this GPU; export it for this GPU's target",
    "cudaErrorStubLibrary": "CUDA's stub library was loaded in place of the driver's: take it off LD_LIBRARY_PATH",
    "cudaErrorIllegalAddress": "the GPU read outside its memory and serves this process no longer; start it again",
}
"""What to do, by name of the CUDA error; the driver's state has a sentence of its own."""


@dataclass(frozen=True, kw_only=True)
class CudaDevice:
    """A GPU, as the driver tells.

    Attributes:
        name: as sold.
        capability: major and minor compute capability.
        memory_bytes: its own memory; a Jetson's is the board's.
        driver_cuda: newest CUDA that the driver serves, major and minor.
    """

    name: str
    capability: tuple[int, int]
    memory_bytes: int
    driver_cuda: tuple[int, int]

    @property
    def sm(self) -> str:
        """Compute capability as device profiles write it: `8.6`."""
        return "{}.{}".format(*self.capability)


def cuda_device(index: int = 0) -> CudaDevice:
    """Describe a GPU of this machine.

    Raises:
        MissingLibraryError: cuda-python is not installed.
        TargetError: no driver, one that is too old, or no GPU.
    """
    call("cudaGetDeviceCount")
    properties = call("cudaGetDeviceProperties", index)
    name = properties.name
    return CudaDevice(
        name=name.decode() if isinstance(name, bytes) else str(name),
        capability=(properties.major, properties.minor),
        memory_bytes=properties.totalGlobalMem,
        driver_cuda=_version(call("cudaDriverGetVersion")),
    )


def free_bytes() -> int:
    """Memory of the current GPU that nobody holds; other processes change it too.

    Raises:
        TargetError: as `call`.
    """
    free, _total = call("cudaMemGetInfo")
    return int(free)


def call(function: str, *arguments: Any) -> Any:
    """Call a function of the CUDA runtime.

    Returns:
        What it gives beside its return code: nothing, one value, or a tuple.

    Raises:
        MissingLibraryError: cuda-python is not installed.
        TargetError: the return code is not cudaSuccess; what it means and what to do is told.
    """
    runtime = load_runtime()
    try:
        status, *values = getattr(runtime, function)(*arguments)
    except RuntimeError as error:
        # Where the driver's library is missing, older cuda-python raises instead of returning a code.
        raise TargetError(f"CUDA does not work here: {function}: {error}. {_driver_advice(runtime)}") from error
    if int(status) != 0:
        raise TargetError(_explain(runtime, function, status))
    return values[0] if len(values) == 1 else tuple(values) or None


def load_runtime() -> Any:
    """Import cuda-python's CUDA runtime; nothing is imported before this asks for it.

    Raises:
        MissingLibraryError: it is not installed.
    """
    for name in _LIBRARIES:
        with contextlib.suppress(ModuleNotFoundError):
            return importlib.import_module(name)
    raise MissingLibraryError("cuda-python", "cuda", "running on an NVIDIA GPU")


class Arena:
    """Owns streams, device memory and pinned host memory; closing frees them, the newest first.

    Attributes:
        device_bytes: device memory that it holds.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.device_bytes = 0

    def stream(self) -> Any:
        """A stream of its own, so that nothing waits for the default one."""
        stream = call("cudaStreamCreate")
        self._stack.callback(call, "cudaStreamDestroy", stream)
        return stream

    def device(self, size_bytes: int) -> int:
        """Address of new device memory."""
        address = int(call("cudaMalloc", size_bytes))
        self._stack.callback(call, "cudaFree", address)
        self.device_bytes += size_bytes
        return address

    def pinned(self, size_bytes: int) -> npt.NDArray[np.uint8]:
        """New host memory that the GPU copies to and from by itself: (size_bytes,) uint8, valid until closing."""
        address = int(call("cudaHostAlloc", size_bytes, 0))
        self._stack.callback(call, "cudaFreeHost", address)
        return np.ctypeslib.as_array((ctypes.c_uint8 * size_bytes).from_address(address))

    def close(self) -> None:
        """Free everything; a second call does nothing."""
        self._stack.close()
        self.device_bytes = 0

    def __enter__(self) -> "Arena":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def to_device(address: int, source: npt.NDArray[Any], stream: Any) -> None:
    """Queue a copy of pinned memory to the device."""
    kind = load_runtime().cudaMemcpyKind.cudaMemcpyHostToDevice
    call("cudaMemcpyAsync", address, source.ctypes.data, source.nbytes, kind, stream)


def to_host(target: npt.NDArray[Any], address: int, stream: Any) -> None:
    """Queue a copy of device memory to pinned memory."""
    kind = load_runtime().cudaMemcpyKind.cudaMemcpyDeviceToHost
    call("cudaMemcpyAsync", target.ctypes.data, address, target.nbytes, kind, stream)


def capture(enqueue: Callable[[], None], stream: Any) -> Any:
    """Record as an executable graph what `enqueue` puts on the stream; None where that cannot be captured.

    The graph repeats the very copies and kernels, with their addresses and sizes, in one launch; it runs nothing yet.
    """
    try:
        return _record(enqueue, stream)
    except TargetError:
        # The failure is remembered per thread, and would be taken for that of the next call.
        load_runtime().cudaGetLastError()
        return None


def _record(enqueue: Callable[[], None], stream: Any) -> Any:
    mode = load_runtime().cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
    call("cudaStreamBeginCapture", stream, mode)
    try:
        enqueue()
    except BaseException:
        # Ended whatever happened, or the stream would never run anything again.
        with contextlib.suppress(TargetError):
            call("cudaGraphDestroy", call("cudaStreamEndCapture", stream))
        raise
    graph = call("cudaStreamEndCapture", stream)
    try:
        return call("cudaGraphInstantiate", graph, 0)
    finally:
        call("cudaGraphDestroy", graph)


def _explain(runtime: Any, function: str, status: Any) -> str:
    name = getattr(status, "name", str(status))
    if name in ("cudaErrorInsufficientDriver", "cudaErrorInitializationError"):
        return f"{function}: {name}. {_driver_advice(runtime)}"
    advice = _ADVICE.get(name) or _text(runtime.cudaGetErrorString(status))
    return f"{function}: {name}. {advice}"


def _driver_advice(runtime: Any) -> str:
    try:
        _, driver = runtime.cudaDriverGetVersion()
        _, built = runtime.cudaRuntimeGetVersion()
    except RuntimeError:
        driver, built = 0, 0
    if not driver:
        return "No NVIDIA driver is installed on this machine; run it where there is an NVIDIA GPU"
    have, need = _version(driver), _version(built)
    return (
        f"The driver serves CUDA {have[0]}.{have[1]}, cuda-python was built for {need[0]}.{need[1]}: update the "
        f"driver, or pip install 'cuda-python<{have[0] + 1}'"
    )


def _version(number: int) -> tuple[int, int]:
    return number // 1000, number % 1000 // 10


def _text(answer: tuple[Any, Any]) -> str:
    text = answer[1]
    return text.decode() if isinstance(text, bytes) else str(text)

"""A stand-in for a GPU, so that the runner's own logic is tested where there is none: it proves nothing of real ones.

`FakeCuda` stands for cuda-python's runtime module, `FakeTensorRt` for `tensorrt` or `tensorrt_rtx`. Host memory stands
for device memory; a stream runs nothing before it is synchronized; a numpy function stands for an engine. What the real
ones forbid fails here: copies outside a living allocation or from memory that is not pinned, a captured graph whose
context was changed, a capture right after a change of shape, a second free.
"""

import ctypes
import enum
import json
import types
from collections import deque

import numpy as np


class Status(enum.IntEnum):
    cudaSuccess = 0
    cudaErrorInvalidValue = 1
    cudaErrorMemoryAllocation = 2
    cudaErrorInsufficientDriver = 35
    cudaErrorNoDevice = 100
    cudaErrorIllegalAddress = 700
    cudaErrorStreamCaptureUnsupported = 900


class Stream:
    def __init__(self, handle):
        self.handle, self.queue, self.captured = handle, deque(), None

    def __int__(self):
        return self.handle

    def put(self, operation):
        (self.queue if self.captured is None else self.captured).append(operation)


class FakeCuda:
    """Functions of `cuda.bindings.runtime`; `failures` maps a function's name to the status it answers."""

    class cudaMemcpyKind(enum.IntEnum):
        cudaMemcpyHostToDevice = 1
        cudaMemcpyDeviceToHost = 2

    class cudaStreamCaptureMode(enum.IntEnum):
        cudaStreamCaptureModeThreadLocal = 1

    def __init__(self, *, driver=13000):
        self.memory = {"device": {}, "pinned": {}}
        self.streams, self.graphs, self.log, self.failures = {}, set(), [], {}
        self.driver, self.handles = driver, iter(range(1, 10_000))

    def __getattribute__(self, name):
        found = super().__getattribute__(name)
        if not name.startswith("cuda") or isinstance(found, type):
            return found

        def noted(*arguments):
            self.log.append(name)
            return (self.failures[name],) if name in self.failures else found(*arguments)

        return noted

    @property
    def leaks(self):
        """Everything that was made and not freed."""
        held = [*self.memory["device"], *self.memory["pinned"], *self.streams.values(), *self.graphs]
        return held

    def cudaGetDeviceCount(self):
        return Status.cudaSuccess, 1

    def cudaGetDeviceProperties(self, index):
        properties = {"name": b"Stand-in", "major": 8, "minor": 6, "totalGlobalMem": 8 * 10**9}
        return Status.cudaSuccess, types.SimpleNamespace(**properties)

    def cudaDriverGetVersion(self):
        return Status.cudaSuccess, self.driver

    def cudaRuntimeGetVersion(self):
        return Status.cudaSuccess, 13050

    def cudaGetErrorString(self, status):
        return Status.cudaSuccess, f"text of {status.name}".encode()

    def cudaGetLastError(self):
        return (Status.cudaSuccess,)

    def cudaMalloc(self, size):
        return self._allocate("device", size)

    def cudaHostAlloc(self, size, flags):
        return self._allocate("pinned", size)

    def cudaFree(self, address):
        return self._free("device", address)

    def cudaFreeHost(self, address):
        return self._free("pinned", address)

    def _allocate(self, kind, size):
        block = (ctypes.c_uint8 * size)(*b"\xa5" * min(size, 64))
        self.memory[kind][ctypes.addressof(block)] = block
        return Status.cudaSuccess, ctypes.addressof(block)

    def _free(self, kind, address):
        assert self.memory[kind].pop(address, None) is not None, f"{address} is no {kind} memory"
        return (Status.cudaSuccess,)

    def check_inside(self, kind, address, size):
        inside = any(start <= address and address + size <= start + len(b) for start, b in self.memory[kind].items())
        assert inside, f"{size} bytes at {address} are not inside {kind} memory"

    def cudaStreamCreate(self):
        stream = Stream(next(self.handles))
        self.streams[stream.handle] = stream
        return Status.cudaSuccess, stream

    def cudaStreamDestroy(self, stream):
        del self.streams[stream.handle]
        return (Status.cudaSuccess,)

    def cudaStreamSynchronize(self, stream):
        while stream.queue:
            stream.queue.popleft()()
        return (Status.cudaSuccess,)

    def cudaMemcpyAsync(self, target, source, size, kind, stream):
        ends = ("device", "pinned") if kind is self.cudaMemcpyKind.cudaMemcpyHostToDevice else ("pinned", "device")

        def copy():
            for where, address in zip(ends, (target, source), strict=True):
                self.check_inside(where, address, size)
            ctypes.memmove(target, source, size)

        stream.put(copy)
        return (Status.cudaSuccess,)

    def cudaStreamBeginCapture(self, stream, mode):
        stream.captured = []
        return (Status.cudaSuccess,)

    def cudaStreamEndCapture(self, stream):
        recorded, stream.captured = tuple(stream.captured), None
        return self._new_graph(("graph", next(self.handles), recorded))

    def cudaGraphInstantiate(self, graph, flags):
        return self._new_graph(("executable", next(self.handles), graph[2]))

    def _new_graph(self, graph):
        self.graphs.add(graph)
        return Status.cudaSuccess, graph

    def cudaGraphDestroy(self, graph):
        self.graphs.remove(graph)
        return (Status.cudaSuccess,)

    def cudaGraphExecDestroy(self, graph):
        self.graphs.remove(graph)
        return (Status.cudaSuccess,)

    def cudaGraphLaunch(self, graph, stream):
        assert graph in self.graphs, "a graph that was destroyed"
        stream.queue.extend(graph[2])
        return (Status.cudaSuccess,)


class FakeTensorRt:
    """The module's functions that the runner uses; `engines` maps a plan's bytes to a `Plan`."""

    __name__, __version__ = "fake_tensorrt", "11.0"
    TensorIOMode = enum.Enum("TensorIOMode", "INPUT OUTPUT")
    LayerInformationFormat = enum.Enum("LayerInformationFormat", "JSON")

    class ILogger:
        Severity = enum.Enum("Severity", "INTERNAL_ERROR ERROR WARNING INFO VERBOSE")

    def __init__(self, cuda, engines):
        self.cuda, self.engines, self.alive = cuda, engines, []

    def nptype(self, kind):
        return kind

    def Runtime(self, logger):
        return types.SimpleNamespace(deserialize_cuda_engine=lambda plan: self._open(plan, logger))

    def _open(self, plan, logger):
        if plan not in self.engines:
            logger.log(self.ILogger.Severity.INFO, "not a line for messages")
            logger.log(self.ILogger.Severity.ERROR, "the plan's magic tag does not match")
            return None
        return FakeEngine(self, self.engines[plan])


class Plan:
    """What a stand-in engine computes: shapes are (least rows, most rows, *row)."""

    def __init__(self, function, *, inputs, outputs, layers=()):
        self.function, self.inputs, self.outputs, self.layers = function, inputs, outputs, layers


class FakeEngine:
    device_memory_size_v2 = 1000

    def __init__(self, library, plan):
        self.library, self.plan = library, plan
        self.tensors = {**plan.inputs, **plan.outputs}
        self.num_io_tensors = len(self.tensors)

    def get_tensor_name(self, index):
        return list(self.tensors)[index]

    def get_tensor_mode(self, name):
        return self.library.TensorIOMode["INPUT" if name in self.plan.inputs else "OUTPUT"]

    def get_tensor_dtype(self, name):
        return self.tensors[name][0]

    def get_tensor_shape(self, name):
        least, most, *row = self.tensors[name][1]
        return [most if least == most else -1, *row]

    def get_tensor_profile_shape(self, name, index):
        least, most, *row = self.tensors[name][1]
        return [least, *row], [least, *row], [most, *row]

    def create_execution_context(self):
        return FakeContext(self)

    def create_engine_inspector(self):
        text = json.dumps({"Layers": list(self.plan.layers)})
        return types.SimpleNamespace(get_engine_information=lambda form: text)


class FakeContext:
    def __init__(self, engine):
        self.engine, self.rows, self.addresses, self.version, self.ran_since = engine, {}, {}, 0, False

    def set_input_shape(self, name, shape):
        least, most, *row = self.engine.plan.inputs[name][1]
        self.version, self.ran_since = self.version + 1, False
        self.rows[name] = shape[0]
        return least <= shape[0] <= most and list(shape[1:]) == row

    def get_tensor_shape(self, name):
        return [next(iter(self.rows.values())), *self.engine.tensors[name][1][2:]]

    def set_tensor_address(self, name, address):
        self.addresses[name] = address
        return name in self.engine.tensors

    def execute_async_v3(self, handle):
        cuda, plan, addresses = self.engine.library.cuda, self.engine.plan, dict(self.addresses)
        stream, version = cuda.streams[handle], self.version
        assert stream.captured is None or self.ran_since, "captured with work left from a change of shape"
        assert len(set(self.rows.values())) == 1
        rows, self.ran_since = next(iter(self.rows.values())), True

        def run():
            assert version == self.version, "the context changed since this run was queued or captured"
            feed = {name: self._view(cuda, name, addresses[name], rows) for name in plan.inputs}
            for name, value in plan.function(feed).items():
                self._view(cuda, name, addresses[name], rows)[...] = value

        stream.put(run)
        return True

    def _view(self, cuda, name, address, rows):
        dtype, (_, _, *row) = self.engine.tensors[name]
        shape = (rows, *row)
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        cuda.check_inside("device", address, size)
        return np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address)).view(dtype).reshape(shape)

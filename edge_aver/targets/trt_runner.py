"""Running TensorRT engines, `tensorrt` and `tensorrt_rtx` alike: pinned buffers, one stream, a CUDA graph."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_aver.errors import ArtifactError, TargetError
from edge_aver.targets import cuda
from edge_aver.targets.trt_engine import Engine, Tensor

__all__ = ["EngineRunner", "open_engine", "open_split"]

Array = npt.NDArray[Any]


def open_engine(
    library: Any,
    plan: bytes | Path,
    *,
    outputs: tuple[str, ...] = (),
    threads: int | None = None,
    graph: bool = True,
) -> "EngineRunner":
    """Open one engine on the first GPU.

    Args:
        library: the module `tensorrt` or `tensorrt_rtx`.
        plan: a serialized engine or its path. An engine is code: the caller has checked where it comes from.
        outputs: inner tensors to return too; an engine has those that it was built with, and no others.
        threads: of the CPU; nothing here uses them.
        graph: replay a batch size that comes again as one CUDA graph.

    Raises:
        ArtifactError: it cannot be read, or lacks one of `outputs`.
        MissingLibraryError: cuda-bindings is not installed.
        TargetError: no driver, no GPU, or too little memory on it.
    """
    return EngineRunner(library, (plan,), outputs=outputs, graph=graph)


def open_split(
    library: Any, frame_encoder: bytes | Path, fusion: bytes | Path, *, graph: bool = True
) -> "EngineRunner":
    """Open a network that was split in two: what the frame encoder gives stays on the device.

    The fusion takes an input of the same name as the encoder's output. Faces are fed as for the whole network, (N, 15,
    224, 224, 3): to an encoder of single frames they are a batch of 15 N.

    Raises:
        ArtifactError, MissingLibraryError, TargetError: as `open_engine`.
    """
    return EngineRunner(library, (frame_encoder, fusion), graph=graph)


class EngineRunner:
    """Engines one after the other on one stream, each fed by the caller and by those before it; see `Runner`.

    All buffers are made once, for the largest batch, so their addresses hold for every run and every captured graph.
    """

    def __init__(
        self, library: Any, plans: Sequence[bytes | Path], *, outputs: tuple[str, ...] = (), graph: bool = True
    ) -> None:
        # Before the library looks for the driver itself: its own message would not say what to do.
        cuda.cuda_device()
        # One stream and one set of buffers: threads that share a runner take turns.
        self._lock = threading.Lock()
        self._arena = cuda.Arena()
        self._engines: list[Engine] = []
        self._graph: Any = None
        self._may_capture = graph
        self._rows: tuple[int, ...] = ()
        self._sizes: dict[str, int] = {}
        try:
            for plan in plans:
                self._engines.append(Engine(library, *_read(plan)))
            self._stream = self._arena.stream()
            self._allocate(outputs)
        except BaseException:
            self.close()
            raise

    def _allocate(self, asked: tuple[str, ...]) -> None:
        given = {tensor.name: tensor for engine in self._engines for tensor in engine.outputs}
        taken = {tensor.name: tensor for engine in self._engines for tensor in engine.inputs}
        self._inputs = {name: tensor for name, tensor in taken.items() if name not in given}
        self._outputs = {name: tensor for name, tensor in given.items() if name not in taken or name in asked}
        if unknown := [name for name in asked if name not in self._outputs]:
            raise ArtifactError(
                f"the engine has no output {unknown[0]!r}; it was built with {', '.join(self._outputs)}"
            )
        tensors = [*given.values(), *taken.values()]
        sizes = {one.name: max(_most_bytes(other) for other in tensors if other.name == one.name) for one in tensors}
        self._addresses = {name: self._arena.device(size) for name, size in sizes.items()}
        self._pinned = {name: self._arena.pinned(sizes[name]) for name in (*self._inputs, *self._outputs)}
        for engine in self._engines:
            engine.bind(self._addresses)

    @property
    def executed_precisions(self) -> Mapping[str, int]:
        """Layers of all engines by the type they compute in, as TensorRT's inspector tells."""
        counts: Counter[str] = Counter()
        for engine in self._engines:
            counts.update(engine.executed_precisions)
        return counts

    @property
    def device_memory_bytes(self) -> int:
        """Memory on the GPU: activations and buffers, and weights where TensorRT tells; not CUDA's own."""
        return sum(engine.memory_bytes for engine in self._engines) + self._arena.device_bytes

    def infer(self, feed: Mapping[str, Array]) -> dict[str, npt.NDArray[np.float32]]:
        """Run once; see `Runner.infer`.

        Raises:
            TargetError: an input is missing, unknown, of another type or shape, or the batch outside the engine's
                range; or the GPU failed.
        """
        with self._lock:
            rows = self._check(feed)
            again = rows == self._rows
            if not again:
                self._set_rows(rows)
            for name in self._inputs:
                np.copyto(self._host(name, feed[name].nbytes), np.ascontiguousarray(feed[name]).reshape(-1).view("u1"))
            if again and self._may_capture and self._graph is None:
                self._capture()
            self._run()
            return {name: self._result(tensor) for name, tensor in self._outputs.items()}

    def time_compute(self, queries: int) -> tuple[float, ...]:
        """Seconds from launch to the last kernel's end; see `Runner.time_compute`. As one graph where `infer` is."""
        with self._lock:
            if not self._rows:
                return ()
            graph = cuda.capture(self._enqueue_engines, self._stream) if self._graph is not None else None
            try:
                return tuple(self._time_engines(graph) for _ in range(queries))
            finally:
                if graph is not None:
                    cuda.call("cudaGraphExecDestroy", graph)

    def _time_engines(self, graph: Any) -> float:
        started = time.perf_counter()
        if graph is None:
            self._enqueue_engines()
        else:
            cuda.call("cudaGraphLaunch", graph, self._stream)
        cuda.call("cudaStreamSynchronize", self._stream)
        return time.perf_counter() - started

    def _check(self, feed: Mapping[str, Array]) -> tuple[int, ...]:
        """Rows of each engine that a feed asks for."""
        if set(feed) != set(self._inputs):
            raise TargetError(f"inputs {', '.join(feed) or 'none'} were given, expected {', '.join(self._inputs)}")
        bytes_of = {name: _check_input(self._inputs[name], array) for name, array in feed.items()}
        rows = []
        for engine in self._engines:
            counts = {one.name: bytes_of[one.name] / one.row_bytes for one in engine.inputs}
            count = next(iter(counts.values()))
            if any(other != count for other in counts.values()):
                told = ", ".join(f"{name} {number:g}" for name, number in counts.items())
                raise TargetError(f"inputs of different batch: {told}")
            engine.check_rows(int(count))
            bytes_of |= {one.name: int(count) * one.row_bytes for one in engine.outputs}
            rows.append(int(count))
        self._sizes = bytes_of
        return tuple(rows)

    def _set_rows(self, rows: tuple[int, ...]) -> None:
        """Another batch: a graph belongs to the state its context had, so it goes."""
        self._drop_graph()
        self._rows = ()
        for engine, count in zip(self._engines, rows, strict=True):
            engine.set_rows(count)
        self._rows = rows

    def _capture(self) -> None:
        """Capture a batch that ran plainly once: TensorRT then has nothing left to prepare for it."""
        if all(engine.capturable(self._stream) for engine in self._engines):
            self._graph = cuda.capture(self._enqueue, self._stream)
        self._may_capture = self._graph is not None

    def _run(self) -> None:
        if self._graph is None:
            self._enqueue()
        else:
            cuda.call("cudaGraphLaunch", self._graph, self._stream)
        cuda.call("cudaStreamSynchronize", self._stream)

    def _enqueue(self) -> None:
        for name in self._inputs:
            cuda.to_device(self._addresses[name], self._host(name, self._sizes[name]), self._stream)
        self._enqueue_engines()
        for name in self._outputs:
            cuda.to_host(self._host(name, self._sizes[name]), self._addresses[name], self._stream)

    def _enqueue_engines(self) -> None:
        for engine in self._engines:
            engine.enqueue(self._stream)

    def _host(self, name: str, size_bytes: int) -> npt.NDArray[np.uint8]:
        return self._pinned[name][:size_bytes]

    def _result(self, tensor: Tensor) -> npt.NDArray[np.float32]:
        """A copy: the next run writes to the same pinned memory."""
        values = self._host(tensor.name, self._sizes[tensor.name]).view(tensor.dtype)
        return values.reshape(-1, *tensor.row).astype(np.float32, copy=True)

    def _drop_graph(self) -> None:
        if self._graph is not None:
            graph, self._graph = self._graph, None
            cuda.call("cudaGraphExecDestroy", graph)

    def close(self) -> None:
        """Free graph, engines, buffers and stream; a second call does nothing."""
        with self._lock, contextlib.ExitStack() as stack:
            # In reverse order, each though another failed.
            stack.callback(self._arena.close)
            for engine in self._engines:
                stack.callback(engine.close)
            stack.callback(self._drop_graph)

    def __enter__(self) -> "EngineRunner":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _read(plan: bytes | Path) -> tuple[bytes, str]:
    """The serialized engine, and what messages call it."""
    if isinstance(plan, bytes):
        return plan, "the engine"
    try:
        return plan.read_bytes(), str(plan)
    except OSError as error:
        raise ArtifactError(f"{plan}: the engine cannot be read ({error.strerror})") from error


def _most_bytes(tensor: Tensor) -> int:
    return tensor.most * tensor.row_bytes


def _check_input(tensor: Tensor, array: Array) -> int:
    """Bytes of an input whose last dimensions are those of the engine; those before them are its batch."""
    wanted = np.dtype(tensor.dtype)
    if array.dtype != wanted:
        raise TargetError(f"input {tensor.name} is {array.dtype}, expected {wanted}")
    row = tensor.row
    if array.ndim <= len(row) or array.shape[array.ndim - len(row) :] != row:
        raise TargetError(f"input {tensor.name} has shape {array.shape}, expected (batch, {', '.join(map(str, row))})")
    return prod(array.shape) * wanted.itemsize

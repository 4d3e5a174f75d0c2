"""A TensorRT engine on device memory: its tensors, its batch range, and the order to run it."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_aver.errors import ArtifactError, TargetError
from edge_aver.targets.trt_log import logger

__all__ = ["Engine", "Tensor", "layer_precisions"]


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """One input or output of an engine.

    Attributes:
        name: in the graph.
        dtype: of its values.
        row: shape without the first dimension, which is the batch.
        least, most: rows that the engine takes or gives.
    """

    name: str
    dtype: npt.DTypeLike
    row: tuple[int, ...]
    least: int
    most: int

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return prod(self.row) * np.dtype(self.dtype).itemsize


class Engine:
    """A deserialized engine with one execution context; it copies nothing and waits for nothing.

    Attributes:
        inputs, outputs: its tensors, in the engine's order.
    """

    def __init__(self, library: Any, plan: bytes, where: str) -> None:
        """Deserialize an engine; a driver and a GPU must be there.

        Args:
            library: the module `tensorrt` or `tensorrt_rtx`.
            plan: the serialized engine: code, which the caller trusts.
            where: what messages call it.

        Raises:
            ArtifactError: the library refuses it; the library's own reason is told.
            TargetError: no memory for its execution context.
        """
        self._library, self._where, self._log = library, where, logger(library)
        self._log.lines.clear()
        self._runtime = library.Runtime(self._log)
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            raise ArtifactError(f"{where}: {library.__name__} {library.__version__} cannot open it: {self._reason()}")
        self._context = _context(library, self._engine)
        if self._context is None:
            raise TargetError(f"{where}: no execution context: {self._reason()}; is the GPU's memory full?")
        self.inputs = tuple(self._tensors(inputs=True))
        self.set_rows(self.inputs[0].most)
        self.outputs = tuple(self._tensors(inputs=False))

    def _tensors(self, *, inputs: bool) -> Iterator[Tensor]:
        library, engine = self._library, self._engine
        for index in range(engine.num_io_tensors):
            name = engine.get_tensor_name(index)
            if (engine.get_tensor_mode(name) == library.TensorIOMode.INPUT) is inputs:
                least, shape = self._limits(name) if inputs else (0, tuple(self._context.get_tensor_shape(name)))
                if min(shape, default=-1) < 0:
                    raise ArtifactError(f"{self._where}: {name} has shape {shape}; only the batch may vary")
                yield Tensor(
                    name=name,
                    dtype=library.nptype(engine.get_tensor_dtype(name)),
                    row=shape[1:],
                    least=least,
                    most=shape[0],
                )

    def _limits(self, name: str) -> tuple[int, tuple[int, ...]]:
        """Fewest rows of an input, and its largest shape."""
        shape = tuple(self._engine.get_tensor_shape(name))
        if min(shape, default=0) >= 0:
            return shape[0], shape
        least, _, most = (tuple(one) for one in self._engine.get_tensor_profile_shape(name, 0))
        if least[1:] != most[1:]:
            raise ArtifactError(f"{self._where}: {name} may be {least} to {most}; only the batch may vary")
        return least[0], most

    @property
    def memory_bytes(self) -> int:
        """Device memory for activations, and for weights where the library tells (TensorRT 10.3 does not)."""
        stat = getattr(self._engine, "get_engine_stat", None)
        weights = stat(self._library.EngineStat.TOTAL_WEIGHTS_SIZE) if stat else 0
        return int(self._engine.device_memory_size_v2 + weights)

    @property
    def executed_precisions(self) -> Mapping[str, int]:
        """Layers by the type that they compute in, from the engine's inspector; {} where it was built without."""
        inspector = self._engine.create_engine_inspector()
        return layer_precisions(inspector.get_engine_information(self._library.LayerInformationFormat.JSON))

    def check_rows(self, rows: int) -> None:
        """Refuse a batch that the engine was not built for.

        Raises:
            TargetError: fewer or more than its range, which is told.
        """
        least, most = self.inputs[0].least, self.inputs[0].most
        if not least <= rows <= most:
            takes = f"{least} to {most}" if least < most else f"{most}"
            raise TargetError(f"{self._where}: a batch of {rows}, but this engine was built for {takes}; split it")

    def set_rows(self, rows: int) -> None:
        """Set the batch of every input; what was captured of the context before is void."""
        for tensor in self.inputs:
            if not self._context.set_input_shape(tensor.name, (rows, *tensor.row)):
                raise TargetError(f"{self._where}: {tensor.name} with {rows} rows is refused: {self._reason()}")

    def bind(self, addresses: Mapping[str, int]) -> None:
        """Tell where each input and output lies on the device."""
        for tensor in (*self.inputs, *self.outputs):
            if not self._context.set_tensor_address(tensor.name, addresses[tensor.name]):
                raise TargetError(f"{self._where}: {tensor.name}: its device address is refused: {self._reason()}")

    def enqueue(self, stream: Any) -> None:
        """Queue one run on the stream."""
        if not self._context.execute_async_v3(int(stream)):
            raise TargetError(f"{self._where}: the engine did not run: {self._reason()}")

    def capturable(self, stream: Any) -> bool:
        """Whether a run can be captured; TensorRT-RTX tells, TensorRT has it tried."""
        told = getattr(self._context, "is_stream_capturable", None)
        return told is None or bool(told(int(stream)))

    def close(self) -> None:
        """Free context, engine and runtime, in this order."""
        self._context = self._engine = self._runtime = None

    def _reason(self) -> str:
        return " / ".join(self._log.lines) or "no reason was given"


def layer_precisions(information: str) -> Mapping[str, int]:
    """Count layers by the type of their first input, as the engine's inspector describes them.

    Args:
        information: JSON of the whole engine; layers without tensors, and those known by name only, do not count.
    """
    counts: Counter[str] = Counter()
    for layer in json.loads(information).get("Layers", ()):
        for tensor in layer.get("Inputs", ())[:1] if isinstance(layer, dict) else ():
            counts[_type_name(tensor.get("Datatype") or tensor.get("Format/Datatype") or "unknown")] += 1
    return counts


def _type_name(told: str) -> str:
    """`fp16` from `Half`, and from `Channel major FP16 format where channel % 8 == 0`."""
    words = told.replace(",", " ").split()
    known = {"Float": "fp32", "Half": "fp16"}
    names = ("fp32", "fp16", "bf16", "fp8", "int8", "uint8", "int32", "int64", "bool")
    found = (known.get(word, word.lower()) for word in words)
    return next((name for name in found if name in names), told)


def _context(library: Any, engine: Any) -> Any:
    if not hasattr(engine, "create_runtime_config"):
        return engine.create_execution_context()
    config = engine.create_runtime_config()
    if hasattr(config, "dynamic_shapes_kernel_specialization_strategy"):
        # Left lazy, kernels would be exchanged for faster ones while latency is measured, or after a capture.
        strategies = library.DynamicShapesKernelSpecializationStrategy
        config.dynamic_shapes_kernel_specialization_strategy = strategies.EAGER
    return engine.create_execution_context(config)

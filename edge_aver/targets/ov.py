"""OpenVINO on the CPU: a folder with the IR (`model.xml`, `model.bin`) is the artifact."""

import threading
from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import openvino

from edge_aver.errors import ArtifactError, TargetError
from edge_aver.targets.profile import DeviceProfile

__all__ = ["OvRunner", "build", "is_folder", "open_runner", "read_metadata", "suffix"]

suffix = ".openvino"
is_folder = True

_XML = "model.xml"


def build(
    lowered: Path, out: Path, *, metadata: Mapping[str, str], profile: DeviceProfile | None = None
) -> Mapping[str, Any]:
    """Save the lowered graph (ONNX or IR) as IR, uncompressed, with the metadata in its `rt_info`.

    Weights keep the type the lowering gave them: a silent conversion to fp16 would make an fp32 baseline none.

    Raises:
        TargetError: OpenVINO refuses the graph.
    """
    core = openvino.Core()
    try:
        model = core.read_model(lowered)
        for key, value in metadata.items():
            model.set_rt_info(value, key.split("."))
        openvino.save_model(model, out / _XML, compress_to_fp16=False)
        core.compile_model(model, "CPU")
    except RuntimeError as error:
        raise TargetError(f"OpenVINO cannot build {out.name}: {error}") from error
    return {}


def read_metadata(path: Path, key: str) -> str | None:
    """Value of a key of `rt_info`; see `RuntimeModule.read_metadata`."""
    try:
        model = openvino.Core().read_model(path / _XML)
        names = key.split(".")
        return str(model.get_rt_info(names).value) if model.has_rt_info(names) else None
    except RuntimeError as error:
        raise ArtifactError(f"{path}: OpenVINO cannot open it: {error}") from error


def open_runner(
    path: Path,
    *,
    threads: int | None = None,
    outputs: tuple[str, ...] = (),
    exact: bool = False,
    trust: bool = False,
) -> "OvRunner":
    """Open an IR folder or an ONNX file; see `RuntimeModule.open_runner`.

    OpenVINO has no exact mode: it runs as it always does.
    """
    return OvRunner(path, threads=threads, outputs=outputs)


class OvRunner:
    """A compiled model on the CPU, for latency: one stream, execution pinned to the precision of the file."""

    def __init__(self, path: Path, *, threads: int | None, outputs: tuple[str, ...]) -> None:
        core = openvino.Core()
        try:
            model = core.read_model(path / _XML if path.is_dir() else path)
            if outputs:
                model.add_outputs(list(outputs))
            self._compiled = core.compile_model(model, "CPU", _config(threads))
        except RuntimeError as error:
            raise ArtifactError(f"{path}: OpenVINO cannot open it: {error}") from error
        self._names = [_name(port, outputs) for port in self._compiled.outputs]
        self._request = self._compiled.create_infer_request()
        # One request holds the tensors of one inference: threads that share a runner take turns.
        self._lock = threading.Lock()

    @cached_property
    def executed_precisions(self) -> Mapping[str, int]:
        """Layers of the compiled graph by `runtimePrecision`, inputs, constants and outputs left out."""
        counts: Counter[str] = Counter()
        for node in self._compiled.get_runtime_model().get_ordered_ops():
            info = node.get_rt_info()
            if info["layerType"].value not in ("Input", "Const", "Output", "Parameter", "Result"):
                counts[info["runtimePrecision"].value] += 1
        return counts

    @property
    def device_memory_bytes(self) -> int | None:
        """None: it uses the process's own memory."""
        return None

    def infer(self, feed: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[np.float32]]:
        """Run once; see `Runner.infer`."""
        with self._lock:
            results = self._request.infer(dict(feed), share_inputs=True)
            return {name: results[i] for i, name in enumerate(self._names)}

    def time_compute(self, queries: int) -> tuple[float, ...]:
        """Nothing: it uses the process's own memory."""
        return ()

    def __enter__(self) -> "OvRunner":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del self._request, self._compiled


def _name(port: Any, asked: tuple[str, ...]) -> str:
    """A tensor may bear several names: the one that was asked for, else any."""
    names = port.get_names()
    return next((name for name in asked if name in names), port.get_any_name())


def _config(threads: int | None) -> dict[str, Any]:
    config: dict[str, Any] = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        # Else it quantizes what is multiplied with 8-bit weights too, which no file says; without 8-bit dot products
        # such a node even fails to compile.
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
    }
    if threads is not None:
        config["INFERENCE_NUM_THREADS"] = threads
    if threads == 1:
        # Every process pins its first thread to the same core: workers that have one thread each would share it.
        config["ENABLE_CPU_PINNING"] = False
    return config

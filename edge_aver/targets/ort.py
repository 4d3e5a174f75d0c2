"""ONNX Runtime on the CPU: a `.onnx` file is the artifact."""

import contextlib
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from edge_aver.errors import ArtifactError, TargetError
from edge_aver.targets.onnx_bytes import extra_outputs, metadata_props
from edge_aver.targets.profile import DeviceProfile

__all__ = ["ExecutedNode", "OrtRunner", "build", "is_folder", "open_runner", "read_metadata", "suffix"]

suffix = ".onnx"
is_folder = False

_CPU = ("CPUExecutionProvider",)

_ERRORS: tuple[type[Exception], ...] = tuple(
    getattr(onnxruntime.capi.onnxruntime_pybind11_state, name)
    for name in (
        "Fail",
        "InvalidArgument",
        "InvalidGraph",
        "InvalidProtobuf",
        "NoSuchFile",
        "NotImplemented",
        "RuntimeException",
    )
)


def build(
    lowered: Path, out: Path, *, metadata: Mapping[str, str], profile: DeviceProfile | None = None
) -> Mapping[str, Any]:
    """Copy the lowered graph, with the metadata in its `metadata_props`; a session must accept it.

    Raises:
        TargetError: ONNX Runtime refuses the graph.
    """
    shutil.copyfile(lowered, out)
    with out.open("ab") as file:
        file.write(metadata_props(metadata))
    try:
        open_runner(out).__exit__(None, None, None)
    except ArtifactError as error:
        raise TargetError(str(error)) from error
    return {}


def read_metadata(path: Path, key: str) -> str | None:
    """Value of a key of `metadata_props`; see `RuntimeModule.read_metadata`."""
    with open_runner(path, exact=True) as runner:
        return runner.metadata.get(key)


def open_runner(
    path: Path,
    *,
    threads: int | None = None,
    outputs: tuple[str, ...] = (),
    exact: bool = False,
    trust: bool = False,
) -> "OrtRunner":
    """Open a `.onnx` file; see `RuntimeModule.open_runner`."""
    return OrtRunner(path, threads=threads, outputs=outputs, exact=exact)


@dataclass(frozen=True, kw_only=True)
class ExecutedNode:
    """A node that a profile saw run: its name, the provider that ran it, and the type of its first input."""

    name: str
    provider: str
    precision: str


class OrtRunner:
    """A session on a `.onnx` file.

    Args:
        path: the file.
        threads, outputs, exact: see `RuntimeModule.open_runner`.
        providers: with their options, the preferred one first; ONNX Runtime takes a later one without a word.
        profile: prefix of the file that profiles the runs up to the first `executed_nodes`.
    """

    def __init__(
        self,
        path: Path,
        *,
        threads: int | None,
        outputs: tuple[str, ...] = (),
        exact: bool = False,
        providers: Sequence[Any] = _CPU,
        profile: Path | None = None,
    ) -> None:
        self._path, self._threads = path, threads
        # A path lets ONNX Runtime map the file; only a graph with added outputs must be given as bytes.
        source = path.read_bytes() + extra_outputs(dict.fromkeys(outputs)) if outputs else str(path)
        try:
            # Without the fallback of its Python half, which would open a CPU session where another failed.
            self._session = onnxruntime.InferenceSession(
                source, _options(threads, exact, profile), providers=list(providers), enable_fallback=0
            )
        except _ERRORS as error:
            raise ArtifactError(f"{path}: ONNX Runtime cannot open it: {error}") from error
        self._outputs = [item.name for item in self._session.get_outputs()]

    @property
    def metadata(self) -> Mapping[str, str]:
        """The file's `metadata_props`."""
        properties: Mapping[str, str] = self._session.get_modelmeta().custom_metadata_map
        return properties

    @cached_property
    def executed_precisions(self) -> Mapping[str, int]:
        """Nodes that ran, by the type of their first input, from the profile of one run (paper's shapes, zeros)."""
        with tempfile.TemporaryDirectory() as folder:
            profile = Path(folder) / "profile"
            with OrtRunner(self._path, threads=self._threads, profile=profile) as runner:
                return Counter(node.precision for node in runner.executed_nodes())

    @property
    def providers(self) -> tuple[str, ...]:
        """Those that the session really has, the preferred one first."""
        return tuple(self._session.get_providers())

    def executed_nodes(self) -> tuple[ExecutedNode, ...]:
        """Every node of one run (paper's shapes, zeros); ends the profile that the runner was opened with."""
        self._session.run(None, {item.name: _zeros(item) for item in self._session.get_inputs()})
        events = json.loads(Path(self._session.end_profiling()).read_text(encoding="utf-8"))
        return tuple(_executed(events))

    @property
    def device_memory_bytes(self) -> int | None:
        """None: it uses the process's own memory."""
        return None

    def infer(self, feed: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[np.float32]]:
        """Run once; see `Runner.infer`."""
        try:
            return dict(zip(self._outputs, self._session.run(self._outputs, dict(feed)), strict=True))
        except _ERRORS as error:
            raise TargetError(f"{self._path}: ONNX Runtime cannot run it: {error}") from error

    def time_compute(self, queries: int) -> tuple[float, ...]:
        """Nothing: it uses the process's own memory."""
        return ()

    def __enter__(self) -> "OrtRunner":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del self._session


def _options(threads: int | None, exact: bool, profile: Path | None) -> Any:
    options = onnxruntime.SessionOptions()
    if profile is not None:
        options.enable_profiling = True
        options.profile_file_prefix = str(profile)
    options.log_severity_level = 3
    if threads is not None:
        options.intra_op_num_threads = threads
    if exact:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    # Threads spin within a run alone: between runs they would take the cores from decoding and face detection.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    # Without VNNI the default 8-bit kernels saturate pairs of products to 16 bits; this form does not.
    options.add_session_config_entry("session.x64quantprecision", "1")
    return options


def _executed(events: list[dict[str, Any]]) -> Iterator[ExecutedNode]:
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            with contextlib.suppress(KeyError, IndexError, StopIteration):
                yield ExecutedNode(
                    name=event["name"].removesuffix("_kernel_time"),
                    provider=event["args"]["provider"],
                    precision=next(iter(event["args"]["input_type_shape"][0])),
                )


def _zeros(item: Any) -> npt.NDArray[Any]:
    shape = [1 if isinstance(size, str) or size is None else size for size in item.shape]
    return np.zeros(shape, {"tensor(uint8)": np.uint8, "tensor(float)": np.float32}[item.type])

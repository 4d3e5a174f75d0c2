"""ONNX Runtime on an NVIDIA GPU: the same `.onnx` file, run by the CUDA provider or not at all."""

import contextlib
import io
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import onnxruntime

from edge_aver.errors import TargetError
from edge_aver.targets import cuda
from edge_aver.targets.ort import ExecutedNode, OrtRunner, build, is_folder, read_metadata, suffix

__all__ = ["OrtCudaRunner", "build", "is_folder", "open_runner", "read_metadata", "suffix"]

_PROVIDER = "CUDAExecutionProvider"
_OPTIONS = {"use_tf32": "0"}
"""TF32 would round the factors of an fp32 network to 10 bits, unasked."""

_OF_SHAPES = ("int64", "int32", "bool")
"""Types of what ONNX Runtime computes on the CPU on purpose: shapes, whose values the CPU needs."""


def open_runner(
    path: Path,
    *,
    threads: int | None = None,
    outputs: tuple[str, ...] = (),
    exact: bool = False,
    trust: bool = False,
) -> "OrtCudaRunner":
    """Open a `.onnx` file on the first GPU; see `RuntimeModule.open_runner`.

    Raises:
        MissingLibraryError: cuda-bindings is not installed.
        TargetError: the ONNX Runtime here is the CPU's, there is no driver or GPU, or a part would run on the CPU.
    """
    _check_build()
    cuda.cuda_device()
    return OrtCudaRunner(path, threads=threads, outputs=outputs, exact=exact)


class OrtCudaRunner(OrtRunner):
    """A session whose nodes all run on the GPU, those that compute shapes aside."""

    def __init__(self, path: Path, *, threads: int | None, outputs: tuple[str, ...], exact: bool) -> None:
        self._free_bytes = cuda.free_bytes()
        missing = _load_libraries()
        with tempfile.TemporaryDirectory() as folder:
            super().__init__(
                path,
                threads=threads,
                outputs=outputs,
                exact=exact,
                providers=[(_PROVIDER, _OPTIONS)],
                profile=Path(folder) / "profile",
            )
            check_provider(self.providers, missing)
            self._nodes = self.executed_nodes()
        check_placement(self._nodes)

    @cached_property
    def executed_precisions(self) -> Mapping[str, int]:
        """Nodes that ran, by the type of their first input, from the profile of the first run."""
        return Counter(node.precision for node in self._nodes)

    @property
    def device_memory_bytes(self) -> int:
        """What the GPU has less since before the session; what others took meanwhile is in it."""
        return max(0, self._free_bytes - cuda.free_bytes())


def check_provider(providers: tuple[str, ...], missing: str) -> None:
    """Refuse a session that has silently lost the CUDA provider.

    Args:
        providers: that the session has.
        missing: what could not be loaded before.

    Raises:
        TargetError: it has.
    """
    if _PROVIDER not in providers:
        raise TargetError(
            f"ONNX Runtime {onnxruntime.__version__} fell back to {', '.join(providers)}, its CUDA provider did not "
            f"load: {missing or 'CUDA or cuDNN of another version?'} pip install 'edge-aver[onnxruntime-cuda]'"
        )


def check_placement(nodes: Iterable[ExecutedNode]) -> None:
    """Refuse a session that computes a part of the network on the CPU.

    Raises:
        TargetError: nodes that take anything but shapes ran elsewhere; the first is named.
    """
    strayed = [node for node in nodes if node.provider != _PROVIDER and node.precision not in _OF_SHAPES]
    if strayed:
        raise TargetError(
            f"ONNX Runtime would run {len(strayed)} nodes on the CPU, {strayed[0].name} ({strayed[0].precision}) "
            "first: the CUDA provider has no kernel for them; export for target onnxruntime-cpu, or with another recipe"
        )


def _check_build() -> None:
    available: list[Any] = onnxruntime.get_available_providers()
    if _PROVIDER not in available:
        raise TargetError(
            f"ONNX Runtime {onnxruntime.__version__} here is the CPU's build: pip uninstall onnxruntime, then "
            "pip install 'edge-aver[onnxruntime-cuda]'"
        )


def _load_libraries() -> str:
    """Load the CUDA and cuDNN libraries that pip installed, which are not found otherwise; what failed is told."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        onnxruntime.preload_dlls()
    return " ".join(line for line in said.getvalue().splitlines() if line.startswith("Failed"))

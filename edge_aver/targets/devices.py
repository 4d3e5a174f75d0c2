"""Device profiles and the table of runtimes: what a target is, and which library runs it."""

import importlib
import importlib.metadata
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from edge_aver.declarations import load, shipped_names
from edge_aver.errors import DeclarationError, MissingLibraryError, TargetError
from edge_aver.targets.contract import RuntimeModule
from edge_aver.targets.cuda import cuda_device
from edge_aver.targets.profile import DeviceProfile

__all__ = ["RUNTIMES", "RuntimeEntry", "load_profile", "profile_names", "runs_here", "runtime_module"]

_FOLDER = "targets/devices"


@dataclass(frozen=True, kw_only=True)
class RuntimeEntry:
    """One runtime: our module, the library it wraps, and the pip extra that brings it.

    Attributes:
        module: that wraps it.
        library: import name.
        extra: of edge-aver, that brings it.
        factory: function of the module that gives the `RuntimeModule` of a runtime by its name, where one module
            serves several; None where the module is it.
        holds_metadata: whether the spec stands inside its artifacts; else in the sidecar alone.
        needs_gpu: whether its artifacts run on an NVIDIA GPU only.
        splits: whether a network is built in two for it on request, `frame_encoder` and `fusion`.
        distribution: that must bring the library, where another of the same import name would not do.
    """

    module: str
    library: str
    extra: str
    factory: str | None = None
    holds_metadata: bool = True
    needs_gpu: bool = False
    splits: bool = False
    distribution: str | None = None

    @property
    def version(self) -> str | None:
        """Version of the installed library, or None; found without importing it."""
        if importlib.util.find_spec(self.library) is None:
            return None
        return _installed_version(self.distribution) if self.distribution else _distribution_version(self.library)


def _tensorrt(library: str, extra: str) -> RuntimeEntry:
    return RuntimeEntry(
        module="edge_aver.targets.trt",
        library=library,
        extra=extra,
        factory="tensorrt_runtime",
        holds_metadata=False,
        needs_gpu=True,
        splits=True,
    )


RUNTIMES: Mapping[str, RuntimeEntry] = {
    "onnxruntime": RuntimeEntry(
        module="edge_aver.targets.ort", library="onnxruntime", extra="onnxruntime", splits=True
    ),
    "onnxruntime-cuda": RuntimeEntry(
        module="edge_aver.targets.ort_cuda",
        library="onnxruntime",
        extra="onnxruntime-cuda",
        needs_gpu=True,
        distribution="onnxruntime-gpu",
    ),
    "openvino": RuntimeEntry(module="edge_aver.targets.ov", library="openvino", extra="openvino", splits=True),
    "tensorrt": _tensorrt("tensorrt", "tensorrt"),
    "tensorrt-rtx": _tensorrt("tensorrt_rtx", "tensorrt-rtx"),
}


def profile_names() -> tuple[str, ...]:
    """Names of the shipped device profiles."""
    return shipped_names(_FOLDER)


def load_profile(name: str) -> DeviceProfile:
    """Read a device profile by shipped name or path.

    Raises:
        DeclarationError: unknown name, bad TOML, or a runtime that is not in the table.
    """
    profile = load(DeviceProfile, _FOLDER, name)
    if profile.runtime not in RUNTIMES:
        raise DeclarationError(f"{name}: runtime {profile.runtime!r} is not one of {', '.join(RUNTIMES)}")
    return profile


def runtime_module(runtime: str) -> RuntimeModule:
    """Import the module that wraps a runtime; nothing is imported before this asks for it.

    Raises:
        MissingLibraryError: the runtime's library is not installed.
        TargetError: the runtime is not in the table, or its library fails to load on this machine.
    """
    if runtime not in RUNTIMES:
        raise TargetError(f"runtime {runtime!r} is not one that this edge-aver knows: {', '.join(RUNTIMES)}")
    entry = RUNTIMES[runtime]
    if entry.version is None:
        raise MissingLibraryError(entry.distribution or entry.library, entry.extra, f"runtime {runtime}")
    try:
        importlib.import_module(entry.library)
    except (ImportError, OSError) as error:
        raise TargetError(f"{entry.library} is installed but does not load here: {error}") from error
    module = importlib.import_module(entry.module)
    return cast("RuntimeModule", module if entry.factory is None else getattr(module, entry.factory)(runtime))


def runs_here(runtime: str) -> bool:
    """Whether artifacts of a runtime run here: its library is installed, and a GPU is there where it needs one."""
    entry = RUNTIMES[runtime]
    if entry.version is None or not entry.needs_gpu:
        return entry.version is not None
    try:
        cuda_device()
    except TargetError:
        return False
    return True


def _installed_version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _distribution_version(library: str) -> str:
    if found := _installed_version(library):
        return found
    # Another distribution may bring it, as `onnxruntime-gpu` brings `onnxruntime`.
    others = importlib.metadata.packages_distributions().get(library)
    return importlib.metadata.version(others[0]) if others else "of unknown version"

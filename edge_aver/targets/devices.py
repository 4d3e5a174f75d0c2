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

__all__ = ["RUNTIMES", "DeviceProfile", "RuntimeEntry", "load_profile", "profile_names", "runtime_module"]

_FOLDER = "targets/devices"


@dataclass(frozen=True, kw_only=True)
class DeviceProfile:
    """A target: a device and the runtime that serves it (`targets/devices/*.toml`).

    Attributes:
        name: what `--target` takes.
        title: one line for people.
        runtime: key of `RUNTIMES`.
        precisions: recipes that can be lowered for it.
        memory_budget_mb: what a process with the network may hold, of 10^6 bytes; None where memory is not scarce.
    """

    name: str
    title: str
    runtime: str
    precisions: tuple[str, ...]
    memory_budget_mb: float | None = None


@dataclass(frozen=True, kw_only=True)
class RuntimeEntry:
    """One runtime: our module, the library it wraps, and the pip extra that brings it."""

    module: str
    library: str
    extra: str

    @property
    def version(self) -> str | None:
        """Version of the installed library, or None; found without importing it."""
        return None if importlib.util.find_spec(self.library) is None else _distribution_version(self.library)


RUNTIMES: Mapping[str, RuntimeEntry] = {
    "onnxruntime": RuntimeEntry(module="edge_aver.targets.ort", library="onnxruntime", extra="onnxruntime"),
    "openvino": RuntimeEntry(module="edge_aver.targets.ov", library="openvino", extra="openvino"),
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
    if importlib.util.find_spec(entry.library) is None:
        raise MissingLibraryError(entry.library, entry.extra, f"runtime {runtime}")
    try:
        importlib.import_module(entry.library)
    except ImportError as error:
        raise TargetError(f"{entry.library} is installed but does not load here: {error}") from error
    return cast("RuntimeModule", importlib.import_module(entry.module))


def _distribution_version(library: str) -> str:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        # Another distribution may bring it, as `onnxruntime-gpu` brings `onnxruntime`.
        others = importlib.metadata.packages_distributions().get(library)
        return importlib.metadata.version(others[0]) if others else "of unknown version"

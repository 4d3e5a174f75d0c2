"""Targets: device profiles, and one module a runtime, imported only when asked for."""

from edge_aver.targets.contract import Runner, RuntimeModule
from edge_aver.targets.devices import (
    RUNTIMES,
    DeviceProfile,
    RuntimeEntry,
    load_profile,
    profile_names,
    runtime_module,
)

__all__ = [
    "RUNTIMES",
    "DeviceProfile",
    "Runner",
    "RuntimeEntry",
    "RuntimeModule",
    "load_profile",
    "profile_names",
    "runtime_module",
]

"""Targets: device profiles, and one module a runtime, imported only when asked for."""

from edge_aver.targets.contract import Runner, RuntimeModule
from edge_aver.targets.devices import (
    RUNTIMES,
    RuntimeEntry,
    load_profile,
    profile_names,
    runs_here,
    runtime_module,
)
from edge_aver.targets.profile import DeviceProfile

__all__ = [
    "RUNTIMES",
    "DeviceProfile",
    "Runner",
    "RuntimeEntry",
    "RuntimeModule",
    "load_profile",
    "profile_names",
    "runs_here",
    "runtime_module",
]

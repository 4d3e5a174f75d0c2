"""What is installed, which targets work here, and what to install for the rest."""

import importlib.metadata
import importlib.util
import platform
from collections.abc import Mapping
from dataclasses import dataclass

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from edge_aver import __version__
from edge_aver.benchmarks.machine import describe_machine
from edge_aver.declarations import shipped_results
from edge_aver.errors import MissingLibraryError, TargetError
from edge_aver.targets import RUNTIMES, DeviceProfile, load_profile, profile_names, runtime_module
from edge_aver.targets.cuda import cuda_device

__all__ = [
    "Need",
    "TargetState",
    "check_needs",
    "check_targets",
    "doctor_tables",
    "int8_state",
    "require",
    "targets_table",
]

_NEEDS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "prepare": ("reference", ("facenet_pytorch", "librosa", "onnx", "soxr", "torch", "torchvision")),
    "train": ("torch", ("safetensors", "timm", "torch", "torchvision")),
    "export": ("export", ("facenet_pytorch", "nncf", "onnx", "onnxruntime", "onnxscript", "onnxsim", "timm", "torch")),
    "report": ("report", ("jinja2", "matplotlib")),
}
"""What people do -> the extra and the import names of the libraries that it needs."""


_DOT_PRODUCTS = ("avx_vnni", "avx512_vnni", "amx_int8", "asimddp", "i8mm")
"""CPU flags of instructions that sum products of 8-bit integers in 32 bits; older ones saturate at 16."""


@dataclass(frozen=True, kw_only=True)
class Need:
    """What one activity needs: the libraries that are missing, and the extra that brings them."""

    activity: str
    extra: str
    missing: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class TargetState:
    """Whether a target works on this machine, the runtime's version, and what to do where it does not.

    `measured` tells how many results ship that were measured on it: a device that nobody measured says so.
    """

    target: str
    title: str
    runtime: str
    precisions: tuple[str, ...]
    version: str | None
    advice: str
    measured: str


def check_needs() -> tuple[Need, ...]:
    """State of every activity, found without importing the libraries."""
    return tuple(
        Need(
            activity=activity,
            extra=extra,
            missing=tuple(name for name in libraries if importlib.util.find_spec(name) is None),
        )
        for activity, (extra, libraries) in _NEEDS.items()
    )


def check_targets() -> tuple[TargetState, ...]:
    """State of every shipped device profile on this machine."""
    states = []
    for name in profile_names():
        profile = load_profile(name)
        entry = RUNTIMES[profile.runtime]
        advice = _advice(profile)
        states.append(
            TargetState(
                target=name,
                title=profile.title,
                runtime=profile.runtime,
                precisions=profile.precisions,
                version=entry.version,
                advice=advice,
                measured=_measured(name),
            )
        )
    return tuple(states)


def _advice(profile: DeviceProfile) -> str:
    """What to do to have a runtime here; it is loaded, since an installed library may still lack another."""
    try:
        runtime_module(profile.runtime)
        return _gpu_state(profile) if RUNTIMES[profile.runtime].needs_gpu else "works here"
    except MissingLibraryError as error:
        advice = f"pip install 'edge-aver[{error.extra}]'"
        return f"an export leaves a kit; on the device: {advice}" if profile.built_on else advice
    except TargetError as error:
        return str(error)


def _measured(target: str) -> str:
    count = shipped_results(target)
    return f"{count} result{'s' if count > 1 else ''} ship{'' if count > 1 else 's'}" if count else "not measured"


def _gpu_state(profile: DeviceProfile) -> str:
    """Whether engines for a GPU run here, or are only built here."""
    try:
        device = cuda_device()
    except MissingLibraryError:
        raise
    except TargetError as error:
        return f"builds here, runs elsewhere: {error}"
    if not profile.compute_capabilities or device.sm in profile.compute_capabilities:
        return f"works here: {device.name}"
    return f"builds here, runs elsewhere: {device.name} has compute capability {device.sm}"


def require(*activities: str) -> None:
    """Refuse at once what would fail half-way.

    Raises:
        MissingLibraryError: an activity lacks a library; the extra is named.
    """
    for need in check_needs():
        if need.activity in activities and need.missing:
            raise MissingLibraryError(need.missing[0], need.extra, need.activity)


def int8_state() -> str:
    """Whether this CPU multiplies 8-bit integers fast, and what follows where it does not."""
    flags = [flag for flag in describe_machine().cpu_flags if flag in _DOT_PRODUCTS]
    if flags:
        return f"8-bit dot products: {', '.join(flags)}"
    return (
        "8-bit dot products: none. INT8 may be no faster than fp32 here: benchmark both. Labels do not suffer: weights "
        "are bounded so that sums in 16 bits cannot overflow"
    )


def doctor_tables() -> tuple[Table, Table]:
    """Activities and targets, for the screen."""
    machine = f"edge-aver {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    needs = Table(title=machine, title_justify="left", box=None, pad_edge=False)
    for column in ("To", "State", "If missing"):
        needs.add_column(column, overflow="fold")
    for need in check_needs():
        state = f"missing: {', '.join(need.missing)}" if need.missing else "ready"
        advice = f"pip install 'edge-aver[{need.extra}]'" if need.missing else ""
        needs.add_row(need.activity, state, escape(advice))
    return needs, targets_table()


def targets_table() -> Table:
    """Every target: its precisions, whether it works here, whether anyone measured it; why not, once for all below."""
    table = Table(title="Targets", title_justify="left", box=None, pad_edge=False, caption_justify="left")
    table.add_column("Target", no_wrap=True)
    for column in ("Precisions", "Runtime", "Here", "Measured"):
        table.add_column(column, overflow="fold")
    reasons: dict[str, int] = {}
    for state in check_targets():
        runtime = f"{state.runtime} {state.version}" if state.version else state.runtime
        here, _, reason = state.advice.partition(": ")
        if reason:
            here += f" [{reasons.setdefault(reason, len(reasons) + 1)}]"
        precisions = ", ".join(state.precisions)
        table.add_row(state.target, precisions, runtime, escape(here), state.measured)
    table.caption = Text("\n".join(f"[{number}] {reason}" for reason, number in reasons.items()))
    return table

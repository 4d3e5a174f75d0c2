"""Builds in a process of their own, where addresses and threads keep one order, so that two give the same bytes."""

import ctypes
import importlib
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edge_aver.declarations import parse
from edge_aver.errors import EdgeAverError, TargetError
from edge_aver.targets.profile import DeviceProfile
from edge_aver.targets.trt_build import BuiltPlan, build_plan
from edge_aver.targets.trt_layers import BuiltLayers

__all__ = ["build_apart"]

_NO_RANDOM_ADDRESSES = 0x0040000
_ASK = 0xFFFFFFFF
"""Of Linux's personality(2)."""


def build_apart(library: str, lowered: Path, profile: DeviceProfile) -> BuiltPlan:
    """As `build_plan`, in a new process.

    The compiler numbers what it makes by the order of addresses in memory, which Linux draws anew for each process,
    and by the order in which its threads come to it. So the process asks for fixed addresses, and for one core on which
    its threads take turns (real-time scheduling, which root has outside most containers). Where either is forbidden,
    builds of quantized networks differ in such numbers, and `steady` is False. A crash of the compiler ends that
    process alone.

    Args:
        library: import name.
        lowered: ONNX file.
        profile: of the device.

    Raises:
        TargetError: as `build_plan`; or the compiler crashed.
    """
    with tempfile.TemporaryDirectory(prefix="edge-aver-build-") as folder:
        out = Path(folder) / "plan"
        said = {key: value for key, value in asdict(profile).items() if value is not None}
        request = {"library": library, "lowered": str(lowered.resolve()), "out": str(out), "profile": said}
        command = [sys.executable, "-m", "edge_aver.targets.trt_process"]
        paths = os.pathsep.join(filter(None, sys.path))
        environment = {**os.environ, "PYTHONPATH": paths, "PYTHONHASHSEED": "0"}
        done = subprocess.run(command, input=json.dumps(request), capture_output=True, text=True, env=environment)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
            raise TargetError(f"the build of {lowered.name} crashed (status {done.returncode}): {last}")
        answer = json.loads(done.stdout)
        if "error" in answer:
            raise TargetError(answer["error"])
        products = {kind: tuple(nodes) for kind, nodes in answer["products"].items()}
        layers = BuiltLayers(counts=answer["counts"], products=products)
        facts = {key: answer[key] for key in ("seconds", "quantized", "steady")}
        return BuiltPlan(plan=out.read_bytes(), layers=layers, **facts)


def _main() -> None:
    steady = _fix_addresses() and _take_turns()
    request = json.load(sys.stdin)
    profile = parse(DeviceProfile, request["profile"], where="request")
    print(json.dumps(_answer(importlib.import_module(request["library"]), request, profile) | {"steady": steady}))


def _answer(library: Any, request: dict[str, Any], profile: DeviceProfile) -> dict[str, Any]:
    try:
        built = build_plan(library, Path(request["lowered"]), profile)
    except EdgeAverError as error:
        return {"error": str(error)}
    Path(request["out"]).write_bytes(built.plan)
    return {"seconds": built.seconds, "quantized": built.quantized, **asdict(built.layers)}


def _fix_addresses() -> bool:
    """Start again with fixed addresses, where this is Linux, allows it, and has not done so; whether they are fixed."""
    if sys.platform != "linux":
        return False
    personality = ctypes.CDLL(None).personality
    personality.argtypes = [ctypes.c_ulong]
    now = personality(_ASK)
    if now >= 0 and not now & _NO_RANDOM_ADDRESSES and personality(now | _NO_RANDOM_ADDRESSES) >= 0:
        os.execv(sys.executable, [sys.executable, "-m", "edge_aver.targets.trt_process"])
    return bool(now >= 0 and now & _NO_RANDOM_ADDRESSES)


def _take_turns() -> bool:
    """Have threads take turns on one core, each until it waits or has run for long; whether that is allowed."""
    if sys.platform != "linux":
        return False
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(os.sched_get_priority_min(os.SCHED_RR)))
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    except OSError:
        return False
    return True


if __name__ == "__main__":
    _main()

"""Building a kit on its device: engines from its graphs, held to its expected outputs; no torch, no onnx."""

import importlib.util
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from edge_aver.bundle import Artifact, open_artifact, sidecar_path, write_artifact
from edge_aver.bundle.kit import CLIP, Kit, open_kit, read_golden
from edge_aver.console import progress
from edge_aver.declarations import parse
from edge_aver.errors import ArtifactError, DeclarationError, TargetError
from edge_aver.files import sha256_file
from edge_aver.locks import scratch_folder
from edge_aver.runtime.check_kit import GraphCheck, check_graph
from edge_aver.targets import RUNTIMES, DeviceProfile, RuntimeModule, runtime_module
from edge_aver.targets.cuda import cuda_device
from edge_aver.targets.trt_build import built_platform, check_library

__all__ = ["STAND_IN", "KitBuild", "build_kit"]

STAND_IN = "tensorrt-rtx"
"""The runtime that may stand in for TensorRT where the command itself is tried, without a Jetson."""

_STAND_IN_CAPABILITY = "8.6"
"""TensorRT-RTX builds for no Jetson."""

_ROOM = 3
"""Times the graphs' bytes that a build needs on disk: three engines, and a copy of each that is being written."""

_PASSED = "passed"


@dataclass(frozen=True, kw_only=True)
class KitBuild:
    """What came of building a kit.

    Attributes:
        engines: the whole clip first, then its parts.
        checks: one for each graph; () where none could be run.
        not_verified: why no engine could be run here; None where all were, and kept the kit's tolerance.
        stand_in: whether TensorRT-RTX stood in: no Jetson runs these engines.
        reused: whether they stood there already, built from this very kit and verified.
    """

    engines: tuple[Artifact, ...]
    checks: tuple[GraphCheck, ...] = ()
    not_verified: str | None = None
    stand_in: bool = False
    reused: bool = False


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """A kit that was opened, and what builds it."""

    kit: Kit
    card: Artifact
    profile: DeviceProfile
    runtime: RuntimeModule
    stand_in: bool

    @property
    def sidecar_sha256(self) -> str:
        return sha256_file(sidecar_path(self.card.path))


def build_kit(path: Path, *, stand_in: bool = False, reuse: bool = False) -> KitBuild:
    """Build a kit's engines beside it and verify them; nothing is put in place that differs from what is expected.

    Args:
        path: the kit's folder, its sidecar beside it.
        stand_in: build with TensorRT-RTX instead, to try the command: the engines are named and described as such.
        reuse: keep engines that were built from this very kit by this very library, and verified.

    Raises:
        ParityError: an engine differs beyond the kit's tolerance; the first block that does is named (exit status 3).
        ArtifactError: no kit, or a damaged one.
        TargetError: this is not the kit's device, TensorRT is missing or outside the kit's range, there is no driver,
            no room on the disk, or TensorRT refuses a graph.
    """
    card, kit = open_kit(path)
    plan = _plan(card, kit, stand_in)
    if reuse and (found := _standing(plan)):
        return found
    _check_room(path)
    golden = read_golden(path)
    with (
        scratch_folder(path.parent) as folder,
        progress(f"Building {path.name}", 2 * len(kit.graphs)) as advance,
    ):
        told: dict[str, Mapping[str, Any]] = {}
        for graph in kit.graphs:
            engine = folder / f"{graph.name}{plan.runtime.suffix}"
            told[graph.name] = plan.runtime.build(path / graph.file, engine, metadata={}, profile=plan.profile)
            advance(note=f"{graph.name} built")
        checks, reason = _verify(plan, folder, golden)
        advance(len(kit.graphs), note=reason or "verified")
        engines = tuple(_put(plan, folder, name, facts, checks, reason) for name, facts in told.items())
    return KitBuild(engines=engines, checks=checks, not_verified=reason, stand_in=stand_in)


def _plan(card: Artifact, kit: Kit, stand_in: bool) -> _Plan:
    try:
        profile = parse(DeviceProfile, kit.profile, where=f"{card.path}: profile")
    except DeclarationError as error:
        raise ArtifactError(f"{error}; this edge-aver is older than the kit's ({kit.edge_aver}): update it") from error
    if stand_in:
        profile = replace(
            profile, name=f"stand-in-{STAND_IN}", compute_capabilities=(_STAND_IN_CAPABILITY,), library_versions=None
        )
        return _Plan(kit=kit, card=card, profile=profile, runtime=runtime_module(STAND_IN), stand_in=True)
    _check_device(profile)
    return _Plan(kit=kit, card=card, profile=profile, runtime=runtime_module(profile.runtime), stand_in=False)


def _check_device(profile: DeviceProfile) -> None:
    """Whether this is a device that the kit is for; the cheapest question first."""
    if profile.built_on not in (None, built_platform()):
        raise TargetError(
            f"the kit is for {profile.name} ({profile.built_on}), this is {built_platform()}: build it on the device, "
            "by edge-aver benchmark --host user@device from here"
        )
    library = RUNTIMES[profile.runtime].library
    if importlib.util.find_spec(library) is None:
        raise TargetError(
            "TensorRT is not here for this Python: on a Jetson JetPack brings it (package python3-libnvinfer) for the "
            "system's own Python, which an environment sees if made with python3 -m venv --system-site-packages"
        )
    runtime_module(profile.runtime)
    check_library(importlib.import_module(library), profile)
    here = cuda_device()
    if here.sm not in profile.compute_capabilities:
        raise TargetError(
            f"the kit is for {profile.name} (compute capability {', '.join(profile.compute_capabilities)}), this is "
            f"{here.name} ({here.sm}): export a kit for this device"
        )


def _check_room(path: Path) -> None:
    needed = _ROOM * sum(member.stat().st_size for member in path.glob("*.onnx"))
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        raise TargetError(f"{path.parent}: {free / 1e6:,.0f} MB free, building takes {needed / 1e6:,.0f} MB; make room")


def _verify(plan: _Plan, folder: Path, golden: Mapping[str, Any]) -> tuple[tuple[GraphCheck, ...], str | None]:
    """Hold every engine to the kit; with a stand-in there may be no GPU, which is said and is no pass."""
    if plan.stand_in:
        try:
            cuda_device()
        except TargetError as error:
            return (), f"not measured: no GPU here ({error})"
    checks = []
    for graph in plan.kit.graphs:
        checks.append(
            check_graph(
                graph,
                plan.card.path / graph.file,
                folder / f"{graph.name}{plan.runtime.suffix}",
                golden,
                plan.kit.tolerance,
                runtime=plan.runtime,
                profile=plan.profile,
            )
        )
    return tuple(checks), None


def _put(
    plan: _Plan,
    folder: Path,
    name: str,
    facts: Mapping[str, Any],
    checks: tuple[GraphCheck, ...],
    reason: str | None,
) -> Artifact:
    """Put an engine in place, with a sidecar that tells what it came from and whether it was verified."""
    mine = next((asdict(check) for check in checks if check.graph == name), None)
    build = {
        **facts,
        "kit": plan.card.path.name,
        "kit_sha256": plan.sidecar_sha256,
        "verification": reason or _PASSED,
        "verified": mine,
        "stand_in": plan.stand_in,
    }
    path = _engine_path(plan, name)
    card = replace(
        plan.card, path=path, target=plan.profile.name, runtime=_runtime(plan), part=name, files={}, build=build
    )
    with write_artifact(card, folder=False) as place:
        (folder / f"{name}{plan.runtime.suffix}").rename(place)
    return open_artifact(path)


def _engine_path(plan: _Plan, name: str) -> Path:
    """`<stem>.<target>.engine` beside the kit; a part is named before the suffix, a stand-in instead of the device."""
    stem = plan.card.path.with_suffix("").name
    if plan.stand_in:
        stem = f"{stem.removesuffix(f'.{plan.card.target}')}.{plan.profile.name}"
    part = "" if name == CLIP else f".{name}"
    return plan.card.path.with_name(f"{stem}{part}{plan.runtime.suffix}")


def _runtime(plan: _Plan) -> str:
    return STAND_IN if plan.stand_in else plan.profile.runtime


def _standing(plan: _Plan) -> KitBuild | None:
    """Engines that need not be built again; None where one is missing, changed, of another kit or not verified."""
    engines = []
    for graph in plan.kit.graphs:
        try:
            engine = open_artifact(_engine_path(plan, graph.name))
        except ArtifactError:
            return None
        facts = engine.build
        same = facts.get("kit_sha256") == plan.sidecar_sha256 and facts.get("verification") == _PASSED
        library = RUNTIMES[_runtime(plan)].library
        if not same or facts.get("library_version") != importlib.import_module(library).__version__:
            return None
        engines.append(engine)
    return KitBuild(engines=tuple(engines), stand_in=plan.stand_in, reused=True)

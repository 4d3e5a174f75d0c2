"""What an export adds for a GPU: the linter before the build, what the build told; and for any: the network in two."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import onnx

from edge_aver.bundle import Artifact, part_path, write_artifact
from edge_aver.console import say
from edge_aver.errors import ExportError, TargetError
from edge_aver.export.ladder import Ladder
from edge_aver.export.parity import ParityStep
from edge_aver.export.split import split_onnx
from edge_aver.locks import scratch_folder
from edge_aver.quantize import ParityLimits
from edge_aver.quantize.lint import lint_qdq
from edge_aver.spec import SPEC_KEY
from edge_aver.targets import DeviceProfile, RuntimeModule

__all__ = ["build_parts", "check_engine_here", "check_lowered", "say_build"]

_DIFFERS = "a second build of the same file gave other bytes, so this engine cannot be reproduced by its hash: "


def check_lowered(lowered: Path, runtime: str) -> None:
    """Refuse, before anything is built, a graph that the builder would read as something else.

    Raises:
        ExportError: names the node and the rule; TensorRT itself would build some of them, and compute noise.
    """
    problems = lint_qdq(onnx.load(lowered), runtime=runtime)
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise ExportError(f"{lowered.name} is not built for {runtime}: {problems[0]}{more}")


def check_engine_here(
    ladder: Ladder, runtime: RuntimeModule, built: Path, limits: ParityLimits
) -> tuple[tuple[ParityStep, ...], str | None]:
    """Compare an engine with PyTorch where it runs; elsewhere say why it was not measured.

    Returns:
        The step, or none of it and the reason.

    Raises:
        ParityError: it runs here, and left its limits.
    """
    try:
        return (ladder.check_engine("engine", runtime, built, limits),), None
    except TargetError as error:
        say(f"{built.name}: step engine not measured: {error}")
        return (), f"not measured: {error}"


def say_build(name: str, told: Mapping[str, Any]) -> None:
    """Say what a build told, if it tells anything: bytes, seconds, layers by type, and what is not as one expects."""
    if "engine_bytes" not in told:
        return
    layers = ", ".join(f"{count} {kind}" for kind, count in told["layers"].items()) or "not told"
    same = ", rebuild byte-identical" if told["rebuild_identical"] else ""
    say(
        f"{name}: {told['engine_bytes']:,} bytes in {told['engine_seconds']:.1f} s{same}; layers by executed type: "
        f"{layers}; DLA {told['dla']}"
    )
    if told["rebuild_identical"] is False:
        say(f"{name}: {_DIFFERS}{told['rebuild_note'] or 'report it, with the versions that edge-aver doctor lists'}")
    if told["precision_note"]:
        say(f"{name}: {told['precision_note']}")


def build_parts(
    artifact: Artifact,
    lowered: Path,
    runtime: RuntimeModule,
    profile: DeviceProfile,
    *,
    check: Callable[[Mapping[str, Path]], ParityStep] | None = None,
) -> tuple[Path, ...]:
    """Build `frame_encoder` and `fusion` beside the whole network, each with a sidecar of its own.

    Args:
        artifact: of the whole network.
        lowered: the graph that it was built from.
        runtime: that builds.
        profile: of the device.
        check: compares what was built, by part, with PyTorch; None where that cannot run here.

    Raises:
        ExportError: the graph cannot be split.
        ParityError: both parts together left the recipe's limits; neither is put in place.
        TargetError: the runtime refused a part.
    """
    with scratch_folder(artifact.path.parent) as folder:
        built, told = {}, {}
        for part, graph in split_onnx(lowered, folder).items():
            built[part] = folder / part_path(artifact.path, part).name
            if runtime.is_folder:
                built[part].mkdir()
            told[part] = runtime.build(
                graph, built[part], metadata={SPEC_KEY: artifact.spec.to_json()}, profile=profile
            )
            say_build(built[part].name, told[part])
        parity = () if check is None else (asdict(check(built)),)
        return tuple(
            _put_part(replace(artifact, part=part, files={}, parity=parity, build=told[part]), made)
            for part, made in built.items()
        )


def _put_part(artifact: Artifact, built: Path) -> Path:
    """Move a part to its place beside the whole, with its sidecar."""
    path = part_path(artifact.path, artifact.part)
    with write_artifact(replace(artifact, path=path), folder=built.is_dir()) as place:
        if built.is_dir():
            place.rmdir()
        built.rename(place)
    return path

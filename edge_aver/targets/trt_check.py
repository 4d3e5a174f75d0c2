"""What must hold before an engine is loaded: somebody vouches for its bytes, and it was built for what is here."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_aver.bundle import Artifact, open_artifact
from edge_aver.errors import ArtifactError, TargetError
from edge_aver.files import sha256_bytes
from edge_aver.targets.devices import load_profile, profile_names
from edge_aver.targets.trt_build import built_platform
from edge_aver.targets.trt_header import read_header

__all__ = ["BuiltFor", "check_device", "check_plan", "read_plan"]

_TRUST = "An engine is code: it is loaded only as its export left it, or with --trust"


@dataclass(frozen=True, kw_only=True)
class BuiltFor:
    """What an engine was built with and for, as far as its head and its sidecar tell.

    Attributes:
        path: of the engine.
        artifact: what its sidecar tells; None where there is none.
        version: of the library; None where nothing tells.
        capabilities: of the GPUs; empty where nothing tells.
    """

    path: Path
    artifact: Artifact | None
    version: str | None
    capabilities: tuple[str, ...]

    def rebuild(self, capability: str | None = None) -> str:
        """The command that builds it again, for a GPU of another compute capability where one is given."""
        if self.artifact is None:
            return "export it again with edge-aver export"
        spec, target = self.artifact.spec, _target_for(capability, self.artifact)
        if target is None:
            return f"no target of {self.artifact.runtime} serves it; edge-aver targets lists what runs where"
        return (
            f"rebuild it: edge-aver export --arch {spec.architecture} --precision {self.artifact.precision} "
            f"--corpus {spec.corpus} --fold {spec.fold} --target {target}"
        )


def read_plan(path: Path, *, trust: bool) -> tuple[bytes, Artifact | None]:
    """Read an engine and what its sidecar tells; the very bytes that are returned are those that were checked.

    Args:
        path: of the engine.
        trust: take it without a sidecar, or changed since.

    Raises:
        ArtifactError: not trusted, and no sidecar vouches for these bytes.
    """
    plan = path.read_bytes()
    try:
        artifact = open_artifact(path)
    except ArtifactError as error:
        if not trust:
            raise ArtifactError(f"{error}. {_TRUST}") from error
        return plan, None
    # By its hash alone: who renames an engine and its sidecar leaves its bytes as they were.
    if sha256_bytes(plan) not in {entry.sha256 for entry in artifact.files.values()} and not trust:
        raise ArtifactError(f"{path}: changed while it was read. {_TRUST}")
    return plan, artifact


def check_plan(plan: bytes, path: Path, artifact: Artifact | None, library: Any) -> BuiltFor:
    """Check what needs no GPU: the engine is whole, and its library and machine are those of here.

    Args:
        plan: the whole engine.
        path: what messages call it.
        artifact: what its sidecar tells.
        library: the module `tensorrt` or `tensorrt_rtx`.

    Raises:
        ArtifactError: it is cut off, or no engine.
        TargetError: another version of the library built it, or it was built on another kind of machine.
    """
    header, facts = read_header(plan, str(path)), artifact.build if artifact else {}
    built = BuiltFor(
        path=path,
        artifact=artifact,
        version=header.version or facts.get("library_version"),
        capabilities=header.capabilities or tuple(facts.get("compute_capabilities", ())),
    )
    if built.version not in (None, library.__version__):
        raise TargetError(
            f"{path}: built by {facts.get('library', library.__name__)} {built.version}{_for(built.capabilities)}; "
            f"here is {library.__name__} {library.__version__}, and an engine runs in the version that built it; "
            f"{built.rebuild()}"
        )
    if facts.get("platform", built_platform()) != built_platform():
        raise TargetError(
            f"{path}: built on {facts['platform']}{_for(built.capabilities)}; here is {built_platform()}; "
            f"{built.rebuild()}"
        )
    return built


def check_device(built: BuiltFor, capability: str) -> None:
    """Check that an engine was built for a GPU.

    Args:
        built: what `check_plan` found.
        capability: compute capability of the GPU that is here (`8.6`).

    Raises:
        TargetError: it was built for others.
    """
    if built.capabilities and capability not in built.capabilities:
        raise TargetError(
            f"{built.path}: built by version {built.version}{_for(built.capabilities)}; the GPU here has compute "
            f"capability {capability}; {built.rebuild(capability)}"
        )


def _for(capabilities: Sequence[str]) -> str:
    return f" for compute capability {', '.join(capabilities)}" if capabilities else ""


def _target_for(capability: str | None, artifact: Artifact) -> str | None:
    """The engine's own target, or the shipped one of its runtime made for the fewest other capabilities."""
    if capability is None:
        return artifact.target
    profiles = [load_profile(name) for name in profile_names()]
    serving = [one for one in profiles if one.runtime == artifact.runtime and capability in one.compute_capabilities]
    return min(serving, key=lambda one: (len(one.compute_capabilities), one.name)).name if serving else None

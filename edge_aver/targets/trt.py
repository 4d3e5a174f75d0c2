"""TensorRT and TensorRT-RTX, one interface: a serialized engine is the artifact, and it is code."""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_aver.bundle import Artifact
from edge_aver.errors import ArtifactError
from edge_aver.targets.contract import Runner, RuntimeModule
from edge_aver.targets.cuda import cuda_device
from edge_aver.targets.devices import RUNTIMES
from edge_aver.targets.profile import DeviceProfile
from edge_aver.targets.trt_build import build_plan, built_platform, check_library
from edge_aver.targets.trt_check import check_device, check_plan, read_plan
from edge_aver.targets.trt_process import build_apart
from edge_aver.targets.trt_runner import open_engine, open_split

__all__ = ["TensorRt", "tensorrt_runtime"]

_UNSTEADY = (
    "this system gives a build no fixed addresses or no real-time scheduling, and the compiler numbers what it makes "
    "by the order of both"
)


def tensorrt_runtime(runtime: str) -> RuntimeModule:
    """The functions of `tensorrt` or `tensorrt-rtx`: their libraries have the same interface."""
    return TensorRt(runtime=runtime)


@dataclass(frozen=True, kw_only=True)
class TensorRt:
    """See `RuntimeModule`.

    Attributes:
        runtime: key of `RUNTIMES`: `tensorrt` (builds for the GPU that is here) or `tensorrt-rtx` (builds for the
            compute capabilities of the profile, on any machine).
    """

    runtime: str
    suffix: str = ".engine"
    is_folder: bool = False

    def build(
        self, lowered: Path, out: Path, *, metadata: Mapping[str, str], profile: DeviceProfile | None = None
    ) -> Mapping[str, Any]:
        """Compile an engine; see `RuntimeModule.build`. `metadata` is for the sidecar: an engine holds none.

        TensorRT-RTX times no kernels while it builds, so a second build can give the same bytes (see `build_apart`); it
        is done, and whether they are the same is told. TensorRT times them, so its builds differ.
        """
        library = self._library()
        profile = profile or DeviceProfile(name="here", title="", runtime=self.runtime, precisions=())
        check_library(library, profile)
        if self.runtime == "tensorrt-rtx":
            built, again = (build_apart(library.__name__, lowered, profile) for _ in range(2))
            identical = built.plan == again.plan
        else:
            built, identical = build_plan(library, lowered, profile), None
        out.write_bytes(built.plan)
        unsteady = _UNSTEADY if identical is False and not built.steady else None
        return {
            "library": library.__name__,
            "library_version": library.__version__,
            "platform": built_platform(),
            "compute_capabilities": list(profile.compute_capabilities) or [cuda_device().sm],
            "max_batch": profile.max_batch,
            "workspace_mb": profile.workspace_mb,
            "dla": "off",
            "engine_bytes": len(built.plan),
            "engine_seconds": built.seconds,
            "rebuild_identical": identical,
            "rebuild_note": unsteady,
            "precision_note": built.precision_note,
            "layers": dict(built.layers.counts),
            "products": {kind: list(nodes) for kind, nodes in built.layers.products.items()},
        }

    def read_metadata(self, path: Path, key: str) -> str | None:
        """None: an engine holds no metadata, its sidecar does."""
        return None

    def open_runner(
        self,
        path: Path,
        *,
        threads: int | None = None,
        outputs: tuple[str, ...] = (),
        exact: bool = False,
        trust: bool = False,
    ) -> Runner:
        """Open an engine; see `RuntimeModule.open_runner`. It has no exact mode, and no threads of the CPU.

        Before the library sees a byte, the sidecar must vouch for all of them (or `trust` be given), and library,
        machine and GPU must be those that it was built for.

        Raises:
            ArtifactError: nothing vouches for the engine, or it is damaged.
            TargetError: it was built for another version, machine or GPU, or there is no driver here.
        """
        library = self._library()
        plan, artifact = self._read(path, library, trust=trust)
        if artifact and artifact.part != "clip" and not trust:
            raise ArtifactError(f"{path}: the {artifact.part} of a network built in two; open_parts opens both")
        return open_engine(library, plan, outputs=outputs, threads=threads)

    def open_parts(self, frame_encoder: Path, fusion: Path) -> Runner:
        """Open a network that was built in two; it is fed as the whole one (see `open_split`).

        Every check of `open_runner` is made of both, and their sidecars must say that they belong together: there is
        no `trust` for a pair.

        Raises:
            ArtifactError: nothing vouches for one of them, or they are not the two parts of one build.
            TargetError: as `open_runner`.
        """
        library = self._library()
        parts = [self._read(path, library, trust=False) for path in (frame_encoder, fusion)]
        _check_pair([artifact for _, artifact in parts if artifact])
        return open_split(library, *(plan for plan, _ in parts))

    def _read(self, path: Path, library: Any, *, trust: bool) -> tuple[bytes, Artifact | None]:
        """The bytes of an engine that may be loaded here, and what its sidecar tells."""
        if not path.is_file():
            raise ArtifactError(f"{path}: no such engine; make one with edge-aver export")
        plan, artifact = read_plan(path, trust=trust)
        built = check_plan(plan, path, artifact, library)
        check_device(built, cuda_device().sm)
        return plan, artifact

    def _library(self) -> Any:
        return importlib.import_module(RUNTIMES[self.runtime].library)


def _check_pair(artifacts: Sequence[Artifact]) -> None:
    """Refuse engines that are not the encoder and the fusion of one network, recipe and target."""
    for artifact, part in zip(artifacts, ("frame_encoder", "fusion"), strict=True):
        if artifact.part != part:
            raise ArtifactError(f"{artifact.path}: its sidecar says it is the {artifact.part}, expected the {part}")
    encoder, fusion = artifacts
    for what in ("target", "precision", "spec"):
        if getattr(encoder, what) != getattr(fusion, what):
            raise ArtifactError(
                f"{fusion.path}: its {what} is not that of {encoder.path.name}: features of one network mean nothing "
                "to another; export both again with --split"
            )

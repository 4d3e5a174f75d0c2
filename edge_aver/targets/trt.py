"""TensorRT and TensorRT-RTX, one interface: a serialized engine is the artifact."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_aver.errors import TargetError
from edge_aver.targets.contract import Runner, RuntimeModule
from edge_aver.targets.profile import DeviceProfile

__all__ = ["TensorRt", "tensorrt_runtime"]


def tensorrt_runtime(runtime: str) -> RuntimeModule:
    """The functions of `tensorrt` or `tensorrt-rtx`: their libraries have the same interface."""
    return TensorRt(runtime=runtime)


@dataclass(frozen=True, kw_only=True)
class TensorRt:
    """See `RuntimeModule`."""

    runtime: str
    suffix: str = ".engine"
    is_folder: bool = False

    def build(
        self, lowered: Path, out: Path, *, metadata: Mapping[str, str], profile: DeviceProfile | None = None
    ) -> Mapping[str, Any]:
        """See `RuntimeModule.build`."""
        raise TargetError("not built yet")

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
        """See `RuntimeModule.open_runner`."""
        raise TargetError("not run yet")

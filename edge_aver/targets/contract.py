"""What every runtime module offers: build an artifact, open it, run it."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from edge_aver.targets.profile import DeviceProfile

__all__ = ["Runner", "RuntimeModule"]


class Runner(Protocol):
    """An opened artifact; a context manager that frees what it holds."""

    @property
    def executed_precisions(self) -> Mapping[str, int]:
        """How many layers the runtime executes in each precision, as the runtime itself tells; {} where it does not."""

    @property
    def device_memory_bytes(self) -> int | None:
        """Memory that it holds on a GPU; None where it uses none, or cannot tell."""

    def infer(self, feed: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[np.float32]]:
        """Run once; several threads may call it.

        Args:
            feed: every input by name; the first dimension is the batch.

        Returns:
            Every output by name.
        """

    def time_compute(self, queries: int) -> tuple[float, ...]:
        """Seconds of each of `queries` runs of the latest feed, without copies: its arrays lie on the device already.

        Returns:
            () where the runtime uses the process's own memory, or cannot run without copies.
        """

    def __enter__(self) -> "Runner": ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class RuntimeModule(Protocol):
    """The functions of a module in `RUNTIMES`, or of what it gives where one module serves several."""

    @property
    def suffix(self) -> str:
        """Of its artifacts: `.onnx`, `.openvino`, `.engine`."""

    @property
    def is_folder(self) -> bool:
        """Whether an artifact is a folder of files."""

    def build(
        self, lowered: Path, out: Path, *, metadata: Mapping[str, str], profile: DeviceProfile | None = None
    ) -> Mapping[str, Any]:
        """Build `out` from the lowered graph, with `metadata` (the ModelSpec) inside the file where its format can.

        Args:
            lowered: the graph in the runtime's form.
            out: file to write, or existing folder to write into.
            metadata: text by key.
            profile: of the device it is built for; None for the machine that builds. A CPU's runtime needs none.

        Returns:
            What the build tells of itself, for the sidecar's `build`; {} where it tells nothing.

        Raises:
            TargetError: the runtime refused the graph.
        """

    def read_metadata(self, path: Path, key: str) -> str | None:
        """What `build` was given under `key` of `metadata`; None where the file has no such key, or can have none.

        Raises:
            ArtifactError: the runtime cannot read it.
        """

    def open_runner(
        self,
        path: Path,
        *,
        threads: int | None = None,
        outputs: tuple[str, ...] = (),
        exact: bool = False,
        trust: bool = False,
    ) -> Runner:
        """Open an artifact's file or folder.

        Args:
            path: what `build` wrote.
            threads: CPU threads; None leaves the choice to the runtime.
            outputs: inner tensors to return besides the outputs (for finding the first diverging block).
            exact: the numeric reference: graph optimizations off where the runtime can; slower.
            trust: open what is code (an engine) without a sidecar that vouches for it; a graph is data and needs none.

        Raises:
            ArtifactError: the runtime cannot read it, or it is code that nothing vouches for.
            TargetError: this machine lacks what the runtime needs to run it.
        """

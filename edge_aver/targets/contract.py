"""What every runtime module offers: build an artifact, open it, run it."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["Runner", "RuntimeModule"]


class Runner(Protocol):
    """An opened artifact; a context manager that frees what it holds."""

    @property
    def executed_precisions(self) -> Mapping[str, int]:
        """How many layers the runtime executes in each precision, as the runtime itself tells; {} where it does not."""

    def infer(self, feed: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[np.float32]]:
        """Run once; several threads may call it.

        Args:
            feed: every input by name; the first dimension is the batch.

        Returns:
            Every output by name.
        """

    def __enter__(self) -> "Runner": ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class RuntimeModule(Protocol):
    """The functions of a module in `RUNTIMES`."""

    suffix: str
    """Of its artifacts: `.onnx`, `.openvino`."""

    is_folder: bool
    """Whether an artifact is a folder of files."""

    def build(self, lowered: Path, out: Path, *, metadata: Mapping[str, str]) -> None:
        """Build `out` from the lowered graph, with `metadata` (the ModelSpec) inside the file.

        Raises:
            TargetError: the runtime refused the graph.
        """

    def read_metadata(self, path: Path, key: str) -> str | None:
        """What `build` was given under `key` of `metadata`; None where the file has no such key.

        Raises:
            ArtifactError: the runtime cannot read it.
        """

    def open_runner(
        self, path: Path, *, threads: int | None = None, outputs: tuple[str, ...] = (), exact: bool = False
    ) -> Runner:
        """Open an artifact's file or folder.

        Args:
            path: what `build` wrote.
            threads: CPU threads; None leaves the choice to the runtime.
            outputs: inner tensors to return besides the outputs (for finding the first diverging block).
            exact: the numeric reference: graph optimizations off where the runtime can; slower.

        Raises:
            ArtifactError: the runtime cannot read it.
        """

"""The front end of an artifact: its face detector opened in the runtime that the target has."""

from dataclasses import dataclass
from pathlib import Path

from edge_aver.bundle import DETECTOR_FOLDER, open_detector
from edge_aver.errors import MissingLibraryError
from edge_aver.media.front_end import ClipFrontEnd
from edge_aver.media.mtcnn import Mtcnn, MtcnnNetworks
from edge_aver.spec import Preprocessing
from edge_aver.targets import RUNTIMES, runtime_module

__all__ = ["FastPlan", "fast_plan"]


@dataclass(frozen=True, kw_only=True)
class FastPlan:
    """A face detector on disk, and the runtime that is to run it.

    Attributes:
        detector: path of its folder.
        runtime: key of `RUNTIMES`.
    """

    detector: Path
    runtime: str
    name: str = "fast"

    def load(self, constants: Preprocessing, threads: int | None) -> ClipFrontEnd:
        """Open the detector's networks.

        Raises:
            ArtifactError: there is no detector, or it was changed.
            MissingLibraryError: the runtime is not installed.
        """
        return ClipFrontEnd(constants, self.load_detector(threads), threads=threads)

    def load_detector(self, threads: int | None) -> Mtcnn:
        """Open the detector's networks alone; raises as `load`."""
        detector, runtime = open_detector(self.detector), runtime_module(self.runtime)
        pnet, rnet, onet = (
            runtime.open_runner(detector.network(name), threads=threads).infer for name in ("pnet", "rnet", "onet")
        )
        return Mtcnn(MtcnnNetworks(pnet=pnet, rnet=rnet, onet=onet))


def fast_plan(folder: Path, runtime: str | None = None) -> FastPlan:
    """The front end that goes with the artifacts in a folder.

    Args:
        folder: of artifacts; the detector lies beside them.
        runtime: that an artifact runs in; None, or one of a GPU, for the first of the CPU that is installed.

    Raises:
        MissingLibraryError: no runtime is installed.
    """
    on_cpu = runtime if runtime in _PREFERRED else None
    chosen = on_cpu or next((name for name in _PREFERRED if RUNTIMES[name].version), None)
    if chosen is None:
        raise MissingLibraryError("openvino", "openvino", "the face detector")
    return FastPlan(detector=folder / DETECTOR_FOLDER, runtime=chosen)


_PREFERRED = ("openvino", "onnxruntime")
"""Fastest first, as measured on x86-64."""

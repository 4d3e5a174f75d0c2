"""A network that was built in two, opened to encode frames as they come and to answer for windows of them."""

import math
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from edge_aver.bundle import Artifact, Unpacked, choose_artifacts, open_artifact, part_path, read_artifact, unpack
from edge_aver.errors import ArtifactError, TargetError
from edge_aver.media.mtcnn import Mtcnn
from edge_aver.media.slots import SlotGrid
from edge_aver.runtime.front_end import fast_plan
from edge_aver.spec import FEATURES, PARTS, Preprocessing
from edge_aver.targets import RUNTIMES, runs_here, runtime_module

__all__ = ["SplitNetwork", "open_split", "open_split_bundle", "with_parts"]


class SplitNetwork:
    """Frame encoder and fusion in their runtime; a context manager.

    Args:
        whole: artifact of the whole network, beside which the parts stand.
        threads: CPU threads of each network; None leaves it to the runtime.
        unpacked: the bundle that it came out of.

    Raises:
        ArtifactError: a part is missing, changed, or of another network; or the network takes what a stream has not.
        TargetError: its runtime takes no single frames.
    """

    def __init__(self, whole: Artifact, *, threads: int | None = None, unpacked: Unpacked | None = None) -> None:
        _check_streams(whole)
        self.artifact = whole
        self.threads = threads
        self._unpacked = unpacked
        module = runtime_module(whole.runtime)
        paths = [_open_part(whole, part).path for part in PARTS]
        self._encoder, self._fusion = (module.open_runner(path, threads=threads) for path in paths)

    def encode(self, faces: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Features (M, 128) of faces (M, 224, 224, 3) uint8 RGB."""
        return self._encoder.infer({"faces": faces})[FEATURES].copy()

    def fuse(self, features: npt.NDArray[np.float32], audio: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Logits (8,) of one window.

        Args:
            features: (15, 128), of its frames.
            audio: (15, 128).

        Raises:
            TargetError: they are not finite.
        """
        logits: npt.NDArray[np.float32] = self._fusion.infer({FEATURES: features[None], "audio": audio[None]})[
            "logits"
        ][0].copy()
        if not np.isfinite(logits).all():
            raise TargetError(
                f"{self.artifact.path}: {self.artifact.runtime} gave logits that are not finite: {logits}"
            )
        return logits

    def load_detector(self) -> Mtcnn:
        """Open the face detector that lies beside the artifact."""
        return fast_plan(self.artifact.path.parent, self.artifact.runtime).load_detector(self.threads)

    def __enter__(self) -> "SplitNetwork":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for runner in (self._encoder, self._fusion):
            runner.__exit__(kind, error, trace)
        if self._unpacked is not None:
            self._unpacked.remove()


def open_split(path: Path, *, threads: int | None = None) -> SplitNetwork:
    """Open the parts beside an artifact of a whole network, or of one of the parts.

    Raises:
        ArtifactError: missing, changed, or built whole alone: the message says how to build it in two.
        MissingLibraryError: its runtime is not installed here.
    """
    artifact = read_artifact(path)
    if artifact.part in PARTS:
        whole = path.with_name(path.name.replace(f".{artifact.part}.", "."))
        artifact = read_artifact(whole)
    return SplitNetwork(artifact, threads=threads)


def open_split_bundle(
    path: Path,
    *,
    target: str | None = None,
    precision: str | None = None,
    threads: int | None = None,
    key: Path | None = None,
) -> SplitNetwork:
    """Open the first network of a bundle that was built in two, matches what is given and runs here.

    Raises:
        ArtifactError: damaged, not signed by the key, or it holds no such network.
    """
    unpacked = unpack(path, key=key)
    try:
        whole = [item for item in map(read_artifact, unpacked.artifacts) if item.part == "clip"]
        asked = [item for item in whole if target in (None, item.target) and precision in (None, item.precision)]
        split = _usable(_having_parts(asked))
        if not split:
            words = " for ".join(filter(None, (precision, target))) or "network"
            raise ArtifactError(
                f"{path}: holds no {words} in two parts that runs here; bundle X, X.frame_encoder and X.fusion, "
                "which edge-aver export --split leaves"
            )
        return SplitNetwork(split[0], threads=threads, unpacked=unpacked)
    except BaseException:
        unpacked.remove()
        raise


def with_parts(
    folder: Path, *, architecture: str | None = None, precision: str | None = None, target: str | None = None
) -> Path:
    """Path of the newest artifact in `folder` that matches what is given, runs here and was built in two.

    Raises:
        ArtifactError: there is none; the export that makes one is told.
    """
    found = choose_artifacts(folder, architecture=architecture, precision=precision, target=target)
    runnable = _usable(found)
    split = _having_parts(runnable)
    if not split:
        _check_streams((runnable or found)[0])
        raise _not_split((runnable or found)[0])
    return split[0].path


def _having_parts(artifacts: Sequence[Artifact]) -> list[Artifact]:
    return [item for item in artifacts if all(part_path(item.path, part).exists() for part in PARTS)]


def _usable(artifacts: Sequence[Artifact]) -> list[Artifact]:
    known = [item for item in artifacts if item.runtime in RUNTIMES and not RUNTIMES[item.runtime].needs_gpu]
    return [item for item in known if runs_here(item.runtime)]


def _check_streams(whole: Artifact) -> None:
    if whole.runtime not in RUNTIMES or not RUNTIMES[whole.runtime].splits:
        raise TargetError(f"{whole.path}: {whole.runtime} takes whole clips; a stream runs in openvino or onnxruntime")
    if RUNTIMES[whole.runtime].needs_gpu:
        raise TargetError(
            f"{whole.path}: the frame encoder of {whole.runtime} takes 15 frames at once; a stream runs on "
            "openvino-cpu or onnxruntime-cpu"
        )
    spec, slot_s = whole.spec, SlotGrid.of(whole.spec.preprocessing).slot_s
    if set(spec.input_names) != {"faces", "audio"} or spec.media_gap:
        raise ArtifactError(f"{whole.path}: a stream needs a network that takes faces and audio, both made of media")
    if not math.isclose(slot_s, (paper_s := SlotGrid.of(Preprocessing()).slot_s)):
        raise ArtifactError(
            f"{whole.path}: its frames are {slot_s:g} s apart; a stream takes a picture every {paper_s:g} s"
        )


def _open_part(whole: Artifact, part: str) -> Artifact:
    path = part_path(whole.path, part)
    if not path.exists():
        raise _not_split(whole)
    artifact = open_artifact(path)
    same = (artifact.part, artifact.target, artifact.precision, artifact.spec)
    if same != (part, whole.target, whole.precision, whole.spec):
        raise ArtifactError(f"{path}: not the {part} of {whole.path.name}; export both again with --split")
    return artifact


def _not_split(whole: Artifact) -> ArtifactError:
    own = whole.spec.network
    network = f"--model {own}" if own else f"--arch {whole.spec.architecture}"
    return ArtifactError(
        f"{whole.path}: built whole alone, and a stream needs it in two: edge-aver export {network} --precision "
        f"{whole.precision} --target {whole.target} --split{' encoder=MODULE,fusion=MODULE' if own else ''}"
    )

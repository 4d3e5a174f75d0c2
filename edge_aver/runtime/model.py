"""A loaded artifact: media or tensors in, label and probabilities out."""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from edge_aver.bundle import (
    Artifact,
    Unpacked,
    choose_artifacts,
    is_bundle,
    is_kit,
    open_artifact,
    read_artifact,
    unpack,
)
from edge_aver.errors import ArtifactError, TargetError
from edge_aver.media.clip import ClipTensors, FrontEnd, require_face
from edge_aver.runtime.front_end import fast_plan
from edge_aver.runtime.trusted import trusted_artifact
from edge_aver.targets import RUNTIMES, runs_here, runtime_module

__all__ = ["Model", "Prediction", "load", "newest", "softmax"]


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a clip was recognised as.

    Attributes:
        label: the most probable emotion.
        probabilities: softmax of the logits, by label, in the order of the spec's labels.
        stages_s: seconds of each stage: decode, faces, audio, network.
        total_s: seconds from file bytes to label.
        face_found: for each of the 15 frames, whether a face was found.
    """

    label: str
    probabilities: Mapping[str, float]
    stages_s: Mapping[str, float]
    total_s: float
    face_found: tuple[bool, ...]


def load(
    path: str | Path,
    *,
    target: str | None = None,
    precision: str | None = None,
    threads: int | None = None,
    key: str | Path | None = None,
    trust: bool = False,
) -> "Model":
    """Open an artifact, its files checked against the sidecar, or a bundle, every byte of it checked.

    Args:
        path: the artifact (a `.onnx` file, a `.openvino` folder or a `.engine` file), or a bundle (`.aver`).
        target: of a bundle: the artifact built for this device profile; None for the first that runs here.
        precision: of a bundle: the artifact of this precision; None for the first that runs here.
        threads: CPU threads for the network and the face detector; None leaves it to the runtime.
        key: of a bundle: file of the public key that must have signed it.
        trust: take an engine that its sidecar does not describe, or that has none; it is code, and will run.

    Raises:
        ArtifactError: missing, incomplete, changed, or not signed by the key; a kit, or a part of a network; no
            artifact of a bundle matches.
        MissingLibraryError: its runtime is not installed here.
    """
    path = Path(path)
    if is_bundle(path):
        if trust:
            raise ArtifactError(f"{path}: a bundle is loaded only if every hash in it is right; leave trust out")
        return _load_bundle(path, target, precision, threads, None if key is None else Path(key))
    if target or precision or key:
        raise ArtifactError(f"{path}: an artifact has one target and one precision, and no signature: a bundle may")
    artifact = trusted_artifact(path) if trust else open_artifact(path)
    _check_whole(artifact)
    return Model(artifact, threads=threads, trust=trust)


def _load_bundle(
    path: Path, target: str | None, precision: str | None, threads: int | None, key: Path | None
) -> "Model":
    unpacked = unpack(path, key=key)
    try:
        artifacts = [read_artifact(item) for item in unpacked.artifacts]
        whole = [item for item in artifacts if item.part == "clip"]
        asked = [item for item in whole if target in (None, item.target) and precision in (None, item.precision)]
        if not asked:
            have = ", ".join(f"{item.precision} for {item.target}" for item in whole)
            words = " for ".join(filter(None, (precision, target))) or "a whole network"
            raise ArtifactError(f"{path}: holds no artifact of {words}; it holds {have or 'none'}")
        return Model(open_artifact(_usable(asked).path), threads=threads, unpacked=unpacked)
    except BaseException:
        unpacked.remove()
        raise


def _check_whole(artifact: Artifact) -> None:
    if is_kit(artifact.path):
        raise ArtifactError(f"{artifact.path} is a kit: nothing runs it before edge-aver build on its device")
    if artifact.part != "clip":
        raise ArtifactError(
            f"{artifact.path}: the {artifact.part} of a network that was built in two; a clip takes both, or the "
            "engine of the whole network beside it"
        )


def newest(
    folder: Path, *, architecture: str | None = None, precision: str | None = None, target: str | None = None
) -> Path:
    """Path of the newest artifact in `folder` that matches what is given and whose runtime is installed here.

    Raises:
        ArtifactError: there is none; what is there, or how to make one, is told.
        MissingLibraryError: there are some, but none whose runtime is installed.
    """
    return _usable(choose_artifacts(folder, architecture=architecture, precision=precision, target=target)).path


def _usable(found: Sequence[Artifact]) -> Artifact:
    """The first that runs here; if none does, the first whose runtime is installed, which will say why not."""
    installed = [item for item in found if item.runtime in RUNTIMES and RUNTIMES[item.runtime].version]
    usable = [item for item in installed if runs_here(item.runtime)] or installed
    if not usable:
        runtime_module(found[0].runtime)
    return usable[0]


class Model:
    """An artifact in its runtime; a context manager. Several threads may use it at once.

    Args:
        artifact: what to open.
        threads, trust: see `load`.
        unpacked: the bundle that it came out of.
    """

    def __init__(
        self,
        artifact: Artifact,
        *,
        threads: int | None = None,
        trust: bool = False,
        unpacked: Unpacked | None = None,
    ) -> None:
        self.artifact = artifact
        self._threads = threads
        self._unpacked = unpacked
        self._front_end: FrontEnd | None = None
        self._loading = threading.Lock()
        self._runner = runtime_module(artifact.runtime).open_runner(artifact.path, threads=threads, trust=trust)

    @property
    def executed_precisions(self) -> Mapping[str, int]:
        """Layers by the precision the runtime executes them in; {} where it does not tell."""
        return self._runner.executed_precisions

    @property
    def device_memory_bytes(self) -> int | None:
        """Memory that the network holds on a GPU; None where it uses none, or cannot tell."""
        return self._runner.device_memory_bytes

    @property
    def front_end(self) -> FrontEnd:
        """What turns media into tensors, by the artifact's own constants; loaded on first use.

        Raises:
            ArtifactError: the face detector that an export leaves beside its artifacts is missing or changed.
        """
        with self._loading:
            if self._front_end is None:
                plan = fast_plan(self.artifact.path.parent, self.artifact.runtime)
                self._front_end = plan.load(self.artifact.spec.preprocessing, self._threads)
            return self._front_end

    def predict_tensors(self, faces: npt.NDArray[np.uint8], audio: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Run the network alone.

        Args:
            faces: (N, 15, 224, 224, 3) uint8, RGB.
            audio: (N, 15, 128) float32.

        Returns:
            logits: (N, L) float32, in the order of the spec's labels.
        """
        return self._runner.infer({"faces": faces, "audio": audio})["logits"]

    def time_compute(self, queries: int) -> tuple[float, ...]:
        """Seconds of each of `queries` runs of the latest tensors without copies; () on a CPU, which copies nothing."""
        return self._runner.time_compute(queries)

    def predict(self, source: str | Path | bytes, *, start_s: float = 0.0, end_s: float | None = None) -> Prediction:
        """Recognise one clip, from its bytes to a label.

        Args:
            source: path of a media file, or its bytes.
            start_s: where the window starts.
            end_s: what comes from there on is black and silent; None for the end of the clip.

        Raises:
            ClipError: no clip can be made of it.
            NoFaceError: no frame shows a face.
            TargetError: the runtime gave logits that are not finite.
        """
        source = Path(source) if isinstance(source, str) else source
        front_end = self.front_end
        started = time.perf_counter()
        clip = front_end(source, start_s=start_s, end_s=end_s)
        require_face(clip, "the clip" if isinstance(source, bytes) else str(source))
        return replace(self.predict_clip(clip), total_s=time.perf_counter() - started)

    def predict_clip(self, clip: ClipTensors) -> Prediction:
        """Recognise what the front end made of a window, whether or not it shows a face.

        Args:
            clip: tensors of one window.

        Returns:
            A prediction; its `total_s` is the sum of its stages.

        Raises:
            TargetError: the runtime gave logits that are not finite.
        """
        started = time.perf_counter()
        logits = self.predict_tensors(clip.faces[None], clip.audio[None])[0]
        ended = time.perf_counter()
        if not np.isfinite(logits).all():
            raise TargetError(
                f"{self.artifact.path}: {self.artifact.runtime} gave logits that are not finite: {logits}"
            )
        labels = self.artifact.spec.labels
        if logits.shape != (len(labels),):
            raise TargetError(f"{self.artifact.path}: gave {logits.shape} logits for {len(labels)} labels")
        probabilities = softmax(logits)
        stages_s = {**clip.stages_s, "network": ended - started}
        return Prediction(
            label=labels[int(probabilities.argmax())],
            probabilities={label: float(value) for label, value in zip(labels, probabilities, strict=True)},
            stages_s=stages_s,
            total_s=sum(stages_s.values()),
            face_found=tuple(bool(found) for found in clip.face_found),
        )

    def __enter__(self) -> "Model":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.__exit__(kind, error, trace)
        if self._unpacked is not None:
            self._unpacked.remove()


def softmax(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Probabilities (8,) of logits (8,)."""
    shifted = np.exp(logits.astype(np.float64) - logits.max())
    probabilities: npt.NDArray[np.float64] = shifted / shifted.sum()
    return probabilities

"""ModelSpec: what an artifact must know of itself, and the constants of the clip contract."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from edge_aver.declarations import parse
from edge_aver.errors import ArtifactError, DeclarationError
from edge_aver.files import sha256_bytes

__all__ = [
    "ARCHITECTURES",
    "AUDIO_FEATURES",
    "FEATURES",
    "LABELS",
    "PARTS",
    "SPEC_KEY",
    "CalibrationManifest",
    "ModelSpec",
    "Parameters",
    "Preprocessing",
    "TensorSpec",
    "logits_of",
    "media_inputs",
    "provenance_note",
]

LABELS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
"""Emotions in RAVDESS order: index i is emotion code i + 1."""

ARCHITECTURES = ("ca", "id", "sa")
"""Baseline cross-attention, input data incorporation, self-attention information (paper, 3.3)."""

AUDIO_FEATURES = 128
"""Four segments of 32 values: what the audio branch takes for each frame (paper, 4.2.2)."""

PARTS = ("frame_encoder", "fusion")
"""What a network is built as where it is built in two."""

FEATURES = "features"
"""Name of the tensor that leaves the one, (M, 128), and enters the other, (N, 15, 128)."""

SPEC_KEY = "edge_aver.spec"
"""Where the ModelSpec stands in ONNX metadata_props, OpenVINO rt_info and safetensors metadata."""

_NOTES = {
    "synthetic": "Synthetic actors: drawn faces and generated voices. These figures say nothing about people.",
    "composite": "Composite clips: real speech joined with unrelated faces. These figures compare precisions of one "
    "network; they do not say how well emotions of people are read.",
}


def provenance_note(corpus: str) -> str | None:
    """The sentence every screen and report must carry for results from `corpus`; None where none is needed."""
    return _NOTES.get(corpus)


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """Constants from clip to tensors (paper, 4.2.2; what it leaves open is chosen here).

    Attributes:
        window_s: length of the window; shorter clips are padded with silence and black frames.
        frames: images a window, at t_i = (i + 0.5) * window_s / frames seconds.
        face_size_px: side of the square RGB face.
        face_detector: what finds the faces; the most probable one is squared to its longer side about its centre.
        sample_rate_hz: of the mono speech signal.
        n_fft, win_length, hop_length: short-time Fourier transform, in samples.
        n_mels, n_mfcc, delta_width: mel bands, cepstral coefficients, frames of a delta.
        pitch_min_hz, pitch_max_hz, pitch_window: YIN search range, and its window in samples.
        pitch_threshold: a step is unvoiced (pitch 0) where the YIN minimum exceeds this.
        silence_dbfs: a step is unvoiced where its level is below this.
        segment_offsets: the segments concatenated for frame i, relative to i; zeros past the ends.
    """

    window_s: float = 3.6
    frames: int = 15
    face_size_px: int = 224
    face_detector: str = "mtcnn"
    sample_rate_hz: int = 16_000
    n_fft: int = 512
    win_length: int = 320
    hop_length: int = 160
    n_mels: int = 40
    n_mfcc: int = 10
    delta_width: int = 9
    pitch_min_hz: float = 65.0
    pitch_max_hz: float = 500.0
    pitch_window: int = 1024
    pitch_threshold: float = 0.3
    silence_dbfs: float = -60.0
    segment_offsets: tuple[int, ...] = (-2, -1, 0, 1)

    @property
    def step_features(self) -> int:
        """Values a 10 ms step: MFCC, delta, delta-delta, pitch, log energy."""
        return 3 * self.n_mfcc + 2

    @property
    def audio_features(self) -> int:
        """Values a frame: the step features of every segment in `segment_offsets`."""
        return len(self.segment_offsets) * self.step_features

    def frame_times_s(self) -> tuple[float, ...]:
        """Presentation times of the sampled frames, in seconds from the start of the window."""
        return tuple((i + 0.5) * self.window_s / self.frames for i in range(self.frames))

    def check(self) -> None:
        """Refuse constants that nothing can be reckoned with; ValueError names the first."""
        for name, (lowest, highest) in _RANGES.items():
            if not lowest <= getattr(self, name) <= highest:
                raise ValueError(f"{name} {getattr(self, name):g}: expected {lowest:g} to {highest:g}")
        for name, limit in (
            ("win_length", self.n_fft),
            ("hop_length", self.n_fft),
            ("n_mels", self.n_fft // 2),
            ("n_mfcc", self.n_mels),
            ("pitch_max_hz", self.sample_rate_hz / 2),
            ("pitch_min_hz", self.pitch_max_hz),
        ):
            if getattr(self, name) > limit:
                raise ValueError(f"{name} {getattr(self, name):g}: expected at most {limit:g}")
        if not self.segment_offsets or max(map(abs, self.segment_offsets)) > self.frames:
            raise ValueError("segment_offsets: none, or one that reaches beyond the window")

    def digest(self) -> str:
        """SHA-256 over all constants: tensors made with other constants have another one."""
        return sha256_bytes(json.dumps(asdict(self), sort_keys=True).encode())


_RANGES = {
    "window_s": (0.1, 60.0),
    "frames": (1, 256),
    "face_size_px": (8, 1024),
    "sample_rate_hz": (4_000, 192_000),
    "n_fft": (32, 1 << 15),
    "win_length": (8, 1 << 15),
    "hop_length": (8, 1 << 15),
    "n_mels": (2, 512),
    "n_mfcc": (1, 512),
    "delta_width": (3, 99),
    "pitch_min_hz": (20.0, 10_000.0),
    "pitch_max_hz": (20.0, 96_000.0),
    "pitch_window": (64, 1 << 15),
    "pitch_threshold": (0.0, 10.0),
    "silence_dbfs": (-300.0, 100.0),
}
"""Of a file that may be damaged or mean harm: what is outside has never been meant."""


@dataclass(frozen=True, kw_only=True)
class TensorSpec:
    """Name, dtype and shape of one input or output; a string in `shape` is a dimension that may vary."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Parameter counts: what is deployed, and the paper's way (backbone with its ImageNet classifier).

    A network that is none of the paper's is counted one way: both are what is deployed.
    """

    deployed: int
    paper: int


@dataclass(frozen=True, kw_only=True)
class CalibrationManifest:
    """Which clips calibrated an artifact: ids and SHA-256 of their prepared tensors, never media."""

    corpus: str
    fold: int
    actors: tuple[int, ...]
    clips: tuple[tuple[str, str], ...]

    def digest(self) -> str:
        """SHA-256 over the whole manifest."""
        return sha256_bytes(json.dumps(asdict(self), sort_keys=True).encode())


def media_inputs(constants: Preprocessing) -> tuple[TensorSpec, ...]:
    """What a front end makes of media by these constants: `faces` (N, T, H, W, 3) uint8, `audio` (N, T, F) float32."""
    side = constants.face_size_px
    return (
        TensorSpec(name="faces", dtype="uint8", shape=("batch", constants.frames, side, side, 3)),
        TensorSpec(name="audio", dtype="float32", shape=("batch", constants.frames, constants.audio_features)),
    )


def _inputs() -> tuple[TensorSpec, ...]:
    return media_inputs(Preprocessing())


def logits_of(labels: tuple[str, ...]) -> tuple[TensorSpec, ...]:
    """The one output of a network: `logits` (N, L) float32."""
    return (TensorSpec(name="logits", dtype="float32", shape=("batch", len(labels))),)


def _outputs() -> tuple[TensorSpec, ...]:
    return logits_of(LABELS)


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """What a checkpoint or artifact must know of itself; it travels inside the file.

    Attributes:
        architecture: one of `ARCHITECTURES`, or the name of a network of one's own.
        corpus: where the training clips came from (`ravdess`, `synthetic`, ...).
        fold: the subject-independent split, from 1; its actors stand in `train_actors` ... `test_actors`.
        inputs, outputs: the tensors of the whole-clip graph, in order.
        preprocessing: constants from clip to tensors.
        parameters: counted both ways; None before the network exists.
        backbone_weights: what the backbone started from (`imagenet`, `none`, or a file's name and hash).
        frozen_backbone: whether only the fusion was trained.
        network: where a network of one's own came from (`package.module:factory`, or the name of an entry point); None
            for the paper's.
        checkpoint_sha256: of the checkpoint an artifact came from.
        precision: name of the recipe; None for a checkpoint.
        recipe_sha256: of the recipe's file.
        calibration: the clips that calibrated; None where nothing was.
        tool_versions: library name to version, of everything that took part.
    """

    architecture: str
    corpus: str
    fold: int
    train_actors: tuple[int, ...] = ()
    validation_actors: tuple[int, ...] = ()
    test_actors: tuple[int, ...] = ()
    labels: tuple[str, ...] = LABELS
    inputs: tuple[TensorSpec, ...] = field(default_factory=_inputs)
    outputs: tuple[TensorSpec, ...] = field(default_factory=_outputs)
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    parameters: Parameters | None = None
    backbone_weights: str = "none"
    frozen_backbone: bool = False
    network: str | None = None
    checkpoint_sha256: str | None = None
    precision: str | None = None
    recipe_sha256: str | None = None
    calibration: CalibrationManifest | None = None
    tool_versions: Mapping[str, str] = field(default_factory=dict)
    format_version: int = 1

    @property
    def note(self) -> str | None:
        """The sentence that every screen and report must carry for this network; None where none is needed."""
        return provenance_note(self.corpus)

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs, in order."""
        return tuple(item.name for item in self.inputs)

    def feed(self, faces: Any, audio: Any) -> dict[str, Any]:
        """Those of both that the network takes, by name."""
        both = {"faces": faces, "audio": audio}
        return {item.name: both[item.name] for item in self.inputs}

    @property
    def media_gap(self) -> str | None:
        """Why no front end here makes the network's inputs of media; None where its constants give them."""
        made = {item.name: item for item in media_inputs(self.preprocessing)}
        for item in self.inputs:
            if item != made.get(item.name):
                row = " x ".join(map(str, item.shape[1:]))
                return (
                    f"{self.architecture} takes {item.name} of {row}, which its preprocessing constants do not make of "
                    "media: give it tensors of your own (predict_tensors)"
                )
        return None

    def to_json(self) -> str:
        """One line of JSON with sorted keys."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str, *, where: str) -> "ModelSpec":
        """Read what `to_json` wrote.

        Args:
            text: the JSON.
            where: the file it came from, for the message.

        Raises:
            ArtifactError: not JSON, not a ModelSpec, or of a later format version.
        """
        try:
            return cls.from_dict(json.loads(text))
        except (ValueError, RecursionError) as error:
            raise ArtifactError(f"{where}: its ModelSpec cannot be read ({error}); export it again") from error

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> "ModelSpec":
        """Build from the nested mapping of `dataclasses.asdict`; ValueError if it is not one, or cannot be meant."""
        if not isinstance(table, Mapping):
            raise ValueError(f"{type(table).__name__}, expected a table")
        if table.get("format_version") != 1:
            raise ValueError(f"format_version {str(table.get('format_version'))[:20]}, this edge-aver reads 1")
        if "labels" not in table:
            raise ValueError("spec: 'labels' is missing")
        try:
            spec = parse(cls, table, where="spec")
        except DeclarationError as error:
            raise ValueError(str(error)) from error
        spec.preprocessing.check()
        if len(spec.labels) < 2 or len(set(spec.labels)) != len(spec.labels):
            raise ValueError("labels: too few, or one twice")
        return spec

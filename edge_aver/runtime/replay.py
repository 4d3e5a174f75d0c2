"""The golden clip of a bundle on this device, stage by stage from the bytes of the file, beside what is expected."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_aver.bundle import Artifact, Manifest, open_artifact
from edge_aver.bundle.golden import Expected, Golden, Tolerance, read_golden_clip
from edge_aver.bundle.unpack import unpack
from edge_aver.errors import ArtifactError, MissingLibraryError
from edge_aver.media.audio import segments
from edge_aver.media.decode import decode_clip
from edge_aver.media.faces import FaceDetector, crop_faces
from edge_aver.media.picture import Picture
from edge_aver.media.speech import speech_steps
from edge_aver.runtime.front_end import fast_plan
from edge_aver.runtime.model import Model
from edge_aver.spec import ModelSpec, Preprocessing
from edge_aver.targets import RUNTIMES, runs_here

__all__ = ["BundleCheck", "Replay", "StageCheck", "clip_stages", "verify_bundle"]

Array = npt.NDArray[Any]

POOL_PX = 8
_EXACT_DB = 300.0
"""Stands for infinite signal to noise, which JSON cannot hold."""


@dataclass(frozen=True, kw_only=True)
class StageCheck:
    """One stage beside what is expected.

    Attributes:
        stage: `frames`, `faces`, `audio` or `logits`.
        max_abs_diff: largest difference of a value.
        sqnr_db: signal to noise; of `frames` and `faces`, of the frame that has the lowest.
        tolerance: that it is held to.
        passed: whether it keeps it; of `faces`, whether they were also found in the same frames.
    """

    stage: str
    max_abs_diff: float
    sqnr_db: float
    tolerance: Tolerance
    passed: bool


@dataclass(frozen=True, kw_only=True)
class Replay:
    """An artifact on the golden clip.

    Attributes:
        artifact: its name.
        stages: in order; () where it was not replayed.
        label: of the clip from its bytes on; None where the logits are not finite.
        expected_label: of the logits expected.
        not_replayed: why not; None where it was.
    """

    artifact: str
    stages: tuple[StageCheck, ...] = ()
    label: str | None = None
    expected_label: str | None = None
    not_replayed: str | None = None

    @property
    def differs(self) -> StageCheck | None:
        """The first stage that is not as expected."""
        return next((check for check in self.stages if not check.passed), None)

    @property
    def label_differs(self) -> bool:
        """Whether the clip is taken for another emotion than expected, though its stages may all be near enough."""
        return self.label != self.expected_label


@dataclass(frozen=True, kw_only=True)
class BundleCheck:
    """What verifying a bundle found.

    Attributes:
        path: of the bundle.
        manifest: what it says of itself.
        signature: `checked`, `not checked` or `none`.
        replays: one for each artifact.
        note: that every screen must carry for the network; None where none is needed.
    """

    path: Path
    manifest: Manifest
    signature: str
    replays: tuple[Replay, ...]
    note: str | None

    @property
    def differing(self) -> tuple[Replay, ...]:
        """Those of which a stage or the label is not as expected."""
        return tuple(replay for replay in self.replays if replay.differs or replay.label_differs)


def verify_bundle(path: Path, *, key: Path | None = None, threads: int | None = None) -> BundleCheck:
    """Check every byte of a bundle, and replay its golden clip with every artifact that runs here.

    Args:
        path: of the bundle.
        key: public key that must have signed it.
        threads: CPU threads; None leaves it to the runtimes.

    Returns:
        What was found; a stage or a label that differs is no error here.

    Raises:
        ArtifactError: damaged, hostile, or not signed by the key.
        MissingLibraryError: no runtime of any of its artifacts is installed.
    """
    unpacked = unpack(path, key=key)
    try:
        golden = read_golden_clip(unpacked.folder)
        artifacts = [open_artifact(item) for item in unpacked.artifacts]
        replays = tuple(_replay(item, golden, threads) for item in artifacts)
    finally:
        unpacked.remove()
    if not any(replay.stages for replay in replays):
        raise MissingLibraryError(
            RUNTIMES[artifacts[0].runtime].library,
            RUNTIMES[artifacts[0].runtime].extra,
            f"{path}: its files have their hashes, but no artifact of it runs here; replaying its golden clip",
        )
    state = "none" if unpacked.manifest.signed_by is None else "not checked"
    return BundleCheck(
        path=path,
        manifest=unpacked.manifest,
        signature="checked" if unpacked.signature_checked else state,
        replays=replays,
        note=artifacts[0].spec.note,
    )


def clip_stages(source: bytes, constants: Preprocessing, detector: FaceDetector) -> Mapping[str, Array]:
    """`frames`, `faces`, `face_found` and `audio` of a clip (see `Golden`); ClipError if it is none."""
    clip = decode_clip(source, constants)
    faces, found = crop_faces(clip.pictures, detector, constants)
    return {
        "frames": np.stack([_pooled(picture) for picture in _all_shown(clip.pictures)]),
        "faces": faces,
        "face_found": found.astype(np.uint8),
        "audio": segments(speech_steps(clip.speech, constants), constants),
    }


def _all_shown(pictures: Sequence[Picture | None]) -> Iterator[Picture]:
    for picture in pictures:
        if picture is None:
            raise ArtifactError("the golden clip ends before its window does; bundle it again")
        yield picture


def _pooled(picture: Picture) -> npt.NDArray[np.uint8]:
    """(h / 8, w / 8, 3) uint8: means, so that a decoder's or a converter's last bit does not show."""
    rows, columns = picture.height // POOL_PX, picture.width // POOL_PX
    image = picture.rgb()[: rows * POOL_PX, : columns * POOL_PX].reshape(rows, POOL_PX, columns, POOL_PX, 3)
    pooled: npt.NDArray[np.uint8] = image.mean(axis=(1, 3)).round().astype(np.uint8)
    return pooled


def _replay(artifact: Artifact, golden: Golden, threads: int | None) -> Replay:
    name = artifact.path.name
    if artifact.part != "clip":
        return Replay(artifact=name, not_replayed=f"a part ({artifact.part}): its files have their hashes")
    if artifact.runtime not in RUNTIMES or not runs_here(artifact.runtime):
        return Replay(artifact=name, not_replayed=f"{artifact.runtime} does not run here")
    expected = golden.expected.get(name)
    if expected is None:
        raise ArtifactError(f"{name}: the golden clip has no expected logits for it; bundle it again")
    _check_shapes(golden, expected, artifact.spec)
    constants = artifact.spec.preprocessing
    detector = fast_plan(artifact.path.parent, artifact.runtime).load_detector(threads)
    here = clip_stages(golden.clip, constants, detector)
    with Model(artifact, threads=threads) as model:
        logits = model.predict_tensors(golden.faces[None], golden.audio[None])
        own = model.predict_tensors(here["faces"][None], here["audio"][None])
    stages = [_check(stage, getattr(golden, stage), here[stage], golden.tolerances[stage]) for stage in _STAGES]
    if not np.array_equal(here["face_found"], golden.face_found):
        stages[1] = StageCheck(**{**vars(stages[1]), "passed": False})
    labels = artifact.spec.labels
    return Replay(
        artifact=name,
        stages=(*stages, _check("logits", expected.logits, logits, expected.tolerance)),
        label=labels[int(own[0].argmax())] if np.isfinite(own).all() else None,
        expected_label=labels[int(expected.logits[0].argmax())],
    )


_STAGES = ("frames", "faces", "audio")


def _check_shapes(golden: Golden, expected: Expected, spec: ModelSpec) -> None:
    """Hold the golden tensors to the shapes that the spec's constants call for."""
    constants = spec.preprocessing
    frames, side = constants.frames, constants.face_size_px
    for name, values, shape in (
        ("faces", golden.faces, (frames, side, side, 3)),
        ("face_found", golden.face_found, (frames,)),
        ("audio", golden.audio, (frames, constants.audio_features)),
        ("logits", expected.logits, (1, len(spec.labels))),
    ):
        if values.shape != shape:
            raise ArtifactError(f"golden {name} has shape {values.shape}, the spec calls for {shape}; bundle it again")


def _check(stage: str, wanted: Array, got: Array, tolerance: Tolerance) -> StageCheck:
    if wanted.shape != got.shape or not np.isfinite(got).all():
        far = float(np.finfo(np.float32).max)
        return StageCheck(stage=stage, max_abs_diff=far, sqnr_db=-_EXACT_DB, tolerance=tolerance, passed=False)
    a, b = wanted.astype(np.float64), got.astype(np.float64)
    rows = zip(a, b, strict=True) if stage in ("frames", "faces") else [(a, b)]
    largest, ratio = float(np.abs(a - b).max()), min(_sqnr_db(*row) for row in rows)
    passed = (tolerance.max_abs_diff is None or largest <= tolerance.max_abs_diff) and (
        tolerance.min_sqnr_db is None or ratio >= tolerance.min_sqnr_db
    )
    return StageCheck(stage=stage, max_abs_diff=largest, sqnr_db=ratio, tolerance=tolerance, passed=passed)


def _sqnr_db(wanted: Array, got: Array) -> float:
    noise = float(np.square(wanted - got).sum())
    if noise == 0.0:
        return _EXACT_DB
    return 10.0 * math.log10(max(float(np.square(wanted).sum()), 1e-30) / noise)

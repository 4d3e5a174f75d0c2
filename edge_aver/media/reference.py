"""The reference front end: MTCNN of facenet-pytorch and the features of librosa, which later ones are compared with."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_aver.errors import MissingLibraryError
from edge_aver.media.audio import segments
from edge_aver.media.clip import ClipTensors
from edge_aver.media.decode import decode_clip
from edge_aver.media.faces import FaceDetector, crop_face, square_box
from edge_aver.media.picture import Picture
from edge_aver.media.speech import librosa_steps
from edge_aver.spec import Preprocessing

__all__ = ["MtcnnDetector", "ReferenceFrontEnd", "librosa_steps", "load"]

_BATCH = 5
"""Images that pass MTCNN together: more cost memory (its first layer keeps the full picture) and gain no time."""

_SMALLEST_SIDE_PX = 20
"""MTCNN looks for faces of at least this size, and fails on a picture that could hold none."""


def load(constants: Preprocessing, threads: int | None) -> "ReferenceFrontEnd":
    """Load the reference front end; `threads` of None leaves PyTorch's own choice.

    Raises:
        MissingLibraryError: facenet-pytorch or librosa is not installed.
    """
    detector = MtcnnDetector(threads=threads)
    # librosa compiles on first use: here, where no stage is timed.
    librosa_steps(np.zeros(constants.sample_rate_hz, dtype=np.float32), constants)
    return ReferenceFrontEnd(constants, detector, threads=threads)


class ReferenceFrontEnd:
    """From a media file to tensors by the reference implementations.

    Args:
        constants: of the clip contract.
        detector: what finds the faces.
        threads: of the video decoder; None for as many as it likes.
    """

    name = "reference"

    def __init__(self, constants: Preprocessing, detector: FaceDetector, *, threads: int | None = None) -> None:
        self._constants = constants
        self._detector = detector
        self._threads = threads

    def __call__(self, source: Path | bytes, *, start_s: float = 0.0) -> ClipTensors:
        """Tensors of the window that starts at `start_s`; ClipError for a file that cannot become a clip."""
        began = time.perf_counter()
        clip = decode_clip(source, self._constants, start_s=start_s, threads=self._threads)
        decoded = time.perf_counter()
        faces, face_found = _faces(clip.pictures, self._detector, self._constants)
        seen = time.perf_counter()
        audio = segments(librosa_steps(clip.speech, self._constants), self._constants)
        heard = time.perf_counter()
        stages_s = {"decode": decoded - began, "faces": seen - decoded, "audio": heard - seen}
        return ClipTensors(faces=faces, audio=audio, face_found=face_found, stages_s=stages_s)


class MtcnnDetector:
    """MTCNN (Zhang et al. 2016) with the weights and thresholds that facenet-pytorch ships, on the CPU.

    Args:
        threads: of PyTorch in this whole process; None leaves its choice.

    Raises:
        MissingLibraryError: facenet-pytorch is not installed.
    """

    def __init__(self, *, threads: int | None = None) -> None:
        try:
            import torch
            from facenet_pytorch import MTCNN
        except ImportError as error:
            raise MissingLibraryError("facenet_pytorch", "reference", "the reference front end") from error
        if threads is not None:
            torch.set_num_threads(threads)
        self._mtcnn = MTCNN(device=torch.device("cpu")).eval()

    def detect(self, images: Sequence[npt.NDArray[np.uint8]]) -> list[npt.NDArray[np.float32] | None]:
        """The most probable face of each RGB image as (left, top, right, bottom), or None; sizes may differ."""
        boxes: list[npt.NDArray[np.float32] | None] = [None] * len(images)
        for indices in _batches(images):
            found, probabilities = self._mtcnn.detect([images[i] for i in indices])
            for i, candidates, scores in zip(indices, found, probabilities, strict=True):
                if candidates is not None:
                    boxes[i] = np.asarray(candidates[int(np.argmax(scores))], dtype=np.float32)
        return boxes


def _batches(images: Sequence[npt.NDArray[np.uint8]]) -> list[list[int]]:
    """Indices of images of one size that may pass the network together."""
    by_size: dict[tuple[int, ...], list[int]] = {}
    for i, image in enumerate(images):
        if min(image.shape[:2]) >= _SMALLEST_SIDE_PX:
            by_size.setdefault(image.shape, []).append(i)
    return [group[at : at + _BATCH] for group in by_size.values() for at in range(0, len(group), _BATCH)]


def _faces(
    pictures: Sequence[Picture | None], detector: FaceDetector, constants: Preprocessing
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Each picture's own face, black where it shows none."""
    side = constants.face_size_px
    faces = np.zeros((len(pictures), side, side, 3), dtype=np.uint8)
    found = np.zeros(len(pictures), dtype=np.bool_)
    shown = [(i, picture.rgb()) for i, picture in enumerate(pictures) if picture is not None]
    boxes = detector.detect([image for _, image in shown])
    for (i, image), box in zip(shown, boxes, strict=True):
        if box is not None:
            faces[i], found[i] = crop_face(image, square_box(box), side), True
    return faces, found

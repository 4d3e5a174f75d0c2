"""The reference front end: MTCNN of facenet-pytorch and the features of librosa, which later ones are compared with."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_aver.errors import MissingLibraryError
from edge_aver.media.front_end import ClipFrontEnd
from edge_aver.media.librosa_speech import librosa_steps
from edge_aver.media.picture import Picture
from edge_aver.spec import Preprocessing

__all__ = ["MtcnnDetector", "ReferencePlan"]

_BATCH = 5
"""Images that pass MTCNN together: more cost memory (its first layer keeps the full picture) and gain no time."""

_SMALLEST_SIDE_PX = 20
"""MTCNN looks for faces of at least this size, and fails on a picture that could hold none."""


@dataclass(frozen=True, kw_only=True)
class ReferencePlan:
    """The reference front end.

    Attributes:
        name: what a prepared store records.
        batch: pictures that pass MTCNN together; None for all of one size.
    """

    name: str = "reference"
    batch: int | None = _BATCH

    def load(self, constants: Preprocessing, threads: int | None) -> ClipFrontEnd:
        """Load it.

        Raises:
            MissingLibraryError: facenet-pytorch or librosa is not installed.
        """
        detector = MtcnnDetector(threads=threads, batch=self.batch)
        # librosa compiles on first use: here, where no stage is timed.
        librosa_steps(np.zeros(constants.sample_rate_hz, dtype=np.float32), constants)
        return ClipFrontEnd(constants, detector, describe=librosa_steps, threads=threads, every_picture=True)


class MtcnnDetector:
    """MTCNN (Zhang et al. 2016) with the weights and thresholds that facenet-pytorch ships, on the CPU.

    Args:
        threads: of PyTorch in this whole process; None leaves its choice.
        batch: pictures that pass MTCNN together; None for all of one size.

    Raises:
        MissingLibraryError: facenet-pytorch is not installed.
    """

    def __init__(self, *, threads: int | None = None, batch: int | None = _BATCH) -> None:
        try:
            import torch
            from facenet_pytorch import MTCNN
        except ImportError as error:
            raise MissingLibraryError("facenet_pytorch", "reference", "the reference front end") from error
        if threads is not None:
            torch.set_num_threads(threads)
        self._batch = batch
        self._mtcnn = MTCNN(device=torch.device("cpu")).eval()

    def detect(self, pictures: Sequence[Picture]) -> list[npt.NDArray[np.float32] | None]:
        """The most probable face of each picture as (left, top, right, bottom), or None; sizes may differ."""
        images = [picture.rgb() for picture in pictures]
        boxes: list[npt.NDArray[np.float32] | None] = [None] * len(images)
        for indices in _batches(images, self._batch):
            found, probabilities = self._mtcnn.detect([images[i] for i in indices])
            for i, candidates, scores in zip(indices, found, probabilities, strict=True):
                if candidates is not None:
                    boxes[i] = np.asarray(candidates[int(np.argmax(scores))], dtype=np.float32)
        return boxes


def _batches(images: Sequence[npt.NDArray[np.uint8]], batch: int | None) -> list[list[int]]:
    """Indices of images of one size that may pass the network together."""
    by_size: dict[tuple[int, ...], list[int]] = {}
    for i, image in enumerate(images):
        if min(image.shape[:2]) >= _SMALLEST_SIDE_PX:
            by_size.setdefault(image.shape, []).append(i)
    size = batch or max(1, len(images))
    return [group[at : at + size] for group in by_size.values() for at in range(0, len(group), size)]

"""From a media file to tensors, stage by stage, with whatever finds faces and describes speech."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_aver.media.audio import segments
from edge_aver.media.clip import ClipTensors
from edge_aver.media.decode import decode_clip
from edge_aver.media.faces import FaceDetector, crop_faces
from edge_aver.media.speech import speech_steps
from edge_aver.spec import Preprocessing

__all__ = ["ClipFrontEnd", "Describe"]

Describe = Callable[[npt.NDArray[np.float32], Preprocessing], npt.NDArray[np.float32]]
"""Speech (samples,) to the features of every step (T, 32), see `speech_steps`."""


class ClipFrontEnd:
    """A front end: decode, find faces, describe speech.

    Args:
        constants: of the clip contract.
        detector: what finds the faces.
        describe: what describes the speech.
        threads: of the video decoder; None for as many as it likes.
        every_picture: decode the pictures too that nothing needs, as a plain loop over frames does.
    """

    def __init__(
        self,
        constants: Preprocessing,
        detector: FaceDetector,
        *,
        describe: Describe = speech_steps,
        threads: int | None = None,
        every_picture: bool = False,
    ) -> None:
        self._constants = constants
        self._detector = detector
        self._describe = describe
        self._threads = threads
        self._every_picture = every_picture

    def __call__(self, source: Path | bytes, *, start_s: float = 0.0, end_s: float | None = None) -> ClipTensors:
        """Tensors of the window from `start_s` to `end_s`; ClipError for a file that cannot become a clip."""
        began = time.perf_counter()
        clip = decode_clip(
            source,
            self._constants,
            start_s=start_s,
            end_s=end_s,
            threads=self._threads,
            every_picture=self._every_picture,
        )
        decoded = time.perf_counter()
        faces, face_found = crop_faces(clip.pictures, self._detector, self._constants)
        seen = time.perf_counter()
        audio = segments(self._describe(clip.speech, self._constants), self._constants)
        heard = time.perf_counter()
        stages_s = {"decode": decoded - began, "faces": seen - decoded, "audio": heard - seen}
        return ClipTensors(faces=faces, audio=audio, face_found=face_found, stages_s=stages_s)

"""The front end of every device: MTCNN on the target's own runtime, and speech features in numpy."""

import time
from pathlib import Path

from edge_aver.media.audio import segments
from edge_aver.media.clip import ClipTensors
from edge_aver.media.decode import decode_clip
from edge_aver.media.faces import FaceDetector, crop_faces
from edge_aver.media.speech import speech_steps
from edge_aver.spec import Preprocessing

__all__ = ["FastFrontEnd"]


class FastFrontEnd:
    """From a media file to tensors with numpy, PyAV and one runtime library.

    Args:
        constants: of the clip contract.
        detector: what finds the faces.
        threads: of the video decoder; None for as many as it likes.
    """

    def __init__(self, constants: Preprocessing, detector: FaceDetector, *, threads: int | None = None) -> None:
        self._constants = constants
        self._detector = detector
        self._threads = threads

    def __call__(self, source: Path | bytes, *, start_s: float = 0.0) -> ClipTensors:
        """Tensors of the window that starts at `start_s`; ClipError for a file that cannot become a clip."""
        began = time.perf_counter()
        clip = decode_clip(source, self._constants, start_s=start_s, threads=self._threads)
        decoded = time.perf_counter()
        faces, face_found = crop_faces(clip.pictures, self._detector, self._constants)
        seen = time.perf_counter()
        audio = segments(speech_steps(clip.speech, self._constants), self._constants)
        heard = time.perf_counter()
        stages_s = {"decode": decoded - began, "faces": seen - decoded, "audio": heard - seen}
        return ClipTensors(faces=faces, audio=audio, face_found=face_found, stages_s=stages_s)

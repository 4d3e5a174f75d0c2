"""Recordings named as RAVDESS names them, and drawn faces packed as FER2013 is."""

import io
import zipfile
from collections import Counter
from pathlib import Path

import av
import numpy as np
from media_files import tone

from edge_aver.corpora.synthetic import draw_faces

EMOTIONS = ("neutral", "neutral", "happy", "sad", "angry", "fear", "disgust", "surprise")
"""Folders of FER2013 by RAVDESS's emotion."""


def jpeg(picture: np.ndarray) -> bytes:
    """A JPEG file of a gray picture (height, width) uint8."""
    with av.open(buffer := io.BytesIO(), "w", format="mjpeg") as container:
        stream = container.add_stream("mjpeg", rate=1)
        stream.height, stream.width = picture.shape
        stream.pix_fmt = "yuvj444p"
        stream.options = {"qscale": "2", "flags": "qscale", "global_quality": "236"}
        frame = av.VideoFrame.from_ndarray(picture, format="gray").reformat(format="yuvj444p")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def drawn_faces(count: int, *, split: str = "test", seed: int = 0) -> dict[str, bytes]:
    """JPEG files by name, `split/emotion/number.jpg`: `count` for each of RAVDESS's emotions, so neutral has twice."""
    drawn = draw_faces(8 * count, size_px=48, seed=seed)
    seen: Counter[str] = Counter()
    files = {}
    for picture, label in zip(drawn.pictures, drawn.labels, strict=True):
        emotion = EMOTIONS[label]
        seen[emotion] += 1
        files[f"{split}/{emotion}/{seed}-{seen[emotion]:03}.jpg"] = jpeg(picture[..., 1])
    return files


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return path


def write_recording(path: Path, seconds: float, hz: float = 150.0, *, rate_hz: int = 16_000) -> Path:
    """A tone as FLAC or WAV, as the suffix says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sound = np.rint(32767 * tone(seconds, hz, rate_hz=rate_hz)).astype(np.int16)[None]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("flac" if path.suffix == ".flac" else "pcm_s16le", rate=rate_hz, layout="mono")
        frame = av.AudioFrame.from_ndarray(sound, format="s16", layout="mono")
        frame.sample_rate = rate_hz
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_recordings(folder: Path, *, actors=(1, 2), emotions=range(8), repetitions=(1,), seconds=3.7) -> Path:
    """`Actor_XX/03-01-...flac`, each of another pitch."""
    for actor in actors:
        for emotion in emotions:
            for repetition in repetitions:
                name = f"03-01-{emotion + 1:02}-01-01-{repetition:02}-{actor:02}"
                hz = 100 + 10 * emotion + 3 * repetition + actor
                write_recording(folder / f"Actor_{actor:02}" / f"{name}.flac", seconds, hz)
    return folder

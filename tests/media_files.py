"""Media files made for tests: pictures that carry their number, sounds of known shape."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

BITS = 10


def numbered(number, *, height=64, bit_px=16):
    """An RGB picture that shows `number` in binary as black and white bars, the lowest bit at the left."""
    bars = [255 * (number >> bit & 1) for bit in range(BITS)]
    row = np.repeat(np.array(bars, dtype=np.uint8), bit_px)
    return np.repeat(np.repeat(row[None], height, axis=0)[:, :, None], 3, axis=2)


def read_number(picture):
    """The number that `numbered` wrote, whatever the codec did to it."""
    bars = picture.mean(axis=(0, 2)).reshape(BITS, -1).mean(axis=1) > 127
    return sum(1 << bit for bit, white in enumerate(bars) if white)


def tone(seconds, hz=220.0, *, rate_hz=48_000, level=0.3):
    """A sine, (samples,) float32."""
    return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz)).astype(np.float32)


def voice(seconds=3.6, hz=140.0):
    """A buzz with harmonics between two pauses, over faint noise, at 16 kHz."""
    sound = sum(tone(seconds, hz * n, rate_hz=16_000, level=0.3 / n) for n in range(1, 12))
    sound[:8_000], sound[-16_000:] = 0, 0
    return (sound + 1e-3 * np.random.default_rng(0).standard_normal(len(sound))).astype(np.float32)


def click(seconds, at_s, *, rate_hz=48_000):
    """Silence but for a short burst that begins at `at_s`."""
    sound = np.zeros(round(seconds * rate_hz), dtype=np.float32)
    sound[round(at_s * rate_hz) :][: rate_hz // 200] = 0.8
    return sound


def write_media(
    path: Path,
    *,
    pictures: Sequence[np.ndarray] | None = None,
    ticks: Sequence[int] | None = None,
    rate: Fraction | int = 25,
    sound: np.ndarray | None = None,
    sound_rate_hz: int = 48_000,
    sound_codec: str = "aac",
    pictures_start_s: float = 0.0,
    sound_start_s: float = 0.0,
    b_frames: int = 0,
    key_every: int = 250,
) -> Path:
    """Write a media file, its index first; the container is the suffix's.

    `ticks` are presentation times in units of one picture; `sound` is (samples,) or (channels, samples).
    """
    options = {"movflags": "faststart"} if path.suffix == ".mp4" else {}
    with av.open(str(path), "w", options=options) as container:
        video = audio = None
        if pictures is not None:
            video = container.add_stream("libx264", rate=rate)
            video.height, video.width = (pictures[0].shape if len(pictures) else (64, 64, 3))[:2]
            video.pix_fmt = "yuv420p"
            video.options = {"bf": str(b_frames), "g": str(key_every), "crf": "10", "preset": "veryfast"}
        if sound is not None:
            layout = "mono" if sound.ndim == 1 else "stereo"
            audio = container.add_stream(sound_codec, rate=sound_rate_hz, layout=layout)
        container.start_encoding()
        if video is not None:
            _write_pictures(container, video, pictures, ticks, Fraction(1, 1) / rate, pictures_start_s)
        if audio is not None:
            _write_sound(container, audio, np.atleast_2d(sound), sound_rate_hz, sound_start_s)
    return path


def _write_pictures(container, stream, pictures, ticks, tick_s, start_s):
    for i, picture in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.time_base = tick_s
        frame.pts = (ticks[i] if ticks is not None else i) + round(start_s / tick_s)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def _write_sound(container, stream, sound, rate_hz, start_s):
    layout = "mono" if len(sound) == 1 else "stereo"
    for begin in range(0, sound.shape[1], 1024):
        piece = np.ascontiguousarray(sound[:, begin : begin + 1024])
        frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout=layout)
        frame.sample_rate, frame.time_base = rate_hz, Fraction(1, rate_hz)
        frame.pts = begin + round(start_s * rate_hz)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def presentation_times_s(path: Path) -> list[tuple[float, int]]:
    """Time and number of every picture of a numbered video, by decoding all of it."""
    with av.open(str(path)) as container:
        return [
            (frame.time, read_number(frame.to_ndarray(format="rgb24")))
            for frame in container.decode(container.streams.video[0])
        ]

"""Media files made for tests: pictures that carry their number, sounds of known shape."""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

BITS = 10
LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}


def numbered(number, *, height=64, bit_px=16):
    """An RGB picture that shows `number` in binary as black and white bars, the lowest bit at the left."""
    bars = [255 * (number >> bit & 1) for bit in range(BITS)]
    row = np.repeat(np.array(bars, dtype=np.uint8), bit_px)
    return np.repeat(np.repeat(row[None], height, axis=0)[:, :, None], 3, axis=2)


def moving(number, *, height=96, width=160):
    """An RGB picture of slanted waves and a square that move with `number`, for codecs to predict by motion."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin((x + (1 + c) * y) / (5 + 3 * c) + number / (2 + c)) for c in range(3)]
    picture = (127 + 90 * np.stack(waves, axis=-1)).astype(np.uint8)
    at = 7 * number % (width - 20)
    picture[10:30, at : at + 20] = (number * 37 % 256, 255 - number % 256, 128)
    return picture


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
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    codec_options: Mapping[str, str] | None = None,
    container_options: Mapping[str, str] | None = None,
) -> Path:
    """Write a media file, its index first; the container is the suffix's.

    `ticks` are presentation times in units of one picture; `sound` is (samples,) or (channels, samples).
    `codec_options` replace those that the other arguments make, `container_options` those of the container.
    """
    options = {"movflags": "faststart"} if path.suffix == ".mp4" else {}
    with av.open(
        str(path), "w", options=options if container_options is None else dict(container_options)
    ) as container:
        video = audio = None
        if pictures is not None:
            video = container.add_stream(codec, rate=rate)
            video.height, video.width = (pictures[0].shape if len(pictures) else (64, 64, 3))[:2]
            video.pix_fmt = pixel_format
            usual = {"bf": str(b_frames), "g": str(key_every), "crf": "10", "preset": "veryfast"}
            video.options = dict(usual if codec_options is None else codec_options)
        if sound is not None:
            layout = LAYOUTS[len(np.atleast_2d(sound))]
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
    layout = LAYOUTS[len(sound)]
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


def remux(
    source: Path, target: Path, *, shift_s: float = 0.0, change: Callable[[av.Packet], None] = lambda packet: None
) -> Path:
    """Copy a file without encoding; in an MP4, an edit list hides what a negative shift puts before 0."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        streams = {stream.index: new.add_stream_from_template(stream) for stream in old.streams}
        for packet in old.demux():
            if packet.size:
                ticks = round(shift_s / packet.time_base)
                packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
                change(packet)
                packet.stream = streams[packet.stream_index]
                new.mux(packet)
    return target


def turned(data: bytes, quarter_turns: int) -> bytes:
    """An MP4 whose video, its first track, is to be shown so many quarter turns clockwise."""
    unit, minus = (1 << 16).to_bytes(4, "big"), (-(1 << 16)).to_bytes(4, "big", signed=True)
    zero, last = bytes(4), (1 << 30).to_bytes(4, "big")
    at = data.index(b"tkhd") + 44
    assert data[at : at + 36] == unit + zero * 3 + unit + zero * 3 + last
    a, b, c, d = (
        (unit, zero, zero, unit),
        (zero, unit, minus, zero),
        (minus, zero, zero, minus),
        (zero, minus, unit, zero),
    )[quarter_turns]
    return data[:at] + a + b + zero + c + d + zero * 3 + last + data[at + 36 :]

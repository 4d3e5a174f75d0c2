"""The sampled pictures and the speech of one window of a media file, both on the clock of the clip."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from edge_aver.errors import ClipError
from edge_aver.media import container as media
from edge_aver.media.picture import Picture
from edge_aver.media.timeline import Moment, lay_out, nearest
from edge_aver.spec import Preprocessing

__all__ = ["DecodedClip", "decode_clip", "decode_speech", "probe_duration_s"]

_SLACK_S = 0.1
"""How much less than its header says a track may hold: headers count pictures that never decode."""


@dataclass(frozen=True, kw_only=True)
class DecodedClip:
    """What one window of a clip shows and sounds like.

    Attributes:
        frames: an upright RGB image (height, width, 3) uint8 for each sampled time; None where the video has not begun
            or has ended.
        speech: (window_s * sample_rate_hz,) float32, mono; silence where the audio has not begun or has ended.
        duration_s: of the whole clip, not only of the window.
    """

    pictures: tuple[Picture | None, ...]
    speech: npt.NDArray[np.float32]
    duration_s: float


def decode_clip(
    source: Path | bytes, constants: Preprocessing, *, start_s: float = 0.0, threads: int | None = None
) -> DecodedClip:
    """Decode one window of a clip; nothing after its end is decoded.

    The clock is the container's, its zero the start of the earliest track: a track that starts late is black or silent
    until then. Each sampled time takes the frame whose presentation time is nearest. Channels are averaged.

    Args:
        source: a media file with a video and an audio track, or its bytes.
        constants: window, frame times and sample rate.
        start_s: start of the window, in seconds from the start of the clip.
        threads: of the video decoder; None for as many as it likes.

    Raises:
        ClipError: not a video, unreadable, truncated or damaged, a track missing or empty, or `start_s` past the end.
    """
    # Opened afresh for each track: rewinding is less dependable in some formats than opening again.
    with media.open_clip(source) as container:
        duration_s = media.header_duration_s(container)
        _check_start(source, start_s, duration_s)
        video = media.video_track(container, source)
        media.audio_track(container, source)
        frames, video_end_s = _frames(container, video, source, constants, start_s, threads)
    with media.open_clip(source) as container:
        speech, audio_end_s = _speech(container, media.audio_track(container, source), source, constants, start_s)
    end_s = max(video_end_s, audio_end_s)
    if end_s <= 0:
        raise ClipError(f"{media.describe_source(source)}: zero seconds long: neither picture nor sound in it")
    _check_complete(source, "the clip", end_s, min(duration_s, start_s + constants.frame_times_s()[-1]))
    return DecodedClip(pictures=frames, speech=speech, duration_s=duration_s or end_s)


def decode_speech(source: Path | bytes, constants: Preprocessing) -> tuple[npt.NDArray[np.float32], float]:
    """Decode the first window of a recording that needs no pictures, as `decode_clip` decodes the speech of a clip.

    Args:
        source: a media file with an audio track, or its bytes.
        constants: window and sample rate.

    Returns:
        (window_s * sample_rate_hz,) float32, mono, silent after its end; and where in the window it ends, in seconds.

    Raises:
        ClipError: unreadable, truncated or damaged, or no audio in it.
    """
    with media.open_clip(source) as container:
        duration_s = media.header_duration_s(container)
        speech, end_s = _speech(container, media.audio_track(container, source), source, constants, 0.0)
    _check_complete(source, "the recording", end_s, min(duration_s, constants.window_s))
    return speech, min(end_s, constants.window_s)


def probe_duration_s(source: Path | bytes) -> float:
    """Length of a clip in seconds, as its header says, or else as its packets add up to.

    Raises:
        ClipError: not a video, or unreadable.
    """
    with media.open_clip(source) as container:
        return media.header_duration_s(container) or media.packets_end_s(container, source)


def _frames(
    container: InputContainer,
    track: VideoStream,
    source: Path | bytes,
    constants: Preprocessing,
    start_s: float,
    threads: int | None,
) -> tuple[tuple[npt.NDArray[np.uint8] | None, ...], float]:
    """The sampled pictures of the window, and how far the video could be decoded."""
    track.codec_context.thread_type = "AUTO"
    track.codec_context.thread_count = threads or 0
    times_s = [start_s + time_s for time_s in constants.frame_times_s()]
    media.seek(container, start_s)
    picked, end_s = nearest(_pictures(container, track, source), times_s)
    if end_s is None and not media.track_end_s(container, track) and start_s == 0:
        raise ClipError(f"{media.describe_source(source)}: zero seconds of video: no picture could be decoded")
    _check_complete(source, "its video", end_s or 0.0, min(media.track_end_s(container, track), times_s[-1]))
    return tuple(None if frame is None else Picture(frame) for frame in picked), end_s or 0.0


def _pictures(container: InputContainer, track: VideoStream, source: Path | bytes) -> Iterator[Moment[VideoFrame]]:
    zero_s = media.start_s(container)
    usual_s = 1 / float(track.average_rate) if track.average_rate else 0.04
    for frame in media.decoded_video(container, track, source):
        duration_s = float(frame.duration * frame.time_base) if frame.duration and frame.time_base else usual_s
        yield Moment(time_s=frame.time - zero_s, duration_s=duration_s, value=frame)


def _upright(frame: VideoFrame) -> npt.NDArray[np.uint8]:
    image = frame.to_ndarray(format="rgb24")
    return np.ascontiguousarray(np.rot90(image, round(frame.rotation / 90)))


def _speech(
    container: InputContainer, track: AudioStream, source: Path | bytes, constants: Preprocessing, start_s: float
) -> tuple[npt.NDArray[np.float32], float]:
    """The mono speech of the window at the contract's rate, and how far the audio could be decoded."""
    rate_hz = track.codec_context.sample_rate
    window_end_s = start_s + constants.window_s
    media.seek(container, start_s)
    signal, end_s = lay_out(
        _sounds(container, track, source), rate_hz=rate_hz, start_s=start_s, samples=round(constants.window_s * rate_hz)
    )
    if end_s is None and not media.track_end_s(container, track) and start_s == 0:
        raise ClipError(f"{media.describe_source(source)}: its audio track is empty")
    _check_complete(source, "its audio", end_s or 0.0, min(media.track_end_s(container, track), window_end_s))
    return _resample(signal, rate_hz, constants), end_s or 0.0


def _sounds(
    container: InputContainer, track: AudioStream, source: Path | bytes
) -> Iterator[Moment[npt.NDArray[np.float32]]]:
    zero_s = media.start_s(container)
    to_float = AudioResampler(format="fltp")
    for item in media.decoded_audio(container, track, source):
        for frame in to_float.resample(item):
            mono = frame.to_ndarray().mean(axis=0, dtype=np.float32)
            duration_s = len(mono) / frame.sample_rate
            yield Moment(time_s=(item.time or 0.0) - zero_s, duration_s=duration_s, value=mono)


def _resample(signal: npt.NDArray[np.float32], rate_hz: int, constants: Preprocessing) -> npt.NDArray[np.float32]:
    """Bring a whole window to the contract's rate at once: no seams, and exactly as many samples as it needs."""
    samples = round(constants.window_s * constants.sample_rate_hz)
    if rate_hz != constants.sample_rate_hz:
        frame = AudioFrame.from_ndarray(signal[None], format="flt", layout="mono")
        frame.sample_rate = rate_hz
        convert = AudioResampler(format="flt", layout="mono", rate=constants.sample_rate_hz)
        pieces = [piece.to_ndarray()[0] for part in (frame, None) for piece in convert.resample(part)]
        signal = np.concatenate(pieces)
    return np.pad(signal[:samples], (0, max(0, samples - len(signal))))


def _check_start(source: Path | bytes, start_s: float, duration_s: float) -> None:
    if start_s < 0 or (duration_s and start_s >= duration_s):
        raise ClipError(
            f"{media.describe_source(source)}: no window starts at {start_s:.2f} s; the clip lasts {duration_s:.2f} s"
        )


def _check_complete(source: Path | bytes, what: str, end_s: float, promised_s: float) -> None:
    if end_s < promised_s - _SLACK_S:
        raise ClipError(
            f"{media.describe_source(source)}: truncated: {what} should reach {promised_s:.2f} s or more, but only "
            f"{end_s:.2f} s of it can be decoded; fetch the file again"
        )

"""The sampled pictures and the speech of one window of a media file, both on the clock of the clip."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from edge_aver.errors import ClipError
from edge_aver.media import container as media
from edge_aver.media.picture import Picture
from edge_aver.media.timeline import Moment, lay_out
from edge_aver.media.video import Picked, Sampling, pick_all, pick_needed
from edge_aver.spec import Preprocessing

__all__ = ["DecodedClip", "decode_clip", "decode_speech", "probe_duration_s"]

_SLACK_S = 0.1
"""How much less than its header says a track may hold: headers count pictures that never decode."""


@dataclass(frozen=True, kw_only=True)
class DecodedClip:
    """What one window of a clip shows and sounds like.

    Attributes:
        pictures: one for each sampled time; None where the video has not begun or has ended.
        speech: (window_s * sample_rate_hz,) float32, mono; silence where the audio has not begun or has ended.
        duration_s: of the whole clip, not only of the window.
    """

    pictures: tuple[Picture | None, ...]
    speech: npt.NDArray[np.float32]
    duration_s: float


def decode_clip(
    source: Path | bytes,
    constants: Preprocessing,
    *,
    start_s: float = 0.0,
    end_s: float | None = None,
    threads: int | None = None,
    every_picture: bool = False,
) -> DecodedClip:
    """Decode of one window of a clip what its sampled pictures and its speech need; nothing after its end.

    The clock is the container's, its zero the start of the earliest track: a track that starts late is black or silent
    until then. Each sampled time takes the frame whose presentation time is nearest. Channels are averaged.

    Args:
        source: a media file with a video and an audio track, or its bytes.
        constants: window, frame times and sample rate.
        start_s: start of the window, in seconds from the start of the clip.
        end_s: what comes from there on is black and silent, in seconds from the start of the clip; None for its end.
        threads: of the video decoder; None for as many as it likes.
        every_picture: decode those too that no sampled one needs, as a plain loop over frames does; what is sampled is
            the same.

    Raises:
        ClipError: not a video, unreadable, truncated or damaged, a track missing or empty, `start_s` past the end, or a
            part too short for one sampled picture.
    """
    with media.open_clip(source) as container:
        duration_s = media.header_duration_s(container)
        _check_start(source, start_s, duration_s)
        video, audio = media.video_track(container, source), media.audio_track(container, source)
        media.seek(container, start_s)
        reader = media.PacketReader(container, (video, audio), source)
        times_s = _times_s(source, constants, start_s, end_s)
        sampling = _sampling(container, video, times_s, source, threads)
        if every_picture:
            picked = pick_all(sampling, reader.of(video))
        else:
            picked = pick_needed(sampling, reader.of(video)) or _pick_all(source, times_s, start_s, threads)
        pictures, video_end_s = _pictures(container, sampling, picked, start_s)
        speech, audio_end_s = _speech(container, audio, reader.of(audio), source, constants, start_s, end_s)
    decoded_s = max(video_end_s, audio_end_s)
    if decoded_s <= 0:
        raise ClipError(f"{media.describe_source(source)}: zero seconds long: neither picture nor sound in it")
    _check_complete(source, "the clip", decoded_s, min(duration_s, times_s[-1]))
    black = (None,) * (constants.frames - len(times_s))
    return DecodedClip(pictures=pictures + black, speech=speech, duration_s=duration_s or decoded_s)


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
        track = media.audio_track(container, source)
        packets = media.PacketReader(container, (track,), source).of(track)
        speech, end_s = _speech(container, track, packets, source, constants, 0.0)
    _check_complete(source, "the recording", end_s, min(duration_s, constants.window_s))
    return speech, min(end_s, constants.window_s)


def probe_duration_s(source: Path | bytes) -> float:
    """Length of a clip in seconds, as its header says, or else as its packets add up to.

    Raises:
        ClipError: not a video, or unreadable.
    """
    with media.open_clip(source) as container:
        return media.header_duration_s(container) or media.packets_end_s(container, source)


def _times_s(source: Path | bytes, constants: Preprocessing, start_s: float, end_s: float | None) -> list[float]:
    """Those of the sampled times that the part of the clip holds."""
    times_s = [start_s + time_s for time_s in constants.frame_times_s()]
    held = times_s if end_s is None else [time_s for time_s in times_s if time_s < end_s]
    if not held:
        raise ClipError(
            f"{media.describe_source(source)}: no sampled picture from {start_s:g} s to {end_s:g} s; "
            f"a part lasts more than {constants.frame_times_s()[0]:g} s"
        )
    return held


def _pictures(
    container: InputContainer, sampling: Sampling, picked: Picked, start_s: float
) -> tuple[tuple[Picture | None, ...], float]:
    """The sampled pictures of the window, and how far the video could be decoded."""
    (frames, end_s), track, source = picked, sampling.track, sampling.source
    if end_s is None and not media.track_end_s(container, track) and start_s == 0:
        raise ClipError(f"{media.describe_source(source)}: zero seconds of video: no picture could be decoded")
    _check_complete(source, "its video", end_s or 0.0, min(media.track_end_s(container, track), sampling.times_s[-1]))
    return tuple(None if frame is None else Picture.from_frame(frame) for frame in frames), end_s or 0.0


def _pick_all(source: Path | bytes, times_s: Sequence[float], start_s: float, threads: int | None) -> Picked:
    """Opened afresh: rewinding is less dependable in some formats, and leaves a used decoder behind."""
    with media.open_clip(source) as container:
        track = media.video_track(container, source)
        media.seek(container, start_s)
        packets = media.PacketReader(container, (track,), source).of(track)
        return pick_all(_sampling(container, track, times_s, source, threads), packets)


def _sampling(
    container: InputContainer, track: VideoStream, times_s: Sequence[float], source: Path | bytes, threads: int | None
) -> Sampling:
    track.codec_context.thread_type = "AUTO"
    track.codec_context.thread_count = threads or 0
    return Sampling(track=track, times_s=times_s, zero_s=media.start_s(container), source=source)


def _speech(
    container: InputContainer,
    track: AudioStream,
    packets: "Iterable[Packet[AudioStream]]",
    source: Path | bytes,
    constants: Preprocessing,
    start_s: float,
    until_s: float | None = None,
) -> tuple[npt.NDArray[np.float32], float]:
    """The mono speech of the window at the contract's rate, and how far the audio could be decoded."""
    rate_hz = track.codec_context.sample_rate
    lasts_s = constants.window_s if until_s is None else min(constants.window_s, until_s - start_s)
    window_end_s, zero_s = start_s + lasts_s, media.start_s(container)
    signal, end_s = lay_out(
        _sounds(packets, zero_s, source), rate_hz=rate_hz, start_s=start_s, samples=round(lasts_s * rate_hz)
    )
    if end_s is None and not media.track_end_s(container, track) and start_s == 0:
        raise ClipError(f"{media.describe_source(source)}: its audio track is empty")
    _check_complete(source, "its audio", end_s or 0.0, min(media.track_end_s(container, track), window_end_s))
    return _resample(signal, rate_hz, constants), end_s or 0.0


def _sounds(
    packets: "Iterable[Packet[AudioStream]]", zero_s: float, source: Path | bytes
) -> Iterator[Moment[npt.NDArray[np.float32]]]:
    to_float = AudioResampler(format="fltp")
    for item in media.decoded_audio(packets, source):
        for frame in to_float.resample(item):
            mono = frame.to_ndarray().mean(axis=0, dtype=np.float32)
            duration_s = len(mono) / frame.sample_rate
            yield Moment(time_s=(item.time or 0.0) - zero_s, duration_s=duration_s, value=mono)


def _resample(signal: npt.NDArray[np.float32], rate_hz: int, constants: Preprocessing) -> npt.NDArray[np.float32]:
    """Bring a whole window to the contract's rate at once: no seams, and exactly as many samples as it needs.

    What a part lacks of a window is silence.
    """
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

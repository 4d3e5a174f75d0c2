"""A media file opened for reading: its tracks, its clock, and one line for whatever is wrong with it."""

import io
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import av
import av.error
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from edge_aver.errors import ClipError

__all__ = [
    "PacketReader",
    "audio_track",
    "check_self_contained",
    "decoded_audio",
    "decoded_video",
    "describe_source",
    "header_duration_s",
    "open_clip",
    "packets_end_s",
    "seek",
    "start_s",
    "track_end_s",
    "video_track",
]

_TICKS_PER_S = 1_000_000
"""FFmpeg's clock of a container (AV_TIME_BASE)."""

F = TypeVar("F", VideoFrame, AudioFrame)
S = TypeVar("S", VideoStream, AudioStream)

_WITHOUT_INDEX = {"mpeg", "mpegts"}
"""Formats in which FFmpeg finds a time, but no key frame before it."""

_SELF_CONTAINED = (
    *("mov", "mp4", "m4a", "3gp", "3g2", "mj2"),
    *("matroska", "webm", "avi", "mpeg", "mpegts", "mpegvideo", "flv", "asf", "ogg"),
    *("wav", "mp3", "aac", "flac"),
)
"""Names of FFmpeg's demuxers; the last row, so that a recording without pictures is told what it lacks."""

_PREROLL_S = 0.1
"""Audio decoders need a packet or two before what they give is sound."""


def describe_source(source: Path | bytes) -> str:
    """How messages name a clip: its path, or how many bytes it was."""
    return str(source) if isinstance(source, Path) else f"clip of {len(source)} bytes"


@contextmanager
def open_clip(source: Path | bytes) -> Iterator[InputContainer]:
    """Open a media file, or its bytes.

    Raises:
        ClipError: missing, unreadable, empty, not a video, or an MP4 whose index is lost.
    """
    try:
        # "file:" keeps FFmpeg from taking a colon in a file name for a protocol.
        # What is said of a clip in no known alphabet is not needed of it.
        container = av.open(
            f"file:{source}" if isinstance(source, Path) else io.BytesIO(source), mode="r", metadata_errors="replace"
        )
    except av.error.FFmpegError as error:
        raise ClipError(f"{describe_source(source)}: {_why_unopened(source, error)}") from error
    with container:
        try:
            yield container
        except av.error.FFmpegError as error:  # where no place of its own names it better
            raise _damaged(source, error) from error


def check_self_contained(source: Path) -> None:
    """Refuse a file of no well-known format before its content is followed anywhere.

    A playlist makes FFmpeg open other files of this machine: what strangers send is first held to formats that carry
    their own pictures and sound. FFmpeg tells formats by content, so that a second opening takes the same one.

    Raises:
        ClipError: of another format; missing, unreadable, empty, or no video.
    """
    try:
        av.open(f"file:{source}", mode="r", options={"format_whitelist": ",".join(_SELF_CONTAINED)}).close()
    except av.error.FFmpegError as error:
        raise ClipError(f"{describe_source(source)}: {_why_unopened(source, error)}") from error


def video_track(container: InputContainer, source: Path | bytes) -> VideoStream:
    """The first moving-picture track; ClipError if there is none."""
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:  # the cover of a song is no video
            return _decodable(stream, source)
    raise _no_track(container, source, "video")


def audio_track(container: InputContainer, source: Path | bytes) -> AudioStream:
    """The first audio track; ClipError if there is none."""
    for stream in container.streams.audio:
        return _decodable(stream, source)
    raise _no_track(container, source, "audio")


_MAX_PIXELS = 1 << 26
"""Of a picture: more than 8K (7680 x 4320) has."""

_RATES_HZ = range(1_000, 768_001)


def _decodable(track: S, source: Path | bytes) -> S:
    """The track, unless its header promises what cannot be decoded, or not in any sensible memory."""
    codec = track.codec_context
    if codec is None:
        raise ClipError(
            f"{describe_source(source)}: damaged, or its {track.type} is in a format that FFmpeg cannot decode"
        )
    if isinstance(track, VideoStream) and track.codec_context.width * track.codec_context.height > _MAX_PIXELS:
        raise ClipError(f"{describe_source(source)}: pictures of {codec.width} x {codec.height}: at most 8K is taken")
    if isinstance(track, AudioStream) and track.codec_context.sample_rate not in _RATES_HZ:
        raise ClipError(f"{describe_source(source)}: audio of {track.codec_context.sample_rate} Hz: damaged")
    return track


def start_s(container: InputContainer) -> float:
    """Zero of the clip's clock: the time stamp at which its earliest track starts."""
    return (container.start_time or 0) / _TICKS_PER_S


def header_duration_s(container: InputContainer) -> float:
    """Length of the clip in seconds as its header says; 0 where it does not say."""
    return max(container.duration or 0, 0) / _TICKS_PER_S


def track_end_s(container: InputContainer, track: VideoStream | AudioStream) -> float:
    """End of a track on the clip's clock as its header says; 0 where it does not say.

    Only MP4 and MOV say it of each track; for other formats FFmpeg fills in the length of the whole.
    """
    if "mp4" not in container.format.name.split(",") or not track.duration or not track.time_base:
        return 0.0
    return float(((track.start_time or 0) + track.duration) * track.time_base) - start_s(container)


def packets_end_s(container: InputContainer, source: Path | bytes) -> float:
    """Length of the clip as its packets add up to, for files whose header does not say."""
    ends = [0.0]
    try:
        for packet in container.demux():
            if packet.pts is not None and packet.time_base:
                ends.append(float((packet.pts + (packet.duration or 0)) * packet.time_base))
    except (av.error.FFmpegError, IndexError) as error:
        raise _damaged(source, error) from error
    return max(0.0, max(ends) - start_s(container))


def seek(container: InputContainer, at_s: float) -> None:
    """Move to the last key frame before `at_s` on the clip's clock, a little early for the audio decoder's sake.

    Transport and program streams have no index of key frames: those are read from their start.
    """
    if at_s > 0 and container.format.name not in _WITHOUT_INDEX:
        container.seek(int((start_s(container) + max(0.0, at_s - _PREROLL_S)) * _TICKS_PER_S))


class PacketReader:
    """The packets of some tracks, read from the file once and handed out track by track, each as far as it is asked.

    Args:
        container: nothing else may read from it.
        tracks: to read.
        source: how messages name the clip.
    """

    def __init__(
        self, container: InputContainer, tracks: Sequence[VideoStream | AudioStream], source: Path | bytes
    ) -> None:
        self._read = container.demux(*tracks)
        self._waiting: dict[int, deque[Packet[Any]]] = {track.index: deque() for track in tracks}
        self._source = source
        self._failure: av.error.FFmpegError | IndexError | None = None

    def of(self, track: S) -> "Iterator[Packet[S]]":
        """The packets of a track in order of decoding, an empty one last.

        Raises:
            ClipError: data that cannot be read.
        """
        waiting = self._waiting[track.index]
        while waiting or self._advance():
            if waiting:
                yield waiting.popleft()

    def _advance(self) -> bool:
        try:
            if self._failure:  # the other track met it first
                raise self._failure
            packet = next(self._read, None)
        except (av.error.FFmpegError, IndexError) as error:
            self._failure = error
            raise _damaged(self._source, error) from error
        if packet is not None:
            # Not `packet.stream_index`, which is 0 for the empty packet of every track.
            self._waiting[packet.stream.index].append(packet)
        return packet is not None


def decoded_video(packets: "Iterable[Packet[VideoStream]]", source: Path | bytes) -> Iterator[VideoFrame]:
    """The decoded pictures of a track in order of presentation, each with its `time`.

    Raises:
        ClipError: data that cannot be decoded.
    """
    return _decoded(packets, VideoFrame, source)


def decoded_audio(packets: "Iterable[Packet[AudioStream]]", source: Path | bytes) -> Iterator[AudioFrame]:
    """The decoded pieces of an audio track in order, each with its `time`.

    Raises:
        ClipError: data that cannot be decoded.
    """
    return _decoded(packets, AudioFrame, source)


def _decoded(packets: "Iterable[Packet[Any]]", kind: type[F], source: Path | bytes) -> Iterator[F]:
    try:
        for packet in packets:
            frames: list[Any] = packet.decode()
            yield from (frame for frame in frames if isinstance(frame, kind) and frame.time is not None)
    except av.error.FFmpegError as error:
        raise _damaged(source, error) from error


def _why_unopened(source: Path | bytes, error: av.error.FFmpegError) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, OSError) and isinstance(source, Path):
        return f"cannot be read: {error.strerror}"
    head = _head(source)
    if not head:
        return "is empty (0 bytes)"
    if head[4:8] == b"ftyp":
        return "truncated or damaged: it begins as an MP4, but its index cannot be read"
    return "not a video: no known media format"


def _head(source: Path | bytes) -> bytes:
    if isinstance(source, bytes):
        return source[:8]
    with source.open("rb") as file:
        return file.read(8)


def _no_track(container: InputContainer, source: Path | bytes, kind: str) -> ClipError:
    where = describe_source(source)
    if not container.streams:
        return ClipError(f"{where}: zero seconds long or truncated: it holds no track")
    found = ", ".join(sorted({stream.type for stream in container.streams}))
    return ClipError(f"{where}: no {kind} track (found: {found}); a clip needs a face and a voice")


def _damaged(source: Path | bytes, error: av.error.FFmpegError | IndexError) -> ClipError:
    """IndexError is what PyAV makes of a packet whose track the header does not announce."""
    reason = "a track that its header does not announce" if isinstance(error, IndexError) else error.strerror or error
    return ClipError(f"{describe_source(source)}: truncated or damaged: {reason}")

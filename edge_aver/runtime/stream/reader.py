"""The thread that reads a source: demultiplexes, decodes, and puts everything on the stream's clock."""

import threading
from collections.abc import Iterator
from typing import Any

import av
import av.error
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame

from edge_aver.errors import StreamError
from edge_aver.media.container import start_s, video_track
from edge_aver.media.picture import Picture
from edge_aver.media.slots import SlotGrid
from edge_aver.media.timeline import Moment
from edge_aver.runtime.stream.clock import Clock, StreamClock
from edge_aver.runtime.stream.gate import Backlog, PacketGate
from edge_aver.runtime.stream.intake import Intake
from edge_aver.runtime.stream.source import Source, at_real_speed, open_source, packet_time_s

__all__ = ["Reader"]

_AGAIN_S = 0.5
"""Between two attempts to open a source again that broke off."""

_USUAL_S = 0.04

_RTSP = ("rtsp://", "rtsps://")
_NEARLY_S = 1.0
"""How much of its length an RTSP source may leave out and still have come to its end."""


class Reader(threading.Thread):
    """Reads until the source ends, `duration_s` is over, or it is told to stop.

    Args:
        source: that is read.
        container: of it, opened.
        intake: that takes what is read.
        grid: of the slots.
        clock: of this machine.
        timeout_s: after which a source that broke off is given up.
        duration_s: of the stream's clock; None for as long as it lasts.
    """

    def __init__(
        self,
        source: Source,
        container: InputContainer,
        intake: Intake,
        grid: SlotGrid,
        *,
        clock: Clock,
        timeout_s: float,
        duration_s: float | None = None,
    ) -> None:
        super().__init__(name="stream reader", daemon=True)
        self._source, self._container, self._intake, self._grid = source, container, intake, grid
        self._clock, self._timeout_s = clock, timeout_s
        self._duration_s = float("inf") if duration_s is None else duration_s
        self._stopped = threading.Event()
        self._stream_clock = StreamClock(start_s(container) if container.start_time is not None else None)
        self._backlog = Backlog()
        self._earlier = 0
        self._read_s = 0.0
        self._gate: PacketGate | None = None
        self.damaged = 0
        self.reconnects = 0
        self.reached_duration = False

    @property
    def passed_over(self) -> int:
        """Pictures that were not decoded because nothing needs them."""
        return self._earlier + (self._gate.passed_over if self._gate else 0)

    @property
    def skipped(self) -> int:
        """Pictures that were not decoded because the machine was too slow."""
        return self._backlog.skipped

    @property
    def jumps(self) -> int:
        """Times that time stamps started anew."""
        return self._stream_clock.jumps

    def stop(self) -> None:
        """End soon; what was read so far stays."""
        self._stopped.set()

    def run(self) -> None:
        """Read; errors go to whoever takes from the intake."""
        try:
            while not self._read_once() and not self._stopped.is_set():
                self._open_again()
            self._intake.finish(self._clock.now_s())
        except Exception as error:
            self._intake.fail(error)

    def _read_once(self) -> bool:
        """Read an opened source to its end (true) or to where it breaks off (false)."""
        with self._container as container:
            try:
                self._read(container)
            except av.error.ExitError as error:
                raise StreamError(f"{self._source.name}: stalled: nothing came for {self._timeout_s:g} s") from error
            except av.error.FFmpegError as error:
                if self._source.is_file:
                    raise StreamError(f"{self._source.name}: truncated or damaged: {error.strerror}") from error
                return False
            return self._is_over(container)

    def _is_over(self, container: InputContainer) -> bool:
        """Whether an end is one: a lost RTSP connection looks the same, but a camera has no length to reach."""
        if self._stopped.is_set() or self.reached_duration or not self._source.address.startswith(_RTSP):
            return True
        return container.duration is not None and self._read_s >= container.duration / av.time_base - _NEARLY_S

    def _open_again(self) -> None:
        broke_off_s = self._clock.now_s()
        while not self._stopped.is_set():
            try:
                self._container = open_source(self._source, self._timeout_s)
            except StreamError as error:
                if self._clock.now_s() - broke_off_s > self._timeout_s:
                    raise StreamError(
                        f"{self._source.name}: broke off, and could not be opened again within {self._timeout_s:g} s"
                    ) from error
                self._clock.sleep(_AGAIN_S)
            else:
                self.reconnects += 1
                return

    def _read(self, container: InputContainer) -> None:
        track = video_track(container, self._source.address.encode())
        # A thread a picture would hold back as many pictures as there are threads.
        track.codec_context.thread_count = 1
        usual_s = 1 / float(track.average_rate) if track.average_rate else _USUAL_S
        self._earlier, self._gate = self.passed_over, PacketGate(track, self._grid)
        to_float = AudioResampler(format="fltp")
        packets: Iterator[Packet[Any]] = iter(container.demux(track, *container.streams.audio[:1]))
        if self._source.is_file:
            packets = at_real_speed(packets, track.index, self._clock)
        first_s: float | None = None
        self._read_s = 0.0
        while not self._stopped.is_set() and not self.reached_duration:
            began_s = self._clock.now_s()
            packet = next(packets, None)
            if packet is None:
                break
            time_s = packet_time_s(packet, is_picture=False)
            if time_s is not None:
                first_s = time_s if first_s is None else first_s
                self._read_s = max(self._read_s, time_s - first_s)
            now_s = self._clock.now_s()
            self._intake.keep_alive(now_s)
            if packet.stream.index != track.index:
                self._hear(packet, to_float, now_s)
            elif self._is_wanted(packet, self._gate, now_s, now_s - began_s):
                self._see(packet, usual_s, now_s)

    def _is_wanted(self, packet: "Packet[Any]", gate: PacketGate, now_s: float, waited_s: float) -> bool:
        due_s = packet_time_s(packet, is_picture=True)
        if not packet.size or due_s is None or packet.pts is None or packet.time_base is None:
            return True
        if self._backlog.skips(packet, due_s, now_s, waited_s):
            return False
        time_s = self._stream_clock.peek("picture", float(packet.pts * packet.time_base))
        return time_s is None or gate.lets_in(packet, time_s)

    def _see(self, packet: "Packet[Any]", usual_s: float, now_s: float) -> None:
        for frame in self._decoded(packet):
            if not isinstance(frame, VideoFrame) or frame.time is None or frame.is_corrupt:
                continue
            time_s = self._stream_clock.place("picture", frame.time, now_s)
            if time_s >= self._duration_s:
                self.reached_duration = True
                return
            duration_s = float(frame.duration * frame.time_base) if frame.duration and frame.time_base else usual_s
            moment = Moment(time_s=time_s, duration_s=duration_s, value=Picture.from_frame(frame))
            self._intake.add_picture(moment, now_s)

    def _hear(self, packet: "Packet[Any]", to_float: AudioResampler, now_s: float) -> None:
        for frame in self._decoded(packet):
            if not isinstance(frame, AudioFrame) or frame.time is None:
                continue
            time_s = self._stream_clock.place("sound", frame.time, now_s)
            for piece in to_float.resample(frame):
                mono = piece.to_ndarray().mean(axis=0, dtype=np.float32)
                left_s = self._duration_s - time_s
                keep = (
                    len(mono) if left_s * piece.sample_rate >= len(mono) else max(0, round(left_s * piece.sample_rate))
                )
                if keep:
                    self._intake.add_sound(time_s, mono[:keep], piece.sample_rate, now_s)

    def _decoded(self, packet: "Packet[Any]") -> list[Any]:
        try:
            frames: list[Any] = packet.decode()
        except av.error.FFmpegError:
            self.damaged += 1
            return []
        return frames

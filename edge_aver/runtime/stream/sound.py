"""The sound of a stream at the contract's rate, where its time stamps put it; the last few seconds of it are kept."""

import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from edge_aver.media.timeline import JITTER_S

__all__ = ["KEPT_S", "SoundTrack"]

KEPT_S = 8.0
"""More than a window and all patience together."""

Samples = npt.NDArray[np.float32]


class SoundTrack:
    """Sound, resampled as it comes without a seam.

    Its clock is counted in samples. Time stamps tell whether that count is right: they drift from it where the device's
    clock is not that of the pictures. Within 20 ms that is the jitter of time stamps; beyond, the sound is put where
    its time stamp says, with silence before it or over what was there.

    Args:
        rate_hz: of the contract.
    """

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._kept = np.zeros(round(KEPT_S * rate_hz), dtype=np.float32)
        self._real = np.zeros(len(self._kept), dtype=np.bool_)
        self._base = 0
        self._at = 0
        self._anchor_s: float | None = None
        self._counted = 0
        self._source_hz = 0
        self._convert: AudioResampler | None = None
        self.drift_s = 0.0
        self.largest_drift_s = 0.0
        self.anchors = 0
        self.broken = 0

    @property
    def end(self) -> int:
        """Samples from the start of the stream to the end of the sound."""
        return self._at

    @property
    def end_s(self) -> float:
        """The same in seconds."""
        return self._at / self._rate_hz

    def add(self, time_s: float, samples: Samples, source_hz: int) -> None:
        """Take a piece.

        Args:
            time_s: of its first sample, on the stream's clock.
            samples: (n,) float32, mono; what is infinite or not a number counts as silence.
            source_hz: its rate.
        """
        if not np.isfinite(samples).all():
            self.broken += 1
            samples = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
        self._put_right(time_s, source_hz)
        self._counted += len(samples)
        self._write(self._resampled(samples))

    def finish(self) -> None:
        """Give out what the resampler holds back."""
        self._write(self._rest())

    def read(self, start: int, stop: int) -> tuple[Samples, float]:
        """Samples from `start` to `stop`, silence where none came or is kept, and the share of them that came."""
        wanted, real = np.zeros(stop - start, dtype=np.float32), 0
        low, high = max(start, self._base), min(stop, self._base + len(self._kept))
        if low < high:
            inside = slice(low - self._base, high - self._base)
            wanted[low - start : high - start] = self._kept[inside]
            real = int(self._real[inside].sum())
        return wanted, real / (stop - start)

    def _put_right(self, time_s: float, source_hz: int) -> None:
        """Begin at a time stamp: the first, one that drifted away, or one of another sample rate."""
        if self._anchor_s is not None and source_hz == self._source_hz:
            self.drift_s = time_s - (self._anchor_s + self._counted / source_hz)
            if abs(self.drift_s) > abs(self.largest_drift_s):
                self.largest_drift_s = self.drift_s
            if abs(self.drift_s) <= JITTER_S:
                return
            self.anchors += 1
        self._write(self._rest())
        self._anchor_s, self._counted, self._source_hz = time_s, 0, source_hz
        self._at = round(time_s * self._rate_hz)

    def _resampled(self, samples: Samples) -> Samples:
        if self._source_hz == self._rate_hz:
            return samples
        if self._convert is None:
            self._convert = AudioResampler(format="flt", layout="mono", rate=self._rate_hz)
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples)[None], format="flt", layout="mono")
        frame.sample_rate = self._source_hz
        return _joined(self._convert.resample(frame))

    def _rest(self) -> Samples:
        convert, self._convert = self._convert, None
        return np.zeros(0, dtype=np.float32) if convert is None else _joined(convert.resample(None))

    def _write(self, samples: Samples) -> None:
        self._make_room(self._at + len(samples))
        low, self._at = self._at, self._at + len(samples)
        skipped = max(0, self._base - low)
        inside = slice(low + skipped - self._base, self._at - self._base)
        if inside.start < inside.stop:
            self._kept[inside], self._real[inside] = samples[skipped:], True

    def _make_room(self, end: int) -> None:
        """Let go of the oldest, a second and more at once."""
        size = len(self._kept)
        if end <= self._base + size:
            return
        shift = end - self._base - size + self._rate_hz
        for kept in (self._kept, self._real):
            kept[: max(0, size - shift)] = kept[min(shift, size) :].copy()
            kept[max(0, size - shift) :] = 0
        self._base += shift


def _joined(frames: list[AudioFrame]) -> Samples:
    pieces = [frame.to_ndarray()[0].astype(np.float32, copy=False) for frame in frames]
    return np.concatenate([np.zeros(0, dtype=np.float32), *pieces])

"""What a stream answers: one record a window, and a summary at its end."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Latencies", "StreamSummary", "WindowResult"]

_BUCKET_S = 0.0005
_BUCKETS = 20_000


@dataclass(frozen=True, kw_only=True)
class WindowResult:
    """What a window of a stream was recognised as.

    Attributes:
        start_s, end_s: of the window, on the stream's clock, whose 0 is the start of the stream.
        answered_at: by this machine's clock, in seconds since 1970.
        label: the most probable emotion; None where no frame shows a face.
        probabilities: softmax of the logits, by label; None as well.
        logits: in the order of the labels; None as well.
        face_found: for each of the 15 frames, whether a face was found.
        missing: frames that never came, or too late.
        dropped: frames that were dropped because the machine was too slow.
        sound: `heard`, `partial` (silence where none came), `silent` (below the contract's silence), or `none` (nothing
            came: the network gets zeros, as for a missing modality).
        padded: whether the stream ended within the window.
        latency_s: from the arrival of the last picture or sound that the window needs to this answer.
        drift_s: what time stamps of the sound are ahead of its samples.
    """

    start_s: float
    end_s: float
    answered_at: float
    label: str | None
    probabilities: Mapping[str, float] | None
    logits: tuple[float, ...] | None
    face_found: tuple[bool, ...]
    missing: int
    dropped: int
    sound: str
    padded: bool
    latency_s: float
    drift_s: float


class Latencies:
    """Latencies in buckets of half a millisecond: a stream may run for months."""

    def __init__(self) -> None:
        self._counts: npt.NDArray[np.int64] = np.zeros(_BUCKETS, dtype=np.int64)
        self.largest_s = 0.0

    def add(self, latency_s: float) -> None:
        """Count one."""
        self._counts[min(_BUCKETS - 1, int(max(0.0, latency_s) / _BUCKET_S))] += 1
        self.largest_s = max(self.largest_s, latency_s)

    @property
    def count(self) -> int:
        """How many."""
        return int(self._counts.sum())

    def quantile_s(self, share: float) -> float | None:
        """What `share` of them do not exceed, to half a millisecond; None of none."""
        if not self.count:
            return None
        rank = np.searchsorted(np.cumsum(self._counts), share * self.count)
        return min(float(rank + 1) * _BUCKET_S, self.largest_s)


@dataclass(frozen=True, kw_only=True)
class StreamSummary:
    """A stream that ended.

    Attributes:
        ended: `end`, `duration`, `interrupted` or `failed`.
        stream_s: how far it came, on its own clock.
        wall_s: how long it took.
        cpu_share: processor time of the whole process, as a share of one core over `wall_s`.
        frames: pictures that were decoded; `passed_over` those that nothing needed, which were not.
        sampled: slots that had a picture; `encoded` those that showed a face.
        late, dropped: pictures that came too late, and that were dropped because the machine was too slow.
        damaged: packets that could not be decoded.
        windows: answers.
        latency_p50_s, latency_p95_s, latency_max_s: of the answers.
        picture_p95_s: from the arrival of a sampled picture to its features.
        largest_drift_s, anchors: of the sound: how far its time stamps ran from its samples, and how often it was put
            back where they say.
        stalls, jumps, reconnects: times that nothing came for a second, that time stamps started anew, that the source
            was opened again.
    """

    ended: str
    stream_s: float
    wall_s: float
    cpu_share: float
    frames: int
    passed_over: int
    sampled: int
    encoded: int
    late: int
    dropped: int
    damaged: int
    windows: int
    latency_p50_s: float | None
    latency_p95_s: float | None
    latency_max_s: float | None
    picture_p95_s: float | None
    largest_drift_s: float
    anchors: int
    stalls: int
    jumps: int
    reconnects: int

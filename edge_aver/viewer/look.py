"""A clip window by window: its sampled faces, what the network makes of each window, and the time it took."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_aver.errors import ClipError, NoFaceError
from edge_aver.media.container import check_self_contained
from edge_aver.media.decode import probe_duration_s
from edge_aver.runtime.model import Model, Prediction
from edge_aver.viewer.thumbnails import jpeg

__all__ = ["HOP_S", "LONGEST_S", "Seen", "check_upload", "look", "mean_probabilities", "window_starts_s"]

HOP_S = 1.2
"""From the start of a window to that of the next: a third of a window, so that both look at the same five frames."""
LONGEST_S = 120.0
"""Longer clips are refused: every window costs all stages."""

_THUMBNAIL_PX = 112


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One window of a clip.

    Attributes:
        number: from 0.
        start_s, end_s: of the window, in seconds from the start of the clip.
        frames: of the 15 sampled frames in order: `time_s`, `found`, and `picture`, the face as a data URL (None where
            no face was found).
        label, probabilities: what was recognised; None and {} where no frame shows a face.
        stages_s: seconds of each stage; without a face there is no `network`.
        total_s: their sum.
    """

    number: int
    start_s: float
    end_s: float
    frames: tuple[Mapping[str, Any], ...]
    label: str | None
    probabilities: Mapping[str, float]
    stages_s: Mapping[str, float]
    total_s: float

    def table(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)


def check_upload(path: Path) -> float:
    """Length in seconds of a file that somebody sent.

    Raises:
        ClipError: no clip, a playlist that names other files, or longer than `LONGEST_S`.
    """
    check_self_contained(path)
    duration_s = probe_duration_s(path)
    if duration_s > LONGEST_S:
        raise ClipError(f"{path}: {duration_s:.0f} s long; this page takes clips up to {LONGEST_S:.0f} s: cut it")
    return duration_s


def window_starts_s(duration_s: float, window_s: float, *, hop_s: float = HOP_S) -> tuple[float, ...]:
    """Where windows start: every `hop_s`, and the last one to end with the clip; one for a clip that is shorter."""
    last_s = max(0.0, duration_s - window_s)
    starts = [index * hop_s for index in range(int(last_s / hop_s + 1e-9) + 1)]
    if last_s - starts[-1] > hop_s / 10:
        starts.append(last_s)
    return tuple(starts)


def look(model: Model, path: Path, starts_s: Sequence[float]) -> Iterator[Seen]:
    """Recognise the windows of a clip one after another.

    Raises:
        ClipError: no clip can be made of it.
        NoFaceError: after the last window, if no frame of any showed a face.
        TargetError: the runtime gave logits that are not finite.
    """
    found = looked_at = 0
    for number, start_s in enumerate(starts_s):
        seen = _look_at(model, path, number, start_s)
        found += sum(frame["found"] for frame in seen.frames)
        looked_at += len(seen.frames)
        yield seen
    if not found:
        raise NoFaceError(f"{path}: no face found in any of {looked_at} frames")


def mean_probabilities(seen: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of the probabilities of windows, by label; {} of none."""
    return {label: float(np.mean([one[label] for one in seen])) for label in seen[0]} if seen else {}


def _look_at(model: Model, path: Path, number: int, start_s: float) -> Seen:
    constants = model.artifact.spec.preprocessing
    clip = model.front_end(path, start_s=start_s)
    prediction: Prediction | None = model.predict_clip(clip) if clip.face_found.any() else None
    frames = tuple(
        {
            "time_s": start_s + time_s,
            "found": bool(found),
            "picture": _data_url(jpeg(face, side_px=_THUMBNAIL_PX)) if found else None,
        }
        for time_s, found, face in zip(constants.frame_times_s(), clip.face_found, clip.faces, strict=True)
    )
    return Seen(
        number=number,
        start_s=start_s,
        end_s=start_s + constants.window_s,
        frames=frames,
        label=prediction.label if prediction else None,
        probabilities=prediction.probabilities if prediction else {},
        stages_s=prediction.stages_s if prediction else clip.stages_s,
        total_s=sum((prediction.stages_s if prediction else clip.stages_s).values()),
    )


def _data_url(data: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"

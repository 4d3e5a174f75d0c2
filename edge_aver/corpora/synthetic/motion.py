"""What moves in a clip: the expression rises before the sentence, the mouth follows it, the head sways."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_aver.corpora.synthetic.cues import FACE_CUES, VOICE_CUES, Array
from edge_aver.corpora.synthetic.voice import Speech

__all__ = ["Motion", "move"]


@dataclass(frozen=True, kw_only=True)
class Motion:
    """A value a frame.

    Attributes:
        cues: (T, FACE_CUES).
        offsets_px: (T, 2) of the head, right and down, in whole pixels.
        roll_deg: (T,) of the head, in whole degrees, so that few heads must be drawn.
        turn, nod: (T,) of the face on the head, right and down, in half face heights.
    """

    cues: Array
    offsets_px: npt.NDArray[np.int64]
    roll_deg: npt.NDArray[np.int64]
    turn: Array
    nod: Array


def move(rng: np.random.Generator, *, resting: Array, apex: Array, speech: Speech, times_s: Array) -> Motion:
    """Play a performance.

    Args:
        rng: where chance comes from.
        resting: (FACE_CUES,) what the person's face always shows.
        apex: (FACE_CUES,) what the emotion adds at its height.
        speech: the sentence.
        times_s: (T,) of the frames.
    """
    cues = resting + _envelope(rng, speech, times_s)[:, None] * apex
    cues[:, FACE_CUES.index("mouth_open")] += 0.38 * speech.loudness(times_s)
    cues[:, FACE_CUES.index("eye_open")] -= 2.2 * _blinks(rng, times_s)
    energy = float(np.clip(speech.voice[VOICE_CUES.index("restlessness")], 0.1, 1.6))
    sway = energy * np.stack([_sway(rng, times_s, 0.3 + 0.5 * energy) for _ in range(5)], axis=1)
    drop = 0.05 * cues[:, FACE_CUES.index("head_drop")]
    return Motion(
        cues=cues.astype(np.float32),
        offsets_px=np.rint(sway[:, :2] * (4, 2.5)).astype(np.int64),
        roll_deg=np.rint(rng.normal(0, 2) + 2.5 * sway[:, 2]).astype(np.int64),
        turn=(0.02 * rng.normal() + 0.02 * sway[:, 3]).astype(np.float32),
        nod=(0.015 * rng.normal() + 0.015 * sway[:, 4] + drop).astype(np.float32),
    )


def _envelope(rng: np.random.Generator, speech: Speech, times: Array) -> Array:
    """How much of the expression shows: a trace at first, all of it with the sentence, some of it after."""
    rise = np.clip((times - speech.starts_s[0] + rng.uniform(0.3, 0.7)) / 0.4, 0, 1)
    fall = 1 - 0.6 * np.clip((times - speech.end_s - 0.1) / 0.6, 0, 1)
    return np.asarray((0.1 + 0.9 * rise) * fall * (1 + 0.08 * _sway(rng, times, 0.8)), dtype=np.float32)


def _blinks(rng: np.random.Generator, times: Array) -> Array:
    """How closed the eyes are, 0 to 1."""
    moments = rng.uniform(0, times[-1], rng.integers(0, 3))
    return np.asarray(np.exp(-np.square((times[:, None] - moments) / 0.06)).max(axis=1, initial=0))


def _sway(rng: np.random.Generator, times: Array, rate_hz: float) -> Array:
    """A slow irregular movement about 0, mostly within -1 to 1."""
    phases, rates = rng.uniform(0, 2 * np.pi, 3), rate_hz * np.array([0.5, 1.0, 1.9])
    waves = np.sin(2 * np.pi * rates * times[:, None] + phases) * (0.6, 0.4, 0.2)
    return np.asarray(waves.sum(axis=1), dtype=np.float32)

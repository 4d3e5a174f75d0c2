"""How the eight emotions look and sound, how much clips differ within one, and what one clip then performs."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_aver.spec import LABELS

__all__ = [
    "FACE_CUES",
    "VARIATION",
    "VOICE_CUES",
    "Array",
    "Performance",
    "Variation",
    "face_noise",
    "perform",
    "perform_faces",
    "voice_noise",
]

Array = npt.NDArray[np.floating[Any]]
"""Real numbers, in whatever width they were made."""


@dataclass(frozen=True, kw_only=True)
class Variation:
    """How hard the corpus is: every knob of noise and overlap, in the units of the cue tables.

    Attributes:
        strength, strength_sd: how far a clip goes from rest to the full expression, and its spread over clips.
        intensity_step: what intensity 2 ("strong") adds to the strength, and 1 ("normal") takes away.
        face_ambiguous, voice_ambiguous: probability that one modality of a clip leans to a neighbouring emotion;
            never both, so that the other one can tell.
        lean_min, lean_max: how far such a clip leans; beyond 0.5 it looks or sounds more like the neighbour.
        face_noise_sd, voice_noise_sd: per clip, on every cue, as a share of the cue's spread over the emotions.
        resting_face_sd, resting_voice_sd: the same, per person: a face or voice that is always a little sad.
    """

    strength: float = 0.9
    strength_sd: float = 0.14
    intensity_step: float = 0.12
    face_ambiguous: float = 0.18
    voice_ambiguous: float = 0.16
    lean_min: float = 0.4
    lean_max: float = 0.9
    face_noise_sd: float = 0.2
    voice_noise_sd: float = 0.18
    resting_face_sd: float = 0.16
    resting_voice_sd: float = 0.13


VARIATION = Variation()
"""What the shipped demo is made with: networks trained briefly reach 70 to 95 % on unseen actors."""

FACE_CUES = (
    "brow_raise",
    "brow_tilt",
    "brow_squeeze",
    "eye_open",
    "squint",
    "smile",
    "mouth_open",
    "mouth_width",
    "wrinkle",
    "head_drop",
)
"""Signed, 0 at rest, near 1 when full; `brow_tilt` is positive with the inner ends up."""

_FACES = np.array(
    [
        [0.00, 0.00, 0.00, 0.00, 0.00, 0.00, 0.00, 0.00, 0.00, 0.00],  # neutral
        [0.15, 0.10, -0.20, -0.25, 0.15, 0.40, 0.00, 0.15, 0.00, -0.10],  # calm
        [0.15, 0.00, 0.00, -0.05, 0.75, 1.00, 0.40, 0.60, 0.00, -0.20],  # happy
        [-0.05, 0.90, 0.40, -0.30, 0.00, -0.75, 0.00, -0.15, 0.00, 0.80],  # sad
        [-0.55, -0.90, 0.90, 0.15, 0.45, -0.45, 0.15, -0.05, 0.25, 0.20],  # angry
        [0.60, 0.70, 0.40, 0.75, 0.00, -0.40, 0.40, 0.35, 0.00, -0.20],  # fearful
        [-0.25, -0.35, 0.40, -0.45, 0.60, -0.60, 0.15, -0.10, 1.00, -0.30],  # disgust
        [1.00, 0.10, 0.00, 1.00, 0.00, 0.05, 0.95, -0.40, 0.00, -0.40],  # surprised
    ],
    dtype=np.float32,
)

VOICE_CUES = (
    "pitch_st",
    "range_st",
    "slope_st",
    "tempo",
    "loudness_db",
    "brightness_db",
    "breath",
    "tremor",
    "restlessness",
)
"""Semitones from the person's own pitch; slope over the sentence; tempo as a log ratio; restless heads move more."""

_VOICES = np.array(
    [
        [0.0, 2.0, -2.0, 0.00, 0.0, 0.0, 0.05, 0.00, 0.3],  # neutral
        [-1.0, 1.5, -1.5, -0.12, -6.0, -3.0, 0.35, 0.00, 0.2],  # calm
        [4.5, 5.0, 0.0, 0.12, 4.0, 2.5, 0.00, 0.00, 1.0],  # happy
        [-2.0, 1.0, -3.5, -0.25, -11.0, -5.0, 0.55, 0.30, 0.2],  # sad
        [3.0, 4.0, -4.0, 0.15, 12.0, 6.0, 0.00, 0.10, 1.2],  # angry
        [8.0, 2.5, 1.5, 0.28, -2.0, 0.0, 0.70, 1.00, 0.9],  # fearful
        [-4.0, 3.0, -5.0, -0.20, 4.0, 2.0, 0.20, 0.35, 0.5],  # disgust
        [7.5, 6.0, 9.0, 0.05, 5.0, 2.0, 0.10, 0.00, 0.8],  # surprised
    ],
    dtype=np.float32,
)

_NEIGHBOURS = (
    (1, 3),  # neutral: calm, sad
    (0, 3),  # calm: neutral, sad
    (1, 7),  # happy: calm, surprised
    (0, 5),  # sad: neutral, fearful
    (6, 5),  # angry: disgust, fearful
    (7, 3),  # fearful: surprised, sad
    (4, 3),  # disgust: angry, sad
    (5, 2),  # surprised: fearful, happy
)
assert len(_FACES) == len(_VOICES) == len(_NEIGHBOURS) == len(LABELS)


@dataclass(frozen=True, kw_only=True)
class Performance:
    """What one clip shows and sounds like at its height: `face` (FACE_CUES,), `voice` (VOICE_CUES,)."""

    face: Array
    voice: Array


def perform(rng: np.random.Generator, *, emotion: int, intensity: int, variation: Variation = VARIATION) -> Performance:
    """Draw one clip's performance of label `emotion`, before the person's resting face and voice are added."""
    step = variation.intensity_step * (1 if intensity == 2 else -1)
    strength = np.clip(rng.normal(variation.strength + step, variation.strength_sd), 0.3, 1.3)
    modality = rng.random()
    face_leans = modality < variation.face_ambiguous
    voice_leans = not face_leans and modality < variation.face_ambiguous + variation.voice_ambiguous
    face_mix = _mix(rng, emotion, face_leans, variation)
    voice_mix = _mix(rng, emotion, voice_leans, variation)
    voice = _VOICES[0] + strength * (voice_mix @ _VOICES - _VOICES[0])
    return Performance(
        face=strength * (face_mix @ _FACES) + face_noise(rng, 1, variation.face_noise_sd)[0],
        voice=voice + voice_noise(rng, variation.voice_noise_sd),
    )


def perform_faces(rng: np.random.Generator, emotions: npt.NDArray[np.int64], variation: Variation = VARIATION) -> Array:
    """Draw the face of one performance an item of `emotions` (N,): (N, FACE_CUES)."""
    intensities = rng.integers(1, 3, len(emotions))
    pairs = zip(emotions.tolist(), intensities.tolist(), strict=True)
    return np.stack([perform(rng, emotion=e, intensity=i, variation=variation).face for e, i in pairs])


def face_noise(rng: np.random.Generator, count: int, sd: float) -> Array:
    """Noise (count, FACE_CUES) of `sd` times each cue's spread over the emotions."""
    return np.asarray(sd * _FACES.std(axis=0) * rng.standard_normal((count, len(FACE_CUES))), dtype=np.float32)


def voice_noise(rng: np.random.Generator, sd: float) -> Array:
    """Noise (VOICE_CUES,) of `sd` times each cue's spread over the emotions."""
    return np.asarray(sd * _VOICES.std(axis=0) * rng.standard_normal(len(VOICE_CUES)), dtype=np.float32)


def _mix(rng: np.random.Generator, emotion: int, leans: bool, variation: Variation) -> Array:
    """Weights of the eight emotions in one modality of one clip."""
    neighbour = _NEIGHBOURS[emotion][int(rng.integers(2))]
    lean = rng.uniform(variation.lean_min, variation.lean_max) if leans else 0.0
    weights = np.zeros(len(LABELS), dtype=np.float32)
    weights[emotion], weights[neighbour] = 1 - lean, lean
    return weights

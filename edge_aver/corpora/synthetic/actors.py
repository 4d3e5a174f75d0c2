"""Made-up persons: how they look and sound at rest."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_aver.corpora.synthetic.cues import VARIATION, Array, Variation, face_noise, voice_noise

__all__ = ["Looks", "Timbre", "actor_looks", "actor_timbre", "strangers"]

_ACTORS, _STRANGERS, _TIMBRES = 1, 2, 3
"""Streams of random numbers: no stranger is an actor, whatever the seed."""

_SKINS = np.array(
    [[244, 208, 181], [232, 190, 160], [218, 168, 134], [194, 142, 106], [158, 108, 78], [116, 78, 58]],
    dtype=np.float32,
)
_HAIR = np.array(
    [[28, 22, 20], [58, 38, 26], [96, 62, 38], [150, 104, 58], [206, 170, 110], [128, 60, 34], [150, 148, 146]],
    dtype=np.float32,
)
_IRISES = np.array([[70, 44, 28], [92, 66, 36], [70, 96, 120], [84, 108, 78]], dtype=np.float32)


@dataclass(frozen=True, kw_only=True)
class Looks:
    """The faces of N persons; lengths in half face heights, colours in 0 to 255.

    Attributes:
        skin, hair, iris, clothes, backdrop: (N, 3).
        resting: (N, FACE_CUES), what the face shows when it shows nothing.
        others: (N,), proportions.
    """

    skin: Array
    hair: Array
    iris: Array
    clothes: Array
    backdrop: Array
    resting: Array
    face_width: Array
    jaw: Array
    eye_spacing: Array
    eye_size: Array
    brow_height: Array
    brow_thickness: Array
    nose_width: Array
    nose_length: Array
    mouth_width: Array
    mouth_height: Array
    lip_thickness: Array
    hair_volume: Array
    hair_length: Array
    fringe: Array


@dataclass(frozen=True, kw_only=True)
class Timbre:
    """One person's voice at rest: `tract` scales the formants, `resting` (VOICE_CUES,) adds to every performance."""

    pitch_hz: float
    tract: float
    resting: Array


def actor_looks(actor: int, *, seed: int, variation: Variation = VARIATION) -> Looks:
    """The face of actor 1 to 24; as in RAVDESS, even numbers are women."""
    rng = np.random.default_rng([seed, _ACTORS, actor])
    return _looks(rng, np.array([_is_woman(actor)]), variation)


def actor_timbre(actor: int, *, seed: int, variation: Variation = VARIATION) -> Timbre:
    """The voice of actor 1 to 24."""
    rng = np.random.default_rng([seed, _TIMBRES, actor])
    woman = _is_woman(actor)
    return Timbre(
        pitch_hz=float(rng.uniform(180, 225) if woman else rng.uniform(98, 135)),
        tract=float(rng.uniform(1.1, 1.2) if woman else rng.uniform(0.95, 1.05)),
        resting=voice_noise(rng, variation.resting_voice_sd),
    )


def strangers(rng_seed: int, count: int, *, variation: Variation = VARIATION) -> Looks:
    """The faces of `count` persons, none of whom is an actor."""
    rng = np.random.default_rng([rng_seed, _STRANGERS])
    return _looks(rng, rng.random(count) < 0.5, variation)


def _is_woman(actor: int) -> bool:
    return actor % 2 == 0


def _looks(rng: np.random.Generator, woman: npt.NDArray[np.bool_], variation: Variation) -> Looks:
    count = len(woman)

    def between(low: float, high: float) -> Array:
        return rng.uniform(low, high, count).astype(np.float32)

    return Looks(
        skin=_tone(rng, _SKINS, count, 6),
        hair=_tone(rng, _HAIR, count, 8),
        iris=_tone(rng, _IRISES, count, 8),
        clothes=rng.uniform(20, 190, (count, 3)).astype(np.float32),
        backdrop=between(190, 240)[:, None] + rng.uniform(-8, 8, (count, 3)).astype(np.float32),
        resting=face_noise(rng, count, variation.resting_face_sd),
        face_width=between(0.72, 0.82) - 0.02 * woman.astype(np.float32),
        jaw=between(0.12, 0.24) + 0.03 * woman.astype(np.float32),
        eye_spacing=between(0.30, 0.35),
        eye_size=between(0.145, 0.18) + 0.01 * woman.astype(np.float32),
        brow_height=between(0.21, 0.27),
        brow_thickness=between(0.032, 0.055) - 0.010 * woman.astype(np.float32),
        nose_width=between(0.12, 0.18),
        nose_length=between(0.34, 0.44),
        mouth_width=between(0.25, 0.32),
        mouth_height=between(0.50, 0.56),
        lip_thickness=between(0.035, 0.060) + 0.012 * woman.astype(np.float32),
        hair_volume=between(0.05, 0.15),
        hair_length=np.where(woman, between(0.5, 1.4), 0),
        fringe=between(-0.80, -0.62),
    )


def _tone(rng: np.random.Generator, palette: Array, count: int, spread: float) -> Array:
    """Colours (count, 3) between neighbours of a palette, lighter or darker by `spread`."""
    place = rng.uniform(0, len(palette) - 1, count)
    low = np.minimum(place.astype(int), len(palette) - 2)
    share = (place - low)[:, None]
    shift = rng.normal(0, spread, (count, 1)) + rng.normal(0, spread / 3, (count, 3))
    colours = palette[low] * (1 - share) + palette[low + 1] * share + shift
    return np.asarray(np.clip(colours, 5, 250), dtype=np.float32)

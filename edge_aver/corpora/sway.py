"""A still face that moves a little: pictures that differ from each other as those of a person who sits still do."""

from dataclasses import dataclass
from math import ceil

import numpy as np
import numpy.typing as npt

__all__ = ["Sway", "swaying"]

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Sway:
    """How far a face moves from where it was found, at most.

    Attributes:
        shift: across and down, as a share of the picture's side.
        zoom: larger and smaller, as a share.
        roll_deg: about the middle, in degrees.
        light: brighter and darker, as a share.
        slowest_hz, fastest_hz: of the two swings that make up each movement.
    """

    shift: float = 0.03
    zoom: float = 0.03
    roll_deg: float = 3.0
    light: float = 0.06
    slowest_hz: float = 0.1
    fastest_hz: float = 0.5


def swaying(
    face: npt.NDArray[np.uint8], times_s: tuple[float, ...], size_px: int, sway: Sway, rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Draw a face at several times, enlarged as crops of small faces are: bilinearly.

    Args:
        face: (height, width) uint8, gray.
        times_s: N of them.
        size_px: side s of the result.
        sway: how far it moves.
        rng: when it is where.

    Returns:
        (N, s, s, 3) uint8 RGB. What moves into the picture from outside mirrors what is inside.
    """
    times = np.asarray(times_s)
    across, down, zoom, roll, light = (
        most * _swing(times, sway, rng)
        for most in (sway.shift, sway.shift, sway.zoom, np.deg2rad(sway.roll_deg), sway.light)
    )
    grid = (np.arange(size_px) + 0.5) / size_px - 0.5
    x, y = grid[None, :], grid[:, None]
    pictures = np.empty((len(times), size_px, size_px, 3), dtype=np.uint8)
    for i in range(len(times)):
        cos, sin = np.cos(roll[i]) / (1 + zoom[i]), np.sin(roll[i]) / (1 + zoom[i])
        shown = _sample(face, x * cos + y * sin + across[i], y * cos - x * sin + down[i])
        pictures[i] = np.clip(np.rint(shown * (1 + light[i])), 0, 255)[..., None]
    return pictures


def _swing(times: npt.NDArray[np.float64], sway: Sway, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """A slow movement between -1 and 1, (N,)."""
    hz = rng.uniform(sway.slowest_hz, sway.fastest_hz, (2, 1))
    phase = rng.uniform(0, 2 * np.pi, (2, 1))
    swing: npt.NDArray[np.float64] = np.sin(2 * np.pi * hz * times + phase).mean(axis=0)
    return swing


def _sample(face: npt.NDArray[np.uint8], x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> Array:
    """A face at the places x and y, both (s, s), -0.5 to 0.5 from one edge to the other."""
    margin = ceil(max(face.shape) / 8)
    padded = np.pad(face, margin, mode="symmetric").astype(np.float32)
    height, width = face.shape
    column = np.clip((x + 0.5) * width - 0.5 + margin, 0, width + 2 * margin - 1.001)
    row = np.clip((y + 0.5) * height - 0.5 + margin, 0, height + 2 * margin - 1.001)
    left, top = column.astype(np.intp), row.astype(np.intp)
    right, bottom = (column - left).astype(np.float32), (row - top).astype(np.float32)
    above = padded[top, left] * (1 - right) + padded[top, left + 1] * right
    below = padded[top + 1, left] * (1 - right) + padded[top + 1, left + 1] * right
    sampled: Array = above * (1 - bottom) + below * bottom
    return sampled

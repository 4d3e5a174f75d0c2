"""Drawing of a clip's frames: a person before a plain backdrop, head and shoulders."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_aver.corpora.synthetic.actors import Looks
from edge_aver.corpora.synthetic.canvas import Canvas, blank, ellipse
from edge_aver.corpora.synthetic.cues import Array
from edge_aver.corpora.synthetic.face import Light, draw_features, draw_head
from edge_aver.corpora.synthetic.motion import Motion

__all__ = ["HEIGHT_PX", "WIDTH_PX", "Staging", "draw_frames", "stage"]

WIDTH_PX, HEIGHT_PX = 320, 240

_CHUNK = 8
"""Frames drawn at once: enough to spread numpy's overhead, few enough to stay in the processor's cache."""

_LEFT, _ABOVE, _BELOW = 1.12, 1.34, 1.46
"""What a head takes beside, above and below the middle of the face, in half face heights."""


@dataclass(frozen=True, kw_only=True)
class Staging:
    """Where camera and light stand in one clip; `unit_px` is half the height of the face."""

    unit_px: float
    centre_px: tuple[float, float]
    light: Light


def stage(rng: np.random.Generator) -> Staging:
    """Place camera and light, a little different in each clip."""
    return Staging(
        unit_px=float(rng.uniform(57, 63)),
        centre_px=(WIDTH_PX / 2 + float(rng.normal(0, 4)), 108 + float(rng.normal(0, 2))),
        light=Light(side=rng.uniform(-1, 1, 1), level=rng.uniform(0.85, 1.08, 1)),
    )


def draw_frames(looks: Looks, staging: Staging, motion: Motion, grain: Array) -> Iterator[npt.NDArray[np.uint8]]:
    """Draw the frames (height, width, 3) uint8 RGB, in order.

    Args:
        looks: of one person.
        staging: of the clip.
        motion: of T frames.
        grain: (height, width) of the wall and clothes.
    """
    backdrop = np.ascontiguousarray(np.clip(_backdrop(looks, staging) + grain[..., None], 0, 255))
    rolls = motion.roll_deg.tolist()
    heads = {roll: _head(looks, staging, roll) for roll in sorted(set(rolls))}
    for start in range(0, len(rolls), _CHUNK):
        part = slice(start, start + _CHUNK)
        canvas = _together([heads[roll] for roll in rolls[part]])
        draw_features(canvas.shifted(motion.turn[part], motion.nod[part]), looks, motion.cues[part])
        for i, offset in enumerate(motion.offsets_px[part]):
            yield _paste(backdrop, canvas.pixels[:, i], staging, offset)


def _backdrop(looks: Looks, staging: Staging) -> Array:
    """Wall and shoulders (height, width, 3)."""
    x = (np.arange(WIDTH_PX, dtype=np.float32) + 0.5 - staging.centre_px[0]) / staging.unit_px
    y = (np.arange(HEIGHT_PX, dtype=np.float32) + 0.5 - staging.centre_px[1]) / staging.unit_px
    x, y = np.broadcast_arrays(x[None, None, :], y[None, :, None])
    canvas = blank(x=x, y=y, unit_px=staging.unit_px)
    canvas.paint(looks.backdrop, np.ones_like(x))
    canvas.shade(1 - 0.05 * np.hypot(x, y))
    shoulders = ellipse(x, y - 2.35, 1.75, 1.25)
    canvas.paint(looks.clothes, canvas.inside(shoulders))
    return np.moveaxis(canvas.pixels[:3, 0], 0, -1)


def _head(looks: Looks, staging: Staging, roll_deg: int) -> Canvas:
    """A head without features, rolled about the middle of the face."""
    unit = staging.unit_px
    across = (np.arange(-int(_LEFT * unit), int(_LEFT * unit) + 1) / unit).astype(np.float32)
    down = (np.arange(-int(_ABOVE * unit), int(_BELOW * unit) + 1) / unit).astype(np.float32)
    roll = np.deg2rad(roll_deg)
    x = across[None, None, :] * np.cos(roll) + down[None, :, None] * np.sin(roll)
    y = down[None, :, None] * np.cos(roll) - across[None, None, :] * np.sin(roll)
    canvas = blank(x=x.astype(np.float32), y=y.astype(np.float32), unit_px=unit)
    draw_head(canvas, looks, staging.light)
    return canvas


def _together(heads: list[Canvas]) -> Canvas:
    """One canvas of several, copied, so that features can be painted on it."""
    return Canvas(
        pixels=np.concatenate([head.pixels for head in heads], axis=1),
        x=np.concatenate([head.x for head in heads]),
        y=np.concatenate([head.y for head in heads]),
        unit_px=heads[0].unit_px,
    )


def _paste(backdrop: Array, head: Array, staging: Staging, offset: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """A frame: the head (4, height, width) before the backdrop (height, width, 3), cut where it leaves the picture."""
    left = round(staging.centre_px[0]) - int(_LEFT * staging.unit_px) + int(offset[0])
    top = round(staging.centre_px[1]) - int(_ABOVE * staging.unit_px) + int(offset[1])
    head = np.moveaxis(head[:, max(-top, 0) : HEIGHT_PX - top], 0, -1)
    place = (slice(max(top, 0), max(top, 0) + head.shape[0]), slice(left, left + head.shape[1]))
    picture = backdrop.astype(np.uint8)
    blended = backdrop[place] * (1 - head[..., 3:]) + head[..., :3]
    picture[place] = np.clip(blended, 0, 255)
    return picture

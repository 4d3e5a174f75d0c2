"""Single drawn faces of persons who are not the actors: what a backbone learns expressions from."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_aver.console import progress
from edge_aver.corpora.synthetic.actors import Looks, strangers
from edge_aver.corpora.synthetic.canvas import blank, column
from edge_aver.corpora.synthetic.cues import FACE_CUES, Array, perform_faces
from edge_aver.corpora.synthetic.face import Light, draw_features, draw_head
from edge_aver.spec import LABELS

__all__ = ["DrawnFaces", "draw_faces"]

_FACES_STREAM = 4
_CHUNK = 32
_CROP_HALF = 0.94
_CROP_Y = 0.09


@dataclass(frozen=True, kw_only=True)
class DrawnFaces:
    """Single faces and what was drawn into them.

    Attributes:
        pictures: (N, s, s, 3) uint8 RGB.
        labels: (N,) int64, indices of the emotions.
        cues: (N, 10) float32, how far brows, eyes and mouth moved (FACE_CUES).
    """

    pictures: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    cues: npt.NDArray[np.float32]


def draw_faces(count: int, *, size_px: int, seed: int) -> DrawnFaces:
    """Draw faces cropped about as a detector would, each of another person, at a random moment of a performance.

    Args:
        count: how many; the emotions are as even as `count` allows, in random order.
        size_px: side of the square pictures.
        seed: the same one gives the same faces.
    """
    rng = np.random.default_rng([seed, _FACES_STREAM])
    labels = rng.permutation(np.arange(count) % len(LABELS)).astype(np.int64)
    looks = strangers(seed, count)
    moment = rng.uniform(0.5, 1.0, count)[:, None].astype(np.float32)
    cues = looks.resting + moment * perform_faces(rng, labels)
    cues[:, FACE_CUES.index("mouth_open")] += np.where(rng.random(count) < 0.5, rng.uniform(0, 0.4, count), 0)
    pictures = np.empty((count, size_px, size_px, 3), dtype=np.uint8)
    with progress("Drawing faces", count) as advance:
        for start in range(0, count, _CHUNK):
            part = slice(start, min(start + _CHUNK, count))
            pictures[part] = _draw(rng, _take(looks, part), cues[part], size_px)
            advance(part.stop - part.start)
    return DrawnFaces(pictures=pictures, labels=labels, cues=np.asarray(cues, np.float32))


def _take(looks: Looks, part: slice) -> Looks:
    return Looks(**{name: values[part] for name, values in vars(looks).items()})


def _draw(rng: np.random.Generator, looks: Looks, cues: Array, size_px: int) -> npt.NDArray[np.uint8]:
    count = len(cues)
    half = rng.uniform(0.92, 1.08, count) * _CROP_HALF
    grid = ((np.arange(size_px) + 0.5) / size_px * 2 - 1).astype(np.float32)
    across = column(half) * grid[None, None, :] + column(rng.normal(0, 0.04, count))
    down = column(half) * grid[None, :, None] + column(rng.normal(_CROP_Y, 0.04, count))
    roll = column(rng.normal(0, 0.06, count))
    x, y = across * np.cos(roll) + down * np.sin(roll), down * np.cos(roll) - across * np.sin(roll)
    canvas = blank(x=x, y=y, unit_px=size_px / (2 * _CROP_HALF))
    canvas.paint(looks.backdrop, np.ones_like(x))
    draw_head(canvas, looks, Light(side=rng.uniform(-1, 1, count), level=rng.uniform(0.8, 1.1, count)))
    turned = canvas.shifted(
        rng.normal(0, 0.03, count), rng.normal(0, 0.025, count) + 0.05 * cues[:, FACE_CUES.index("head_drop")]
    )
    draw_features(turned, looks, cues)
    pixels = canvas.pixels[:3] + rng.normal(0, 2.5, canvas.pixels[:3].shape).astype(np.float32)
    return np.moveaxis(np.clip(pixels, 0, 255), 0, -1).astype(np.uint8)

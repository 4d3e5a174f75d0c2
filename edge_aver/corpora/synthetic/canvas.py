"""Painting of anti-aliased shapes, given as signed distances, on a batch of pictures at once."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from edge_aver.corpora.synthetic.cues import Array

__all__ = ["Canvas", "blank", "bump", "column", "ellipse"]


@dataclass(frozen=True, kw_only=True)
class Canvas:
    """N pictures and the place of each pixel in the coordinates of what is drawn.

    Attributes:
        pixels: (4, N, height, width) float32: red, green, blue in 0 to 255, times coverage; coverage in 0 to 1.
        x, y: (N, height, width) float32, y downwards.
        unit_px: pixels a unit of x and y.
    """

    pixels: Array
    x: Array
    y: Array
    unit_px: float

    def window(self, *, x: float, y: float, half_width: float, half_height: float) -> "Canvas":
        """The part of the canvas, shared in memory, that holds a box about (x, y) in every picture."""
        columns = _span((np.abs(self.x - x) <= half_width).any(axis=(0, 1)))
        rows = _span((np.abs(self.y - y) <= half_height).any(axis=(0, 2)))
        return Canvas(
            pixels=self.pixels[:, :, rows, columns],
            x=self.x[:, rows, columns],
            y=self.y[:, rows, columns],
            unit_px=self.unit_px,
        )

    def shifted(self, x: Array, y: Array) -> "Canvas":
        """The same pixels, what is drawn moved by x, y (N,)."""
        return replace(self, x=self.x - column(x), y=self.y - column(y))

    def inside(self, distance: Array) -> Array:
        """Share of each pixel inside the shape of signed distance `distance` (negative inside)."""
        return np.asarray(np.clip(0.5 - self.unit_px * distance, 0.0, 1.0), dtype=np.float32)

    def paint(self, colour: Array, alpha: Array) -> None:
        """Lay `colour` (N, 3) over the pixels, as opaque as `alpha` (N, height, width)."""
        for channel in range(3):
            plane = self.pixels[channel]
            plane += alpha * (column(colour[..., channel]) - plane)
        self.pixels[3] += alpha * (1 - self.pixels[3])

    def tint(self, colour: Array, alpha: Array) -> None:
        """As `paint`, but only where something is painted already."""
        for channel in range(3):
            plane = self.pixels[channel]
            plane += alpha * (column(colour[..., channel]) * self.pixels[3] - plane)

    def shade(self, factor: Array) -> None:
        """Multiply the brightness by `factor` (N, height, width)."""
        self.pixels[:3] *= factor


def blank(*, x: Array, y: Array, unit_px: float) -> Canvas:
    """A canvas with nothing on it yet."""
    return Canvas(pixels=np.zeros((4, *x.shape), dtype=np.float32), x=x, y=y, unit_px=unit_px)


def column(values: Array) -> Array:
    """Values (N,) made to broadcast with (N, height, width)."""
    return np.asarray(values, dtype=np.float32).reshape(-1, 1, 1)


def ellipse(x: Array, y: Array, half_width: Array | float, half_height: Array | float) -> Array:
    """Signed distance to an ellipse about the origin, nearly: right at its edge along the shorter axis."""
    return np.asarray((np.hypot(x / half_width, y / half_height) - 1) * np.minimum(half_width, half_height))


def bump(x: Array, y: Array, half_width: float, half_height: float) -> Array:
    """A soft spot: 1 at the origin, 0 beyond the ellipse."""
    return np.asarray(np.square(np.clip(1 - np.square(x / half_width) - np.square(y / half_height), 0.0, 1.0)))


def _span(hits: npt.NDArray[np.bool_]) -> slice:
    places = np.flatnonzero(hits)
    return slice(int(places[0]), int(places[-1]) + 1) if len(places) else slice(0, 0)

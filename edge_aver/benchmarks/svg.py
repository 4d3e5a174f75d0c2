"""Pieces of SVG that take their colours from the style sheet of the page around them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

__all__ = [
    "WIDTH",
    "Scale",
    "curve",
    "document",
    "legend",
    "line",
    "mark",
    "rectangle",
    "staircase",
    "text",
    "text_width",
    "wrap",
]

WIDTH = 360.0
"""Of every plot, in its own units: narrow, so that a phone shows its text at full size."""

_CHARACTER = 6.1
"""Mean width of a character of a plot's text, in its units."""


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A linear axis: `low` and `high` are drawn at `start` and `end`."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Where `value` is drawn; beyond the ends it stays on them."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self, about: int = 5) -> tuple[float, ...]:
        """Round values on the axis, `about` as many as asked for."""
        raw = (self.high - self.low) / about
        power = 10.0 ** math.floor(math.log10(raw))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        return tuple(round(index * step, 10) for index in range(first, math.floor(self.high / step + 1e-9) + 1))


def document(parts: Sequence[str], *, height: float, name: str, description: str) -> str:
    """The parts as one picture, whose name is the caption `<name>-caption` of the figure around it."""
    return (
        f'<svg role="img" viewBox="0 0 {WIDTH:g} {_n(height)}" aria-labelledby="{name}-caption"'
        f' aria-describedby="{name}-desc"><desc id="{name}-desc">{escape(description)}</desc>{"".join(parts)}</svg>'
    )


def line(x1: float, y1: float, x2: float, y2: float, style: str, *, width: float = 1.0) -> str:
    """A straight line; `style` names classes of the page."""
    return f'<line class="{style}" x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}" stroke-width="{_n(width)}"/>'


def curve(points: Sequence[tuple[float, float]], style: str, *, width: float = 1.0) -> str:
    """A line through points; those that fall on the same tenth of a unit are drawn once."""
    seen = dict.fromkeys(f"{_n(x)} {_n(y)}" for x, y in points)
    return f'<path class="{style}" d="M{"L".join(seen)}" stroke-width="{_n(width)}"/>'


def staircase(steps: Sequence[tuple[float, float]], start: tuple[float, float], style: str, *, width: float) -> str:
    """A line from `start` that at each step goes across first, then up or down; steps too short to see are joined."""
    path, last_x, last_y = [f"M{_n(start[0])} {_n(start[1])}"], "", _n(start[1])
    for x, y in zip(*([f"{value:.1f}" for value in values] for values in zip(*steps, strict=True)), strict=True):
        if x != last_x:
            path.append(f"V{last_y}H{x}")
        last_x, last_y = x, y
    return f'<path class="{style}" d="{"".join(path)}V{last_y}" stroke-width="{_n(width)}"/>'


def rectangle(x: float, y: float, width: float, height: float, style: str, *, title: str = "") -> str:
    """A filled box; `title` is told when somebody points at it."""
    return (
        f'<rect class="{style}" x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}">'
        f"{_title(title)}</rect>"
    )


def mark(x: float, y: float, shape: int, style: str, *, title: str = "") -> str:
    """A marker of about 9 units: circle, square, diamond or triangle, by the number of its shape."""
    outlines = ("", "M-4-4H4V4H-4Z", "M0-5.4L5.4 0L0 5.4L-5.4 0Z", "M0-5L5 4H-5Z")
    outline = outlines[shape % 4] or "M-4.4 0a4.4 4.4 0 1 0 8.8 0a4.4 4.4 0 1 0-8.8 0Z"
    return f'<path class="{style}" d="{outline}" transform="translate({_n(x)} {_n(y)})">{_title(title)}</path>'


def text(x: float, y: float, words: str, *, style: str = "", anchor: str = "start") -> str:
    """Words on a base line; `anchor` is start, middle or end."""
    chosen = f' class="{style}"' if style else ""
    placed = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text{chosen} x="{_n(x)}" y="{_n(y)}"{placed}>{escape(words)}</text>'


def text_width(words: str) -> float:
    """About how wide words are drawn."""
    return _CHARACTER * len(words)


def wrap(words: str, *, y: float, style: str) -> tuple[list[str], float]:
    """Words on as many lines as they need, and the height below them."""
    parts: list[str] = []
    current = ""
    for word in words.split():
        if current and text_width(f"{current} {word}") > WIDTH:
            parts.append(text(0, y, current, style=style))
            y, current = y + 14, word
        else:
            current = f"{current} {word}".strip()
    return [*parts, text(0, y, current, style=style)], y + 14


def legend(entries: Sequence[tuple[str, str]], *, y: float) -> tuple[list[str], float]:
    """Entries of a sign (drawn around 0, 0) and words, side by side while there is room; and the height below them."""
    parts: list[str] = []
    x = 0.0
    for sign, words in entries:
        wide = 24 + text_width(words)
        if x and x + wide > WIDTH:
            x, y = 0.0, y + 16
        parts.append(f'<g transform="translate({_n(x + 8)} {_n(y - 4)})">{sign}</g>{text(x + 18, y, words)}')
        x += wide + 6
    return parts, y + 16


def _title(words: str) -> str:
    return f"<title>{escape(words)}</title>" if words else ""


def _n(value: float) -> str:
    """A coordinate to a tenth, as short as possible."""
    return f"{value:.1f}".removesuffix(".0")

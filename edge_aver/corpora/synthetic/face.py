"""Drawing of a head and of the brows, eyes, nose and mouth on it."""

from dataclasses import dataclass

import numpy as np

from edge_aver.corpora.synthetic.actors import Looks
from edge_aver.corpora.synthetic.canvas import Canvas, bump, column, ellipse
from edge_aver.corpora.synthetic.cues import FACE_CUES, Array

__all__ = ["Light", "draw_features", "draw_head"]

_DARK = np.array([[26, 18, 16]], dtype=np.float32)
_MOUTH = np.array([[70, 22, 24]], dtype=np.float32)
_TEETH = np.array([[236, 230, 218]], dtype=np.float32)
_EYE_WHITE = np.array([[236, 232, 226]], dtype=np.float32)
_SHINE = np.array([[255, 255, 255]], dtype=np.float32)
_EYE_Y = -0.12


@dataclass(frozen=True, kw_only=True)
class Light:
    """Where the light of N pictures comes from: `side` -1 (left) to 1, `level` near 1; (N,) each."""

    side: Array
    level: Array


def draw_head(canvas: Canvas, looks: Looks, light: Light) -> None:
    """Paint hair, neck, ears and an empty face; the face spans y from -1 to 1.

    Args:
        canvas: N pictures.
        looks: of N persons, or of one.
        light: of N pictures, or of one.
    """
    _back_hair(canvas, looks)
    _neck_and_ears(canvas, looks)
    _skin(canvas, looks)
    _front_hair(canvas, looks)
    side = 0.16 * column(light.side) * np.clip(canvas.x, -1, 1)
    canvas.shade(column(light.level) + side)


def draw_features(canvas: Canvas, looks: Looks, cues: Array) -> None:
    """Paint brows, eyes, nose and mouth as `cues` (N, FACE_CUES) say, on heads that are there already."""
    cue = dict(zip(FACE_CUES, cues.T, strict=True))
    _nose(canvas.window(x=0, y=0.1, half_width=0.3, half_height=0.42), looks, cue)
    _folds(canvas.window(x=0, y=0.38, half_width=0.52, half_height=0.32), looks, cue)
    for side in (-1, 1):
        around = canvas.window(x=side * 0.325, y=-0.3, half_width=0.3, half_height=0.38)
        _eye(around, looks, cue, side)
        _brow(around, looks, cue, side)
    _mouth(canvas.window(x=0, y=0.58, half_width=0.5, half_height=0.38), looks, cue)


def _back_hair(canvas: Canvas, looks: Looks) -> None:
    width = column(looks.face_width + 0.06 + 0.8 * looks.hair_volume)
    dome = ellipse(canvas.x, canvas.y + 0.12, width, 1.02 + column(looks.hair_volume))
    short = np.maximum(dome, canvas.y - 0.25)
    middle, half = column(looks.hair_length / 2 - 0.1), column(looks.hair_length / 2)
    corner = np.hypot(np.abs(canvas.x / width), np.clip(np.abs(canvas.y - middle) - half + 0.3, 0, None) / 0.9)
    fall = np.maximum((corner - 1) * width, np.abs(canvas.y - middle) - half)
    hair = np.where(column(looks.hair_length) > 0.3, np.minimum(short, fall), short)
    canvas.paint(0.75 * looks.hair, canvas.inside(hair))


def _neck_and_ears(canvas: Canvas, looks: Looks) -> None:
    wide = column(0.52 * looks.face_width)
    neck = np.maximum(np.abs(canvas.x) - wide, np.abs(canvas.y - 0.9) - 0.3)
    base = ellipse(canvas.x, canvas.y - 1.2, wide * 1.25, 0.22)
    canvas.paint(0.80 * looks.skin, canvas.inside(np.minimum(neck, base)))
    for side in (-1, 1):
        ear = ellipse(canvas.x - side * column(looks.face_width), canvas.y - 0.02, 0.09, 0.17)
        canvas.paint(0.84 * looks.skin, canvas.inside(ear))


def _skin(canvas: Canvas, looks: Looks) -> None:
    low = np.clip(canvas.y, 0, 1)
    width = column(looks.face_width) * (1 - column(looks.jaw) * np.square(low))
    radius = np.hypot(canvas.x / width, canvas.y)
    face = canvas.inside((radius - 1) * width)
    under = canvas.inside((np.hypot(canvas.x / width, canvas.y - 0.1) - 1) * width)
    canvas.tint(0.55 * looks.skin, 0.7 * under * (1 - face) * (canvas.y > 0.4))
    canvas.paint(looks.skin, face)
    depth = np.sqrt(np.clip(1 - np.square(radius), 0, 1))
    sockets = sum(bump(canvas.x - s * column(looks.eye_spacing), canvas.y + 0.16, 0.30, 0.22) for s in (-1, 1))
    cheeks = sum(bump(canvas.x - s * 0.42, canvas.y - 0.26, 0.30, 0.26) for s in (-1, 1))
    shade = 0.72 + 0.34 * depth - 0.14 * sockets + 0.06 * bump(canvas.x, canvas.y + 0.6, 0.5, 0.3)
    canvas.shade(1 + face * (shade - 1))
    canvas.tint(looks.skin * np.array([1.02, 0.78, 0.74], dtype=np.float32), 0.28 * cheeks * face)


def _front_hair(canvas: Canvas, looks: Looks) -> None:
    x = canvas.x / column(looks.face_width)
    line = column(looks.fringe) + 0.55 * np.square(x) - 0.06 * np.sin(5 * x + 6 * column(looks.fringe))
    width = column(looks.face_width + 0.05 + 0.5 * looks.hair_volume)
    cap = ellipse(canvas.x, canvas.y + 0.06, width, 1.0 + column(looks.hair_volume))
    hair = canvas.inside(np.maximum(np.maximum(cap, canvas.y - line), canvas.y - 0.05))
    canvas.paint(looks.hair, hair)
    canvas.shade(1 + 0.10 * hair * np.sin(34 * x + 8 * canvas.y))


def _nose(canvas: Canvas, looks: Looks, cue: dict[str, Array]) -> None:
    wide, tip = column(looks.nose_width), column(looks.nose_length) - 0.08 - 0.04 * column(cue["wrinkle"])
    along = np.clip((canvas.y + 0.1) / (tip + 0.1), 0, 1)
    flank = np.abs(np.abs(canvas.x) - wide * (0.35 + 0.6 * along)) / 0.055
    between = (canvas.y > -0.12) & (canvas.y < tip)
    canvas.tint(0.72 * looks.skin, 0.35 * np.clip(1 - flank, 0, 1) * between)
    canvas.tint(np.minimum(1.14 * looks.skin, 255), 0.5 * bump(canvas.x, canvas.y - tip + 0.03, 0.09, 0.10))
    canvas.tint(0.62 * looks.skin, 0.8 * canvas.inside(_arc(canvas, wide, tip + 0.045)))
    for side in (-1, 1):
        nostril = ellipse(canvas.x - side * wide * 0.48, canvas.y - tip - 0.02, 0.042, 0.024)
        canvas.tint(0.3 * looks.skin, canvas.inside(nostril))
    ridge = np.abs(np.mod(canvas.y + 0.02, 0.075) - 0.0375) / 0.022
    creases = np.clip(1 - ridge, 0, 1) * bump(canvas.x, canvas.y + 0.0, 0.17, 0.17)
    canvas.tint(0.5 * looks.skin, np.clip(0.9 * column(cue["wrinkle"]), 0, 1) * creases)


def _arc(canvas: Canvas, wide: Array, y: Array) -> Array:
    """The underside of the nose."""
    along = np.clip(1 - np.square(canvas.x / wide), 0, 1)
    return np.asarray(np.abs(canvas.y - y - 0.03 * along + 0.03) - 0.012 * np.sqrt(along) - 0.004 + (along <= 0))


def _folds(canvas: Canvas, looks: Looks, cue: dict[str, Array]) -> None:
    """The lines from the nose to the corners of the mouth, deep in a smile and in disgust."""
    depth = np.clip(0.12 + 0.5 * np.maximum(cue["smile"], cue["wrinkle"]), 0, 0.85)
    down = (canvas.y - 0.26) / 0.34
    place = column(looks.nose_width) + 0.05 + 0.16 * down + 0.04 * column(cue["mouth_width"])
    line = np.clip(1 - np.abs(np.abs(canvas.x) - place) / 0.032, 0, 1)
    canvas.tint(0.62 * looks.skin, column(depth) * line * np.clip(4 * down * (1 - down), 0, 1))


def _eye(canvas: Canvas, looks: Looks, cue: dict[str, Array], side: int) -> None:
    half = column(looks.eye_size)
    x, y = (canvas.x - side * column(looks.eye_spacing)) / half, canvas.y - _EYE_Y
    lid = np.clip(1 - np.square(x), 0, 1)
    slant = 0.02 * x * side
    opening = np.maximum(0.095 + 0.055 * cue["eye_open"], 0.004)
    upper = -column(opening) * lid + slant
    lower = column(np.maximum(0.055 + 0.02 * cue["eye_open"] - 0.045 * cue["squint"], 0.002)) * lid + slant
    eye = canvas.inside(np.maximum(np.maximum(upper - y, y - lower), (np.abs(x) - 1) * half))
    canvas.paint(_EYE_WHITE, eye)
    radius = half * 0.46
    from_centre = np.hypot(x * half, y + 0.012)
    canvas.paint(looks.iris, eye * canvas.inside(from_centre - radius))
    canvas.paint(_DARK, eye * canvas.inside(from_centre - radius * 0.48))
    canvas.paint(_SHINE, eye * canvas.inside(np.hypot(x * half + 0.02, y + 0.04) - 0.017))
    edge = 0.014 * np.sqrt(lid)
    canvas.paint(_DARK, 0.9 * canvas.inside(np.abs(y - upper) - edge - 0.004 + (lid <= 0)))
    canvas.tint(0.6 * looks.skin, 0.7 * canvas.inside(np.abs(y - lower) - 0.6 * edge + (lid <= 0)))
    canvas.tint(0.6 * looks.skin, 0.5 * canvas.inside(np.abs(y - upper + 0.045) - 0.6 * edge + (lid <= 0)))
    bag = np.clip(column(cue["squint"]), 0, 1) * np.clip(1 - np.abs(y - lower - 0.045) / 0.03, 0, 1) * lid
    canvas.tint(0.66 * looks.skin, 0.6 * bag)


def _brow(canvas: Canvas, looks: Looks, cue: dict[str, Array], side: int) -> None:
    middle = looks.eye_spacing + 0.01 - 0.045 * cue["brow_squeeze"]
    x = (side * canvas.x - column(middle)) / (1.28 * column(looks.eye_size))
    height = _EYE_Y - looks.brow_height - 0.11 * cue["brow_raise"]
    arch = column(0.03 + 0.03 * np.maximum(cue["brow_raise"], 0))
    tilt = column(0.085 * cue["brow_tilt"])
    centre = column(height) - arch * (1 - np.square(x)) + tilt * (x - 0.2)
    thick = column(looks.brow_thickness) * np.clip(1.05 - np.abs(x - 0.1) ** 3, 0, 1) * (1 - 0.25 * x)
    canvas.tint(0.6 * looks.hair, 0.92 * canvas.inside(np.abs(canvas.y - centre) - thick + (thick <= 0)))
    frown = np.clip(cue["brow_squeeze"], 0, 1)
    crease = np.clip(1 - np.abs(side * canvas.x - 0.055) / 0.02, 0, 1) * bump(canvas.x, canvas.y + 0.3, 0.2, 0.14)
    canvas.tint(0.55 * looks.skin, 0.8 * column(frown) * crease)


def _mouth(canvas: Canvas, looks: Looks, cue: dict[str, Array]) -> None:
    half = column(looks.mouth_width * np.clip(1 + 0.22 * cue["mouth_width"], 0.5, 1.5))
    x = canvas.x / half
    along = np.clip(1 - np.square(x), 0, 1)
    bend = column(0.085 * cue["smile"])
    y = canvas.y - column(looks.mouth_height) - bend * (along - 0.5)
    opening = np.maximum(cue["mouth_open"], 0)
    lift = 0.05 * np.maximum(cue["wrinkle"], 0)
    upper = -column(0.06 * opening + lift) * along
    lower = column(0.20 * opening + 0.3 * lift) * along
    lip = column(looks.lip_thickness)
    bow = lip * np.sqrt(along) * (1 - 0.25 * np.exp(-np.square(x / 0.16)))
    rose = looks.skin * np.array([0.80, 0.52, 0.52], dtype=np.float32)
    outside = (np.abs(x) - 1) * half
    canvas.tint(0.9 * rose, canvas.inside(np.maximum(np.maximum(upper - bow - y, y - upper), outside)))
    canvas.tint(rose, canvas.inside(np.maximum(np.maximum(lower - y, y - lower - 1.25 * bow), outside)))
    within = canvas.inside(np.maximum(np.maximum(upper - y, y - lower), outside))
    canvas.tint(_MOUTH, within)
    canvas.tint(_TEETH, within * canvas.inside(y - upper - 0.055))
    canvas.tint(_DARK, 0.75 * canvas.inside(np.abs(y - upper) - 0.007 - 0.004 * along + (along <= 0)))
    canvas.tint(0.7 * looks.skin, 0.4 * bump(canvas.x, y - lower - 1.25 * lip - 0.09, 0.2, 0.06))

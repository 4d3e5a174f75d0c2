"""Clips of drawn faces in scenes of any size, and a front end that keeps what it saw in them."""

from fractions import Fraction

import numpy as np
from media_files import tone, write_media

from edge_aver.corpora.synthetic import draw_faces
from edge_aver.media.front_end import ClipFrontEnd
from edge_aver.spec import Preprocessing

CONSTANTS = Preprocessing()
SIZE = (240, 320)
GREY = (110, 120, 130)


def drawn(person, side_px):
    """A square picture filled by the face of one of eight persons; the same person at any size."""
    return draw_faces(8, size_px=side_px, seed=7).pictures[person]


def scene(*faces, size=SIZE, colour=GREY):
    """A plain picture with pictures of faces put in, each as (picture, left, top), cut where they reach outside."""
    image = np.full((*size, 3), colour, dtype=np.uint8)
    for face, left, top in faces:
        x, y = max(-left, 0), max(-top, 0)
        place = image[max(top, 0) : top + face.shape[0], max(left, 0) : left + face.shape[1]]
        place[:] = face[y : y + place.shape[0], x : x + place.shape[1]]
    return image


def write_still(path, image, **options):
    """One picture, shown for longer than a window."""
    return write_media(path, pictures=[image], rate=Fraction(1, 4), **{"sound": tone(3.6), **options})


def write_scenes(path, images, **options):
    """25 pictures a second that show each of 15 images around its own sampled time."""
    pictures = [image for image in images for _ in range(6)]
    return write_media(path, pictures=pictures, **{"sound": tone(3.6), **options})


class Watched:
    """A front end; `pictures` and `boxes` are those of the last clip, for the frames that showed anything."""

    def __init__(self, detector):
        self._detector = detector
        self._front_end = ClipFrontEnd(CONSTANTS, self, threads=2)

    def detect(self, pictures):
        self.pictures, self.boxes = pictures, self._detector.detect(pictures)
        return self.boxes

    def __call__(self, source, **options):
        return self._front_end(source, **options)


def overlap(one, other):
    """Intersection over union of two boxes (4,); 1 of no box with no box, 0 of one with none."""
    if one is None or other is None:
        return float(one is other)
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    shared = sides.clip(min=0).prod()
    return shared / ((one[2:] - one[:2]).prod() + (other[2:] - other[:2]).prod() - shared)


def likeness(crop, face):
    """Correlation of two pictures at a coarse grid: 1 for the same face at the same place."""
    one, other = (_coarse(image) - _coarse(image).mean() for image in (crop, face))
    return float((one * other).sum() / np.sqrt((one**2).sum() * (other**2).sum()))


def _coarse(image):
    step = len(image) // 14
    return image[: 14 * step, : 14 * step].reshape(14, step, 14, step, 3).mean(axis=(1, 3))

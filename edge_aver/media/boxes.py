"""Boxes of faces as arrays: squared, clipped, moved by what a network says of them, and thinned out.

A box is (left, top, right, bottom) in pixels. Its rows and columns are counted from 1, both ends included, as MTCNN's
authors did in MATLAB and facenet-pytorch after them.
"""

import numpy as np
import numpy.typing as npt

__all__ = ["clipped", "refined", "squared", "suppressed"]

Array = npt.NDArray[np.float32]


def squared(boxes: Array) -> Array:
    """Boxes (M, 4) grown to their longer side about their centres."""
    sides = boxes[:, 2:] - boxes[:, :2]
    longest = sides.max(axis=1, keepdims=True, initial=0)
    corners = boxes[:, :2] + (sides - longest) / 2
    return np.concatenate([corners, corners + longest], axis=1)


def clipped(boxes: Array, height: int, width: int) -> Array:
    """Edges (M, 4) of the pixels of a picture that lie in boxes, counted from 0; whole pixels, none outside."""
    whole = np.trunc(boxes)
    corners = np.maximum(whole[:, :2], 1) - 1
    return np.concatenate([corners, np.minimum(whole[:, 2:], (width, height))], axis=1).astype(np.float32)


def refined(boxes: Array, offsets: Array) -> Array:
    """Boxes (M, 4) whose edges are moved by offsets (M, 4), given in widths and heights of the box."""
    sides = boxes[:, 2:] - boxes[:, :2] + 1
    return boxes + offsets * np.tile(sides, 2)


def suppressed(boxes: Array, scores: Array, groups: npt.NDArray[np.int64], overlap: float) -> npt.NDArray[np.intp]:
    """Non-maximum suppression: which boxes remain when each takes away those of its group that it covers too much of.

    Args:
        boxes: (M, 4).
        scores: (M,); a box is taken away by one of a higher score alone.
        groups: (M,); boxes of different groups do not meet.
        overlap: intersection over union above which the lower box goes.

    Returns:
        Indices of those that remain, group by group, the highest score first.
    """
    order = np.lexsort((-scores, groups))
    ends = np.flatnonzero(np.diff(groups[order], append=-1)) + 1
    starts = [0, *ends[:-1]]
    kept = [part[_highest(boxes[part], overlap)] for part in (order[a:b] for a, b in zip(starts, ends, strict=False))]
    return np.concatenate([np.empty(0, dtype=np.intp), *kept])


def _highest(boxes: Array, overlap: float) -> npt.NDArray[np.bool_]:
    """Which of the boxes of one group remain; the highest score comes first.

    Whether a box remains depends on those before it alone, so asking all at once again and again settles at least one
    more box each time.
    """
    beats = np.triu(_intersection_over_union(boxes) > overlap, k=1)
    keep: npt.NDArray[np.bool_] = np.ones(len(boxes), dtype=np.bool_)
    while True:
        settled: npt.NDArray[np.bool_] = np.logical_not(beats[keep].any(axis=0))
        if np.array_equal(settled, keep):
            return keep
        keep = settled


def _intersection_over_union(boxes: Array) -> Array:
    corners = np.maximum(boxes[:, None, :2], boxes[:, :2])
    ends = np.minimum(boxes[:, None, 2:], boxes[:, 2:])
    shared = np.maximum(ends - corners, 0).prod(axis=2)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    ratio: Array = shared / np.maximum(areas[:, None] + areas - shared, np.finfo(np.float32).tiny)
    return ratio

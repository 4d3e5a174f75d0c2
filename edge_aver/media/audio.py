"""The audio half of the network's input, put together from the features of every 10 ms step."""

import numpy as np
import numpy.typing as npt

from edge_aver.spec import Preprocessing

__all__ = ["joined", "segments"]


def segments(steps: npt.NDArray[np.float32], constants: Preprocessing) -> npt.NDArray[np.float32]:
    """Give every sampled frame the features of its own segment and of those around it (paper, 4.2.2).

    Segment i is the step nearest the time of frame i; row i holds the segments at `constants.segment_offsets` from i,
    in that order, with zeros past the ends.

    Args:
        steps: (T, 32) float32; step k lies at k * hop_length / sample_rate_hz seconds.
        constants: frame times, hop and offsets.

    Returns:
        (15, 128) float32.
    """
    return joined(steps[_nearest_steps(len(steps), constants)], constants)


def joined(own: npt.NDArray[np.float32], constants: Preprocessing) -> npt.NDArray[np.float32]:
    """Features of every segment (15, 32) beside those of the segments around it, as `segments`: (15, 128) float32."""
    before = -min(0, *constants.segment_offsets)
    after = max(0, *constants.segment_offsets)
    padded = np.pad(own, ((before, after), (0, 0)))
    shifted = [padded[before + offset :][: len(own)] for offset in constants.segment_offsets]
    return np.concatenate(shifted, axis=1).astype(np.float32, copy=False)


def _nearest_steps(count: int, constants: Preprocessing) -> npt.NDArray[np.intp]:
    steps_per_s = constants.sample_rate_hz / constants.hop_length
    nearest = np.rint(np.asarray(constants.frame_times_s()) * steps_per_s)
    return np.clip(nearest, 0, count - 1).astype(np.intp)

"""Pitch by YIN (de Cheveigné and Kawahara 2002), as librosa defines it, in numpy alone."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_aver.spec import Preprocessing

__all__ = ["pitch_hz", "yin_minimum"]

_TROUGH = 0.1
"""The first local minimum below this is taken, or else the lowest of all (2002, step 4; librosa's default)."""

_BATCH = 64
"""Windows that are worked on together: more leave the processor's cache."""

_FFT_MULTIPLE = 256
"""The length of a transform is rounded up to a multiple of this: it is quick where all prime factors are small."""

Doubles = npt.NDArray[np.float64]


def pitch_hz(windows: Doubles, loud: npt.NDArray[np.bool_], constants: Preprocessing) -> Doubles:
    """The pitch of every window by `librosa.yin`, 0 where it is not voiced.

    Args:
        windows: (T, pitch_window) float64.
        loud: (T,) which windows may be voiced at all.
        constants: sample rate, pitch range, and the threshold that the minimum of a voiced window does not exceed.

    Returns:
        (T,) float64.
    """
    found = np.zeros(len(windows))
    steps = np.flatnonzero(loud)
    for at in range(0, len(steps), _BATCH):
        batch = steps[at : at + _BATCH]
        found[batch] = _voiced_hz(windows[batch], constants)
    return found


def yin_minimum(windows: npt.NDArray[np.floating[Any]], periods: npt.NDArray[np.integer[Any]]) -> Doubles:
    """The cumulative mean normalised difference of YIN (2002, equation 8) at given lags.

    As in librosa, the difference at lag k compares all samples of a window with those k later, and takes the signal to
    be 0 after the window's end. It is near 0 for a periodic signal and near 1 for noise.

    Args:
        windows: (T, samples), one signal a row.
        periods: (T,) lag in samples for each row, from 1.

    Returns:
        (T,) float64.
    """
    differences = _normalised_difference(windows.astype(np.float64), int(periods.max()))
    chosen: Doubles = differences[np.arange(len(periods)), periods - 1]
    return chosen


def _voiced_hz(windows: Doubles, constants: Preprocessing) -> Doubles:
    shortest = math.floor(constants.sample_rate_hz / constants.pitch_max_hz)
    longest = min(math.ceil(constants.sample_rate_hz / constants.pitch_min_hz), constants.pitch_window - 1)
    lags = _normalised_difference(windows, longest)[:, shortest - 1 :]
    chosen = _first_trough(lags)
    period = shortest + chosen + _parabola_offset(lags, chosen)
    minimum = lags[np.arange(len(lags)), chosen]
    # The lag itself is held to the threshold, not the parabola's lowest point: `yin_minimum` has no other.
    return np.where(minimum > constants.pitch_threshold, 0.0, constants.sample_rate_hz / period)


def _normalised_difference(windows: Doubles, longest: int) -> Doubles:
    """(T, longest): of every window at lags from 1."""
    correlation = _correlation(windows, longest)
    skipped = np.cumsum(windows[:, :longest] ** 2, axis=1)
    difference = 2 * (correlation[:, :1] - correlation[:, 1:]) - skipped
    mean = np.cumsum(difference, axis=1) / np.arange(1, longest + 1)
    normalised: Doubles = difference / (mean + np.finfo(np.float64).tiny)
    return normalised


def _correlation(windows: Doubles, longest: int) -> Doubles:
    """(T, longest + 1): of every window with itself, at lags from 0."""
    length = math.ceil((windows.shape[1] + longest) / _FFT_MULTIPLE) * _FFT_MULTIPLE
    spectrum = np.fft.rfft(windows, length)
    return np.fft.irfft(spectrum.real**2 + spectrum.imag**2, length)[:, : longest + 1]


def _first_trough(lags: Doubles) -> npt.NDArray[np.intp]:
    """(T,) index of the first local minimum of a row below the threshold, or else of its lowest value."""
    falls = lags[:, 1:] < lags[:, :-1]
    into = np.concatenate([lags[:, :1] < lags[:, 1:2], falls], axis=1)
    onward = np.pad(falls, ((0, 0), (0, 1)))
    trough = into & ~onward & (lags < _TROUGH)
    first = trough.argmax(axis=1)
    found: npt.NDArray[np.intp] = np.where(trough[np.arange(len(lags)), first], first, lags.argmin(axis=1))
    return found


def _parabola_offset(lags: Doubles, chosen: npt.NDArray[np.intp]) -> Doubles:
    """(T,) how far beside the chosen lag the parabola through it and its neighbours is lowest; 0 at the ends."""
    rows, inner = np.arange(len(lags)), np.clip(chosen, 1, lags.shape[1] - 2)
    before, at, after = (lags[rows, inner + beside] for beside in (-1, 0, 1))
    curvature, slope = before + after - 2 * at, (after - before) / 2
    within = (chosen == inner) & (np.abs(slope) < np.abs(curvature))
    return np.divide(-slope, curvature, out=np.zeros(len(lags)), where=within)

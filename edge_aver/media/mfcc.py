"""Mel-frequency cepstral coefficients and their deltas, in numpy alone."""

import math
from functools import cache

import numpy as np
import numpy.typing as npt

from edge_aver.spec import Preprocessing

__all__ = ["cepstra", "delta", "mel_decibels", "mfcc"]

_FLOOR = 1e-10
_RANGE_DB = 80.0
"""A mel band counts as no weaker than the floor, and than this much below the strongest band of the recording."""

_LINEAR_TO_HZ = 1_000.0
_HZ_PER_MEL = 200 / 3
_STEPS_PER_OCTAVE = 27 * math.log(2) / math.log(6.4)
"""The mel scale of Slaney's Auditory Toolbox (1998): linear up to 1 kHz, 27 steps from there to 6.4 kHz."""

Doubles = npt.NDArray[np.float64]


def mfcc(windows: Doubles, constants: Preprocessing) -> Doubles:
    """Mel-frequency cepstral coefficients as `librosa.feature.mfcc` has them, with its defaults but for the constants.

    Args:
        windows: (T, win_length) float64, all of one recording: its strongest band sets the floor of the others.
        constants: sample rate, n_fft, n_mels, n_mfcc.

    Returns:
        (T, n_mfcc) float64.
    """
    decibels = mel_decibels(windows, constants)
    return cepstra(decibels, float(decibels.max()), constants)


def mel_decibels(windows: Doubles, constants: Preprocessing) -> Doubles:
    """The bands of each window by itself, (T, n_mels) float64: no recording's strongest band is known yet.

    The power spectrum under a periodic Hann window passes a bank of triangles, equally wide in mel and of equal area.
    """
    spectrum = np.fft.rfft(windows * _hann(constants.win_length), constants.n_fft)
    # Not by matrix product: BLAS would start threads that go on spinning, on the cores that the network needs next.
    bands = np.einsum("tk,mk->tm", spectrum.real**2 + spectrum.imag**2, _mel_bank(constants))
    decibels: Doubles = 10 * np.log10(np.maximum(bands, _FLOOR))
    return decibels


def cepstra(decibels: Doubles, loudest_db: float, constants: Preprocessing) -> Doubles:
    """Coefficients (T, n_mfcc) of bands (T, n_mels) by an orthonormal cosine transform.

    Args:
        decibels: see `mel_decibels`.
        loudest_db: strongest band of the recording; no band counts as more than 80 dB weaker.
        constants: n_mels, n_mfcc.
    """
    coefficients: Doubles = np.maximum(decibels, loudest_db - _RANGE_DB) @ _cosines(constants)
    return coefficients


def delta(values: Doubles, width: int, *, order: int) -> Doubles:
    """The derivative of every column, of the polynomial of degree `order` that fits best around each row.

    As `librosa.feature.delta` has it (the filter of Savitzky and Golay 1964): the first and last `width // 2` rows take
    the polynomial of the nearest `width` rows, whose derivative of its own degree is the same everywhere.

    Args:
        values: (T, columns) float64.
        width: rows that a polynomial is fitted to, odd.
        order: 1 for the slope a row, 2 for the curvature.

    Returns:
        (T, columns) float64, zeros if T < width.
    """
    if len(values) < width:
        return np.zeros_like(values)
    inner = np.lib.stride_tricks.sliding_window_view(values, width, axis=0) @ _derivative(width, order)
    return inner[np.clip(np.arange(len(values)) - width // 2, 0, len(inner) - 1)]


@cache
def _derivative(width: int, order: int) -> Doubles:
    """(width,) weights whose sum of products is the derivative of the fitted polynomial."""
    offsets = np.arange(width) - width // 2
    weights: Doubles = np.linalg.pinv(np.vander(offsets, order + 1, increasing=True))[order]
    return math.factorial(order) * weights


@cache
def _hann(length: int) -> Doubles:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)


@cache
def _mel_bank(constants: Preprocessing) -> Doubles:
    """(n_mels, 1 + n_fft // 2): triangles from 0 Hz to half the sample rate, each from its neighbours' peaks."""
    highest_hz = constants.sample_rate_hz / 2
    corners_hz = _hz(np.linspace(0, _mel(highest_hz), constants.n_mels + 2))
    left, peak, right = (corners_hz[i : i + constants.n_mels, None] for i in range(3))
    bins_hz = np.linspace(0, highest_hz, 1 + constants.n_fft // 2)
    triangles = np.minimum((bins_hz - left) / (peak - left), (right - bins_hz) / (right - peak))
    bank: Doubles = np.maximum(triangles, 0) * 2 / (right - left)
    return bank


@cache
def _cosines(constants: Preprocessing) -> Doubles:
    """(n_mels, n_mfcc): the orthonormal cosine transform (DCT-II)."""
    bands, orders = np.arange(constants.n_mels)[:, None], np.arange(constants.n_mfcc)
    cosines: Doubles = np.sqrt(2 / constants.n_mels) * np.cos(np.pi * orders * (bands + 0.5) / constants.n_mels)
    cosines[:, 0] /= np.sqrt(2)
    return cosines


def _mel(hz: float) -> float:
    if hz < _LINEAR_TO_HZ:
        return hz / _HZ_PER_MEL
    return _LINEAR_TO_HZ / _HZ_PER_MEL + math.log2(hz / _LINEAR_TO_HZ) * _STEPS_PER_OCTAVE


def _hz(mel: Doubles) -> Doubles:
    above = np.maximum(mel - _LINEAR_TO_HZ / _HZ_PER_MEL, 0)
    return np.where(above > 0, _LINEAR_TO_HZ * 2 ** (above / _STEPS_PER_OCTAVE), mel * _HZ_PER_MEL)

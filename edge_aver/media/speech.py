"""32 values for every 10 ms step of speech, as librosa defines them, in numpy alone."""

from typing import Any

import numpy as np
import numpy.typing as npt

from edge_aver.errors import ClipError
from edge_aver.media.mfcc import delta, mfcc
from edge_aver.media.pitch import pitch_hz
from edge_aver.spec import Preprocessing

__all__ = ["log_energy", "loud", "mean_power", "speech_steps", "step_windows"]

_POWER_FLOOR = 1e-10
"""Added to the power of a step before its logarithm: digital silence is -100 dBFS."""


def speech_steps(speech: npt.NDArray[np.float32], constants: Preprocessing) -> npt.NDArray[np.float32]:
    """Describe speech every 10 ms.

    Step k is centred on sample k * hop_length; the signal counts as silent before its start and after its end. The
    columns are, in order:

    - 10 MFCC (`librosa.feature.mfcc`, its defaults but for the constants), their deltas and delta-deltas
      (`librosa.feature.delta`, interpolated at the ends);
    - pitch in Hz (`librosa.yin`), 0 where `yin_minimum` exceeds `pitch_threshold` or the step's power is below
      `silence_dbfs`;
    - log energy: ln(power + 1e-10), where power is the mean square over the `win_length` samples around the step,
      and 0 dBFS is a power of 1.

    The paper (4.2.2) names these features and leaves their parameters open. `librosa_speech.librosa_steps` has the same
    numbers from librosa itself.

    Args:
        speech: (samples,) float32, mono; none at all count as silence.
        constants: of the clip contract, with windows of even lengths.

    Returns:
        (1 + samples // hop_length, 32) float32; deltas of fewer steps than `delta_width` are 0.

    Raises:
        ClipError: a sample is infinite or not a number.
    """
    if not np.isfinite(speech).all():
        raise ClipError("the speech holds samples that are infinite or not a number: record or convert it again")
    signal = speech.astype(np.float64)
    windows = step_windows(signal, constants.win_length, constants)
    coefficients = mfcc(windows, constants)
    deltas = [delta(coefficients, constants.delta_width, order=order) for order in (1, 2)]
    power = mean_power(windows)
    longer = step_windows(signal, constants.pitch_window, constants)
    pitch = pitch_hz(longer, loud(power, constants), constants)
    columns = [coefficients, *deltas, pitch[:, None], log_energy(power)[:, None]]
    return np.concatenate(columns, axis=1).astype(np.float32)


def step_windows(signal: npt.NDArray[Any], length: int, constants: Preprocessing) -> npt.NDArray[Any]:
    """The samples around every step, (T, length), a view that must not be written to; `length` is even."""
    padded = np.pad(signal, length // 2)
    return np.lib.stride_tricks.sliding_window_view(padded, length)[:: constants.hop_length]


def mean_power(windows: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
    """Mean square of every row of (T, samples)."""
    power: npt.NDArray[np.float64] = np.einsum("ts,ts->t", windows, windows, dtype=np.float64) / windows.shape[1]
    return power


def loud(power: npt.NDArray[np.float64], constants: Preprocessing) -> npt.NDArray[np.bool_]:
    """Where power reaches `silence_dbfs`."""
    return power >= 10 ** (constants.silence_dbfs / 10)


def log_energy(power: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The natural logarithm of power, finite for silence too."""
    energy: npt.NDArray[np.float64] = np.log(power + _POWER_FLOOR)
    return energy

"""32 values for every 10 ms step of speech, as librosa defines them."""

from typing import Any

import numpy as np
import numpy.typing as npt

from edge_aver.errors import MissingLibraryError
from edge_aver.spec import Preprocessing

__all__ = ["librosa_steps", "yin_minimum"]

_POWER_FLOOR = 1e-10
"""Added to the power of a step before its logarithm: digital silence is -100 dBFS."""

Signal = npt.NDArray[np.float32]


def librosa_steps(speech: Signal, constants: Preprocessing) -> Signal:
    """Describe speech every 10 ms.

    Step k is centred on sample k * hop_length; the signal counts as silent before its start and after its end. The
    columns are, in order:

    - 10 MFCC (`librosa.feature.mfcc`, its defaults but for the constants), their deltas and delta-deltas
      (`librosa.feature.delta`, interpolated at the ends);
    - pitch in Hz (`librosa.yin`), 0 where `yin_minimum` exceeds `pitch_threshold` or the step's power is below
      `silence_dbfs`;
    - log energy: ln(power + 1e-10), where power is the mean square over the `win_length` samples around the step,
      and 0 dBFS is a power of 1.

    The paper (4.2.2) names these features and leaves their parameters open.

    Args:
        speech: (samples,) float32, mono.
        constants: of the clip contract.

    Returns:
        (1 + samples // hop_length, 32) float32.

    Raises:
        MissingLibraryError: librosa is not installed.
    """
    librosa = _librosa()
    mfcc = _mfcc(librosa, speech, constants)
    deltas = [librosa.feature.delta(mfcc, width=constants.delta_width, order=order) for order in (1, 2)]
    power = _power(librosa, speech, constants)
    pitch_hz = _pitch_hz(librosa, speech, power, constants)
    columns = np.concatenate([mfcc, *deltas, pitch_hz[None], np.log(power + _POWER_FLOOR)[None]])
    return np.ascontiguousarray(columns.T, dtype=np.float32)


def yin_minimum(
    windows: npt.NDArray[np.floating[Any]], periods: npt.NDArray[np.integer[Any]]
) -> npt.NDArray[np.float64]:
    """The cumulative mean normalised difference of YIN (de Cheveigné and Kawahara 2002, equation 8) at given lags.

    As in librosa, the difference at lag k compares all samples of a window with those k later, and takes the signal to
    be 0 after the window's end. It is near 0 for a periodic signal and near 1 for noise.

    Args:
        windows: (samples, T), one signal a column.
        periods: (T,) lag in samples for each column, from 1.

    Returns:
        (T,) float64.
    """
    samples, longest = len(windows), int(periods.max())
    signal = windows.astype(np.float64)
    spectrum = np.fft.rfft(signal, 2 * samples, axis=0)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2, axis=0)[: longest + 1]
    skipped = np.cumsum(signal**2, axis=0)[:longest]
    difference = 2 * (correlation[0] - correlation[1:]) - skipped
    mean = np.cumsum(difference, axis=0) / np.arange(1, longest + 1)[:, None]
    chosen = (periods - 1, np.arange(len(periods)))
    minimum: npt.NDArray[np.float64] = difference[chosen] / (mean[chosen] + np.finfo(np.float64).tiny)
    return minimum


def _mfcc(librosa: Any, speech: Signal, constants: Preprocessing) -> Signal:
    mfcc: Signal = librosa.feature.mfcc(
        y=speech,
        sr=constants.sample_rate_hz,
        n_mfcc=constants.n_mfcc,
        n_fft=constants.n_fft,
        win_length=constants.win_length,
        hop_length=constants.hop_length,
        n_mels=constants.n_mels,
    )
    return mfcc


def _pitch_hz(
    librosa: Any, speech: Signal, power: npt.NDArray[np.float64], constants: Preprocessing
) -> npt.NDArray[np.float64]:
    pitch_hz: npt.NDArray[np.float64] = librosa.yin(
        speech,
        fmin=constants.pitch_min_hz,
        fmax=constants.pitch_max_hz,
        sr=constants.sample_rate_hz,
        frame_length=constants.pitch_window,
        hop_length=constants.hop_length,
    )
    # librosa refines the chosen lag by less than half a sample: rounding gives the lag back.
    periods = np.rint(constants.sample_rate_hz / pitch_hz).astype(np.intp)
    minimum = yin_minimum(_windows(librosa, speech, constants.pitch_window, constants), periods)
    silent = power < 10 ** (constants.silence_dbfs / 10)
    return np.where(silent | (minimum > constants.pitch_threshold), 0.0, pitch_hz)


def _power(librosa: Any, speech: Signal, constants: Preprocessing) -> npt.NDArray[np.float64]:
    windows = _windows(librosa, speech, constants.win_length, constants)
    power: npt.NDArray[np.float64] = np.mean(np.square(windows, dtype=np.float64), axis=0)
    return power


def _windows(librosa: Any, speech: Signal, length: int, constants: Preprocessing) -> Signal:
    """(length, T): the samples around every step."""
    padded = np.pad(speech, length // 2)
    windows: Signal = librosa.util.frame(padded, frame_length=length, hop_length=constants.hop_length)
    return windows


def _librosa() -> Any:
    try:
        import librosa
    except ImportError as error:
        raise MissingLibraryError("librosa", "reference", "the reference front end") from error
    return librosa

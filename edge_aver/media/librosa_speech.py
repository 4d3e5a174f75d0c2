"""32 values for every 10 ms step of speech by librosa, which defines them: what `speech_steps` is held to."""

from typing import Any

import numpy as np
import numpy.typing as npt

from edge_aver.errors import MissingLibraryError
from edge_aver.media.pitch import yin_minimum
from edge_aver.media.speech import log_energy, loud, mean_power, step_windows
from edge_aver.spec import Preprocessing

__all__ = ["librosa_steps"]

Signal = npt.NDArray[np.float32]


def librosa_steps(speech: Signal, constants: Preprocessing) -> Signal:
    """Describe speech every 10 ms, as `speech_steps` says.

    Pitch and coefficients are librosa's; power, the voicing rule and its `yin_minimum` are shared.

    Args:
        speech: (samples,) float32, mono, of at least `delta_width` steps.
        constants: of the clip contract, with windows of even lengths.

    Returns:
        (1 + samples // hop_length, 32) float32.

    Raises:
        MissingLibraryError: librosa is not installed.
    """
    librosa = _librosa()
    mfcc = _mfcc(librosa, speech, constants)
    deltas = [librosa.feature.delta(mfcc, width=constants.delta_width, order=order) for order in (1, 2)]
    power = mean_power(step_windows(speech, constants.win_length, constants))
    pitch_hz = _pitch_hz(librosa, speech, power, constants)
    columns = np.concatenate([mfcc, *deltas, pitch_hz[None], log_energy(power)[None]])
    return np.ascontiguousarray(columns.T, dtype=np.float32)


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
    minimum = yin_minimum(step_windows(speech, constants.pitch_window, constants), periods)
    voiced = loud(power, constants) & (minimum <= constants.pitch_threshold)
    return np.where(voiced, pitch_hz, 0.0)


def _librosa() -> Any:
    try:
        import librosa
    except ImportError as error:
        raise MissingLibraryError("librosa", "reference", "the reference front end") from error
    return librosa

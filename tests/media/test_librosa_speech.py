"""The columns that come from librosa, and what is shared with them."""

import sys

import numpy as np
import pytest

from edge_aver.errors import MissingLibraryError
from edge_aver.media.decode import decode_clip
from edge_aver.media.librosa_speech import librosa_steps
from edge_aver.media.pitch import yin_minimum
from edge_aver.spec import Preprocessing

librosa = pytest.importorskip("librosa", reason="librosa defines these numbers: needs the extra reference")

CONSTANTS = Preprocessing()
PITCH, ENERGY = 30, 31


def librosa_pitch_hz(speech):
    return librosa.yin(speech, fmin=65, fmax=500, sr=16_000, frame_length=1024, hop_length=160)


def librosa_windows(speech, length):
    return librosa.util.frame(np.pad(speech, length // 2), frame_length=length, hop_length=160).T


@pytest.fixture(scope="module")
def speech(test_data):
    path = test_data / "ravdess" / "Actor_05" / "01-01-06-01-01-01-05.mp4"
    return decode_clip(path, CONSTANTS).speech


def test_columns_are_those_of_librosa(speech):
    steps = librosa_steps(speech, CONSTANTS)
    assert steps.shape == (361, 32)
    assert steps.dtype == np.float32
    assert np.isfinite(steps).all()
    mfcc = librosa.feature.mfcc(y=speech, sr=16_000, n_mfcc=10, n_fft=512, win_length=320, hop_length=160, n_mels=40)
    np.testing.assert_array_equal(steps[:, :10].T, mfcc)
    np.testing.assert_array_equal(steps[:, 10:20].T, librosa.feature.delta(mfcc, width=9))
    np.testing.assert_array_equal(steps[:, 20:30].T, librosa.feature.delta(mfcc, width=9, order=2))


def test_voiced_pitch_is_librosas_and_the_rest_is_zero(speech):
    pitch_hz = librosa_steps(speech, CONSTANTS)[:, PITCH]
    voiced = pitch_hz > 0
    np.testing.assert_array_equal(pitch_hz[voiced], librosa_pitch_hz(speech).astype(np.float32)[voiced])
    assert 40 < voiced.sum() < 300


def test_log_energy_is_that_of_windows_framed_by_librosa(speech):
    power = np.mean(np.square(librosa_windows(speech, 320), dtype=np.float64), axis=1)
    np.testing.assert_allclose(librosa_steps(speech, CONSTANTS)[:, ENERGY], np.log(power + 1e-10), rtol=1e-6)


def test_digital_silence_is_finite():
    steps = librosa_steps(np.zeros(57_600, dtype=np.float32), CONSTANTS)
    assert np.isfinite(steps).all()
    np.testing.assert_allclose(steps[:, ENERGY], np.log(1e-10), rtol=1e-6)
    assert not steps[:, PITCH].any()


def test_yin_minimum_is_that_of_the_lag_librosa_chose(speech):
    """librosa takes the first trough below 0.1, else the lowest lag: no lag may lie lower than the one taken."""
    windows = librosa_windows(speech, 1024)[60:200:10]
    chosen = np.rint(16_000 / librosa_pitch_hz(speech)[60:200:10]).astype(int)
    everywhere = np.stack([yin_minimum(windows, np.full(14, lag)) for lag in range(32, 247)])
    taken = yin_minimum(windows, chosen)
    assert (taken > 0.1).any()
    assert (taken[taken > 0.1] <= everywhere.min(axis=0)[taken > 0.1] + 1e-4).all()
    below = np.array([32 + int(np.argmax(lags < 0.1)) for lags in everywhere.T])
    assert (chosen >= below)[taken < 0.1].all()


def test_a_missing_librosa_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "librosa", None)
    with pytest.raises(MissingLibraryError, match=r"librosa.*edge-aver\[reference\]"):
        librosa_steps(np.zeros(16_000, dtype=np.float32), CONSTANTS)

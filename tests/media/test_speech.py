import sys

import numpy as np
import pytest
from media_files import tone

from edge_aver.errors import MissingLibraryError
from edge_aver.media.decode import decode_clip
from edge_aver.media.speech import librosa_steps, yin_minimum
from edge_aver.spec import Preprocessing

librosa = pytest.importorskip("librosa", reason="librosa defines these numbers: needs the extra reference")

CONSTANTS = Preprocessing()
PITCH, ENERGY = 30, 31


def voice(seconds=3.6, hz=140.0):
    """A buzz with harmonics between two pauses, over faint noise."""
    sound = sum(tone(seconds, hz * n, rate_hz=16_000, level=0.3 / n) for n in range(1, 12))
    sound[:8_000], sound[-16_000:] = 0, 0
    return (sound + 1e-3 * np.random.default_rng(0).standard_normal(len(sound))).astype(np.float32)


def librosa_pitch_hz(speech):
    return librosa.yin(speech, fmin=65, fmax=500, sr=16_000, frame_length=1024, hop_length=160)


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


def test_a_delta_is_the_slope_of_its_coefficient(speech):
    steps = librosa_steps(speech, CONSTANTS).astype(np.float64)
    nine = np.arange(-4, 5)
    slopes = [np.polyfit(nine, steps[k + nine, 2], 1)[0] for k in range(50, 150)]
    np.testing.assert_allclose(steps[50:150, 12], slopes, atol=1e-3)


def test_voiced_pitch_is_librosas_and_the_rest_is_zero(speech):
    pitch_hz = librosa_steps(speech, CONSTANTS)[:, PITCH]
    voiced = pitch_hz > 0
    np.testing.assert_array_equal(pitch_hz[voiced], librosa_pitch_hz(speech).astype(np.float32)[voiced])
    assert 40 < voiced.sum() < 300


def test_pitch_of_a_known_voice():
    pitch_hz = librosa_steps(voice(), CONSTANTS)[:, PITCH]
    np.testing.assert_allclose(pitch_hz[60:250], 140.0, rtol=0.01)
    assert not pitch_hz[:40].any()
    assert not pitch_hz[-90:].any()


def test_noise_has_no_pitch():
    noise = 0.1 * np.random.default_rng(1).standard_normal(57_600).astype(np.float32)
    assert not librosa_steps(noise, CONSTANTS)[5:-5, PITCH].any()


def test_a_voice_below_the_level_of_silence_has_no_pitch():
    assert librosa_steps(voice(), CONSTANTS)[150, PITCH] > 0
    hum = tone(3.6, 140.0, rate_hz=16_000)
    for dbfs, voiced in ((-58.0, True), (-62.0, False)):
        level = np.sqrt(2) * 10 ** (dbfs / 20) / 0.3
        assert bool(librosa_steps(level * hum, CONSTANTS)[150, PITCH]) is voiced


def test_log_energy_is_that_of_the_twenty_milliseconds_around():
    burst = np.zeros(57_600, dtype=np.float32)
    burst[16_000 - 160 : 16_000 + 160] = 0.5
    energy = librosa_steps(burst, CONSTANTS)[:, ENERGY]
    np.testing.assert_allclose(energy[[98, 99, 100, 101, 102]], np.log([1e-10, 0.125, 0.25, 0.125, 1e-10]), atol=1e-4)


def test_digital_silence_is_finite():
    steps = librosa_steps(np.zeros(57_600, dtype=np.float32), CONSTANTS)
    assert np.isfinite(steps).all()
    np.testing.assert_allclose(steps[:, ENERGY], np.log(1e-10), rtol=1e-6)
    assert not steps[:, PITCH].any()


def test_yin_minimum_is_the_definition_summed_by_hand():
    window = np.random.default_rng(2).standard_normal(64)
    longer = np.concatenate([window, np.zeros(64)])
    difference = [np.sum((window - longer[lag : lag + 64]) ** 2) for lag in range(1, 33)]
    expected = [difference[lag - 1] / np.mean(difference[:lag]) for lag in (1, 7, 32)]
    found = yin_minimum(np.repeat(window[:, None], 3, axis=1), np.array([1, 7, 32]))
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_yin_minimum_is_that_of_the_lag_librosa_chose(speech):
    """librosa takes the first trough below 0.1, else the lowest lag: no lag may lie lower than the one taken."""
    padded = np.pad(speech, 512)
    windows = librosa.util.frame(padded, frame_length=1024, hop_length=160)[:, 60:200:10]
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

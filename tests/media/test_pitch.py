"""YIN against sums by hand and against tones."""

import numpy as np
import pytest
from media_files import tone

from edge_aver.media.pitch import pitch_hz, yin_minimum
from edge_aver.spec import Preprocessing

CONSTANTS = Preprocessing()


def windows_of(*sounds):
    return np.stack([sound[:1024] for sound in sounds]).astype(np.float64)


def hum(hz, *, noise, seed=1):
    return tone(0.1, hz, rate_hz=16_000) + noise * np.random.default_rng(seed).standard_normal(1_600)


def test_yin_minimum_is_the_definition_summed_by_hand():
    window = np.random.default_rng(2).standard_normal(64)
    longer = np.concatenate([window, np.zeros(64)])
    difference = [np.sum((window - longer[lag : lag + 64]) ** 2) for lag in range(1, 33)]
    expected = [difference[lag - 1] / np.mean(difference[:lag]) for lag in (1, 7, 32)]
    found = yin_minimum(np.repeat(window[None], 3, axis=0), np.array([1, 7, 32]))
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("hz", [120.3, 190.0, 301.7, 449.0])
def test_the_pitch_of_a_tone_is_between_two_lags_and_never_an_octave_off(hz):
    window = windows_of(hum(hz, noise=0))
    np.testing.assert_allclose(pitch_hz(window, np.array([True]), CONSTANTS), hz, rtol=0.01)


@pytest.mark.parametrize(("level", "minimum", "hz"), [(0.15, 0.07, 400.0), (0.25, 0.14, 200.0)])
def test_the_first_trough_is_taken_if_it_is_below_a_tenth_and_else_the_deepest(level, minimum, hz):
    """A tone of 400 Hz over a fainter one an octave below: the period of 40 samples fits the better, the fainter."""
    window = windows_of(hum(400.0, noise=0) + level * hum(200.0, noise=0))
    np.testing.assert_allclose(yin_minimum(window, np.array([40])), minimum, atol=0.015)
    np.testing.assert_allclose(pitch_hz(window, np.array([True]), CONSTANTS), hz, rtol=0.01)


def test_a_window_has_its_pitch_whatever_stands_beside_it():
    loud = np.arange(150) % 5 != 0
    many = windows_of(*(hum(100 + 2 * i, noise=0.02, seed=i) for i in range(150)))
    found = pitch_hz(many, loud, CONSTANTS)
    alone = [pitch_hz(window[None], np.array([True]), CONSTANTS)[0] for window in many]
    np.testing.assert_array_equal(found, np.where(loud, alone, 0))
    np.testing.assert_allclose(found[loud], (100 + 2 * np.arange(150))[loud], rtol=0.02)


def test_the_threshold_decides_what_is_voiced():
    window = windows_of(hum(180.0, noise=0.05))
    chosen = pitch_hz(window, np.array([True]), Preprocessing(pitch_threshold=1.0))
    minimum = yin_minimum(window, np.rint(16_000 / chosen).astype(int))[0]
    for threshold, voiced in ((minimum + 1e-6, True), (minimum - 1e-6, False)):
        constants = Preprocessing(pitch_threshold=threshold)
        assert bool(pitch_hz(window, np.array([True]), constants)[0]) is voiced


def test_no_window_at_all_has_no_pitch():
    assert pitch_hz(np.zeros((0, 1024)), np.zeros(0, dtype=bool), CONSTANTS).shape == (0,)
    assert not pitch_hz(np.zeros((3, 1024)), np.zeros(3, dtype=bool), CONSTANTS).any()

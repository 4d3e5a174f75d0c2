"""Coefficients and deltas against their definitions."""

import numpy as np
import pytest
from media_files import tone, voice

from edge_aver.media.mfcc import delta, mfcc
from edge_aver.media.speech import step_windows
from edge_aver.spec import Preprocessing

ALL_BANDS = Preprocessing(n_mfcc=40)
NINE = np.arange(-4, 5)


def coefficients(sound):
    return mfcc(step_windows(sound.astype(np.float64), 320, ALL_BANDS), ALL_BANDS)


def decibels(sound):
    """The mel bands again: as many coefficients as bands are a rotation of them."""
    bands, orders = np.meshgrid(np.arange(40), np.arange(40))
    cosines = np.sqrt(np.where(orders == 0, 1, 2) / 40) * np.cos(np.pi * orders * (2 * bands + 1) / 80)
    return coefficients(sound) @ cosines


@pytest.mark.parametrize(("band", "hz"), [(10, 809.27), (20, 1754.21), (30, 3746.15)])
def test_a_tone_at_the_peak_of_a_band_is_strongest_there(band, hz):
    """42 corners lie evenly on the mel scale from 0 to 8 kHz (45.25 mel): band i peaks at corner i + 1."""
    levels = decibels(tone(1.0, hz, rate_hz=16_000))[20:80]
    assert (levels.argmax(axis=1) == band).all()
    assert (levels[:, band] > levels[:, band - 2] + 6).all()
    assert (levels[:, band] > levels[:, band + 2] + 6).all()


def test_ten_times_the_sound_is_twenty_decibels_more_in_every_band():
    quiet = 0.05 * np.random.default_rng(0).standard_normal(16_000)
    np.testing.assert_allclose(decibels(10 * quiet) - decibels(quiet), 20.0, atol=1e-6)


def test_no_band_is_more_than_eighty_decibels_below_the_strongest_of_the_recording():
    sound = voice().astype(np.float64)
    sound[:8_000] = 0
    levels = decibels(sound)
    np.testing.assert_allclose(levels[:48], levels.max() - 80, atol=1e-6)
    assert levels.min() == pytest.approx(levels.max() - 80, abs=1e-6)


def test_digital_silence_is_at_the_floor():
    np.testing.assert_allclose(decibels(np.zeros(16_000)), -100.0, atol=1e-6)


@pytest.mark.parametrize("order", [1, 2])
def test_a_delta_is_the_derivative_of_the_best_polynomial(order):
    values = np.random.default_rng(3).standard_normal((40, 2))
    found = delta(values, 9, order=order)
    expected = [order * np.polyfit(NINE, values[k + NINE], order)[0] for k in range(4, 36)]
    np.testing.assert_allclose(found[4:36], expected, atol=1e-9)
    np.testing.assert_array_equal(found[:4], np.repeat(found[4:5], 4, axis=0))
    np.testing.assert_array_equal(found[36:], np.repeat(found[35:36], 4, axis=0))


def test_too_few_rows_have_no_delta():
    assert not delta(np.arange(16.0).reshape(8, 2), 9, order=1).any()
    np.testing.assert_allclose(delta(np.arange(18.0).reshape(9, 2), 9, order=1), 2.0)

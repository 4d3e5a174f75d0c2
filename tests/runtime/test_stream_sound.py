"""The sound of a stream, put where its time stamps say."""

import numpy as np
import pytest
from media_files import tone
from stream_fakes import RATE

from edge_aver.media.decode import _resample
from edge_aver.runtime.stream.sound import KEPT_S, SoundTrack
from edge_aver.spec import Preprocessing

NOISE = (0.1 * np.random.default_rng(0).standard_normal(48_000 * 4)).astype(np.float32)


def feed(track, sound, rate_hz, *, start_s=0.0, piece=1024, stamps_s=lambda time_s: time_s):
    for at in range(0, len(sound), piece):
        track.add(stamps_s(start_s + at / rate_hz), sound[at : at + piece], rate_hz)


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100, 48_000])
def test_it_is_resampled_without_a_seam_as_a_whole_window_is(rate_hz):
    sound, track = NOISE[: 4 * rate_hz], SoundTrack(RATE)
    feed(track, sound, rate_hz)
    track.finish()
    whole = _resample(sound, rate_hz, Preprocessing())
    own, heard = track.read(0, len(whole))
    assert heard == 1.0
    np.testing.assert_allclose(own, whole, atol=1e-6)
    assert (track.anchors, track.drift_s) == (0, pytest.approx(0.0, abs=1e-9))


def test_jitter_of_time_stamps_is_none_of_the_sound():
    track, chance = SoundTrack(RATE), np.random.default_rng(1)
    feed(track, NOISE[:RATE], RATE, stamps_s=lambda time_s: time_s + chance.uniform(-0.009, 0.009) * (time_s > 0))
    np.testing.assert_array_equal(track.read(0, RATE)[0], NOISE[:RATE])
    assert track.anchors == 0
    assert 0.005 < abs(track.largest_drift_s) < 0.01


@pytest.mark.parametrize("pace", [0.999, 1.001])
def test_a_clock_that_drifts_is_put_right_before_it_is_25_ms_off(pace):
    """A device whose second is a thousandth too long: its samples come to lie where its time stamps say."""
    track, sound = SoundTrack(RATE), np.zeros(RATE * 60, dtype=np.float32)
    sound[59 * RATE :: 4] = 0.5
    drifts = []
    for at in range(0, len(sound), 1024):
        track.add(at / RATE * pace, sound[at : at + 1024], RATE)
        drifts.append(track.drift_s)
    assert 2 <= track.anchors <= 3
    assert max(map(abs, drifts)) < 0.025
    assert np.sign(track.largest_drift_s) == np.sign(pace - 1)
    start = round((59 * pace - 0.5) * RATE)
    onset = start + int(np.flatnonzero(track.read(start, start + RATE)[0])[0])
    assert abs(onset / RATE - 59 * pace) < 0.025


def test_a_gap_is_silence_of_its_length():
    track = SoundTrack(RATE)
    feed(track, NOISE[:RATE], RATE)
    feed(track, NOISE[:RATE], RATE, start_s=2.5)
    sound, heard = track.read(0, round(3.5 * RATE))
    assert heard == pytest.approx(2 / 3.5)
    assert not sound[RATE : round(2.5 * RATE)].any()
    np.testing.assert_array_equal(sound[round(2.5 * RATE) :], NOISE[:RATE])
    assert (track.anchors, track.largest_drift_s) == (1, pytest.approx(1.5))


def test_a_track_that_begins_late_or_early_lies_at_its_time():
    late, early = SoundTrack(RATE), SoundTrack(RATE)
    feed(late, NOISE[:RATE], RATE, start_s=0.5)
    feed(early, NOISE[:RATE], RATE, start_s=-0.25)
    np.testing.assert_array_equal(late.read(0, RATE)[0][: RATE // 2], 0)
    np.testing.assert_array_equal(early.read(0, RATE // 2)[0], NOISE[RATE // 4 :][: RATE // 2])
    assert late.read(0, RATE)[1] == 0.5


def test_what_is_no_number_is_silence():
    track, sound = SoundTrack(RATE), tone(0.1, rate_hz=RATE)
    sound[100:200] = np.nan
    sound[300] = np.inf
    feed(track, sound, RATE)
    assert np.isfinite(track.read(0, 1600)[0]).all()
    assert track.broken == 1


def test_only_the_last_seconds_are_kept_however_long_it_lasts():
    track = SoundTrack(RATE)
    second = NOISE[:RATE]
    for at in range(100):
        track.add(float(at), second, RATE)
    assert sum(value.nbytes for value in vars(track).values() if isinstance(value, np.ndarray)) == KEPT_S * RATE * 5
    sound, heard = track.read(95 * RATE, 100 * RATE)
    assert heard == 1.0
    np.testing.assert_array_equal(sound, np.tile(second, 5))
    assert track.read(10 * RATE, 11 * RATE)[1] == 0.0
    assert track.end_s == 100.0


def test_a_leap_ahead_costs_no_memory():
    track = SoundTrack(RATE)
    track.add(0.0, NOISE[:RATE], RATE)
    track.add(100_000.0, NOISE[:RATE], RATE)
    assert track.read(100_000 * RATE, 100_001 * RATE)[1] == 1.0
    assert track.read(99_999 * RATE, 100_000 * RATE)[1] == 0.0

import numpy as np

from edge_aver.media.timeline import Moment, lay_out, nearest


def moments(*times_s, duration_s=0.1):
    return [Moment(time_s=time_s, duration_s=duration_s, value=f"at {time_s}") for time_s in times_s]


def test_nearest_takes_the_closer_and_of_two_equally_close_the_earlier():
    picked, end_s = nearest(moments(0.0, 1.0, 2.0), [0.4, 0.5, 0.6, 1.0, 2.05])
    assert picked == ("at 0.0", "at 0.0", "at 1.0", "at 1.0", "at 2.0")
    assert end_s == 2.1


def test_nearest_is_nothing_outside():
    assert nearest(moments(1.0), [0.8, 0.95, 1.1, 1.2])[0] == (None, "at 1.0", "at 1.0", None)
    assert nearest(iter([]), [0.0]) == ((None,), None)


def test_nearest_takes_no_more_than_it_needs():
    rest = iter(moments(0.0, 1.0, 2.0, 3.0))
    assert nearest(rest, [0.2, 0.9])[0] == ("at 0.0", "at 1.0")
    assert [moment.time_s for moment in rest] == [2.0, 3.0]


def sounds(*places, rate_hz=1000):
    """Pieces of ones, twos, threes ... that begin at (time in s) and last (samples)."""
    return iter(
        Moment(time_s=time_s, duration_s=n / rate_hz, value=np.full(n, i + 1, dtype=np.float32))
        for i, (time_s, n) in enumerate(places)
    )


def test_lay_out_leaves_silence_in_gaps_and_cuts_both_ends():
    signal, end_s = lay_out(sounds((0.98, 50), (1.1, 50)), rate_hz=1000, start_s=1.0, samples=140)
    np.testing.assert_array_equal(signal, [1] * 30 + [0] * 70 + [2] * 40)
    assert end_s == 1.15


def test_lay_out_joins_pieces_whose_times_were_rounded():
    signal, _ = lay_out(sounds((0.0, 50), (0.052, 50), (0.098, 50)), rate_hz=1000, start_s=0.0, samples=150)
    np.testing.assert_array_equal(signal, [1] * 50 + [2] * 50 + [3] * 50)


def test_lay_out_of_pieces_that_all_lie_outside_is_silence():
    for at_s in (-1.0, 9.0):
        signal, _ = lay_out(sounds((at_s, 50)), rate_hz=1000, start_s=0.0, samples=100)
        np.testing.assert_array_equal(signal, np.zeros(100))
    assert lay_out(sounds(), rate_hz=1000, start_s=0.0, samples=3)[1] is None


def test_lay_out_takes_no_more_than_it_needs():
    rest = sounds((0.0, 50), (0.05, 50), (0.1, 50))
    lay_out(rest, rate_hz=1000, start_s=0.0, samples=80)
    assert len(list(rest)) == 1

"""Time stamps that jump, and a stream that does not."""

import pytest

from edge_aver.runtime.stream.clock import StreamClock


def test_it_starts_at_zero_or_where_the_container_says():
    assert StreamClock().place("picture", 1234.5, 0.0) == 0.0
    assert StreamClock(1234.0).place("picture", 1234.5, 0.0) == 0.5


def test_picture_and_sound_share_it():
    clock = StreamClock()
    clock.place("picture", 50.0, 0.0)
    assert clock.place("sound", 50.02, 0.0) == pytest.approx(0.02)


def test_time_stamps_that_start_anew_go_on_as_much_later_as_they_came_later():
    clock = StreamClock()
    for k in range(10):
        clock.place("picture", 90_000 + k / 25, k / 25)
        clock.place("sound", 90_000 + k / 25, k / 25)
    assert clock.place("picture", 0.0, 3.36) == pytest.approx(3.36)
    assert clock.place("sound", 0.02, 3.37) == pytest.approx(3.38)
    assert clock.place("picture", 0.04, 3.40) == pytest.approx(3.40)
    assert clock.jumps == 1


def test_sound_of_before_the_jump_that_comes_after_it_stays_where_it_was():
    clock = StreamClock()
    clock.place("picture", 500.0, 0.0)
    clock.place("sound", 500.0, 0.0)
    clock.place("picture", 0.0, 0.04)
    assert clock.place("sound", 500.02, 0.04) == pytest.approx(0.02)
    assert clock.jumps == 1


def test_a_leap_ahead_of_this_machines_clock_is_a_jump_and_a_gap_in_real_time_is_none():
    gap, leap = StreamClock(), StreamClock()
    for clock in (gap, leap):
        clock.place("picture", 0.0, 0.0)
    assert gap.place("picture", 60.0, 60.0) == 60.0
    assert leap.place("picture", 60.0, 0.04) == pytest.approx(0.04)
    assert (gap.jumps, leap.jumps) == (0, 1)


def test_what_is_to_come_can_be_asked():
    clock = StreamClock()
    assert clock.peek("picture", 7.0) is None
    clock.place("picture", 5.0, 0.0)
    assert clock.peek("picture", 7.0) == 2.0

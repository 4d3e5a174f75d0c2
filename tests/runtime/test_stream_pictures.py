"""Which picture a slot shows."""

import numpy as np
import pytest
from stream_fakes import GRID

from edge_aver.media.timeline import Moment, nearest
from edge_aver.runtime.stream.pictures import PictureSampler


def moment(time_s, duration_s=0.04):
    return Moment(time_s=time_s, duration_s=duration_s, value=f"{time_s:.3f}")


def sampled(times_s, *, slots=None, duration_s=0.04):
    sampler = PictureSampler(GRID)
    decided = [one for time_s in times_s for one in sampler.add(moment(time_s, duration_s), arrived_s=time_s)]
    if slots is not None:
        decided += sampler.finish(slots, 0.0)
    return sampler, decided


@pytest.mark.parametrize("rate", [5, 10, 24, 25, 29.97, 60])
def test_it_is_the_nearest_in_time_as_for_a_clip(rate):
    times_s = np.arange(int(7 * rate)) / rate
    _, decided = sampled(times_s, slots=30, duration_s=1 / rate)
    moments = [moment(time_s, 1 / rate) for time_s in times_s]
    wanted, _ = nearest(moments, [GRID.time_s(j) for j in range(30)])
    assert [one.slot for one in decided] == list(range(30))
    assert tuple(one.picture for one in decided) == wanted


def test_it_is_the_nearest_of_uneven_ones_too():
    times_s = np.cumsum(np.random.default_rng(0).uniform(0.005, 0.2, 80))
    _, decided = sampled(times_s)
    wanted, _ = nearest([moment(time_s) for time_s in times_s], [GRID.time_s(one.slot) for one in decided])
    assert len(decided) > 25
    assert tuple(one.picture for one in decided)[1:] == wanted[1:]


def test_a_slot_is_decided_by_the_first_picture_at_or_after_its_time():
    _, decided = sampled([0.0, 0.08, 0.12, 0.30, 0.37])
    assert [(one.slot, one.picture, one.arrived_s) for one in decided] == [(0, "0.120", 0.12), (1, "0.370", 0.37)]


def test_a_gap_is_black_but_where_a_picture_is_within_a_slot():
    _, decided = sampled([0.0, 0.12, 0.2, 1.5])
    assert [one.picture for one in decided] == ["0.120", "0.200", None, None, None, "1.500"]


def test_slow_cameras_show_each_picture_as_long_as_it_is_shown():
    _, decided = sampled([0.0, 1.0, 2.0], duration_s=1.0)
    assert [one.picture for one in decided] == ["0.000"] * 2 + ["1.000"] * 4 + ["2.000"] * 2


def test_before_the_first_picture_it_is_black():
    _, decided = sampled([1.0])
    assert [one.picture for one in decided] == [None] * 4


def test_late_ones_are_counted_and_not_used():
    sampler, _ = sampled([0.0, 0.04, 0.12])
    assert sampler.add(moment(0.08), 5.0) == []
    assert sampler.add(moment(0.12), 5.0) == []
    assert (sampler.seen, sampler.late) == (5, 2)


def test_what_sound_has_overtaken_is_decided_and_pictures_for_it_are_late():
    sampler, _ = sampled([0.0, 0.1])
    assert sampler.give_up(1.0, 9.0) == []
    given_up = sampler.give_up(1.6, 9.0)
    assert [(one.slot, one.picture, one.arrived_s) for one in given_up] == [
        (0, "0.100", 9.0),
        (1, None, 9.0),
        (2, None, 9.0),
    ]
    assert sampler.add(moment(0.4), 9.1) == []
    assert sampler.late == 1
    (back,) = sampler.add(moment(0.84), 9.2)
    assert (back.slot, back.picture) == (3, "0.840")


def test_the_last_picture_is_shown_until_its_end():
    _, decided = sampled([0.0, 0.33], slots=4)
    assert [one.picture for one in decided] == ["0.000", "0.330", None, None]

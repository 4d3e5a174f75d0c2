"""What waits between reading and recognising: in order, bounded, and nothing waits for what does not come."""

import threading
import tracemalloc

import numpy as np
import pytest
from stream_fakes import CONSTANTS, GRID, RATE, grey

from edge_aver.media.timeline import Moment
from edge_aver.runtime.stream.intake import MOST_PICTURES, Intake
from edge_aver.runtime.stream.pictures import SlotPicture

GREY = grey(90)


def intake(*, has_sound=True):
    return Intake(CONSTANTS, GRID, has_sound=has_sound, began_s=0.0)


def see(take, *times_s):
    for time_s in times_s:
        take.add_picture(Moment(time_s=time_s, duration_s=0.04, value=GREY), time_s)


def hear(take, start_s, stop_s):
    for time_s in np.arange(start_s, stop_s - 1e-9, 0.02):
        take.add_sound(float(time_s), np.full(320, 0.1, dtype=np.float32), RATE, float(time_s) + 0.02)


def frames(start_s, stop_s):
    return [k / 25 for k in range(round(start_s * 25), round(stop_s * 25))]


def taken(take):
    """All that is ready, as (kind, slot)."""
    found = []
    while (item := take.take(0.0)) is not None:
        found.append(item)
    return found


def numbers(items, kind):
    return [item.slot for item in items if isinstance(item, SlotPicture) is (kind == "picture")]


def test_pictures_come_before_sound_and_sound_once_it_covers_its_slot():
    take = intake()
    see(take, *frames(0, 0.6))
    hear(take, 0, 0.46)
    items = taken(take)
    assert (numbers(items, "picture"), numbers(items, "sound")) == ([0, 1], [0])
    hear(take, 0.46, 0.5)
    (sound,) = taken(take)
    assert (sound.slot, sound.heard, sound.arrived_s) == (1, 1.0, pytest.approx(0.48))
    assert sound.signal.shape == (GRID.lead + GRID.samples,)


def test_the_oldest_pictures_are_dropped_and_counted_where_nobody_takes_them():
    take = intake()
    see(take, *frames(0, 0.24 * 20))
    items = [item for item in taken(take) if isinstance(item, SlotPicture)]
    assert [item.slot for item in items] == list(range(20))
    assert [item.dropped for item in items] == [True] * (20 - MOST_PICTURES) + [False] * MOST_PICTURES
    assert all((item.picture is None) is item.dropped for item in items)
    assert take.dropped == 20 - MOST_PICTURES


def test_memory_does_not_grow_where_nobody_takes_anything():
    take = intake()
    tracemalloc.start()
    try:
        before = None
        for minute in range(4):
            for second in range(60 * minute, 60 * minute + 60):
                see(take, *frames(second, second + 1))
                hear(take, second, second + 1)
            before = before or tracemalloc.get_traced_memory()[0]
        assert tracemalloc.get_traced_memory()[0] - before < 50_000
    finally:
        tracemalloc.stop()
    items = numbers(taken(take), "picture")
    assert len(items) <= 64
    assert items[-1] == 999
    assert take.dropped == 1000 - MOST_PICTURES


def test_pictures_do_not_wait_for_sound_that_stalls_nor_sound_for_pictures():
    take = intake()
    see(take, *frames(0, 2.4))
    hear(take, 0, 0.4)
    sounds = [item for item in taken(take) if not isinstance(item, SlotPicture)]
    # Pictures are at 2.36 s: what ended 0.96 s before that is given up.
    assert [(item.slot, round(item.heard, 2)) for item in sounds] == [(0, 1.0), (1, 0.67), (2, 0.0), (3, 0.0), (4, 0.0)]
    assert sounds[2].signal is None
    other = intake()
    see(other, 0.0, 0.16)
    hear(other, 0, 2.4)
    shown = [item for item in taken(other) if isinstance(item, SlotPicture)]
    assert [item.slot for item in shown] == [0, 1, 2, 3, 4, 5]
    assert [item.picture is not None for item in shown] == [True, True] + [False] * 4


def test_a_source_without_sound_waits_for_none():
    take = intake(has_sound=False)
    see(take, *frames(0, 0.6))
    items = taken(take)
    assert numbers(items, "sound") == [0, 1]
    assert all(item.signal is None for item in items if not isinstance(item, SlotPicture))


def test_at_the_end_all_slots_are_decided():
    take = intake()
    see(take, *frames(0, 1.0))
    hear(take, 0, 0.8)
    take.finish(1.0)
    items = taken(take)
    assert numbers(items, "picture") == numbers(items, "sound") == [0, 1, 2, 3, 4]
    assert take.slots == 5


def test_what_the_reader_failed_with_comes_after_all_that_it_read():
    take = intake(has_sound=False)
    see(take, *frames(0, 0.6))
    take.fail(ZeroDivisionError("a bug"))
    kinds = [take.take(0.0) for _ in range(6)]
    assert all(item is not None for item in kinds)
    with pytest.raises(ZeroDivisionError):
        take.take(0.0)


def test_taking_waits_for_another_thread():
    take = intake(has_sound=False)
    reader = threading.Thread(target=lambda: see(take, *frames(0, 0.2)))
    reader.start()
    item = take.take(10.0)
    reader.join()
    assert item is not None
    assert item.slot == 0


def test_what_came_last_for_a_slot_is_told_however_late_it_is_taken():
    take = intake()
    see(take, *frames(0, 0.8))
    hear(take, 0, 0.8)
    pictures, sounds = [], []
    for item in taken(take):
        (pictures if isinstance(item, SlotPicture) else sounds).append(item.arrived_s)
    assert pictures == pytest.approx([0.12, 0.36, 0.6])
    assert sounds == pytest.approx([0.24, 0.48, 0.72])
    mute = intake(has_sound=False)
    see(mute, *frames(0, 0.8))
    assert [item.arrived_s for item in taken(mute)] == pytest.approx(2 * [0.12, 0.36, 0.6])

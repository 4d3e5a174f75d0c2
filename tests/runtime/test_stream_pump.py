"""The loop that answers: stalls, and what it does with them."""

import itertools

import pytest
from stream_fakes import CONSTANTS, GRID, FakeClock, FakeNetwork, WholePicture, grey

from edge_aver.errors import StreamError
from edge_aver.media.timeline import Moment
from edge_aver.runtime.stream.intake import Intake
from edge_aver.runtime.stream.recogniser import Recogniser
from edge_aver.runtime.stream.stream import hop_slots, pump


class Scripted(Intake):
    """Things happen while somebody waits for them."""

    def __init__(self, clock, script):
        super().__init__(CONSTANTS, GRID, has_sound=False, began_s=clock.now_s())
        self.clock, self.script = clock, iter(script)

    def take(self, timeout_s):
        if (item := super().take(0.0)) is not None or self.slots is not None:
            return item
        if (event := next(self.script, None)) is None:
            self.clock.sleep(timeout_s)
        else:
            event(self)
        return super().take(0.0)


def frames(start, stop):
    """Pictures of one number to another, 25 a second."""

    def show(k):
        def happen(intake):
            intake.clock.sleep(0.04)
            moment = Moment(time_s=k / 25, duration_s=0.04, value=grey(80))
            intake.add_picture(moment, intake.clock.now_s())

        return happen

    return [show(k) for k in range(start, stop)]


def nothing(seconds):
    return [lambda intake: intake.clock.sleep(seconds)]


END = [lambda intake: intake.finish(intake.clock.now_s())]


def run(*script, timeout_s=10.0):
    clock, events, stalls = FakeClock(), [], [0]
    intake = Scripted(clock, itertools.chain.from_iterable(script))
    recogniser = Recogniser(FakeNetwork(), WholePicture(), hop_slots=1, clock=clock)
    try:
        pump(
            intake,
            recogniser,
            lambda event, fields: events.append((event, fields)),
            clock=clock,
            source="camera",
            timeout_s=timeout_s,
            stalls=stalls,
        )
    except StreamError as error:
        events.append(("error", str(error)))
    return events, stalls[0]


def test_a_stream_that_pauses_is_told_and_goes_on_where_it_was():
    events, stalls = run(frames(0, 100), nothing(4.0), frames(100, 200), END)
    kinds = [kind for kind, _ in events]
    windows = [fields["start_s"] for kind, fields in events if kind == "window"]
    assert stalls == kinds.count("stalled") == kinds.count("resumed") == 1
    assert kinds.index("stalled") < kinds.index("resumed")
    assert windows == pytest.approx([0.24 * k for k in range(20)])
    assert all(fields["missing"] == 0 for kind, fields in events if kind == "window" and fields["start_s"] < 4.5)


def test_frames_that_were_lost_in_a_pause_are_missing():
    events, _ = run(frames(0, 100), nothing(2.0), frames(150, 250), END)
    missing = {round(fields["start_s"], 2): fields["missing"] for kind, fields in events if kind == "window"}
    assert missing[0.0] == 0
    # Nothing from 4.0 to 6.0 s: the frames of eight slots, less one at each end whose neighbour is near enough.
    assert max(missing.values()) == 7
    assert missing[6.24] == 0


def test_a_stream_that_stalls_for_too_long_ends_in_one_line():
    events, _ = run(frames(0, 100), timeout_s=3.0)
    assert events[-1] == ("error", "camera: stalled: nothing came for 3 s")
    assert [kind for kind, _ in events][-2:] == ["stalled", "error"]
    assert sum(kind == "window" for kind, _ in events) == 3


@pytest.mark.parametrize(("hop_s", "slots"), [(0.24, 1), (0.48, 2), (3.6, 15), (7.2, 30), (0.72, 3)])
def test_hops_are_multiples_of_a_slot(hop_s, slots):
    assert hop_slots(hop_s, GRID) == slots


@pytest.mark.parametrize("hop_s", [0.0, 0.1, 0.25, 0.36, -0.24, float("nan")])
def test_other_hops_are_none(hop_s):
    assert hop_s != hop_s or hop_slots(hop_s, GRID) is None

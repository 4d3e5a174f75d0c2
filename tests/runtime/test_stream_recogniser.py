"""Windows of a stream: what they hold, when they are answered, and that they are what a clip would give."""

import gc
import tracemalloc

import numpy as np
import pytest
from media_files import voice
from stream_fakes import CONSTANTS, GRID, FakeClock, FakeNetwork, WholePicture, grey, slot_picture, slot_sound

from edge_aver.media.audio import segments
from edge_aver.media.picture import Picture
from edge_aver.media.speech import speech_steps
from edge_aver.runtime.stream.intake import SlotSound
from edge_aver.runtime.stream.recogniser import FaceFollower, Recogniser

SOUND = np.concatenate([voice(), voice(hz=210.0), voice(hz=170.0)])


def recogniser(network=None, *, hop=1, clock=None):
    return Recogniser(network or FakeNetwork(), WholePicture(), hop_slots=hop, clock=clock or FakeClock(0.0))


def run(stream, slots, *, shades=lambda j: 40 + j, sound=SOUND):
    """Feed slots; gives the answers with the slot after which each came."""
    found = []
    for j in range(slots):
        shade = shades(j)
        stream.see(slot_picture(j, None if shade is None else grey(shade), arrived_s=0.24 * j))
        stream.hear(slot_sound(j, sound, arrived_s=0.24 * j + 0.1))
        found += [(j, result) for result in stream.answers()]
    return found


@pytest.mark.parametrize(("hop", "starts"), [(1, [0, 0.24, 0.48, 0.72]), (2, [0, 0.48]), (3, [0, 0.72]), (15, [0])])
def test_windows_start_a_hop_apart_and_are_answered_as_soon_as_they_are_complete(hop, starts):
    found = run(recogniser(hop=hop), 18)
    assert [result.start_s for _, result in found] == pytest.approx(starts)
    assert [j for j, _ in found] == [round(start / 0.24) + 14 for start in starts]
    assert all(result.end_s == pytest.approx(result.start_s + 3.6) for _, result in found)


def test_every_frame_is_encoded_once():
    network = FakeNetwork()
    found = run(recogniser(network), 30)
    assert len(found) == 16
    assert [round(float(colour[0])) for colour in network.encoded] == [0, *range(40, 70)]  # black once, at the start


def test_a_window_is_what_a_clip_of_it_would_give():
    network = FakeNetwork()
    crops = np.random.default_rng(3).integers(0, 256, (30, 224, 224, 3), dtype=np.uint8)
    stream = recogniser(network)
    for j in range(30):
        stream.see(slot_picture(j, Picture.from_rgb(crops[j])))
        stream.hear(slot_sound(j, SOUND))
        for result in stream.answers():
            first = round(result.start_s / 0.24)
            speech = SOUND[first * GRID.samples :][: 15 * GRID.samples]
            audio = segments(speech_steps(speech, CONSTANTS), CONSTANTS)
            np.testing.assert_allclose(network.audio[-1], audio, atol=1e-4)
            logits = FakeNetwork().fuse(FakeNetwork().encode(crops[first : first + 15]), audio)
            np.testing.assert_allclose(result.logits, logits, atol=1e-3)
            assert result.label == max(result.probabilities, key=result.probabilities.get)


def test_a_face_that_leaves_is_black_and_one_that_returns_is_seen_again():
    network = FakeNetwork()
    found = run(recogniser(network), 34, shades=lambda j: 0 if 5 <= j < 25 else 200)
    by_start = {round(result.start_s / 0.24): result for _, result in found}
    assert by_start[0].face_found == (True,) * 5 + (False,) * 10
    assert by_start[0].label is not None
    # Slots 5 to 24 are black: windows 5 to 10 show no face at all.
    assert [start for start, result in by_start.items() if result.label is None] == [5, 6, 7, 8, 9, 10]
    assert by_start[7].probabilities is by_start[7].logits is None
    assert by_start[11].face_found == (False,) * 14 + (True,)
    assert by_start[11].label is not None
    assert len(network.encoded) == 1 + 5 + 9


def test_without_sound_the_network_gets_zeros_and_with_silence_its_features():
    network = FakeNetwork()
    ((_, mute),) = run(recogniser(network), 15, sound=None)
    ((_, silent),) = run(recogniser(network), 15, sound=np.zeros(len(SOUND)))
    ((_, heard),) = run(recogniser(network), 15)
    assert (mute.sound, silent.sound, heard.sound) == ("none", "silent", "heard")
    assert not network.audio[1].any()  # each stream warms up first
    expected = segments(speech_steps(np.zeros(15 * GRID.samples, dtype=np.float32), CONSTANTS), CONSTANTS)
    np.testing.assert_allclose(network.audio[3], expected, atol=1e-4)


def test_sound_that_is_missing_in_between_is_silence_and_said():
    stream = recogniser()
    for j in range(15):
        stream.see(slot_picture(j, grey(90)))
        stream.hear(slot_sound(j, None if 4 <= j < 7 else SOUND))
    (result,) = stream.answers()
    assert result.sound == "partial"


def test_frames_that_are_missing_or_dropped_are_told_apart():
    stream = recogniser()
    for j in range(15):
        picture = None if j in (2, 3, 9) else grey(90)
        stream.see(slot_picture(j, picture, dropped=j == 9))
        stream.hear(slot_sound(j, SOUND))
    (result,) = stream.answers()
    assert (result.missing, result.dropped, sum(result.face_found)) == (2, 1, 12)


def test_slots_that_were_forgotten_while_they_waited_count_as_dropped():
    stream = recogniser()
    for j in [*range(5), *range(9, 15)]:
        stream.see(slot_picture(j, grey(90)))
    for j in range(15):
        stream.hear(slot_sound(j, SOUND))
    (result,) = stream.answers()
    assert (result.dropped, result.face_found[4:10]) == (4, (True, False, False, False, False, True))


def test_latency_counts_from_the_last_thing_that_came():
    clock = FakeClock(0.0)
    stream = recogniser(FakeNetwork(clock, seconds=0.02), clock=clock)
    for j in range(15):
        stream.see(slot_picture(j, grey(90), arrived_s=clock.now_s()))
    clock.sleep(1.0)
    for j in range(15):
        stream.hear(slot_sound(j, SOUND, arrived_s=clock.now_s()))
    clock.sleep(0.007)
    (result,) = stream.answers()
    assert result.latency_s == pytest.approx(0.007)
    assert stream.picture_latencies.largest_s == pytest.approx(0.02)


@pytest.mark.parametrize(("slots", "hop", "starts"), [(6, 1, [0]), (17, 15, [0, 3.6]), (18, 2, [0, 0.48, 0.96])])
def test_what_is_left_at_the_end_is_answered_by_one_padded_window(slots, hop, starts):
    stream = recogniser(hop=hop)
    results = [result for _, result in run(stream, slots)] + list(stream.finish())
    assert [result.start_s for result in results] == pytest.approx(starts)
    assert [result.padded for result in results] == [False] * (len(starts) - 1) + [True]
    assert len(results[-1].face_found) == 15
    assert list(stream.finish()) == []


def test_nothing_is_left_where_the_last_window_ends_with_the_stream():
    stream = recogniser()
    assert len(run(stream, 16)) == 2
    assert list(stream.finish()) == []


def test_a_padded_window_is_what_the_short_clip_would_give():
    network = FakeNetwork()
    stream = recogniser(network)
    run(stream, 7)
    list(stream.finish())
    clip = np.zeros(15 * GRID.samples, dtype=np.float32)
    clip[: 7 * GRID.samples] = SOUND[: 7 * GRID.samples]
    np.testing.assert_allclose(network.audio[-1], segments(speech_steps(clip, CONSTANTS), CONSTANTS), atol=1e-4)


def test_memory_does_not_grow():
    network = FakeNetwork()
    stream = recogniser(network)

    def feed(slots):
        for j in slots:
            stream.see(slot_picture(j, grey(90 if j % 7 else 0)))
            stream.hear(later(j))
            for _ in stream.answers():
                network.audio.clear()
                network.encoded.clear()
            assert stream.kept <= 2 * 15

    def later(j):
        signal = None if j % 5 == 0 else slot_sound(1, SOUND).signal
        return SlotSound(slot=j, signal=signal, heard=float(j % 5 > 0), arrived_s=0.0)

    tracemalloc.start()
    try:
        sizes = []
        for minute in range(4):
            feed(range(250 * minute, 250 * minute + 250))
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])
        # Python's own tables grow now and then, a leak grows always.
        assert np.diff(sizes).min() < 20_000
    finally:
        tracemalloc.stop()


class FakeDetector:
    """Says where it was asked to look, and finds what it is told."""

    def __init__(self, *found):
        self.found, self.asked = list(found), []

    def look(self, picture, before=None):
        self.asked.append(before)
        return self.found.pop(0)


class Seen:
    box = np.array([10, 20, 50, 60], dtype=np.float32)


def test_a_face_is_followed_and_searched_anew_every_fifth_time_and_after_it_left():
    faces = [Seen() for _ in range(7)]
    detector = FakeDetector(faces[0], faces[1], None, faces[2], faces[3], faces[4], faces[5])
    follower = FaceFollower(detector)
    squares = [follower.find(grey(90)) for _ in range(7)]
    assert detector.asked == [None, faces[0], faces[1], None, faces[2], None, faces[4]]
    assert squares == [(10, 20, 40)] * 2 + [None] + [(10, 20, 40)] * 4

"""Speech described slot by slot is the speech of whole windows."""

import numpy as np
import pytest
from media_files import tone, voice

from edge_aver.errors import ArtifactError
from edge_aver.media.audio import segments
from edge_aver.media.slots import SlotGrid, describe_slot, window_audio
from edge_aver.media.speech import speech_steps
from edge_aver.spec import Preprocessing

CONSTANTS = Preprocessing()
GRID = SlotGrid.of(CONSTANTS)
WINDOW = 15 * 3840


def described(sound):
    padded = np.pad(sound, (GRID.lead, 0))
    count = len(sound) // GRID.samples
    return [
        describe_slot(padded[j * GRID.samples :][: GRID.lead + GRID.samples], CONSTANTS, GRID) for j in range(count)
    ]


def sounds():
    chance = np.random.default_rng(0)
    loud_start = np.concatenate([tone(0.2, rate_hz=16_000, level=0.9), 1e-4 * voice(7.0)])
    burst_at_a_slot = 1e-4 * chance.standard_normal(8 * 16_000)
    burst_at_a_slot[16 * 3840 - 40 : 16 * 3840 + 40] = 0.9
    yield "voice", np.concatenate([voice(), voice(hz=210.0), voice()])
    yield "quiet after a loud start", loud_start
    yield "loud where two slots meet", burst_at_a_slot
    yield "silence", np.zeros(8 * 16_000)
    yield "noise", 0.1 * chance.standard_normal(8 * 16_000)


@pytest.mark.parametrize(("name", "sound"), list(sounds()), ids=lambda value: value if isinstance(value, str) else "")
def test_every_window_of_slots_has_the_features_of_the_whole_window(name, sound):
    sound = sound.astype(np.float32)
    slots = described(sound)
    assert len(slots) >= 30
    for first in (0, 1, 2, 7, 15):
        whole = segments(speech_steps(sound[first * 3840 :][:WINDOW], CONSTANTS), CONSTANTS)
        own = window_audio(slots[first : first + 15], CONSTANTS)
        assert own.dtype == np.float32
        np.testing.assert_allclose(own, whole, rtol=0, atol=1e-4, err_msg=f"window at slot {first}")


def test_what_lies_before_a_window_changes_nothing_in_it():
    quiet = (1e-3 * np.random.default_rng(1).standard_normal(2 * WINDOW)).astype(np.float32)
    loud = quiet.copy()
    loud[: 15 * 3840] = 0.9 * np.sign(loud[: 15 * 3840])
    own, other = (window_audio(described(sound)[15:30], CONSTANTS) for sound in (quiet, loud))
    np.testing.assert_array_equal(own, other)


def test_the_power_of_a_slot_is_its_own():
    sound = np.concatenate([np.zeros(3840), np.full(3840, 0.5)]).astype(np.float32)
    assert [slot.power for slot in described(sound)] == [0.0, 0.25]


def test_constants_that_reach_out_of_a_slot_are_refused():
    with pytest.raises(ArtifactError, match="takes clips alone"):
        SlotGrid.of(Preprocessing(pitch_window=8192))
    with pytest.raises(ArtifactError, match="whole steps"):
        SlotGrid.of(Preprocessing(window_s=3.5))

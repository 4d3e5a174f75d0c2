"""A network, faces and a clock for streams, that need no file and no time."""

from types import SimpleNamespace

import numpy as np

from edge_aver.media.picture import Picture
from edge_aver.media.slots import SlotGrid
from edge_aver.runtime.stream.intake import SlotSound
from edge_aver.runtime.stream.pictures import SlotPicture
from edge_aver.spec import LABELS, Preprocessing

CONSTANTS = Preprocessing()
GRID = SlotGrid.of(CONSTANTS)
RATE = CONSTANTS.sample_rate_hz
_CHANCE = np.random.default_rng(0)
_SEEN = _CHANCE.normal(size=(3, 128)).astype(np.float32)
_FUSED = _CHANCE.normal(size=(15 * 128, len(LABELS))).astype(np.float32) / 16
_HEARD = _CHANCE.normal(size=(15 * 128, len(LABELS))).astype(np.float32) / 64


class FakeClock:
    """Time passes when somebody sleeps."""

    def __init__(self, now_s=100.0):
        self.time_s = now_s

    def now_s(self):
        return self.time_s

    def sleep(self, seconds):
        self.time_s += seconds


class FakeNetwork:
    """Mean colours and all audio values, linearly; keeps what it was given."""

    def __init__(self, clock=None, *, seconds=0.0):
        self.artifact = SimpleNamespace(spec=SimpleNamespace(preprocessing=CONSTANTS, labels=LABELS))
        self.encoded, self.audio, self._clock, self._seconds = [], [], clock, seconds

    def encode(self, faces):
        self.encoded.extend(faces.mean(axis=(1, 2)))
        if self._clock:
            self._clock.sleep(self._seconds)
        return (faces.mean(axis=(1, 2)) / 255 @ _SEEN).astype(np.float32)

    def fuse(self, features, audio):
        assert (features.shape, audio.shape) == ((15, 128), (15, 128))
        self.audio.append(audio)
        return features.reshape(-1) @ _FUSED + audio.reshape(-1) @ _HEARD


class WholePicture:
    """The face fills every picture but black ones."""

    def find(self, picture):
        return (0, 0, picture.width) if picture.rgb().any() else None


def grey(value, side=32):
    return Picture.from_rgb(np.full((side, side, 3), value, dtype=np.uint8))


def slot_picture(slot, picture, *, arrived_s=0.0, dropped=False):
    return SlotPicture(slot=slot, picture=picture, arrived_s=arrived_s, dropped=dropped)


def slot_sound(slot, sound, *, arrived_s=0.0):
    """The sound of a slot out of a whole recording; None where the recording is None."""
    if sound is None:
        return SlotSound(slot=slot, signal=None, heard=0.0, arrived_s=arrived_s)
    padded = np.pad(sound, (GRID.lead, 0)).astype(np.float32)
    signal = padded[slot * GRID.samples :][: GRID.lead + GRID.samples]
    return SlotSound(slot=slot, signal=signal, heard=1.0, arrived_s=arrived_s)

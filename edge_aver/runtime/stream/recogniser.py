"""From slots to answers: each picture is searched and encoded once, each piece of speech described once."""

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_aver.media.faces import crop_face, square_box
from edge_aver.media.mtcnn import Mtcnn, Sighting
from edge_aver.media.picture import Picture
from edge_aver.media.slots import SlotGrid, SlotSpeech, describe_slot, window_audio
from edge_aver.media.speech import loud
from edge_aver.runtime.model import softmax
from edge_aver.runtime.stream.clock import Clock
from edge_aver.runtime.stream.intake import SlotSound
from edge_aver.runtime.stream.network import SplitNetwork
from edge_aver.runtime.stream.pictures import SlotPicture
from edge_aver.runtime.stream.results import Latencies, WindowResult
from edge_aver.spec import Preprocessing

__all__ = ["FaceFollower", "Recogniser", "Square"]

Square = tuple[int, int, int]
"""Left, top and side in pixels of the picture."""

_WHOLE_EVERY = 5
"""One picture in so many is searched as a whole, as in a clip; the others first where the face was."""


class FaceFollower:
    """Finds the face of one picture after another.

    Args:
        detector: that searches.
    """

    def __init__(self, detector: Mtcnn) -> None:
        self._detector = detector
        self._before: Sighting | None = None
        self._searched = 0

    def find(self, picture: Picture) -> Square | None:
        """Square of the face in this very picture; None where none is seen."""
        before = None if self._searched % _WHOLE_EVERY == 0 else self._before
        self._before = self._detector.look(picture, before)
        self._searched += 1
        return None if self._before is None else square_box(self._before.box)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Seen:
    features: npt.NDArray[np.float32]
    found: bool
    missing: bool
    dropped: bool
    arrived_s: float


@dataclass(frozen=True, kw_only=True, eq=False)
class _Heard:
    speech: SlotSpeech | None
    share: float
    arrived_s: float


class Recogniser:
    """Keeps a window of slots and answers every `hop_slots` of them.

    Args:
        network: in two parts.
        faces: finds the face of a picture.
        hop_slots: slots from one window to the next.
        clock: of this machine.
    """

    def __init__(self, network: SplitNetwork, faces: FaceFollower, *, hop_slots: int, clock: Clock) -> None:
        self._network, self._faces, self._hop, self._clock = network, faces, hop_slots, clock
        self._constants: Preprocessing = network.artifact.spec.preprocessing
        self._grid = SlotGrid.of(self._constants)
        side = self._constants.face_size_px
        # What follows is the same for every frame without a face and every slot without sound.
        self._black = network.encode(np.zeros((1, side, side, 3), dtype=np.uint8))[0]
        silence = np.zeros(self._grid.lead + self._grid.samples, dtype=np.float32)
        self._silence = describe_slot(silence, self._constants, self._grid)
        # The first answer would be late: runtimes prepare themselves when they are first used.
        network.fuse(
            np.repeat(self._black[None], self._grid.slots, axis=0),
            window_audio([self._silence] * self._grid.slots, self._constants),
        )
        self._seen: deque[_Seen] = deque()
        self._heard: deque[_Heard] = deque()
        self._first_seen = self._first_heard = 0
        self._start = 0
        self._answered_to = 0
        self.sampled = self.encoded = 0
        self.latencies, self.picture_latencies = Latencies(), Latencies()
        self.drift_s = 0.0

    @property
    def kept(self) -> int:
        """Slots that are in memory."""
        return len(self._seen) + len(self._heard)

    def see(self, shown: SlotPicture) -> Square | None:
        """Take the next slot's picture; gives where its face is."""
        while self._first_seen + len(self._seen) < shown.slot:  # forgotten while they waited
            self._keep_seen(_Seen(features=self._black, found=False, missing=False, dropped=True, arrived_s=0.0))
        square = None
        features = self._black
        if shown.picture is not None:
            self.sampled += 1
            square = self._faces.find(shown.picture)
            if square is not None:
                face = crop_face(shown.picture, square, self._constants.face_size_px)
                features = self._network.encode(face[None])[0]
                self.encoded += 1
                self.picture_latencies.add(self._clock.now_s() - shown.arrived_s)
        self._keep_seen(
            _Seen(
                features=features,
                found=square is not None,
                missing=shown.picture is None and not shown.dropped,
                dropped=shown.dropped,
                arrived_s=shown.arrived_s,
            )
        )
        return square

    def hear(self, sound: SlotSound) -> None:
        """Take the next slot's sound."""
        speech = None
        if sound.signal is not None:
            speech = describe_slot(sound.signal, self._constants, self._grid)
        self._heard.append(_Heard(speech=speech, share=sound.heard, arrived_s=sound.arrived_s))
        self._forget()

    def answers(self) -> Iterator[WindowResult]:
        """The windows that are complete and not yet answered."""
        while self._ends() >= self._start + self._grid.slots:
            yield self._answer(self._grid.slots)

    def finish(self) -> Iterator[WindowResult]:
        """What is left at the end of the stream: one more window if anything came after the last one's end.

        It ends black and silent, as a clip that is shorter than a window.
        """
        yield from self.answers()
        left = self._ends() - self._start
        if left > 0 and self._ends() > self._answered_to:
            yield self._answer(left)

    def _ends(self) -> int:
        return min(self._first_seen + len(self._seen), self._first_heard + len(self._heard))

    def _keep_seen(self, seen: _Seen) -> None:
        self._seen.append(seen)
        self._forget()

    def _forget(self) -> None:
        """Let go of the slots that no window to come holds."""
        while self._seen and self._first_seen < self._start:
            self._seen.popleft()
            self._first_seen += 1
        while self._heard and self._first_heard < self._start:
            self._heard.popleft()
            self._first_heard += 1

    def _answer(self, count: int) -> WindowResult:
        """Answer the next window, of which `count` slots came."""
        seen = [self._seen[self._start - self._first_seen + i] for i in range(count)]
        heard = [self._heard[self._start - self._first_heard + i] for i in range(count)]
        logits = self._logits(seen, heard) if any(one.found for one in seen) else None
        probabilities = None if logits is None else softmax(logits)
        now_s = self._clock.now_s()
        latency_s = now_s - max(seen[-1].arrived_s, heard[-1].arrived_s)
        self.latencies.add(latency_s)
        labels, start, padding = self._network.artifact.spec.labels, self._start, self._grid.slots - count
        self._start += self._hop
        self._answered_to = start + count
        self._forget()
        return WindowResult(
            start_s=round(start * self._grid.slot_s, 6),
            end_s=round((start + self._grid.slots) * self._grid.slot_s, 6),
            answered_at=time.time(),
            label=None if probabilities is None else labels[int(probabilities.argmax())],
            probabilities=None
            if probabilities is None
            else {label: float(value) for label, value in zip(labels, probabilities, strict=True)},
            logits=None if logits is None else tuple(map(float, logits)),
            face_found=(*(one.found for one in seen), *(False,) * padding),
            missing=sum(one.missing for one in seen),
            dropped=sum(one.dropped for one in seen),
            sound=self._kind_of(heard),
            padded=padding > 0,
            latency_s=latency_s,
            drift_s=self.drift_s,
        )

    def _logits(self, seen: list[_Seen], heard: list[_Heard]) -> npt.NDArray[np.float32]:
        padding = self._grid.slots - len(seen)
        features = np.stack([*(one.features for one in seen), *[self._black] * padding])
        if all(one.speech is None for one in heard):
            audio = np.zeros((self._constants.frames, self._constants.audio_features), dtype=np.float32)
        else:
            speech = [one.speech or self._silence for one in heard] + [self._silence] * padding
            audio = window_audio(speech, self._constants)
        return self._network.fuse(features, audio)

    def _kind_of(self, heard: list[_Heard]) -> str:
        if all(one.speech is None for one in heard):
            return "none"
        if any(one.share < 1.0 for one in heard):
            return "partial"
        power = np.array([one.speech.power for one in heard if one.speech is not None])
        return "heard" if loud(power, self._constants).any() else "silent"

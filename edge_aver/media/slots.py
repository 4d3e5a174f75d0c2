"""Speech described one slot of a stream at a time, and put together into the audio input of any window of slots.

A slot is what one frame of a window stands for: 0.24 s, with the frame's time in its middle. Windows that start at
slots share them, so each is described once. The numbers are those of `speech_steps` over the window: of a step they
depend on samples around it alone, but for the first and last step, which see silence outside of the window, and for the
strongest band of the window, below which the others are cut; both are kept apart here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_aver.errors import ArtifactError
from edge_aver.media.audio import joined
from edge_aver.media.mfcc import cepstra, delta, mel_decibels
from edge_aver.media.pitch import pitch_hz
from edge_aver.media.speech import log_energy, loud, mean_power
from edge_aver.spec import Preprocessing

__all__ = ["SlotGrid", "SlotSpeech", "describe_slot", "window_audio"]


@dataclass(frozen=True, kw_only=True)
class SlotGrid:
    """How a stream is divided: slot j is [j, j + 1) * samples of the contract's rate.

    Attributes:
        samples: of speech in a slot.
        lead: samples before a slot that its first step sees.
        slot_s: length of a slot.
        slots: in a window.
    """

    samples: int
    lead: int
    slot_s: float
    slots: int

    @classmethod
    def of(cls, constants: Preprocessing) -> "SlotGrid":
        """The grid of the clip contract's constants.

        Raises:
            ArtifactError: the constants have no such grid: steps or features that reach out of a slot.
        """
        samples = round(constants.window_s * constants.sample_rate_hz / constants.frames)
        half_steps = samples // (2 * constants.hop_length)
        reach = max(
            constants.pitch_window // 2, constants.win_length // 2 + constants.delta_width // 2 * constants.hop_length
        )
        if samples != 2 * half_steps * constants.hop_length or reach > samples // 2:
            raise ArtifactError(
                f"slots of {samples} samples: a stream needs whole steps of {constants.hop_length} in half a slot, and "
                f"features that reach at most that far, not {reach} samples; this network takes clips alone"
            )
        return cls(
            samples=samples,
            lead=constants.win_length // 2,
            slot_s=constants.window_s / constants.frames,
            slots=constants.frames,
        )

    def time_s(self, slot: int) -> float:
        """Time of the frame of a slot, on the stream's clock."""
        return (slot + 0.5) * self.slot_s


@dataclass(frozen=True, kw_only=True)
class SlotSpeech:
    """What is kept of the speech of a slot.

    Attributes:
        decibels: (delta_width, n_mels) bands of the steps around the frame.
        pitch_hz, log_energy: of the frame's step.
        loudest_db: strongest band of the slot's steps but the first.
        first_db: of the first step, which sees the slot before too.
        opening_db: of the first step, with silence before the slot, as at the start of a window.
        closing_db: of the step after the last, with silence after the slot, as at the end of a window.
        power: mean square of the slot.
    """

    decibels: npt.NDArray[np.float64]
    pitch_hz: float
    log_energy: float
    loudest_db: float
    first_db: float
    opening_db: float
    closing_db: float
    power: float


def describe_slot(signal: npt.NDArray[np.float32], constants: Preprocessing, grid: SlotGrid) -> SlotSpeech:
    """Describe the speech of one slot.

    Args:
        signal: (lead + samples,) float32, mono, finite: the slot and what comes right before it.
        constants: of the clip contract.
        grid: of the constants.
    """
    hop, length = constants.hop_length, constants.win_length
    whole = signal.astype(np.float64)
    own = whole[grid.lead :]
    inner = np.lib.stride_tricks.sliding_window_view(whole, length)[::hop]
    ends = np.zeros((2, length))
    ends[0, length // 2 :], ends[1, : length // 2] = own[: length // 2], own[-(length // 2) :]
    decibels = mel_decibels(np.concatenate([inner, ends]), constants)
    steps, (opening, closing) = decibels[:-2], decibels[-2:]
    middle = grid.samples // (2 * hop)
    around = slice(middle - constants.delta_width // 2, middle + constants.delta_width // 2 + 1)
    power = mean_power(inner[middle : middle + 1])
    centre, half = grid.samples // 2, constants.pitch_window // 2
    pitch = pitch_hz(own[None, centre - half : centre + half], loud(power, constants), constants)
    return SlotSpeech(
        decibels=steps[around],
        pitch_hz=float(pitch[0]),
        log_energy=float(log_energy(power)[0]),
        loudest_db=float(steps[1:].max()),
        first_db=float(steps[0].max()),
        opening_db=float(opening.max()),
        closing_db=float(closing.max()),
        power=float(mean_power(own[None])[0]),
    )


def window_audio(slots: Sequence[SlotSpeech], constants: Preprocessing) -> npt.NDArray[np.float32]:
    """The audio input of a window of slots: (15, 128) float32, see `edge_aver.media.audio.segments`."""
    loudest_db = max(
        slots[0].opening_db,
        slots[-1].closing_db,
        *(slot.loudest_db for slot in slots),
        *(slot.first_db for slot in slots[1:]),
    )
    coefficients = cepstra(np.concatenate([slot.decibels for slot in slots]), loudest_db, constants)
    around, middle = coefficients.reshape(len(slots), constants.delta_width, -1), constants.delta_width // 2
    rows = np.stack(
        [
            np.concatenate(
                [
                    near[middle],
                    *(delta(near, constants.delta_width, order=order)[middle] for order in (1, 2)),
                    (slot.pitch_hz, slot.log_energy),
                ]
            )
            for near, slot in zip(around, slots, strict=True)
        ]
    )
    return joined(rows.astype(np.float32), constants)

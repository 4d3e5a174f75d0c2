"""Conditions under which accuracy is measured: whole clips, one modality alone, some faces missing."""

import hashlib
import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edge_aver.errors import MeasurementError
from edge_aver.spec import ModelSpec, Preprocessing

__all__ = [
    "AUDIO",
    "BOTH",
    "MODALITIES",
    "VISUAL",
    "accuracy_case",
    "check_applies",
    "check_condition",
    "conditions_of",
    "mask",
    "missing_frames",
    "told",
]

BOTH, AUDIO, VISUAL = "both", "audio", "visual"
MODALITIES = (BOTH, AUDIO, VISUAL)
"""What a network is given: both modalities, or one of them."""

_FRAMES = Preprocessing().frames
_MISSING = re.compile(r"missing-faces-([1-9][0-9]?)")


def conditions_of(modalities: Sequence[str], missing_faces: Sequence[int]) -> tuple[str, ...]:
    """Names of what was asked for, each once: modalities in their own order, then `missing-faces-K` by K.

    Args:
        modalities: of `MODALITIES`; none stands for `both`.
        missing_faces: how many of the 15 faces are missing, from 1 to 14.

    Raises:
        MeasurementError: an unknown modality or an impossible number.
    """
    asked = dict.fromkeys([*(modalities or (BOTH,)), *(f"missing-faces-{count}" for count in sorted(missing_faces))])
    for name in asked:
        check_condition(name)
    known = [name for name in MODALITIES if name in asked]
    return (*known, *(name for name in asked if name not in known))


def check_condition(name: str) -> None:
    """Refuse what is no condition.

    Raises:
        MeasurementError: it names what there is.
    """
    if name not in MODALITIES and not 0 < _missing(name) < _FRAMES:
        known = f"{', '.join(MODALITIES)}, missing-faces-1 to missing-faces-{_FRAMES - 1}"
        raise MeasurementError(f"unknown condition {name!r}; known: {known}")


def check_applies(name: str, spec: ModelSpec) -> None:
    """Refuse a condition that means nothing for a network of one's own.

    Raises:
        MeasurementError: it takes one modality alone, or looks at another number of frames than 15.
    """
    if name == BOTH:
        return
    if len(spec.input_names) == 1:
        raise MeasurementError(f"{spec.architecture} takes {spec.input_names[0]} alone: {told(name)} tells nothing")
    if _missing(name) and spec.preprocessing.frames != _FRAMES:
        raise MeasurementError(
            f"{told(name)}: {spec.architecture} looks at {spec.preprocessing.frames} frames; leave --missing-faces out"
        )


def told(name: str) -> str:
    """A condition in words."""
    if count := _missing(name):
        return f"{count} of {_FRAMES} faces missing"
    return {BOTH: "both modalities", AUDIO: "audio alone", VISUAL: "faces alone"}[name]


def accuracy_case(condition: str) -> str:
    """What the accuracy case of a condition is called where it failed."""
    return "accuracy" if condition == BOTH else f"accuracy, {told(condition)}"


def mask(
    condition: str, clip_id: str, faces: npt.NDArray[np.uint8], audio: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """A clip as the network gets it under a condition; what is missing is zeros (paper, 4.2.2).

    Zeros stand at the network's inputs, before its own normalisation, as padding and frames without a face do.

    Args:
        condition: one that `check_condition` takes.
        clip_id: the clip's, which decides whose faces are missing.
        faces: (15, 224, 224, 3) uint8, RGB; not changed.
        audio: (15, 128) float32; not changed.
    """
    if condition == AUDIO:
        return np.zeros_like(faces), audio
    if condition == VISUAL:
        return faces, np.zeros_like(audio)
    if count := _missing(condition):
        faces = faces.copy()
        faces[list(missing_frames(clip_id, count))] = 0
    return faces, audio


def missing_frames(clip_id: str, count: int) -> tuple[int, ...]:
    """Which `count` of the 15 faces are missing: the first by SHA-256 of clip, count and frame.

    The same clip misses the same faces whatever the artifact and the order of clips, so that results can be paired.
    """
    ranked = sorted(range(_FRAMES), key=lambda i: hashlib.sha256(f"{clip_id}\n{count}\n{i}".encode()).digest())
    return tuple(sorted(ranked[:count]))


def _missing(name: str) -> int:
    """How many faces `missing-faces-K` takes away; 0 for other names."""
    found = _MISSING.fullmatch(name)
    return int(found[1]) if found else 0

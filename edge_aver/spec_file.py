"""A ModelSpec as a person writes it: the TOML file that describes a network of one's own."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal

from edge_aver.declarations import load
from edge_aver.errors import DeclarationError
from edge_aver.spec import ARCHITECTURES, LABELS, ModelSpec, Preprocessing, TensorSpec, logits_of, media_inputs

__all__ = ["load_spec"]

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True, kw_only=True)
class _Declared:
    """What stands in the file.

    Attributes:
        architecture: what artifacts are named by.
        inputs: what `forward` takes, in its order.
        labels: what the logits stand for, in their order; those that are emotions of the corpus, by the same names.
        audio_features: values a frame of `audio`, where they are not those that `preprocessing` makes of media.
        corpus, fold: of the training clips; options of the command say them too.
        preprocessing: constants from clip to tensors, those of the paper where they are left out.
    """

    architecture: str
    inputs: tuple[Literal["faces", "audio"], ...] = ("faces", "audio")
    labels: tuple[str, ...] = LABELS
    audio_features: int | None = None
    corpus: str | None = None
    fold: int | None = None
    preprocessing: Preprocessing = field(default_factory=Preprocessing)


def load_spec(path: Path, *, corpus: str | None = None, fold: int | None = None) -> ModelSpec:
    """Read the description of a network.

    Args:
        path: of the TOML file (`export/README.md` lists its keys).
        corpus: that the network was trained on; must be the file's own where both say it.
        fold: the same, of the subject-independent split.

    Returns:
        Its spec without actors; the corpus is `ravdess` and the fold 1 where neither says them.

    Raises:
        DeclarationError: no such file, an unknown key, or a value that cannot be; the key is named.
    """
    if path.suffix != ".toml" or not path.is_file():
        raise DeclarationError(f"{path}: no such TOML file; a ModelSpec describes the network (export/README.md)")
    declared = load(_Declared, "export/recipes", path)
    for problem in (*_problems(declared), *_constant_problems(declared.preprocessing)):
        raise DeclarationError(f"{path}: {problem}")
    made = {item.name: item for item in media_inputs(declared.preprocessing)}
    if declared.audio_features is not None:
        shape = (*made["audio"].shape[:-1], declared.audio_features)
        made["audio"] = TensorSpec(name="audio", dtype="float32", shape=shape)
    return ModelSpec(
        architecture=declared.architecture,
        corpus=str(_agreed(path, "corpus", declared.corpus, corpus, "ravdess")),
        fold=int(str(_agreed(path, "fold", declared.fold, fold, 1))),
        labels=declared.labels,
        inputs=tuple(made[name] for name in declared.inputs),
        outputs=logits_of(declared.labels),
        preprocessing=declared.preprocessing,
        backbone_weights="unknown",
    )


def _agreed(path: Path, key: str, said: object, asked: object, default: object) -> object:
    if said is not None and asked is not None and said != asked:
        raise DeclarationError(f"{path}: its {key} is {said}, asked for {asked}")
    return default if said is None and asked is None else asked if said is None else said


def _problems(declared: _Declared) -> Iterator[str]:
    name = declared.architecture
    if not _NAME.fullmatch(name):
        yield f"architecture {name!r} is part of file names: lower-case letters, digits, and - between them"
    if name in ARCHITECTURES:
        yield f"architecture {name!r} is one of the paper's; give yours another name"
    if not declared.inputs or len(set(declared.inputs)) < len(declared.inputs):
        yield f"inputs {list(declared.inputs)}: expected faces, audio or both, each once"
    if len(declared.labels) < 2 or len(set(declared.labels)) < len(declared.labels) or not all(declared.labels):
        yield f"labels {list(declared.labels)}: expected two or more, each once"
    if declared.audio_features is not None and declared.audio_features < 1:
        yield f"audio_features {declared.audio_features}: expected 1 or more"
    if declared.audio_features is not None and "audio" not in declared.inputs:
        yield "audio_features is said of a network that takes no audio"


def _constant_problems(constants: Preprocessing) -> Iterator[str]:
    """What no front end could compute with."""
    for item in fields(constants):
        value = getattr(constants, item.name)
        if isinstance(value, float) and not math.isfinite(value):
            yield f"preprocessing: {item.name} {value} is not finite"
        if isinstance(value, int) and value < 1:
            yield f"preprocessing: {item.name} {value}: expected 1 or more"
    if constants.face_detector != Preprocessing().face_detector:
        yield f"preprocessing: face_detector {constants.face_detector!r}: expected {Preprocessing().face_detector}"
    if not 0 < constants.window_s <= 60:
        yield f"preprocessing: window_s {constants.window_s:g}: expected more than 0 and at most 60 seconds"
    if not constants.segment_offsets or len(set(constants.segment_offsets)) < len(constants.segment_offsets):
        yield f"preprocessing: segment_offsets {list(constants.segment_offsets)}: expected one or more, each once"
    if constants.win_length > constants.n_fft:
        yield f"preprocessing: win_length {constants.win_length} exceeds n_fft {constants.n_fft}"
    for name in ("win_length", "pitch_window"):
        if getattr(constants, name) % 2:
            yield f"preprocessing: {name} {getattr(constants, name)}: expected an even number of samples"
    if constants.n_mfcc > constants.n_mels:
        yield f"preprocessing: n_mfcc {constants.n_mfcc} exceeds n_mels {constants.n_mels}"
    if constants.delta_width < 3 or constants.delta_width % 2 == 0:
        yield f"preprocessing: delta_width {constants.delta_width}: expected an odd number from 3"
    highest = constants.sample_rate_hz / 2
    if not 0 < constants.pitch_min_hz < constants.pitch_max_hz < highest:
        yield f"preprocessing: pitch_min_hz and pitch_max_hz: expected 0 < min < max < {highest:g}"
    if constants.pitch_window <= constants.sample_rate_hz / constants.pitch_min_hz:
        yield f"preprocessing: pitch_window {constants.pitch_window} is shorter than a period of pitch_min_hz"

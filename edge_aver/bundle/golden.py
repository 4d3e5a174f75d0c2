"""What a bundle must give on any device: a made-up clip, what each stage makes of it, and how near is near enough."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_aver.errors import ArtifactError
from edge_aver.files import json_text

__all__ = ["GOLDEN", "Expected", "Golden", "Tolerance", "golden_members", "read_golden_clip"]

Array = npt.NDArray[Any]

GOLDEN = "golden"
"""Its folder in a bundle."""

_CARD = "golden.json"
_CLIP = "clip.mp4"
_VERSION = 1
_TENSORS = {"frames": "uint8", "faces": "uint8", "face_found": "uint8", "audio": "float32"}
_MAX_CLIP_BYTES = 16 << 20


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """How far from expected is near enough; None where a figure is not judged.

    Attributes:
        max_abs_diff: largest difference of a value.
        min_sqnr_db: signal to noise, in dB.
    """

    max_abs_diff: float | None = None
    min_sqnr_db: float | None = None


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What an artifact makes of the golden tensors.

    Attributes:
        logits: (1, 8) float32.
        tolerance: by its precision.
        computed_by: artifact and runtime with version: its own, or another of the network where it does not run.
    """

    logits: npt.NDArray[np.float32]
    tolerance: Tolerance
    computed_by: str


@dataclass(frozen=True, kw_only=True)
class Golden:
    """The clip and what is expected of it.

    Attributes:
        clip: bytes of the media file.
        frames: (15, h, w, 3) uint8 RGB: the sampled pictures, each pixel the mean of 8 x 8.
        faces: (15, 224, 224, 3) uint8.
        face_found: (15,) uint8, 1 where a face is.
        audio: (15, 128) float32.
        expected: by artifact name; parts of a network have none.
        tolerances: of `frames`, `faces` (of the worst frame) and `audio`.
        made_by: library name to version, of what decoded the clip and found the faces.
    """

    clip: bytes
    frames: npt.NDArray[np.uint8]
    faces: npt.NDArray[np.uint8]
    face_found: npt.NDArray[np.uint8]
    audio: npt.NDArray[np.float32]
    expected: Mapping[str, Expected]
    tolerances: Mapping[str, Tolerance]
    made_by: Mapping[str, str]


def golden_members(golden: Golden) -> dict[str, bytes]:
    """The members of a bundle that hold it: tensors as raw little-endian values, in C order, described by one JSON."""
    members = {_CLIP: golden.clip, **{f"{name}.bin": _raw(getattr(golden, name)) for name in _TENSORS}}
    logits = {}
    for index, (artifact, item) in enumerate(sorted(golden.expected.items())):
        members[f"logits-{index}.bin"] = _raw(item.logits)
        logits[artifact] = {
            "file": f"logits-{index}.bin",
            "dtype": "float32",
            "shape": list(item.logits.shape),
            "tolerance": asdict(item.tolerance),
            "computed_by": item.computed_by,
        }
    card = {
        "format_version": _VERSION,
        "clip": _CLIP,
        "tensors": {
            name: {"file": f"{name}.bin", "dtype": dtype, "shape": list(getattr(golden, name).shape)}
            for name, dtype in _TENSORS.items()
        },
        "logits": logits,
        "tolerances": {name: asdict(item) for name, item in golden.tolerances.items()},
        "made_by": dict(golden.made_by),
    }
    members[_CARD] = json_text(card).encode()
    return {f"{GOLDEN}/{name}": data for name, data in members.items()}


def read_golden_clip(folder: Path) -> Golden:
    """Read what `golden_members` wrote, from the folder of an unpacked bundle.

    Raises:
        ArtifactError: it is missing or is not such.
    """
    place = folder / GOLDEN
    try:
        card = json.loads((place / _CARD).read_text(encoding="utf-8"))
        if card["format_version"] != _VERSION:
            raise ValueError(f"format_version {card['format_version']!r}, this edge-aver reads {_VERSION}")
        if (place / _CLIP).stat().st_size > _MAX_CLIP_BYTES:
            raise ValueError(f"{_CLIP} is larger than {_MAX_CLIP_BYTES:,} bytes")
        tensors = {name: _tensor(place, card["tensors"][name], dtype) for name, dtype in _TENSORS.items()}
        return Golden(
            clip=(place / _CLIP).read_bytes(),
            **tensors,
            expected={
                name: Expected(
                    logits=_tensor(place, item, "float32"),
                    tolerance=_tolerance(item["tolerance"]),
                    computed_by=str(item["computed_by"]),
                )
                for name, item in card["logits"].items()
            },
            tolerances={name: _tolerance(card["tolerances"][name]) for name in ("frames", "faces", "audio")},
            made_by={str(name): str(version) for name, version in card["made_by"].items()},
        )
    except (OSError, KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise ArtifactError(f"{place / _CARD}: no golden clip that can be read ({error}); bundle it again") from error


def _raw(values: Array) -> bytes:
    return np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"), copy=False).tobytes()


def _tensor(place: Path, told: Mapping[str, Any], dtype: str) -> Array:
    kind = np.dtype(dtype).newbyteorder("<")
    shape = tuple(int(size) for size in told["shape"])
    name = str(told["file"])
    if told["dtype"] != dtype or "/" in name or not shape or min(shape) < 1:
        raise ValueError(f"{name}: expected {dtype} values of a plain shape")
    path = place / name
    if path.stat().st_size != math.prod(shape) * kind.itemsize:
        raise ValueError(f"{name}: {path.stat().st_size:,} bytes do not make {shape} of {dtype}")
    values = np.fromfile(path, kind).reshape(shape).astype(dtype)
    if not np.isfinite(values).all():
        raise ValueError(f"{name}: holds values that are not finite")
    return values


def _tolerance(told: Mapping[str, Any]) -> Tolerance:
    limits = {name: None if value is None else float(value) for name, value in told.items()}
    if all(value is None or not math.isfinite(value) for value in limits.values()):
        raise ValueError("a tolerance that limits nothing")
    return Tolerance(**limits)

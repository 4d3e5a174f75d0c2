"""FER2013 in the three parts of its original split, from the CSV file, a zip or a folder."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_aver.corpora.fer2013 import EMOTIONS, FaceArchive, open_faces
from edge_aver.errors import CorpusError
from edge_aver.files import json_text, sha256_bytes, sha256_file

__all__ = ["FACE_PX", "PARTS", "FerPart", "content_sha256", "read_parts"]

FACE_PX = 48
PARTS = ("train", "validation", "test")
"""Usage Training, PublicTest and PrivateTest: 28,709, 3,589 and 3,589 faces, as in the paper (4.1.2)."""

_USAGES = dict(zip(("Training", "PublicTest", "PrivateTest"), PARTS, strict=True))
_CSV_EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
_COLUMNS = ("emotion", "pixels", "Usage")


@dataclass(frozen=True, kw_only=True)
class FerPart:
    """Faces (N, 48, 48) uint8, gray, and labels (N,) int64, indices into `EMOTIONS`."""

    faces: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]


def read_parts(path: Path, parts: tuple[str, ...] = PARTS) -> dict[str, FerPart]:
    """Read FER2013.

    Args:
        path: the original CSV (emotion, pixels, Usage), or a zip or folder whose test files are named for their Usage
            (`PublicTest_..`, `PrivateTest_..`), as copies on the web have them.
        parts: of `PARTS`, which to decode.

    Raises:
        CorpusError: no such file, a damaged face, a part without faces, or a test part that is not told apart.
    """
    rows = _csv_rows(path) if path.suffix.lower() == ".csv" else _archive_rows(path, parts)
    found: dict[str, FerPart] = {}
    for part in parts:
        members = [(face, label) for where, face, label in rows if where == part]
        if not members:
            raise CorpusError(f"{path}: no face of the {part} part of FER2013")
        found[part] = FerPart(
            faces=np.stack([face for face, _ in members]), labels=np.array([label for _, label in members], np.int64)
        )
    return found


def content_sha256(path: Path) -> str:
    """Of what `read_parts` would read: the bytes of a file; names and bytes of a folder's faces, wherever it stands.

    Raises:
        CorpusError: no such file, or no face in the folder.
    """
    if not path.is_dir():
        try:
            return sha256_file(path)
        except OSError as error:
            raise CorpusError(f"{path}: cannot be read as FER2013: {error.strerror}") from error
    with open_faces(path) as archive:
        members = [[face.name, sha256_bytes(archive.read(face))] for face in archive.faces]
    return sha256_bytes(json_text(members).encode())


_Row = tuple[str, npt.NDArray[np.uint8], int]


def _csv_rows(path: Path) -> list[_Row]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if missing := [name for name in _COLUMNS if name not in (reader.fieldnames or ())]:
                raise CorpusError(f"{path}: no column {missing[0]!r}; expected {', '.join(_COLUMNS)}")
            return [_csv_row(row, f"{path}: line {reader.line_num}") for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"{path}: cannot be read as FER2013's CSV: {error}") from error


def _csv_row(row: dict[str, str], where: str) -> _Row:
    try:
        pixels = np.array(row["pixels"].split(), dtype=np.int64)
        emotion, part = _CSV_EMOTIONS[int(row["emotion"])], _USAGES[row["Usage"]]
    except (ValueError, IndexError, KeyError, AttributeError, TypeError) as error:
        raise CorpusError(f"{where}: no face of FER2013 ({type(error).__name__}: {error})") from error
    if pixels.shape != (FACE_PX**2,) or pixels.min() < 0 or pixels.max() > 255 or row["emotion"].startswith("-"):
        raise CorpusError(f"{where}: expected an emotion from 0 to 6 and {FACE_PX**2} values from 0 to 255")
    return part, pixels.astype(np.uint8).reshape(FACE_PX, FACE_PX), EMOTIONS.index(emotion)


def _archive_rows(path: Path, parts: tuple[str, ...]) -> list[_Row]:
    with open_faces(path) as archive:
        named = [(_part(archive, face.name, face.split), face) for face in archive.faces]
        return [
            (part, _square(archive.decode(face), f"{path}: {face.name}"), EMOTIONS.index(face.emotion))
            for part, face in named
            if part in parts
        ]


def _part(archive: FaceArchive, name: str, split: str) -> str:
    if split == "train":
        return "train"
    usage = name.rpartition("/")[2].partition("_")[0]
    if usage not in ("PublicTest", "PrivateTest"):
        raise CorpusError(
            f"{archive.path}: {name} does not say whether it is of PublicTest (validation) or PrivateTest (test); "
            "give the original CSV, or files named PublicTest_... and PrivateTest_..."
        )
    return _USAGES[usage]


def _square(face: npt.NDArray[np.uint8], where: str) -> npt.NDArray[np.uint8]:
    if face.shape != (FACE_PX, FACE_PX):
        raise CorpusError(f"{where}: {face.shape[1]} x {face.shape[0]} pixels; FER2013's faces are 48 x 48")
    return face

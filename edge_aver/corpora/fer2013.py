"""Faces of the FER2013 corpus, read from its zip as it is downloaded or from the folder it unpacks to."""

import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import av.error
import numpy as np
import numpy.typing as npt
from av.codec.context import CodecContext
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext

from edge_aver.errors import CorpusError

__all__ = ["EMOTIONS", "Face", "FaceArchive", "decode_face", "open_faces"]

EMOTIONS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
"""As most copies of the corpus spell them."""

_SPELLINGS = {"disgusted": "disgust", "fearful": "fear", "surprised": "surprise"}
_SPLITS = ("train", "test")
_FORM = "FER2013 as train|test/emotion/name.jpg"
_DAMAGE = (OSError, EOFError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error)
"""What zipfile raises for members that are cut short, overwritten, encrypted or packed in a way it does not know."""


@dataclass(frozen=True, kw_only=True)
class Face:
    """A picture of the corpus.

    Attributes:
        name: its path in the archive.
        split: `train` or `test`.
        emotion: one of `EMOTIONS`.
        checksum: CRC-32 and size of its file; the corpus holds some pictures several times under different names.
    """

    name: str
    split: str
    emotion: str
    checksum: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class FaceArchive:
    """An open zip or folder of the corpus.

    Attributes:
        path: of the zip or folder.
        faces: all of them, sorted by name.
    """

    path: Path
    faces: tuple[Face, ...]
    _content: Callable[[str], bytes] = field(repr=False)

    def read(self, face: Face) -> bytes:
        """The JPEG file of a face; CorpusError where it is damaged."""
        try:
            return self._content(face.name)
        except _DAMAGE as error:
            raise CorpusError(f"{self.path}: {face.name} is damaged ({error}); fetch the archive again") from error

    def decode(self, face: Face) -> npt.NDArray[np.uint8]:
        """A face (height, width) uint8, gray; 48 x 48 in the corpus. CorpusError where it is damaged."""
        return decode_face(self.read(face), where=f"{self.path}: {face.name}")


def open_faces(path: Path) -> AbstractContextManager[FaceArchive]:
    """Open the corpus: `train|test/emotion/name.jpg`, below any other folders.

    Args:
        path: a zip, which is not unpacked, or a folder.

    Raises:
        CorpusError: no such file, neither a zip nor a folder, no face in it, or one name twice.
    """
    return _open_folder(path) if path.is_dir() else _open_zip(path)


def decode_face(data: bytes, *, where: str) -> npt.NDArray[np.uint8]:
    """Decode a JPEG file to (height, width) uint8, gray.

    Args:
        data: the file's bytes.
        where: how the message names the file.

    Raises:
        CorpusError: not a JPEG file, or a damaged one.
    """
    decoder = CodecContext.create("mjpeg", "r")
    decoder.options = {"err_detect": "explode"}  # or a file that is cut short would decode to half a face
    try:
        frames = decoder.decode(Packet(data)) if data and isinstance(decoder, VideoCodecContext) else []
    except av.error.FFmpegError as error:
        raise CorpusError(f"{where}: not a JPEG file, or a damaged one ({error.strerror})") from error
    if not frames:
        raise CorpusError(f"{where}: an empty file; expected a JPEG")
    return frames[0].to_ndarray(format="gray").astype(np.uint8, copy=False)


@contextmanager
def _open_zip(path: Path) -> Iterator[FaceArchive]:
    if not path.is_file():
        raise CorpusError(f"{path}: no such file; expected a zip that holds {_FORM}")
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise CorpusError(f"{path}: neither a complete zip nor a folder ({error}); expected {_FORM}") from error
    with archive:
        members = [(info.filename, (info.CRC, info.file_size)) for info in archive.infolist()]
        yield FaceArchive(path=path, faces=_faces(path, members), _content=archive.read)


@contextmanager
def _open_folder(path: Path) -> Iterator[FaceArchive]:
    def content(name: str) -> bytes:
        return (path / name).read_bytes()

    names = [
        file.relative_to(path).as_posix() for file in path.rglob("*") if _parts(file.as_posix()) and file.is_file()
    ]
    data = ((name, content(name)) for name in names)
    members = [(name, (zlib.crc32(file), len(file))) for name, file in data]
    yield FaceArchive(path=path, faces=_faces(path, members), _content=content)


def _faces(path: Path, members: list[tuple[str, tuple[int, int]]]) -> tuple[Face, ...]:
    faces: dict[str, Face] = {}
    for name, checksum in members:
        if (parts := _parts(name)) is None:
            continue
        if name in faces:
            raise CorpusError(f"{path}: holds {name} twice; fetch the archive again")
        split, emotion = parts
        faces[name] = Face(name=name, split=split, emotion=emotion, checksum=checksum)
    if not faces:
        raise CorpusError(f"{path}: no face in it; expected {_FORM}")
    return tuple(faces[name] for name in sorted(faces))


def _parts(name: str) -> tuple[str, str] | None:
    """Split and emotion of a member; None where it is no face."""
    split, emotion, file = ("", "", *PurePosixPath(name.lower()).parts)[-3:]
    emotion = _SPELLINGS.get(emotion, emotion)
    if split in _SPLITS and emotion in EMOTIONS and file.endswith((".jpg", ".jpeg")) and not file.startswith("."):
        return split, emotion
    return None

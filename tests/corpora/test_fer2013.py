"""FER2013 read from a zip and from a folder, and what is no FER2013."""

import warnings
import zipfile

import numpy as np
import pytest
from composite_files import jpeg, write_zip

from edge_aver.corpora.fer2013 import decode_face, open_faces
from edge_aver.errors import CorpusError

SLOPE = np.add.outer(np.arange(48), 3 * np.arange(48)).astype(np.uint8)
FACE, OTHER = jpeg(SLOPE), jpeg(SLOPE.T.copy())
FILES = {
    "FER/train/angry/b.jpg": FACE,
    "FER/test/disgusted/a.JPG": FACE,
    "FER/test/Fear/a.jpeg": OTHER,
    "FER/test/surprised/a.jpg": OTHER,
    "FER/test/surprise/._a.jpg": b"",
    "FER/test/contempt/a.jpg": FACE,
    "FER/readme.txt": b"words",
    "a.jpg": FACE,
}


@pytest.fixture(params=["zip", "folder"])
def archive_path(request, tmp_path):
    if request.param == "zip":
        return write_zip(tmp_path / "fer.zip", FILES)
    for name, data in FILES.items():
        (tmp_path / "fer" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "fer" / name).write_bytes(data)
    return tmp_path / "fer"


def test_faces_are_found_by_split_and_emotion_however_spelt(archive_path):
    with open_faces(archive_path) as archive:
        assert [(face.name, face.split, face.emotion) for face in archive.faces] == [
            ("FER/test/Fear/a.jpeg", "test", "fear"),
            ("FER/test/disgusted/a.JPG", "test", "disgust"),
            ("FER/test/surprised/a.jpg", "test", "surprise"),
            ("FER/train/angry/b.jpg", "train", "angry"),
        ]
        fear, disgust, surprise, angry = archive.faces
        assert archive.read(angry) == FACE
        assert disgust.checksum == angry.checksum
        assert fear.checksum == surprise.checksum != angry.checksum


def test_a_face_is_decoded_as_it_was_drawn(archive_path):
    with open_faces(archive_path) as archive:
        face = archive.decode(archive.faces[-1])
    assert (face.shape, face.dtype) == ((48, 48), np.uint8)
    smooth = np.abs(np.diff(SLOPE.astype(int), axis=1)) < 100  # where the slope begins anew, JPEG rings
    assert np.abs(face.astype(int) - SLOPE)[:, 1:][smooth].mean() < 6


def test_what_is_no_archive_of_faces_is_refused_with_what_was_expected(tmp_path):
    words, empty, others = tmp_path / "words.zip", tmp_path / "empty", tmp_path / "others.zip"
    words.write_text("words")
    empty.mkdir()
    write_zip(others, {"train/happy.jpg": FACE, "happy/a.jpg": FACE})
    for path, reason in (
        (tmp_path / "absent.zip", "no such file"),
        (words, "neither a complete zip nor a folder"),
        (empty, "no face in it"),
        (others, "no face in it"),
    ):
        with pytest.raises(CorpusError, match=f"{path.name}: {reason}.* train|test/emotion/name.jpg"):
            with open_faces(path):
                pass


def test_a_zip_that_is_cut_short_is_refused(tmp_path):
    path = write_zip(tmp_path / "fer.zip", FILES)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(CorpusError, match="neither a complete zip"), open_faces(path):
        pass


def test_one_name_twice_is_refused(tmp_path):
    with warnings.catch_warnings(), zipfile.ZipFile(tmp_path / "fer.zip", "w") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("test/happy/a.jpg", FACE)
        archive.writestr("test/happy/a.jpg", OTHER)
    with pytest.raises(CorpusError, match=r"holds test/happy/a\.jpg twice"), open_faces(tmp_path / "fer.zip"):
        pass


def test_a_damaged_member_is_named(tmp_path):
    path = write_zip(tmp_path / "fer.zip", FILES)
    data = bytearray(path.read_bytes())
    data[data.index(FACE) + len(FACE) // 2] ^= 0xFF
    path.write_bytes(data)
    with open_faces(path) as archive, pytest.raises(CorpusError, match=r"FER/train/angry/b.jpg is damaged .*CRC"):
        archive.read(archive.faces[-1])


@pytest.mark.parametrize("data", [FACE[:-40], FACE[:60], b"These are words.", b""])
def test_half_a_picture_is_none(data):
    with pytest.raises(CorpusError, match=r"here\.jpg: (not|an empty)"):
        decode_face(data, where="here.jpg")

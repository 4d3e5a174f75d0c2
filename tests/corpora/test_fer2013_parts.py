"""FER2013 in its three parts, from a CSV file and from a zip, and what is refused."""

import numpy as np
import pytest
from composite_files import jpeg, write_zip

from edge_aver.corpora.fer2013 import EMOTIONS
from edge_aver.corpora.fer2013_parts import FACE_PX, read_parts
from edge_aver.corpora.study_faces import enlarged_faces
from edge_aver.errors import CorpusError

SLOPE = np.add.outer(np.arange(48), 3 * np.arange(48)).astype(np.uint8)
PIXELS = " ".join(map(str, SLOPE.ravel()))


def csv_file(folder, *rows):
    path = folder / "fer2013.csv"
    path.write_text("\n".join(["emotion,pixels,Usage", *rows]))
    return path


def test_a_csv_file_is_read_in_the_original_split_and_order_of_emotions(tmp_path):
    path = csv_file(tmp_path, f"0,{PIXELS},Training", f"4,{PIXELS},PublicTest", f"6,{PIXELS},PrivateTest")
    parts = read_parts(path)
    said = {part: [EMOTIONS[label] for label in found.labels] for part, found in parts.items()}
    assert said == {"train": ["angry"], "validation": ["sad"], "test": ["neutral"]}
    assert (parts["train"].faces[0] == SLOPE).all()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (f"7,{PIXELS},Training", "line 2: no face of FER2013"),
        (f"-1,{PIXELS},Training", "expected an emotion from 0 to 6"),
        ("0,1 2 3,Training", "2304 values"),
        (f"0,{PIXELS.replace('141', '300', 1)},Training", "from 0 to 255"),
        (f"0,{PIXELS},Testing", "no face of FER2013"),
        ("0", "no face of FER2013"),
    ],
)
def test_a_damaged_line_is_named(tmp_path, row, message):
    with pytest.raises(CorpusError, match=message):
        read_parts(csv_file(tmp_path, row))


def test_another_csv_file_is_refused_by_its_missing_column(tmp_path):
    (tmp_path / "other.csv").write_text("label,pixels\n1,2\n")
    with pytest.raises(CorpusError, match="no column 'emotion'"):
        read_parts(tmp_path / "other.csv")


def test_a_zip_tells_validation_from_test_by_the_names_of_its_files(tmp_path):
    face = jpeg(SLOPE)
    names = ("train/sad/Training_1.jpg", "test/happy/PublicTest_2.jpg", "test/fear/PrivateTest_3.jpg")
    parts = read_parts(write_zip(tmp_path / "fer.zip", dict.fromkeys(names, face)))
    assert [EMOTIONS[int(parts[part].labels[0])] for part in ("train", "validation", "test")] == [
        "sad",
        "happy",
        "fear",
    ]
    other = write_zip(tmp_path / "other.zip", {"test/happy/im2.jpg": face})
    with pytest.raises(CorpusError, match="does not say whether it is of PublicTest"):
        read_parts(other, ("test",))


def test_faces_of_another_size_are_refused(tmp_path):
    path = write_zip(tmp_path / "fer.zip", {"train/sad/a.jpg": jpeg(np.zeros((32, 32), np.uint8))})
    with pytest.raises(CorpusError, match="32 x 32 pixels"):
        read_parts(path, ("train",))


def test_faces_for_calibration_are_real_ones_of_every_emotion_in_turn(tmp_path):
    blank = " ".join(["7"] * FACE_PX**2)
    rows = [f"{emotion},{PIXELS},Training" for emotion in (0, 0, 0, 3)] + [f"5,{blank},Training"]
    train = read_parts(csv_file(tmp_path, *rows), ("train",))["train"]
    faces = enlarged_faces(train, 2, seed=0)
    assert faces.pixels.shape == (2, 224, 224, 3)
    assert faces.real
    with pytest.raises(CorpusError, match="no face that shows anything"):
        enlarged_faces(read_parts(csv_file(tmp_path, rows[-1]), ("train",))["train"], 2, seed=0)

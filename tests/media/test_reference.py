"""The reference front end on a drawn clip, on real ones, and on pictures without a face."""

import sys

import numpy as np
import pytest
from media_files import tone, write_media

from edge_aver.corpora.synthetic import write_clip
from edge_aver.errors import ClipError, MissingLibraryError, NoFaceError
from edge_aver.media.audio import segments
from edge_aver.media.clip import require_face
from edge_aver.media.decode import decode_clip
from edge_aver.media.faces import crop_face, square_box
from edge_aver.media.front_end import ClipFrontEnd
from edge_aver.media.librosa_speech import librosa_steps
from edge_aver.media.picture import Picture
from edge_aver.media.reference import MtcnnDetector, ReferencePlan
from edge_aver.spec import Preprocessing

pytest.importorskip("facenet_pytorch", reason="the reference front end needs the extra reference")
pytest.importorskip("librosa", reason="the reference front end needs the extra reference")

CONSTANTS = Preprocessing()


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    path = tmp_path_factory.mktemp("drawn") / "01-01-03-01-01-01-01.mp4"
    write_clip(path, actor=1, emotion=3)
    return path


@pytest.fixture(scope="module")
def front_end():
    return ReferencePlan().load(CONSTANTS, 1)


@pytest.fixture(scope="module")
def detector():
    return MtcnnDetector(threads=1)


@pytest.fixture(scope="module")
def picture(drawn):
    return decode_clip(drawn, CONSTANTS).pictures[0]


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_tensors_of_a_clip_are_its_faces_and_its_voice(front_end, drawn, detector):
    tensors = front_end(drawn)
    assert tensors.faces.shape == (15, 224, 224, 3)
    assert tensors.faces.dtype == np.uint8
    assert set(tensors.stages_s) == {"decode", "faces", "audio"}
    assert all(seconds > 0 for seconds in tensors.stages_s.values())
    clip = decode_clip(drawn, CONSTANTS)
    np.testing.assert_array_equal(tensors.audio, segments(librosa_steps(clip.speech, CONSTANTS), CONSTANTS))
    shown = [picture is not None for picture in clip.pictures]
    np.testing.assert_array_equal(tensors.face_found, shown)
    (box,) = detector.detect([clip.pictures[3]])
    np.testing.assert_array_equal(tensors.faces[3], crop_face(clip.pictures[3], square_box(box), 224))


def test_a_window_and_bytes_go_through(front_end, drawn):
    later = front_end(drawn.read_bytes(), start_s=1.0)
    assert later.face_found[:5].all()
    assert not later.face_found[-1]
    assert not np.array_equal(later.audio, front_end(drawn).audio)


class EveryOther:
    """Finds the whole picture to be a face, in every other picture."""

    def detect(self, pictures):
        return [
            np.array([0, 0, picture.width, picture.height], dtype=np.float32) if i % 2 else None
            for i, picture in enumerate(pictures)
        ]


def test_a_frame_without_a_face_is_black_and_never_an_older_face(tmp_path):
    pictures = [np.full((64, 64, 3), 50 + i, dtype=np.uint8) for i in range(75)]
    path = write_media(tmp_path / "clip.mp4", pictures=pictures, sound=tone(3))
    tensors = ClipFrontEnd(CONSTANTS, EveryOther())(path)
    np.testing.assert_array_equal(tensors.face_found, [i % 2 == 1 and i < 12 for i in range(15)])
    assert not tensors.faces[~tensors.face_found].any()
    brightness = tensors.faces[tensors.face_found].mean(axis=(1, 2, 3))
    np.testing.assert_allclose(brightness, [50 + 25 * (0.12 + 0.24 * i) for i in range(1, 12, 2)], atol=3)


def test_a_clip_without_any_face_is_refused_by_those_who_need_one(front_end, tmp_path):
    path = write_media(tmp_path / "noise.mp4", pictures=[noise(96, 128, i) for i in range(50)], sound=tone(2))
    tensors = front_end(path)
    assert not tensors.face_found.any()
    assert not tensors.faces.any()
    with pytest.raises(NoFaceError, match=r"^noise.mp4: no face found in any of 15 frames$"):
        require_face(tensors, "noise.mp4")


def test_a_bad_file_is_a_clip_error(front_end, tmp_path):
    path = tmp_path / "text.mp4"
    path.write_text("no video")
    with pytest.raises(ClipError, match="not a video"):
        front_end(path)


def test_the_detector_takes_any_mix_of_pictures(detector, picture):
    image = picture.rgb()
    images = [noise(16, 16), image, np.zeros_like(image), image[:, 20:], noise(*image.shape[:2]), noise(400, 18)]
    boxes = detector.detect([Picture.from_rgb(item) for item in images])
    assert [box is not None for box in boxes] == [False, True, False, True, False, False]
    np.testing.assert_allclose(boxes[1] - boxes[3], [20, 0, 20, 0], atol=6)
    assert detector.detect([]) == []


def test_the_most_probable_face_wins_not_the_largest(detector, picture, monkeypatch):
    small, large = [10, 10, 40, 40], [0, 0, 200, 200]
    found = np.array([[large, small]], dtype=object), np.array([[0.8, 0.99]], dtype=object)
    monkeypatch.setattr(detector._mtcnn, "detect", lambda images: found)
    np.testing.assert_array_equal(detector.detect([picture])[0], small)


def test_faces_of_a_real_clip_are_found_where_it_shows_any(front_end, test_data):
    tensors = front_end(test_data / "ravdess" / "Actor_05" / "01-01-08-01-02-01-05.mp4")
    assert tensors.face_found.tolist() == [True] * 13 + [False] * 2
    middle = tensors.faces[:13, 80:160, 80:160].astype(int)
    assert (middle[..., 0] > middle[..., 2]).mean() > 0.9  # skin, in red, green and blue


def test_a_missing_library_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "facenet_pytorch", None)
    with pytest.raises(MissingLibraryError, match=r"facenet_pytorch.*edge-aver\[reference\]"):
        ReferencePlan().load(CONSTANTS, None)

from types import SimpleNamespace

import numpy as np
import pytest

from edge_aver.media.faces import crop_face, crop_faces, square_box
from edge_aver.media.picture import Picture
from edge_aver.spec import Preprocessing


def box(*edges):
    return np.array(edges, dtype=np.float32)


@pytest.mark.parametrize(
    ("given", "squared"),
    [
        ((10, 20, 30, 60), (0, 20, 40)),
        ((10, 20, 50, 40), (10, 10, 40)),
        ((100.4, 50.2, 163.9, 113.1), (100, 50, 64)),
        ((-31, -3, 8, 40), (-34, -4, 44)),
        ((5, 5, 5.2, 5.1), (4, 4, 2)),
    ],
)
def test_square_box_grows_the_shorter_side_about_the_centre_in_even_pixels(given, squared):
    assert square_box(box(*given)) == squared


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def picture(image):
    return Picture.from_rgb(image)


def test_a_box_of_the_size_wanted_is_cut_out_unchanged(picture, image):
    np.testing.assert_array_equal(crop_face(picture, (30, 10, 64), 64), image[10:74, 30:94])


def test_what_lies_outside_is_black(picture, image):
    face = crop_face(picture, (-20, -30, 64), 64)
    np.testing.assert_array_equal(face[30:, 20:], image[:34, :44])
    assert not face[:30].any()
    assert not face[:, :20].any()
    corner = crop_face(picture, (80, 60, 64), 64)
    np.testing.assert_array_equal(corner[:30, :40], image[60:, 80:])
    assert not corner[30:].any()
    assert not crop_face(picture, (500, 500, 100), 32).any()


def test_shrinking_averages_instead_of_skipping():
    stripes = np.zeros((256, 256, 3), dtype=np.uint8)
    stripes[:, ::4] = 200
    face = crop_face(Picture.from_rgb(stripes), (16, 16, 224), 56)
    assert np.abs(face[2:-2, 2:-2].astype(int) - 50).max() <= 2


def test_enlarging_is_linear_and_keeps_its_place():
    ramp = np.broadcast_to(np.arange(0, 250, 5, dtype=np.uint8)[None, :, None], (50, 50, 3))
    face = crop_face(Picture.from_rgb(ramp), (4, 4, 40), 80)
    expected = 5 * (4 + (np.arange(80) + 0.5) / 2 - 0.5)
    assert np.abs(face[40, 2:-2, 0] - expected[2:-2]).max() <= 2
    np.testing.assert_array_equal(face[0], face[79])


def test_rows_and_columns_are_not_confused(image):
    tall = crop_face(Picture.from_rgb(image), (20, 6, 60), 60)
    turned = crop_face(Picture.from_rgb(image.transpose(1, 0, 2)), (6, 20, 60), 60)
    np.testing.assert_array_equal(turned, tall.transpose(1, 0, 2))


def test_every_picture_has_the_face_that_was_found_in_it(image):
    pictures = [Picture.from_rgb(np.roll(image, i, axis=1)) for i in range(4)]
    found = [box(10, 10, 42, 42), None, box(20, 30, 52, 62)]
    detector = SimpleNamespace(detect=lambda given: found if given == [*pictures[:2], pictures[3]] else None)
    faces, seen = crop_faces([*pictures[:2], None, pictures[3]], detector, Preprocessing(face_size_px=32))
    np.testing.assert_array_equal(seen, [True, False, False, True])
    np.testing.assert_array_equal(faces[0], image[10:42, 10:42])
    np.testing.assert_array_equal(faces[3], np.roll(image, 3, axis=1)[30:62, 20:52])
    assert not faces[1:3].any()

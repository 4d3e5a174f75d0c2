import numpy as np
import pytest

from edge_aver.media.faces import crop_face, square_box


def box(*edges):
    return np.array(edges, dtype=np.float32)


@pytest.mark.parametrize(
    ("given", "squared"),
    [((10, 20, 30, 60), (0, 20, 40, 60)), ((10, 20, 50, 40), (10, 10, 50, 50)), ((1, 2, 3, 4), (1, 2, 3, 4))],
)
def test_square_box_grows_the_shorter_side_about_the_centre(given, squared):
    np.testing.assert_allclose(square_box(box(*given)), squared)


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)


def test_a_box_of_the_size_wanted_is_cut_out_unchanged(image):
    np.testing.assert_array_equal(crop_face(image, box(30, 10, 94, 74), 64), image[10:74, 30:94])


def test_what_lies_outside_is_black(image):
    face = crop_face(image, box(-20, -30, 44, 34), 64)
    np.testing.assert_array_equal(face[30:, 20:], image[:34, :44])
    assert not face[:30].any()
    assert not face[:, :20].any()
    corner = crop_face(image, box(80, 60, 144, 124), 64)
    np.testing.assert_array_equal(corner[:30, :40], image[60:, 80:])
    assert not corner[30:].any()
    assert not crop_face(image, box(500, 500, 600, 600), 32).any()


def test_a_pixel_half_outside_is_half_black():
    white = np.full((100, 100, 3), 200, dtype=np.uint8)
    face = crop_face(white, box(-10.5, 0, 53.5, 64), 64)
    np.testing.assert_array_equal(face[5, 8:13, 0], [0, 0, 100, 200, 200])


def test_shrinking_averages_instead_of_skipping():
    stripes = np.zeros((256, 256, 3), dtype=np.uint8)
    stripes[:, ::4] = 200
    face = crop_face(stripes, box(16, 16, 240, 240), 56)
    assert np.abs(face.astype(int) - 50).max() <= 1


def test_enlarging_is_linear_and_keeps_its_place():
    ramp = np.broadcast_to(np.arange(0, 250, 5, dtype=np.uint8)[None, :, None], (50, 50, 3))
    face = crop_face(ramp, box(5, 5, 45, 45), 80)
    expected = 5 * (5 + (np.arange(80) + 0.5) / 2 - 0.5)
    assert np.abs(face[40, :, 0] - expected).max() <= 0.51
    np.testing.assert_array_equal(face[0], face[79])


def test_edges_keep_their_fractions():
    ramp = np.broadcast_to(np.arange(0, 200, 2, dtype=np.uint8)[None, :, None], (100, 100, 3))
    whole, half = (crop_face(ramp, box(left, 20, left + 64, 84), 64) for left in (10, 10.5))
    np.testing.assert_array_equal(half[:, :, 0] - whole[:, :, 0], 1)


def test_rows_and_columns_are_not_confused(image):
    tall = crop_face(image, box(0, 0, 40, 80), 40)
    np.testing.assert_array_equal(crop_face(image.transpose(1, 0, 2), box(0, 0, 80, 40), 40), tall.transpose(1, 0, 2))

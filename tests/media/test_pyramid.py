import numpy as np
import pytest

from edge_aver.media.pyramid import CELL_PX, search_stages

SIZES = [(720, 1280), (1280, 720), (2160, 3840), (1080, 1920), (480, 640), (97, 250), (36, 500)]


def smallest_faces(stages):
    return [[CELL_PX / level.scale for level in stage.levels] for stage in stages]


def test_large_faces_are_searched_first_and_every_size_once():
    faces = smallest_faces(search_stages(720, 1280))
    assert [round(min(stage)) for stage in faces] == [157, 79, 20]
    everything = sorted(size for stage in faces for size in stage)
    np.testing.assert_allclose(everything, 20 / 0.709 ** np.arange(11), rtol=1e-6)


@pytest.mark.parametrize("size", SIZES)
def test_the_smallest_face_is_twenty_pixels_or_a_thirty_sixth(size):
    assert min(min(stage) for stage in smallest_faces(search_stages(*size))) == pytest.approx(max(20, min(size) / 36))


@pytest.mark.parametrize("size", SIZES)
def test_images_are_kept_small(size):
    for stage, longest in zip(reversed(search_stages(*size)), (720, 480, 240), strict=False):
        assert min(stage.image) <= longest
        assert stage.image[0] / stage.image[1] == pytest.approx(size[0] / size[1], rel=0.02)


@pytest.mark.parametrize("size", [(19, 400), (400, 12), (1, 1)])
def test_a_picture_too_small_for_a_face_is_not_searched(size):
    assert search_stages(*size) == ()


@pytest.mark.parametrize("size", SIZES)
def test_levels_of_a_mosaic_do_not_overlap(size):
    for stage in search_stages(*size):
        canvas = np.zeros(stage.canvas, dtype=int)
        for level in stage.levels:
            assert level.top % 2 == level.left % 2 == 0
            canvas[level.top : level.top + level.height, level.left : level.left + level.width] += 1
        assert canvas.max() == 1
        assert canvas.sum() == sum(level.height * level.width for level in stage.levels)


def test_a_mosaic_shows_the_picture_at_every_level():
    stage = search_stages(720, 1280)[0]
    image = np.zeros((*stage.image, 3), dtype=np.uint8)
    image[:, stage.image[1] // 2 :, 1] = 200  # the right half
    mosaic = stage.mosaic(image[None])[0]
    for level in stage.levels:
        row = mosaic[level.top + level.height // 2, level.left : level.left + level.width, 1]
        quarter = level.width // 4
        assert row[:quarter].max() <= 2
        assert row[-quarter:].min() >= 198


def test_cells_are_found_where_their_level_puts_them():
    stage = search_stages(720, 1280)[0]
    second = stage.levels[1]
    cells = np.array([[0, 0], [second.left + 4, second.top + 6], [second.left + second.width - 4, second.top]])
    inside, boxes, levels = stage.located(cells)
    np.testing.assert_array_equal(inside, [True, True, False])  # the last reaches beyond its level
    np.testing.assert_array_equal(levels, [0, 1])
    first = np.floor(np.array([1, 1, 12, 12]) / stage.levels[0].scale)
    np.testing.assert_array_equal(boxes[0], first)
    np.testing.assert_array_equal(boxes[1], np.floor(np.array([5, 7, 16, 18]) / second.scale))

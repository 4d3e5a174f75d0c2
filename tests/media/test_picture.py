"""Pictures of any pixel format, tagging and turn: regions against the whole, and the whole against PyAV's own."""

import av
import numpy as np
import pytest
from media_files import moving

from edge_aver.media.picture import Picture

FORMATS = ["yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuv420p10le", "nv12", "gray", "rgb24"]
SIZES = [(640, 360), (642, 362), (1278, 50), (97, 61), (100, 33), (66, 64), (18, 14)]
BT709, BT601 = 1, 5
UNTAGGED, LIMITED, FULL = 0, 1, 2


def noise(pixel_format, width, height, colorspace=BT709, color_range=LIMITED):
    random = np.random.default_rng(width * height)
    frame = av.VideoFrame(width, height, pixel_format)
    for plane in frame.planes:
        plane.update(random.bytes(plane.buffer_size))
    frame.colorspace, frame.color_range = colorspace, color_range
    return frame


def boxes(height, width, count, seed=0):
    """Rectangles at the edges of a picture, of one pixel, and anywhere."""
    yield from [(0, 0, width, height), (0, 0, 1, 1), (width - 1, height - 1, width, height), (1, 1, width, height - 1)]
    random = np.random.default_rng(seed)
    for _ in range(count):
        left, top = random.integers(width), random.integers(height)
        yield left, top, random.integers(left + 1, width + 1), random.integers(top + 1, height + 1)


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_a_region_is_that_part_of_the_whole(pixel_format):
    for width, height in SIZES:
        for turns in range(4):
            picture = Picture(frame=noise(pixel_format, width, height), quarter_turns=turns)
            whole = picture.rgb()
            assert whole.shape == (picture.height, picture.width, 3)
            for box in boxes(picture.height, picture.width, 12):
                region = picture.region(*(int(edge) for edge in box))
                assert region.flags.c_contiguous
                np.testing.assert_array_equal(region, whole[box[1] : box[3], box[0] : box[2]], str((width, turns, box)))


@pytest.mark.parametrize("colorspace", [BT709, BT601, 2])
@pytest.mark.parametrize("color_range", [UNTAGGED, LIMITED, FULL])
def test_colours_follow_the_tags_of_the_frame(colorspace, color_range):
    frame = noise("yuv420p", 640, 360, colorspace, color_range)
    picture = Picture.from_frame(frame)
    np.testing.assert_array_equal(picture.rgb(), frame.to_ndarray(format="rgb24"))
    np.testing.assert_array_equal(picture.region(101, 33, 388, 201), picture.rgb()[33:201, 101:388])
    if (colorspace, color_range) != (BT709, LIMITED):
        other = Picture.from_frame(noise("yuv420p", 640, 360)).rgb()
        assert np.array_equal(picture.rgb(), other) == (colorspace == BT709 and color_range == UNTAGGED)


def test_a_region_converts_little_more_than_itself(monkeypatch):
    frame = noise("yuv420p", 1280, 720)
    sizes = []
    monkeypatch.setattr(
        "edge_aver.media.picture._converted", lambda part: sizes.append(part) or part.to_ndarray(format="rgb24")
    )
    Picture.from_frame(frame).region(301, 201, 501, 401)
    assert [(part.width, part.height) for part in sizes] == [(320, 202)]


def test_a_region_outside_the_picture_is_refused():
    picture = Picture.from_rgb(moving(0))
    for box in [(-1, 0, 5, 5), (0, 0, 161, 5), (5, 0, 5, 5), (0, 9, 5, 5), (0, 0, 5, 97)]:
        with pytest.raises(ValueError, match="in a picture of 160 x 96"):
            picture.region(*box)


def test_rgb_goes_through_unchanged_and_apart_from_its_source():
    image = moving(3, height=61, width=97)
    picture = Picture.from_rgb(image[:, ::-1])
    np.testing.assert_array_equal(picture.rgb(), image[:, ::-1])
    picture.rgb()[:] = 0
    np.testing.assert_array_equal(picture.rgb(), image[:, ::-1])


def test_scaling_takes_the_mean_of_what_a_pixel_covers():
    image = moving(5, height=360, width=640)
    scaled = Picture.from_rgb(image).scaled(120, 160)
    means = image.reshape(120, 3, 160, 4, 3).mean(axis=(1, 3))
    assert np.abs(scaled - means).max() <= 2
    assert scaled.dtype == np.uint8


@pytest.mark.parametrize("turns", range(4))
def test_scaling_is_upright(turns):
    blocks = moving(5, height=45, width=80).repeat(8, axis=0).repeat(8, axis=1)  # as coarse as the colours are kept
    frame = av.VideoFrame.from_ndarray(blocks, format="rgb24").reformat(format="yuv420p")
    picture = Picture(frame=frame, quarter_turns=turns)
    scaled = picture.scaled(picture.height // 4, picture.width // 4)
    means = picture.rgb().reshape(picture.height // 4, 4, picture.width // 4, 4, 3).mean(axis=(1, 3))
    assert scaled.flags.c_contiguous
    assert np.abs(scaled - means).mean() < 2

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


def smooth(pixel_format, width=320, height=180, color_range=LIMITED):
    """A picture of slow waves of colour, whose pixels a scaler may shift by a little without harm."""
    y, x = np.mgrid[:height, :width] / 60
    image = np.stack([np.sin(x + y), np.cos(x - y), np.sin(x) * np.cos(y)], axis=2) * 100 + 128
    frame = av.VideoFrame.from_ndarray(image.astype(np.uint8), format="rgb24")
    frame = frame.reformat(format=pixel_format, dst_color_range=color_range)
    return frame


SQUARES = [(40, 30, 100), (41, 31, 99), (-20, -30, 120), (250, 100, 140), (-10, -10, 400), (100, 60, 16)]


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuvj420p", "yuv422p", "yuv444p", "rgb24"])
@pytest.mark.parametrize("turns", range(4))
def test_a_square_is_that_part_brought_to_size_and_black_outside(pixel_format, turns):
    picture = Picture(frame=smooth(pixel_format), quarter_turns=turns)
    whole = np.pad(picture.rgb(), ((400, 400), (400, 400), (0, 0)))
    for left, top, side in SQUARES:
        got = picture.square(left, top, side, 64)
        cut = whole[top + 400 : top + 400 + side, left + 400 : left + 400 + side]
        wanted = Picture.from_rgb(cut).resized(64, 64)
        assert got.shape == (64, 64, 3)
        inner = ~edges_of_black(wanted)
        assert np.abs(got.astype(int) - wanted)[inner].max() <= 10, (left, top, side)
        assert np.abs(got.astype(int) - wanted).mean() < 3


def edges_of_black(image):
    """Pixels near the border between picture and black, which a filter mixes in one order or another."""
    black = ~image.any(axis=2)
    near = np.zeros_like(black)
    for shift in (-3, -2, -1, 1, 2, 3):
        near |= (np.roll(black, shift, axis=0) != black) | (np.roll(black, shift, axis=1) != black)
    return near


@pytest.mark.parametrize("color_range", [LIMITED, FULL])
def test_a_square_wholly_outside_is_black(color_range):
    picture = Picture.from_frame(smooth("yuv420p", color_range=color_range))
    assert picture.square(900, 900, 40, 32).max() <= 1
    assert picture.square(-41, 0, 41, 32).max() <= 1

"""The cascade around its networks: here these see red squares, each the more probable the less green it holds."""

import numpy as np
import pytest

from edge_aver.media import mtcnn as module
from edge_aver.media.mtcnn import Mtcnn, MtcnnNetworks
from edge_aver.media.picture import Picture


def propose(feed):
    """P-Net for red squares: a cell is a face where all of it but a margin is red, and none around it would be."""
    images = feed["planes"].transpose(0, 2, 3, 1).astype(float)
    red = (images[..., 0] - images[..., 2]) / 255
    rows, columns = ((size - 12) // 2 + 1 for size in red.shape[1:])
    probability = np.zeros((len(red), rows, columns), dtype=np.float32)
    for y in range(rows):
        for x in range(columns):
            cell = red[:, 2 * y : 2 * y + 12, 2 * x : 2 * x + 12]
            full = cell.mean(axis=(1, 2))
            probability[:, y, x] = np.where((full > 0.5) & (full < 0.95), full, 0)
    return {"probability": probability, "offsets": np.zeros((len(red), 4, rows, columns), dtype=np.float32)}


class Judge:
    """R-Net and O-Net for red squares: moves a box onto the red that it touches, and keeps what it was asked."""

    def __init__(self, surest=1.0):
        self.surest, self.asked = surest, []

    def __call__(self, feed):
        self.asked.append({name: value.shape for name, value in feed.items()})
        answers = [
            self.judge(feed["planes"][o].transpose(1, 2, 0), box)
            for o, box in zip(feed["owners"], feed["boxes"], strict=True)
        ]
        probability, offsets = zip(*answers, strict=True)
        return {
            "probability": np.array(probability, dtype=np.float32),
            "offsets": np.array(offsets, dtype=np.float32),
        }

    def judge(self, image, box):
        left, top, right, bottom = box
        if right <= left or bottom <= top:
            return 0, np.zeros(4)
        red = (image[..., 0] > 127) & (image[..., 2] < 127)
        inside = np.zeros_like(red)
        inside[int(top) : int(np.ceil(bottom)), int(left) : int(np.ceil(right))] = True
        rows, columns = np.nonzero(red & inside)
        if not len(rows):
            return 0, np.zeros(4)
        # Grow from the red inside the box to all red of the same rows and columns.
        columns = np.nonzero(
            red[rows.min() : rows.max() + 1].any(axis=0) & near(columns, image.shape[1], right - left)
        )[0]
        rows = np.nonzero(
            red[:, columns.min() : columns.max() + 1].any(axis=1) & near(rows, image.shape[0], bottom - top)
        )[0]
        green = image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1, 1].mean() / 255
        found = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
        return self.surest - green, (found - box) / np.array([right - left, bottom - top] * 2)


def near(positions, size, reach):
    marks = np.zeros(size, dtype=bool)
    marks[max(0, int(positions.min() - reach)) : int(positions.max() + reach)] = True
    return marks


def scene(*squares, size=(180, 320)):
    """A grey picture with red squares of (left, top, side, green)."""
    image = np.full((*size, 3), 60, dtype=np.uint8)
    for left, top, side, green in squares:
        image[max(top, 0) : top + side, max(left, 0) : left + side] = (255, green, 0)
    return Picture.from_rgb(image)


@pytest.fixture
def judges():
    return Judge(), Judge()


@pytest.fixture
def detector(judges):
    return Mtcnn(MtcnnNetworks(pnet=propose, rnet=judges[0], onet=judges[1]))


def assert_at(box, left, top, side, *, within):
    np.testing.assert_allclose(box, [left, top, left + side, top + side], atol=within)


@pytest.mark.parametrize(("left", "top", "side"), [(100, 40, 80), (20, 90, 62), (250, 10, 50), (60, 60, 28)])
def test_a_face_of_any_size_is_found_where_it_is(detector, left, top, side):
    (box,) = detector.detect([scene((left, top, side, 0))])
    assert_at(box, left, top, side, within=4)


def test_pictures_are_searched_together_and_keep_their_own_boxes(detector, judges):
    boxes = detector.detect([scene((30 + 20 * i, 50, 70, 0)) for i in range(6)])
    for i, box in enumerate(boxes):
        assert_at(box, 30 + 20 * i, 50, 70, within=4)
    assert [asked["planes"][0] for asked in judges[1].asked] == [2, 4]  # those searched as a whole, then the others


def test_a_picture_without_a_face_takes_none_from_its_neighbours(detector):
    boxes = detector.detect([scene((100, 40, 80, 0)), scene(), scene((100, 40, 80, 0))])
    assert [box is None for box in boxes] == [False, True, False]


def test_the_most_probable_of_two_faces_wins_not_the_largest(detector):
    (box,) = detector.detect([scene((20, 40, 90, 12), (200, 60, 60, 0))])
    assert_at(box, 200, 60, 60, within=4)


def test_a_face_that_is_not_certain_does_not_end_the_search(detector):
    (box,) = detector.detect([scene((20, 40, 90, 60), (240, 60, 30, 0))])
    assert_at(box, 240, 60, 30, within=4)


def test_a_face_that_was_lost_is_searched_in_the_whole_picture(detector):
    # The third is searched first; where its face was, the first shows none.
    boxes = detector.detect([scene((230, 100, 60, 0)), scene((20, 10, 60, 0)), scene((20, 10, 60, 0))])
    assert_at(boxes[0], 230, 100, 60, within=4)
    assert_at(boxes[1], 20, 10, 60, within=4)


def test_a_certain_face_ends_the_search_of_its_picture_alone(detector, judges):
    detector.detect([scene((100, 40, 80, 0)), scene((60, 60, 28, 0))])
    images = [asked["planes"] for asked in judges[1].asked]
    assert [shape[0] for shape in images] == [1, 1]


def test_a_face_at_the_edge_may_reach_outside(detector):
    (box,) = detector.detect([scene((-20, 50, 80, 0))])
    np.testing.assert_allclose(box[2:], [60, 130], atol=5)
    assert box[0] <= 2


def test_sizes_may_differ(detector):
    boxes = detector.detect([scene((100, 40, 80, 0)), scene((40, 100, 80, 0), size=(320, 180)), scene(size=(16, 16))])
    assert_at(boxes[0], 100, 40, 80, within=4)
    assert_at(boxes[1], 40, 100, 80, within=4)
    assert boxes[2] is None


def test_no_picture_is_no_face(detector):
    assert detector.detect([]) == []


def test_what_passes_together_is_bounded(detector, judges, monkeypatch):
    monkeypatch.setattr(module, "_PIXELS", 150_000)
    boxes = detector.detect([scene((30 + 20 * i, 50, 70, 0)) for i in range(6)])
    for i, box in enumerate(boxes):
        assert_at(box, 30 + 20 * i, 50, 70, within=4)
    assert len(judges[1].asked) > 1


def test_numbers_of_candidates_come_in_few_shapes(detector, judges):
    detector.detect([scene((30 + 20 * i, 50, 70, 0)) for i in range(5)])
    assert all(asked["boxes"][0] % 16 == 0 and asked["owners"] == asked["boxes"][:1] for asked in judges[0].asked)


def test_doubt_below_the_thresholds_is_no_face(judges):
    detector = Mtcnn(MtcnnNetworks(pnet=propose, rnet=Judge(), onet=Judge(surest=0.69)))
    assert detector.detect([scene((100, 40, 80, 0))]) == [None]

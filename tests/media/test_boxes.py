import numpy as np
import pytest

from edge_aver.media.boxes import clipped, refined, squared, suppressed


def boxes(*rows):
    return np.array(rows, dtype=np.float32).reshape(-1, 4)


def test_squaring_grows_the_shorter_side_about_the_centre():
    np.testing.assert_allclose(squared(boxes([10, 20, 30, 60], [0, 0, 9, 3])), [[0, 20, 40, 60], [0, -3, 9, 6]])


def test_clipping_counts_pixels_from_one_and_leaves_none_outside():
    inside = clipped(boxes([1.9, 3.2, 10.7, 20.9], [-5, -5, 200, 200]), 100, 120)
    np.testing.assert_array_equal(inside, [[0, 2, 10, 20], [0, 0, 120, 100]])


def test_offsets_are_in_widths_and_heights_of_the_box():
    moved = refined(boxes([10, 20, 29, 59]), boxes([0.1, -0.1, 0.2, 0.5]))
    np.testing.assert_allclose(moved, [[12, 16, 33, 79]])


@pytest.mark.parametrize("function", [squared, lambda empty: refined(empty, empty), lambda empty: clipped(empty, 9, 9)])
def test_no_box_stays_none(function):
    assert function(boxes()).shape == (0, 4)


def suppressed_one_by_one(given, scores, groups, overlap):
    """Non-maximum suppression as its definition says, box by box."""
    kept = []
    for i in np.argsort(-scores, kind="stable"):
        if all(groups[i] != groups[j] or ratio(given[i], given[j]) <= overlap for j in kept):
            kept.append(i)
    return sorted(kept)


def ratio(a, b):
    shared = max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


@pytest.mark.parametrize("overlap", [0.3, 0.5, 0.7])
def test_suppression_keeps_what_its_definition_keeps(overlap):
    random = np.random.default_rng(7)
    corners = random.uniform(0, 60, (300, 2))
    given = np.concatenate([corners, corners + random.uniform(15, 40, (300, 2))], axis=1).astype(np.float32)
    scores, groups = random.permutation(300).astype(np.float32), random.integers(0, 4, 300)
    kept = suppressed(given, scores, groups, overlap)
    assert sorted(kept) == suppressed_one_by_one(given, scores, groups, overlap)
    assert 4 < len(kept) < 300


def test_a_chain_of_boxes_loses_every_other_one():
    # The second goes for the first; the third overlaps the second alone, and stays.
    chain = boxes(*[[8 * i, 0, 8 * i + 20, 20] for i in range(5)])
    scores = np.arange(5, 0, -1, dtype=np.float32)
    np.testing.assert_array_equal(suppressed(chain, scores, np.zeros(5, dtype=np.int64), 0.4), [0, 2, 4])


def test_groups_do_not_meet_and_come_in_order_of_score():
    same = boxes(*[[0, 0, 10, 10]] * 4)
    kept = suppressed(same, np.array([1, 3, 4, 2], dtype=np.float32), np.array([0, 0, 5, 5]), 0.5)
    np.testing.assert_array_equal(kept, [1, 2])


def test_suppressing_none_gives_none():
    assert suppressed(boxes(), np.empty(0, np.float32), np.empty(0, np.int64), 0.5).shape == (0,)

import numpy as np

from edge_aver.media.audio import segments
from edge_aver.spec import Preprocessing

CONSTANTS = Preprocessing()


def steps(count=361):
    """Steps whose every value is their own index from 1."""
    return np.repeat(np.arange(1, count + 1, dtype=np.float32)[:, None], 32, axis=1)


def test_a_row_holds_its_segment_between_those_before_and_after():
    rows = segments(steps(), CONSTANTS)
    assert rows.shape == (15, 128)
    assert rows.dtype == np.float32
    own = [13 + 24 * i for i in range(15)]  # the step at 0.12 + 0.24 i seconds
    np.testing.assert_array_equal(rows[:, 64], own)
    np.testing.assert_array_equal(rows[7, ::32], [own[5], own[6], own[7], own[8]])


def test_the_order_of_features_within_a_step_is_kept():
    features = np.random.default_rng(0).standard_normal((361, 32)).astype(np.float32)
    np.testing.assert_array_equal(segments(features, CONSTANTS)[3, 64:96], features[12 + 24 * 3])


def test_zeros_lie_past_the_ends():
    rows = segments(steps(), CONSTANTS).reshape(15, 4, 32)
    np.testing.assert_array_equal(rows[0, :2], 0)
    np.testing.assert_array_equal(rows[1, 0], 0)
    np.testing.assert_array_equal(rows[14, 3], 0)
    assert np.count_nonzero(rows == 0) == 4 * 32


def test_offsets_are_those_of_the_constants():
    rows = segments(steps(), Preprocessing(segment_offsets=(1, 0))).reshape(15, 2, 32)
    np.testing.assert_array_equal(rows[2, :, 0], [13 + 24 * 3, 13 + 24 * 2])

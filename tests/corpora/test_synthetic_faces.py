"""Single faces: labelled evenly, of strangers, and with expressions that can be told apart."""

import numpy as np

from edge_aver.corpora.synthetic import draw_faces
from edge_aver.corpora.synthetic.actors import actor_looks, strangers
from edge_aver.corpora.synthetic.cues import FACE_CUES
from edge_aver.spec import LABELS


def test_faces_are_pictures_with_even_labels_in_random_order():
    drawn = draw_faces(80, size_px=64, seed=0)
    pictures, labels = drawn.pictures, drawn.labels
    assert (pictures.shape, pictures.dtype) == ((80, 64, 64, 3), np.uint8)
    assert (labels.shape, labels.dtype) == ((80,), np.int64)
    np.testing.assert_array_equal(np.bincount(labels), [10] * len(LABELS))
    assert not np.array_equal(labels, np.sort(labels))
    assert pictures.std(axis=(1, 2, 3)).min() > 15
    assert (drawn.cues.shape, drawn.cues.dtype) == ((80, len(FACE_CUES)), np.float32)
    smile = drawn.cues[:, FACE_CUES.index("smile")]
    assert smile[labels == LABELS.index("happy")].mean() > smile[labels == LABELS.index("sad")].mean() + 0.5


def test_a_seed_gives_its_faces_again_and_another_gives_others():
    first, again, other = (draw_faces(40, size_px=32, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.pictures, again.pictures)
    np.testing.assert_array_equal(first.labels, again.labels)
    assert not np.array_equal(first.pictures, other.pictures)


def test_strangers_are_not_the_actors():
    for seed in (0, 1):
        unknown = strangers(seed, 500)
        for actor in range(1, 25):
            known = actor_looks(actor, seed=seed)
            assert np.abs(unknown.resting - known.resting).max(axis=1).min() > 1e-3


def test_the_mean_faces_of_emotions_differ_about_the_mouth_and_brows():
    drawn = draw_faces(640, size_px=48, seed=0)
    pictures, labels = drawn.pictures, drawn.labels
    means = np.stack([pictures[labels == emotion].mean(axis=0) for emotion in range(len(LABELS))])
    spread = means.std(axis=0).mean(axis=-1)
    mouth, brows, cheek = spread[30:40, 16:32], spread[10:18, 12:36], spread[24:30, 8:14]
    assert mouth.mean() > 1.5 * cheek.mean()
    assert brows.mean() > 1.2 * cheek.mean()


def test_a_linear_classifier_reads_more_than_chance_on_new_faces():
    drawn = draw_faces(1600, size_px=32, seed=0)
    pictures, labels = drawn.pictures, drawn.labels
    grey = pictures.mean(axis=-1)[:, 4:30, 4:28].reshape(len(pictures), -1)
    grey = (grey - grey.mean(axis=1, keepdims=True)) / grey.std(axis=1, keepdims=True)
    train, test = slice(0, 1300), slice(1300, None)
    targets = np.eye(len(LABELS))[labels] - 1 / len(LABELS)
    kernel = grey[train] @ grey[train].T
    weights = grey[train].T @ np.linalg.solve(kernel + 300 * np.eye(len(kernel)), targets[train])
    accuracy = float(np.mean((grey[test] @ weights).argmax(axis=1) == labels[test]))
    assert accuracy > 0.3

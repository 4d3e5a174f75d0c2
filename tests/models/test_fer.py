"""Training on FER2013: generated faces in every form it comes in, what is learned, refused, repeated and resumed."""

import shutil

import pytest
import torch
from fer_faces import CODES, faces, write_archive, write_csv, write_folder

from edge_aver.errors import CheckpointError, CorpusError, DeclarationError, TrainingError
from edge_aver.models import fer, fer_fitting
from edge_aver.models.backbones import build_face_network
from edge_aver.models.fer import FerSystem, train_on_fer
from edge_aver.models.fer_augment import augmented
from edge_aver.models.fer_protocol import FerTraining

NETWORK = "test_resnet"
"""timm's own for tests: some 0.5 M parameters."""

WRITERS = {"fer2013.csv": write_csv, "fer2013.zip": write_archive, "fer2013": write_folder}


def plan(**changes):
    values = {"weights": "random", "face_px": 64, "hidden": 32, "outputs": 8, "batch": 14, "learning_rate": 1e-3}
    values |= {"epochs": 12, "plateau_patience": 3, "stop_patience": 12, "timeout_s": 60.0, "seed": 3}
    return FerTraining(**(values | changes))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_csv(tmp_path_factory.mktemp("fer") / "fer2013.csv", faces())


@pytest.mark.parametrize("name", WRITERS)
def test_patterns_that_differ_are_learned_from_every_form_of_the_corpus(tmp_path, name):
    path = WRITERS[name](tmp_path / name, faces())
    early, late = (train_on_fer(NETWORK, path, plan(epochs=epochs)) for epochs in (1, 12))
    assert (late.total, late.train_faces, late.weights, late.frozen) == (21, 98, "random", False)
    assert early.correct < late.correct >= 19


def test_a_frozen_backbone_stays_as_it_was_and_its_classifier_learns(data):
    outcome = train_on_fer(NETWORK, data, plan(freeze_backbone=True, epochs=30, stop_patience=30, learning_rate=1e-2))
    assert outcome.frozen
    assert outcome.correct >= 15


def test_sizes_are_those_of_backbone_and_classifier(data):
    outcome = train_on_fer(NETWORK, data, plan(epochs=1))
    system = FerSystem(build_face_network(NETWORK), plan())
    backbone = sum(item.numel() for item in system.network.parameters())
    inputs = system.classifier[0].in_features
    assert outcome.parameters == backbone + inputs * 32 + 32 + 32 * 8 + 8
    assert outcome.file_bytes >= 4 * outcome.parameters


def test_the_papers_classifier_behind_b0_has_3_94_million_parameters():
    system = FerSystem(build_face_network("tf_efficientnetv2_b0"), plan(hidden=768))
    assert sum(item.numel() for item in system.classifier.parameters()) == 5120 * 768 + 768 + 768 * 8 + 8


def test_the_same_seed_gives_the_same_outcome_and_another_one_another_training(data, monkeypatch):
    kept = []
    monkeypatch.setattr(fer, "count_right", lambda learner, *rest: (0.0, kept.append(learner.state_dict()) or 0))
    for seed in (3, 3, 4):
        train_on_fer(NETWORK, data, plan(epochs=2, seed=seed))
    assert same(kept[0], kept[1])
    assert not same(kept[0], kept[2])


def test_an_interrupted_training_ends_as_one_that_was_not(data, tmp_path, monkeypatch, capsys):
    kept = []
    monkeypatch.setattr(fer, "count_right", lambda learner, *rest: (0.0, kept.append(learner.state_dict()) or 0))
    monkeypatch.setattr(fer_fitting, "_STATE_INTERVAL_S", 0.0)
    train_on_fer(NETWORK, data, plan(epochs=4))
    state = tmp_path / "state.pt"
    interrupt(monkeypatch, data, state, batches=16)
    outcome = train_on_fer(NETWORK, data, plan(epochs=4), state=state)
    assert "after epoch 2" in capsys.readouterr().err
    assert outcome.epochs == 4
    assert same(*kept)


def test_data_that_moved_is_the_same_and_data_that_changed_is_not(data, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(fer_fitting, "_STATE_INTERVAL_S", 0.0)
    interrupt(monkeypatch, data, tmp_path / "state.pt", batches=16)
    moved = shutil.copy(data, tmp_path / "under-another-name.csv")
    changed = write_csv(tmp_path / "fer2013.csv", faces(seed=1))
    for path, goes_on in ((changed, False), (moved, True)):
        state = shutil.copy(tmp_path / "state.pt", tmp_path / "copy.pt")
        train_on_fer(NETWORK, path, plan(epochs=4), state=state)
        assert ("Continuing" in capsys.readouterr().err) == goes_on
    train_on_fer(NETWORK, moved, plan(epochs=4, learning_rate=2e-3), state=tmp_path / "state.pt")
    assert "Continuing" not in capsys.readouterr().err, "another plan is another training"


def test_a_damaged_state_is_told_and_training_starts_again(data, tmp_path, capsys):
    state = tmp_path / "state.pt"
    state.write_bytes(b"PK\x03\x04 half of it")
    assert train_on_fer(NETWORK, data, plan(epochs=1), state=state).epochs == 1
    assert "the training starts again" in capsys.readouterr().err


def test_training_stops_where_the_validation_loss_falls_no_more(tmp_path):
    turned = dict(zip(CODES, [*list(CODES)[1:], "angry"], strict=True))
    mislabelled = [
        (usage, turned[emotion] if usage == "PublicTest" else emotion, face) for usage, emotion, face in faces()
    ]
    data = write_csv(tmp_path / "f.csv", mislabelled)
    asked = plan(epochs=60, stop_patience=2, freeze_backbone=True, learning_rate=1e-2)
    assert 3 <= train_on_fer(NETWORK, data, asked).epochs < 30


def test_fewer_faces_than_all_are_learned_from_and_all_are_tested(data):
    outcome = train_on_fer(NETWORK, data, plan(epochs=1, most_faces=20))
    assert (outcome.train_faces, outcome.total) == (20, 21)


def test_a_loss_that_diverges_is_an_error(data):
    with pytest.raises(TrainingError, match="diverged; lower the learning rate"):
        train_on_fer(NETWORK, data, plan(learning_rate=1e30))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "missing.csv", "cannot be read as FER2013's CSV"),
        (lambda folder: folder / "missing.zip", "no such file"),
        (lambda folder: folder, "no face in it"),
        (lambda folder: text(folder, "a,b\n1,2\n"), "no column 'emotion'; expected emotion, pixels, Usage"),
        (lambda folder: text(folder, "emotion,pixels,Usage\n3,1 2 3,Training\n"), r"line 2: expected .* 2304 values"),
        (lambda folder: write_csv(folder / "f.csv", faces()[:-21]), "no face of the test part"),
        (lambda folder: write_archive(folder / "f.zip", faces()[:-21]), "no face of the test part"),
    ],
)
def test_what_is_no_fer2013_is_one_line(tmp_path, make, message):
    with pytest.raises(CorpusError, match=message) as caught:
        train_on_fer(NETWORK, make(tmp_path), plan())
    assert "\n" not in str(caught.value)


def test_an_unknown_network_is_one_line(data):
    with pytest.raises(CheckpointError, match=r"timm .* has no network 'resnet_of_mine'"):
        train_on_fer("resnet_of_mine", data, plan())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": "best"}, "weights 'best', known: imagenet, random"),
        ({"epochs": 0}, "must be positive"),
        ({"stop_patience": 0}, "must be positive"),
        ({"outputs": 6}, "FER2013 has 7 emotions"),
    ],
)
def test_a_training_that_cannot_be_is_refused(changes, message):
    with pytest.raises(DeclarationError, match=message):
        plan(**changes)


def test_augmentation_changes_every_face_and_stays_within_gray_values():
    torch.manual_seed(0)
    grays = torch.rand(32, 48, 48) * 255
    changed = augmented(grays)
    assert changed.shape == grays.shape
    assert (changed.min() >= 0) & (changed.max() <= 255)
    assert ((changed - grays).abs().mean(dim=(1, 2)) > 5).all()


def text(folder, content):
    (folder / "other.csv").write_text(content)
    return folder / "other.csv"


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def interrupt(monkeypatch, data, state, *, batches):
    """Train until so many batches were drawn: 7 are an epoch."""
    drawn = []

    def stopping(inputs):
        drawn.append(inputs)
        if len(drawn) > batches:
            raise KeyboardInterrupt
        return augmented(inputs)

    with monkeypatch.context() as patch:
        patch.setattr(fer, "augmented", stopping)
        with pytest.raises(KeyboardInterrupt):
            train_on_fer(NETWORK, data, plan(epochs=4), state=state)

"""Training learns, stops, resumes to the same weights, and refuses what cannot be trained."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from edge_aver.calibration.folds import Fold, load_fold
from edge_aver.corpora.store import PreparedStore
from edge_aver.errors import TrainingError
from edge_aver.models import fitting
from edge_aver.models.checkpoint import load_checkpoint
from edge_aver.models.examples import FeatureExamples
from edge_aver.models.features import module_digest
from edge_aver.models.fitting import Epoch
from edge_aver.models.network import build_network
from edge_aver.models.training import TrainedNetwork, TrainingPlan, train

FOLD = Fold(corpus="synthetic", index=1, train=(5, 6, 7, 8, 9, 10), validation=(3, 4), test=(1, 2))
PLAN = TrainingPlan(epochs=6, batch=8, freeze_backbone=True, device="cpu")

Train = Callable[..., TrainedNetwork]


@pytest.fixture(scope="module")
def store(training_store: Callable[..., PreparedStore], tmp_path_factory: pytest.TempPathFactory) -> PreparedStore:
    return training_store(tmp_path_factory.mktemp("store"), range(1, 11), range(4), 32)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def run(store: PreparedStore, cache: Path, tmp_path: Path) -> Train:
    """Train `ca` on the toy problem; frame features are shared by all tests."""

    def run(plan: TrainingPlan = PLAN, fold: Fold = FOLD, folder: str = "checkpoints") -> TrainedNetwork:
        return train(
            plan,
            store,
            fold,
            architecture="ca",
            backbone_weights="none",
            checkpoints=tmp_path / folder,
            cache=cache,
        )

    return run


def test_a_separable_problem_is_learnt(run: Train) -> None:
    trained = run()
    assert trained.history[-1].train_accuracy > 0.95
    assert trained.history[-1].train_loss < trained.history[0].train_loss / 4
    assert trained.validation_accuracy > 0.95


def test_the_checkpoint_says_what_it_is(run: Train) -> None:
    trained = run(replace(PLAN, epochs=1))
    assert trained.path.name == "aver-ca-synthetic-fold1.safetensors"
    spec = load_checkpoint(trained.path, architecture="ca", fold=1, corpus="synthetic").spec
    assert spec == trained.spec
    assert (spec.train_actors, spec.validation_actors, spec.test_actors) == (FOLD.train, FOLD.validation, FOLD.test)
    assert (spec.frozen_backbone, spec.backbone_weights) == (True, "none")
    assert spec.parameters is not None
    assert {"edge-aver", "timm", "torch"} <= set(spec.tool_versions)


def test_history_stands_beside_the_checkpoint(run: Train) -> None:
    trained = run(replace(PLAN, epochs=2))
    rows = json.loads(trained.path.with_suffix(".history.json").read_text())
    assert tuple(Epoch(**row) for row in rows) == trained.history
    assert [epoch.epoch for epoch in trained.history] == [1, 2]


def test_audio_is_normalised_by_training_clips(run: Train, store: PreparedStore) -> None:
    fusion = load_checkpoint(run(replace(PLAN, epochs=1)).path).network.fusion
    clips = [store.load(record.id).audio for record in store.records() if record.actor in FOLD.train]
    frames = torch.cat([torch.from_numpy(audio) for audio in clips])
    torch.testing.assert_close(fusion.audio_mean, frames.mean(dim=0), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(fusion.audio_std, frames.std(dim=0, correction=0), rtol=1e-4, atol=1e-4)


def test_a_frozen_backbone_stays_and_the_dense_layer_learns(run: Train) -> None:
    network = load_checkpoint(run(replace(PLAN, epochs=1)).path).network
    torch.manual_seed(PLAN.seed)
    first = build_network("ca")
    assert module_digest(network.frame_encoder.backbone) == module_digest(first.frame_encoder.backbone)
    assert not torch.equal(network.frame_encoder.dense.weight, first.frame_encoder.dense.weight)


def test_the_seed_decides(run: Train) -> None:
    short = replace(PLAN, epochs=1)
    assert run(short).history == run(short).history
    assert run(replace(short, seed=1)).history != run(short).history


def test_the_best_validation_weights_are_kept(run: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    merits = iter([0.2, 0.9, 0.5, 0.5])
    digests = []
    evaluate = fitting._evaluate

    def staged(plan: TrainingPlan, network: torch.nn.Module, examples: FeatureExamples) -> tuple[float, float]:
        digests.append(module_digest(network))
        loss, real = evaluate(plan, network, examples)
        return loss, next(merits, real)

    monkeypatch.setattr(fitting, "_evaluate", staged)
    trained = run(replace(PLAN, stop_patience=2))
    assert trained.epochs == 4, "two epochs without better validation end it"
    assert module_digest(load_checkpoint(trained.path).network) == digests[1]


def test_the_rate_falls_on_a_plateau(run: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "_evaluate", lambda plan, network, examples: (1.0, 0.5))
    trained = run(replace(PLAN, epochs=5, plateau_patience=1))
    rates = [epoch.learning_rate for epoch in trained.history]
    assert rates == pytest.approx([0.04, 0.04, 0.04, 0.02, 0.02])


def test_an_interrupted_training_continues_to_the_same_weights(
    run: Train, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(folder="whole")
    monkeypatch.setattr(fitting, "_STATE_INTERVAL_S", 0.0)
    killed_at_three(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        run()
    (state,) = (cache / "training").glob("*.pt")
    assert torch.load(state, weights_only=True)["history"][-1]["epoch"] == 2
    monkeypatch.undo()
    steps = count_steps(monkeypatch)
    resumed = run()
    assert len(steps) == PLAN.epochs - 2
    assert resumed.history == whole.history
    assert resumed.path.read_bytes() == whole.path.read_bytes()
    assert not state.exists()


def test_another_plan_or_a_damaged_state_starts_again(
    run: Train, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fitting, "_STATE_INTERVAL_S", 0.0)
    killed_at_three(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        run()
    monkeypatch.undo()
    assert run(replace(PLAN, epochs=3, learning_rate=0.01)).history[0].learning_rate == 0.01
    state = cache / "training" / "aver-ca-synthetic-fold1.pt"
    state.write_bytes(b"cut short")
    assert run(replace(PLAN, epochs=1)).epochs == 1
    assert "the training starts again" in " ".join(capsys.readouterr().err.split())


def test_a_diverging_loss_is_one_line_and_leaves_nothing(run: Train, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"the loss is (nan|inf) in .*epoch 1|validation.*lower the learning rate"):
        run(replace(PLAN, learning_rate=1e30))
    assert not list(tmp_path.rglob("*.safetensors"))


@pytest.mark.parametrize(("part", "actors"), [("train", (9, 25, 26)), ("validation", (3, 30))])
def test_missing_actors_are_named(part: str, actors: tuple[int, ...], run: Train) -> None:
    missing = ", ".join(str(actor) for actor in actors if actor > 24)
    with pytest.raises(TrainingError, match=f"lacks {part} actors {missing} of fold 1"):
        run(fold=replace(FOLD, **{part: actors}))


def test_store_of_another_corpus_is_refused(run: Train) -> None:
    with pytest.raises(TrainingError, match="holds synthetic clips, fold 1 is one of ravdess"):
        run(fold=load_fold("ravdess", 1))


def test_end_to_end_trains_the_backbone_too(
    training_store: Callable[..., PreparedStore], tmp_path: Path, cache: Path
) -> None:
    store = training_store(tmp_path / "store", (1, 2, 3), (0,), 224)
    fold = Fold(corpus="synthetic", index=1, train=(1, 2), validation=(3,), test=(4,))
    plan = TrainingPlan(epochs=1, batch=2, micro_batch=1, device="cpu")
    trained = train(
        plan, store, fold, architecture="ca", backbone_weights="none", checkpoints=tmp_path / "out", cache=cache
    )
    torch.manual_seed(plan.seed)
    before = build_network("ca").frame_encoder.backbone
    after = load_checkpoint(trained.path).network.frame_encoder.backbone
    assert not torch.equal(after.conv_stem.weight, before.conv_stem.weight)
    assert not torch.equal(after.bn1.running_mean, before.bn1.running_mean)
    assert not trained.spec.frozen_backbone


def killed_at_three(monkeypatch: pytest.MonkeyPatch) -> None:
    step = fitting._Run.step

    def killed(run: fitting._Run, *examples: FeatureExamples) -> Epoch:
        if len(run.history) == 2:
            raise KeyboardInterrupt
        return step(run, *examples)

    monkeypatch.setattr(fitting._Run, "step", killed)


def count_steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    step, steps = fitting._Run.step, []

    def counted(run: fitting._Run, *examples: FeatureExamples) -> Epoch:
        steps.append(len(run.history))
        return step(run, *examples)

    monkeypatch.setattr(fitting._Run, "step", counted)
    return steps


def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(TrainingError, match="device abacus does not work here"):
        replace(PLAN, device="abacus").chosen_device()

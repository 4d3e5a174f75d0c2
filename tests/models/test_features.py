"""Features of a frozen backbone are those of the network, and are computed once."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from edge_aver.corpora.store import PreparedStore
from edge_aver.models import features
from edge_aver.models.features import frame_features, module_digest
from edge_aver.models.network import AverNetwork, build_network


@pytest.fixture(scope="module")
def store(training_store: Callable[..., PreparedStore], tmp_path_factory: pytest.TempPathFactory) -> PreparedStore:
    return training_store(tmp_path_factory.mktemp("store"), (1, 2), (0, 1), 64)


@pytest.fixture
def network() -> AverNetwork:
    """With running statistics that are not the identity, so that fusing them away is put to the test."""
    torch.manual_seed(0)
    network = build_network("ca").eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.2, 0.2)
    return network


def ids(store: PreparedStore) -> list[str]:
    return [record.id for record in store.records()]


def test_features_are_the_networks_own(network: AverNetwork, store: PreparedStore, tmp_path: Path) -> None:
    names = ids(store)[::-1]
    got = frame_features(network, store, names, cache=tmp_path)
    assert (got.shape, got.dtype) == ((4, 15, 1280), np.float32)
    for name, row in zip(names, got, strict=True):
        with torch.inference_mode():
            expected = network.frame_encoder.pooled(torch.from_numpy(store.load(name).faces)).numpy()
        assert np.abs(row - expected).max() < 1e-4 * np.abs(expected).max()


def test_what_is_there_is_not_computed_again(
    network: AverNetwork, store: PreparedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ids(store)
    first = frame_features(network, store, names, cache=tmp_path)
    files = sorted(tmp_path.rglob("*.npy"))
    assert len(files) == 4
    kept = files[0].stat().st_mtime_ns
    files[1].unlink()
    assert np.array_equal(frame_features(network, store, names, cache=tmp_path), first)
    assert files[0].stat().st_mtime_ns == kept
    monkeypatch.setattr(features, "_encoder", None)
    assert np.array_equal(frame_features(network, store, names[1:], cache=tmp_path), first[1:])


def test_another_architecture_on_the_same_backbone_computes_nothing(
    network: AverNetwork, store: PreparedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = frame_features(network, store, ids(store), cache=tmp_path)
    other = build_network("sa")
    other.frame_encoder.backbone.load_state_dict(network.frame_encoder.backbone.state_dict())
    monkeypatch.setattr(features, "_encoder", None)
    assert np.array_equal(frame_features(other, store, ids(store), cache=tmp_path), first)


def test_a_killed_run_keeps_the_clips_it_finished(
    network: AverNetwork, store: PreparedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, saved = features._save, []

    def interrupted(path: Path, values: np.ndarray) -> None:
        if len(saved) == 2:
            raise KeyboardInterrupt
        save(path, values)
        saved.append(path)

    monkeypatch.setattr(features, "_save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        frame_features(network, store, ids(store), cache=tmp_path)
    assert sorted(tmp_path.rglob("*.npy")) == sorted(saved)


def test_other_weights_have_other_features(network: AverNetwork, store: PreparedStore, tmp_path: Path) -> None:
    before = module_digest(network.frame_encoder.backbone)
    first = frame_features(network, store, ids(store)[:1], cache=tmp_path)
    with torch.no_grad():
        network.frame_encoder.backbone.bn2.bias[0] += 1
    assert module_digest(network.frame_encoder.backbone) != before
    assert not np.array_equal(frame_features(network, store, ids(store)[:1], cache=tmp_path), first)


def test_encoding_leaves_the_network_as_it_was(network: AverNetwork, store: PreparedStore, tmp_path: Path) -> None:
    before = module_digest(network)
    frame_features(network, store, ids(store)[:1], cache=tmp_path)
    assert module_digest(network) == before

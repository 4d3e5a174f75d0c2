"""Checkpoints round trip bit for bit, and every file that is not one is refused in one line."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from edge_aver.calibration.folds import load_fold
from edge_aver.errors import CheckpointError, DeclarationError
from edge_aver.files import sha256_file
from edge_aver.models.checkpoint import checkpoint_name, load_checkpoint, newest_checkpoint, save_checkpoint
from edge_aver.models.network import AverNetwork, build_network, count_parameters
from edge_aver.spec import ModelSpec


@pytest.fixture(scope="module")
def network() -> AverNetwork:
    torch.manual_seed(3)
    return build_network("ca").eval()


@pytest.fixture(scope="module")
def spec(network: AverNetwork) -> ModelSpec:
    fold = load_fold("synthetic", 2)
    return ModelSpec(
        architecture="ca",
        corpus="synthetic",
        fold=2,
        train_actors=fold.train,
        validation_actors=fold.validation,
        test_actors=fold.test,
        parameters=count_parameters(network),
        tool_versions={"torch": "2"},
    )


@pytest.fixture(scope="module")
def saved(network: AverNetwork, spec: ModelSpec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("checkpoints") / checkpoint_name(spec)
    save_checkpoint(path, network, spec)
    return path


def plain(network: AverNetwork, path: Path, wrap: Callable[[dict[str, object]], object] = dict) -> Path:
    torch.save(wrap(dict(network.state_dict())), path)
    return path


def refusal(path: Path, **asked: object) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path, **asked)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_round_trip_is_bit_for_bit(saved: Path, network: AverNetwork, spec: ModelSpec) -> None:
    loaded = load_checkpoint(saved, architecture="ca", fold=2, corpus="synthetic")
    assert loaded.spec == spec
    assert loaded.sha256 == sha256_file(saved)
    assert not loaded.network.training
    for name, tensor in network.state_dict().items():
        assert torch.equal(loaded.network.state_dict()[name], tensor), name


def test_name_says_what_it_is(spec: ModelSpec) -> None:
    assert checkpoint_name(spec) == "aver-ca-synthetic-fold2.safetensors"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"architecture": "sa"}, "its architecture is ca, asked for sa"),
        ({"fold": 1}, "its fold is 2, asked for 1"),
        ({"corpus": "ravdess"}, "its corpus is synthetic, asked for ravdess"),
    ],
)
def test_another_network_than_asked_for(saved: Path, asked: dict[str, object], message: str) -> None:
    assert message in refusal(saved, **asked)


def test_missing_file(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "gone.safetensors")


def test_truncated_file(saved: Path, tmp_path: Path) -> None:
    path = tmp_path / "half.safetensors"
    path.write_bytes(saved.read_bytes()[:100_000])
    assert "not a complete safetensors file" in refusal(path)


@pytest.mark.parametrize("name", ["text.safetensors", "text.pt", "empty.safetensors", "empty.pth"])
def test_not_a_file_of_weights(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text("" if "empty" in name else "these are not weights, whatever the name says")
    assert name in refusal(path, architecture="ca", fold=1, corpus="ravdess")


def test_truncated_pytorch_file(network: AverNetwork, tmp_path: Path) -> None:
    path = plain(network, tmp_path / "half.pt")
    path.write_bytes(path.read_bytes()[:200_000])
    assert "torch.load" in refusal(path, architecture="ca", fold=1, corpus="ravdess")


def test_a_pickle_that_runs_code_is_refused(tmp_path: Path) -> None:
    torch.save({"weights": _Trap(tmp_path / "sprung")}, tmp_path / "trap.pt")
    refusal(tmp_path / "trap.pt", architecture="ca", fold=1, corpus="ravdess")
    assert not (tmp_path / "sprung").exists()


def test_a_folder_is_not_a_checkpoint(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path)


def test_damaged_spec(network: AverNetwork, tmp_path: Path) -> None:
    save_file(dict(network.state_dict()), tmp_path / "x.safetensors", metadata={"edge_aver.spec": "{}"})
    assert "ModelSpec cannot be read" in refusal(tmp_path / "x.safetensors")


@pytest.mark.parametrize("suffix", [".pt", ".pth"])
def test_plain_state_dict_loads_when_told_what_it_is(suffix: str, network: AverNetwork, tmp_path: Path) -> None:
    path = plain(network, tmp_path / f"plain{suffix}")
    loaded = load_checkpoint(path, architecture="ca", fold=3, corpus="ravdess")
    assert torch.equal(loaded.network.fusion.classifier.weight, network.fusion.classifier.weight)
    assert loaded.spec.test_actors == (9, 10, 11, 12)
    assert loaded.spec.parameters == count_parameters(network)


def test_wrapped_data_parallel_state_dict_loads(network: AverNetwork, tmp_path: Path) -> None:
    path = plain(
        network,
        tmp_path / "wrapped.pt",
        lambda state: {"state_dict": {f"module.{name}": tensor for name, tensor in state.items()}, "epoch": 7},
    )
    loaded = load_checkpoint(path, architecture="ca", fold=1, corpus="ravdess")
    assert torch.equal(loaded.network.fusion.classifier.bias, network.fusion.classifier.bias)


def test_plain_state_dict_names_the_missing_flags(network: AverNetwork, tmp_path: Path) -> None:
    path = plain(network, tmp_path / "plain.pt")
    assert "give --fold, --corpus too" in refusal(path, architecture="ca")
    assert "give --arch too" in refusal(path, fold=1, corpus="ravdess")


def test_plain_state_dict_of_an_undeclared_fold(network: AverNetwork, tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match="unknown fold 6"):
        load_checkpoint(plain(network, tmp_path / "p.pt"), architecture="ca", fold=6, corpus="ravdess")


def test_missing_unknown_misshapen_and_infinite_tensors(network: AverNetwork, tmp_path: Path) -> None:
    asked = {"architecture": "ca", "fold": 1, "corpus": "ravdess"}
    name = "fusion.classifier.bias"
    less = plain(network, tmp_path / "less.pt", lambda state: {k: v for k, v in state.items() if k != name})
    assert f"lacks tensor {name};" in refusal(less, **asked)
    more = plain(network, tmp_path / "more.pt", lambda state: state | {"head.x": torch.zeros(1)})
    assert "holds unknown tensor head.x;" in refusal(more, **asked)
    other = plain(network, tmp_path / "other.pt", lambda state: state | {name: torch.zeros(7)})
    assert f"tensor {name} has shape (7,), expected (8,)" in refusal(other, **asked)
    infinite = plain(network, tmp_path / "nan.pt", lambda state: state | {name: torch.full((8,), torch.nan)})
    assert f"tensor {name} holds NaN or infinity" in refusal(infinite, **asked)


def test_state_dict_of_another_architecture(network: AverNetwork, tmp_path: Path) -> None:
    message = refusal(plain(network, tmp_path / "ca.pt"), architecture="sa", fold=1, corpus="ravdess")
    assert "as sa: lacks tensor fusion." in message


def test_not_a_state_dict(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "list.pt")
    assert "not a state dict" in refusal(tmp_path / "list.pt", architecture="ca", fold=1, corpus="ravdess")


def test_newest_checkpoint_is_taken_and_may_be_narrowed(tmp_path: Path) -> None:
    names = ("aver-sa-ravdess-fold1", "aver-sa-synthetic-fold1", "aver-sa-ravdess-fold2", "aver-ca-ravdess-fold1")
    for age, name in enumerate(names):
        path = tmp_path / f"{name}.safetensors"
        path.touch()
        os.utime(path, (1000 - age, 1000 - age))
    assert newest_checkpoint(tmp_path, architecture="sa").stem == names[0]
    assert newest_checkpoint(tmp_path, architecture="sa", fold=2).stem == names[2]
    assert newest_checkpoint(tmp_path, architecture="sa", corpus="synthetic").stem == names[1]
    assert newest_checkpoint(tmp_path, architecture="ca").stem == names[3]


def test_no_checkpoint_names_three_ways_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        newest_checkpoint(tmp_path / "none", architecture="sa", fold=4)
    message = str(caught.value)
    assert message.startswith("no sa checkpoint of fold 4 in ")
    for way in ("edge-aver train --arch sa --fold 4", "--checkpoint PATH", "edge-aver demo"):
        assert way in message


class _Trap:
    """Unpickled by anything but weights_only, it would touch a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)

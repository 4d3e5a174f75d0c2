"""A network of one's own: the factory that makes it, found by name, and its weights, read without running code."""

import importlib
import importlib.metadata
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from edge_aver.calibration.folds import Fold
from edge_aver.errors import ExportError
from edge_aver.files import sha256_file
from edge_aver.models.checkpoint import Checkpoint
from edge_aver.models.user_code import first_line, guilty_line, source_files
from edge_aver.models.weights import assign, read_weights
from edge_aver.spec import ModelSpec, Parameters

__all__ = ["ENTRY_POINTS", "example_inputs", "load_own"]

ENTRY_POINTS = "edge_aver.models"
"""Group of entry points that name factories of networks."""

_BATCH = 2
"""An example of one clip would let a tracer take the batch for a constant."""


def load_own(name: str, checkpoint: Path, spec: ModelSpec, fold: Fold) -> Checkpoint:
    """Make a network and load its weights.

    Args:
        name: `package.module:factory`, imported from the current directory or the environment, or the name of an entry
            point of `edge_aver.models`. The factory takes no arguments and gives an `nn.Module`.
        checkpoint: a state dict, as safetensors or by torch.save; code in a pickle is never run.
        spec: what the network takes and gives.
        fold: whose training clips calibrate it.

    Returns:
        The network in evaluation mode, in fp32 on the CPU, with the spec completed: actors of the fold, parameters.

    Raises:
        ExportError: no such factory, or it gives no module; its `forward` fails on the shapes of the spec, or gives
            something else than logits (N, L). The line of the person's code is named.
        CheckpointError: the weights are not those of the network.
    """
    network = _make(name)
    state, _ = read_weights(checkpoint)
    assign(network, _named_for(network, state), where=f"{checkpoint}: as {name}")
    network = network.float().cpu().eval()
    _check_forward(name, network, spec)
    count = sum(parameter.numel() for parameter in network.parameters())
    completed = replace(
        spec,
        train_actors=fold.train,
        validation_actors=fold.validation,
        test_actors=fold.test,
        parameters=Parameters(deployed=count, paper=count),
        network=name,
    )
    return Checkpoint(path=checkpoint, sha256=sha256_file(checkpoint), spec=completed, network=network)


def example_inputs(spec: ModelSpec, batch: int = _BATCH) -> dict[str, Tensor]:
    """Zeros of the shapes and types that a network takes."""
    return {
        item.name: torch.zeros(batch, *map(int, item.shape[1:]), dtype=getattr(torch, item.dtype))
        for item in spec.inputs
    }


def _make(name: str) -> nn.Module:
    factory = _factory(name)
    try:
        network = factory()
    except (Exception, SystemExit) as error:
        raise ExportError(f"--model {name}: calling it without arguments failed: {_told(error)}") from error
    if not isinstance(network, nn.Module):
        raise ExportError(f"--model {name}: gave a {type(network).__name__}, expected a torch.nn.Module")
    return network


def _factory(name: str) -> Callable[[], Any]:
    module_name, colon, attribute = name.partition(":")
    if not colon:
        return _entry_point(name)
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)  # as `python -m` does
    found: Any = _import(name, module_name)
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise ExportError(f"--model {name}: {module_name} has no {attribute}")
        found = getattr(found, part)
    return _callable(name, found)


def _import(name: str, module_name: str) -> Any:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and f"{module_name}.".startswith(f"{error.name}."):
            raise ExportError(
                f"--model {name}: no module {error.name} in the current directory or the environment"
            ) from error
        raise ExportError(f"--model {name}: importing it failed: {_told(error)}") from error
    except ValueError as error:
        raise ExportError(f"--model {name}: expected package.module:factory or an entry point's name") from error
    except (Exception, SystemExit) as error:
        raise ExportError(f"--model {name}: importing it failed: {_told(error)}") from error


def _entry_point(name: str) -> Callable[[], Any]:
    known = {item.name: item for item in importlib.metadata.entry_points(group=ENTRY_POINTS)}
    if name not in known:
        have = ", ".join(sorted(known)) or "none"
        raise ExportError(
            f"--model {name}: no entry point of {ENTRY_POINTS} (installed: {have}); expected one, or "
            "package.module:factory"
        )
    try:
        return _callable(name, known[name].load())
    except (ImportError, AttributeError) as error:
        raise ExportError(f"--model {name}: its entry point {known[name].value} failed: {_told(error)}") from error


def _callable(name: str, found: Any) -> Callable[[], Any]:
    if not callable(found) or isinstance(found, nn.Module):
        raise ExportError(f"--model {name}: is a {type(found).__name__}, expected a function that makes the network")
    factory: Callable[[], Any] = found
    return factory


def _named_for(network: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`module.`, which reading takes off, is the network's own where it has such a child."""
    known = network.state_dict().keys()
    return {
        f"module.{key}" if key not in known and f"module.{key}" in known else key: value for key, value in state.items()
    }


def _check_forward(name: str, network: nn.Module, spec: ModelSpec) -> None:
    example = example_inputs(spec)
    shapes = ", ".join(f"{key} {tuple(value.shape)} {str(value.dtype)[6:]}" for key, value in example.items())
    try:
        with torch.inference_mode():
            logits = network(*example.values())
    except Exception as error:
        raise ExportError(f"{_told(error, network)} (given {shapes})") from error
    wanted = (_BATCH, len(spec.labels))
    if not isinstance(logits, Tensor) or tuple(logits.shape) != wanted or logits.dtype != torch.float32:
        is_tensor = isinstance(logits, Tensor)
        got = f"{tuple(logits.shape)} {str(logits.dtype)[6:]}" if is_tensor else f"a {type(logits).__name__}"
        raise ExportError(
            f"--model {name}: given {shapes}, forward gave {got}, expected logits {wanted} float32: "
            f"{len(spec.labels)} labels"
        )


def _told(error: BaseException, network: nn.Module | None = None) -> str:
    """`my_net.py:41 in forward: ValueError: ...`."""
    files = source_files(network) if network is not None else ()
    where = guilty_line(error, network=network, files=files) or guilty_line(error, network=network)
    return f"{where}: {first_line(error)}" if where else first_line(error)

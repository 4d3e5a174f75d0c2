"""Tensors from a file of weights: safetensors, or what torch.save wrote, never unpickling code."""

import pickle
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from edge_aver.errors import CheckpointError

__all__ = ["UNREADABLE", "assign", "read_weights"]

UNREADABLE = (
    pickle.UnpicklingError,
    struct.error,
    RuntimeError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ImportError,
)
"""What `torch.load` raises for a file that is damaged or none of its own (documentation of pickle, and its own)."""


def read_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read a state dict and its metadata (empty for a PyTorch file).

    A PyTorch file may wrap the state dict as `{"state_dict": ...}`; the `module.` of DataParallel is taken off.

    Raises:
        CheckpointError: no such file, not such a file, truncated, or it holds something else than tensors.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file of weights")
    try:
        return _read_safetensors(path) if path.suffix == ".safetensors" else (_read_torch(path), {})
    except SafetensorError as error:
        raise CheckpointError(f"{path}: not a complete safetensors file ({error})") from error
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error})") from error


def assign(module: nn.Module, state: Mapping[str, Tensor], *, where: str) -> None:
    """Load `state` into `module`; every name, shape and value is checked before anything changes.

    Raises:
        CheckpointError: a tensor is missing, unknown, of another shape, or holds NaN or infinity.
    """
    expected = module.state_dict()
    _refuse(where, "lacks", expected.keys() - state.keys())
    _refuse(where, "holds unknown", state.keys() - expected.keys())
    for name, tensor in expected.items():
        if state[name].shape != tensor.shape:
            got, wanted = tuple(state[name].shape), tuple(tensor.shape)
            raise CheckpointError(f"{where}: tensor {name} has shape {got}, expected {wanted}")
        # A network may be made with infinities of its own, as in the mask of an attention.
        if not torch.isfinite(state[name]).all() and not torch.equal(state[name], tensor):
            raise CheckpointError(f"{where}: tensor {name} holds NaN or infinity")
    module.load_state_dict(state)


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}


def _read_torch(path: Path) -> dict[str, Tensor]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"{path}: not a file of tensors that torch.load reads safely ({reason})") from error
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise CheckpointError(f"{path}: not a state dict, expected tensors by name")
    return {str(name).removeprefix("module."): value for name, value in content.items()}


def _refuse(where: str, fault: str, names: Iterable[str]) -> None:
    if ordered := sorted(names):
        more = f" and {len(ordered) - 1} more" if len(ordered) > 1 else ""
        raise CheckpointError(f"{where}: {fault} tensor {ordered[0]}{more}; it is not a checkpoint of this network")

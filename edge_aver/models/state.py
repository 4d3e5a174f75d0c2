"""The state of an interrupted training: written whole, read without unpickling code, given up where it is damaged."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from edge_aver.console import say
from edge_aver.files import write_bytes
from edge_aver.models.weights import UNREADABLE

__all__ = ["read_state", "write_state"]


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write tensors and plain values, atomically."""
    torch.save(dict(state), buffer := io.BytesIO())
    write_bytes(path, buffer.getvalue())


def read_state(path: Path, key: str) -> Mapping[str, Any]:
    """What `write_state` left under `key`; {} where there is nothing, another run's, or damage (with a remark)."""
    if not path.is_file():
        return {}
    try:
        state: Mapping[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE:
        say(f"{path}: cannot be read, so the training starts again")
        return {}
    return state if state.get("key") == key else {}

"""onnxsim in a process of its own: where it crashes or changes the interface, the traced graph is kept."""

import itertools
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

__all__ = ["Simplification", "simplify"]

_LIMIT_S = 300


@dataclass(frozen=True, kw_only=True)
class Simplification:
    """What became of the graph.

    Attributes:
        nodes_before, nodes_after: node counts.
        kept_because: why the traced graph was kept unsimplified; None where it was simplified.
    """

    nodes_before: int
    nodes_after: int
    kept_because: str | None = None


def simplify(
    traced: Path, out: Path, *, command: tuple[str, ...] = (sys.executable, "-m", "onnxsim")
) -> Simplification:
    """Simplify an ONNX file, or copy it where onnxsim fails.

    Args:
        traced: the file to simplify.
        out: written as it is; the caller makes it atomic.
        command: how onnxsim is called.
    """
    before = onnx.load(traced)
    reason = _run((*command, str(traced), str(out)))
    after = None if reason else _checked(out)
    if after is not None and _interface(after) != _interface(before):
        reason, after = "onnxsim changed the inputs or outputs", None
    if after is None:
        onnx.save(before, out)
        return Simplification(
            nodes_before=len(before.graph.node),
            nodes_after=len(before.graph.node),
            kept_because=reason or "onnxsim wrote a file that is not valid ONNX",
        )
    _name_fused_nodes(after)
    # onnxsim drops the metadata, which holds the blocks.
    del after.metadata_props[:]
    after.metadata_props.extend(before.metadata_props)
    onnx.save(after, out)
    return Simplification(nodes_before=len(before.graph.node), nodes_after=len(after.graph.node))


def _run(command: tuple[str, ...]) -> str | None:
    """Run onnxsim; the reason why it failed, or None."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_LIMIT_S, check=False, env={**os.environ, "NO_COLOR": "1"}
        )
    except subprocess.TimeoutExpired:
        return f"onnxsim took longer than {_LIMIT_S} s"
    except OSError as error:
        return f"onnxsim cannot be started: {error.strerror}"
    if done.returncode < 0:
        return f"onnxsim crashed with signal {-done.returncode}"
    if done.returncode > 0:
        last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        return f"onnxsim failed with status {done.returncode}: {last}"
    return None


def _checked(path: Path) -> onnx.ModelProto | None:
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
    except (OSError, DecodeError, onnx.checker.ValidationError):
        return None
    return model


def _name_fused_nodes(model: onnx.ModelProto) -> None:
    """Name nodes that onnxsim made (`Gemm_7`) for the module whose tensor they lead to, as the tracer's are named."""
    scopes: dict[str, str] = {}
    taken = {node.name for node in model.graph.node}
    for node in reversed(model.graph.node):
        scope = _scope(node.name) or _scope(node.output[0]) or scopes.get(node.output[0], "")
        for name in node.input:
            scopes.setdefault(name, scope)
        if scope and not _scope(node.name):
            node.name = next(name for k in itertools.count() if (name := f"{scope}/{node.op_type}_{k}") not in taken)
            taken.add(node.name)


def _scope(name: str) -> str:
    return name.rpartition("/")[0]


def _interface(model: onnx.ModelProto) -> list[tuple[str, str]]:
    tensors = (*model.graph.input, *model.graph.output)
    return [(item.name, str(item.type.tensor_type)) for item in tensors]

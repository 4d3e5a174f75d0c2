"""One engine of a kit held to what the kit expects; where it differs, the first block that does is found."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_aver.bundle.kit import KitGraph, KitTolerance, block_key, tensor_key
from edge_aver.errors import ParityError
from edge_aver.locks import scratch_folder
from edge_aver.targets import DeviceProfile, RuntimeModule
from edge_aver.targets.onnx_bytes import extra_outputs

__all__ = ["GraphCheck", "check_graph"]

Array = npt.NDArray[Any]

_EXACT_DB = 300.0
"""Stands for infinite signal to noise, which JSON cannot hold."""


@dataclass(frozen=True, kw_only=True)
class GraphCheck:
    """How an engine's outputs compare with those expected, on the golden clips.

    Attributes:
        graph: `clip`, or the part.
        max_abs_diff: largest absolute difference of an output.
        sqnr_db: signal to noise of the outputs, in dB.
    """

    graph: str
    max_abs_diff: float
    sqnr_db: float


def check_graph(
    graph: KitGraph,
    source: Path,
    engine: Path,
    golden: Mapping[str, Array],
    tolerance: KitTolerance,
    *,
    runtime: RuntimeModule,
    profile: DeviceProfile,
) -> GraphCheck:
    """Run an engine that was built a moment ago on the golden inputs.

    Args:
        graph: what it was built from.
        source: its ONNX file; built a second time, with what leaves its blocks as outputs, only if the check fails.
        engine: the engine.
        golden: by `tensor_key` and `block_key`.
        tolerance: of the kit.
        runtime: that built it.
        profile: that it was built for.

    Raises:
        ParityError: outside the tolerance: by how much, and the first block that differs.
        TargetError: it does not run here.
    """
    feed = {item.name: golden[tensor_key(graph.name, item.name)].astype(item.dtype) for item in graph.inputs}
    with runtime.open_runner(engine, trust=True) as runner:
        answer = runner.infer(feed)
    pairs = [(golden[tensor_key(graph.name, item.name)], answer[item.name]) for item in graph.outputs]
    wanted, got = (np.concatenate([pair[i].reshape(-1).astype(np.float64) for pair in pairs]) for i in (0, 1))
    check = GraphCheck(graph=graph.name, max_abs_diff=_difference(wanted, got), sqnr_db=_sqnr_db(wanted, got))
    limit = tolerance.max_abs_diff
    if check.sqnr_db < tolerance.min_sqnr_db or (limit is not None and check.max_abs_diff > limit):
        guilty = _first_difference(graph, source, feed, golden, tolerance, runtime, profile)
        also = "" if limit is None else f", largest difference {check.max_abs_diff:.3g} (at most {limit:g})"
        raise ParityError(
            f"the engine of {graph.name} does not answer as the kit expects: signal to noise {check.sqnr_db:.1f} dB "
            f"(at least {tolerance.min_sqnr_db:g}){also}; first block that differs: {guilty}; nothing was put in place"
        )
    return check


def _first_difference(
    graph: KitGraph,
    source: Path,
    feed: Mapping[str, Array],
    golden: Mapping[str, Array],
    tolerance: KitTolerance,
    runtime: RuntimeModule,
    profile: DeviceProfile,
) -> str:
    """Build once more with what leaves each block as an output, and name the first that is not as expected."""
    tensors = tuple(block.tensor for block in graph.blocks)
    with scratch_folder(source.parent.parent) as folder:
        marked, engine = folder / source.name, folder / f"marked{runtime.suffix}"
        marked.write_bytes(source.read_bytes() + extra_outputs({block.tensor: block.dtype for block in graph.blocks}))
        runtime.build(marked, engine, metadata={}, profile=profile)
        with runtime.open_runner(engine, outputs=tensors, trust=True) as runner:
            answer = runner.infer(feed)
    for block in graph.blocks:
        wanted, got = golden[block_key(block.name)].astype(np.float64), answer[block.tensor][:1].astype(np.float64)
        ratio = _sqnr_db(wanted, got)
        if ratio < tolerance.block_min_sqnr_db:
            return f"{block.name} (layer {block.tensor}: {ratio:.1f} dB)"
    return "none by itself (what follows the last block differs, or what TensorRT fuses across blocks)"


def _difference(wanted: Array, got: Array) -> float:
    largest = float(np.abs(wanted - got).max())
    return largest if math.isfinite(largest) else float(np.finfo(np.float32).max)


def _sqnr_db(wanted: Array, got: Array) -> float:
    if not np.isfinite(got).all():
        return -_EXACT_DB
    noise = float(np.square(wanted - got).sum())
    if noise == 0.0:
        return _EXACT_DB
    return 10.0 * math.log10(max(float(np.square(wanted).sum()), 1e-300) / noise)

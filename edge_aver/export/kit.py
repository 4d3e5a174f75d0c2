"""Making a kit: the lowered graphs, what they must answer, and what the device's builder must know."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper

from edge_aver import __version__
from edge_aver.bundle.kit import (
    CLIP,
    Kit,
    KitBlock,
    KitGraph,
    KitTensor,
    KitTolerance,
    block_key,
    tensor_key,
    write_kit,
)
from edge_aver.corpora.golden import golden_clips
from edge_aver.errors import ExportError
from edge_aver.export.split import Cut, split_onnx
from edge_aver.quantize import Recipe
from edge_aver.spec import FEATURES, ModelSpec
from edge_aver.targets import DeviceProfile, runtime_module

__all__ = ["GOLDEN_CLIPS", "KitPlan", "make_kit"]

Array = npt.NDArray[Any]

GOLDEN_CLIPS = 2

_BLOCK_SQNR_DB = {"fp32": 60.0, "fp16": 40.0, "int8": 15.0}
"""By the coarsest precision of a recipe: what its parity limits ask of the logits, asked of what leaves a block."""


@dataclass(frozen=True, kw_only=True)
class KitPlan:
    """What a kit is made of.

    Attributes:
        lowered: the graph of the whole clip in TensorRT's form.
        blocks: tensor that leaves each block, by block in order of execution.
        recipe: whose limits the device must keep.
        profile: of the device.
        spec: of the network.
        cut: where the network has two parts; None where it is built whole alone.
    """

    lowered: Path
    blocks: Mapping[str, str]
    recipe: Recipe
    profile: DeviceProfile
    spec: ModelSpec
    cut: Cut | None


def make_kit(plan: KitPlan, folder: Path) -> Mapping[str, Any]:
    """Write a kit's files into its folder.

    The golden inputs are made-up clips (`golden_clips`), so a kit holds nothing of anybody's; the expected outputs are
    what ONNX Runtime, its optimizations off, computes from the kit's own graphs.

    Args:
        plan: what it is made of.
        folder: existing and empty.

    Returns:
        What the sidecar tells of it.

    Raises:
        ExportError: the graph cannot be split into its parts, gives something that is not finite, or takes features
            that no golden clip has.
    """
    if gap := plan.spec.media_gap:
        raise ExportError(f"no kit for {plan.profile.name}, whose device is held to golden clips: {gap}")
    whole = folder / f"{CLIP}.onnx"
    model = onnx.load(plan.lowered)
    del model.metadata_props[:]
    onnx.save(model, whole)
    parts = split_onnx(whole, folder, plan.cut) if plan.cut else {}
    inner = _blocks(whole, plan.blocks)
    made = golden_clips(GOLDEN_CLIPS, plan.spec.preprocessing)
    clips = plan.spec.feed(made["faces"], made["audio"])
    golden = _expected(whole, parts, clips, inner)
    graphs = tuple(_graph(name, path, inner, plan) for name, path in {CLIP: whole, **parts}.items())
    kit = Kit(
        target=plan.profile.name,
        profile=_table(plan.profile),
        precision=plan.recipe.name,
        graphs=graphs,
        tolerance=_tolerance(plan.recipe),
        edge_aver=__version__,
        notes=plan.profile.notes,
    )
    write_kit(folder, kit, golden)
    return {
        "kit": "engines are built on the device: edge-aver build there",
        "library_versions": plan.profile.library_versions,
        "compute_capabilities": list(plan.profile.compute_capabilities),
        "workspace_mb": plan.profile.workspace_mb,
        "dla": "off",
        "golden": f"{GOLDEN_CLIPS} made-up clips; expected outputs by ONNX Runtime with optimizations off",
        "tolerance": asdict(kit.tolerance),
        "notes": list(plan.profile.notes),
    }


def _tolerance(recipe: Recipe) -> KitTolerance:
    coarsest = next(precision for precision in ("int8", "fp16", "fp32") if recipe.blocks_in(precision))
    limit = _BLOCK_SQNR_DB[coarsest]
    return KitTolerance(
        max_abs_diff=recipe.parity.max_abs_diff,
        min_sqnr_db=recipe.parity.min_sqnr_db or limit,
        block_min_sqnr_db=limit,
    )


def _expected(
    whole: Path, parts: Mapping[str, Path], clips: Mapping[str, Array], inner: Mapping[str, str]
) -> dict[str, Array]:
    """Inputs and outputs of every graph, and the first row that leaves every block."""
    answer = _run(whole, clips, tuple(inner.values()))
    golden = {tensor_key(CLIP, name): value for name, value in (*clips.items(), ("logits", answer["logits"]))}
    golden |= {block_key(block): answer[tensor][:1].astype(np.float32) for block, tensor in inner.items()}
    if parts:
        golden |= _expected_parts(parts, clips)
    if broken := [name for name, value in golden.items() if not np.isfinite(value).all()]:
        raise ExportError(f"{whole.name}: {broken[0]} is not finite on the golden clips; keep its block in fp32")
    return golden


def _expected_parts(parts: Mapping[str, Path], clips: Mapping[str, Array]) -> dict[str, Array]:
    encoder, fusion = parts.values()
    frames = {"faces": clips["faces"].reshape(-1, *clips["faces"].shape[2:])}
    features = _run(encoder, frames, ())[FEATURES]
    heard = {name: value for name, value in clips.items() if name != "faces"}
    taken = {FEATURES: features.reshape(*clips["faces"].shape[:2], *features.shape[1:]), **heard}
    encoder_name, fusion_name = parts
    golden = {tensor_key(encoder_name, name): value for name, value in (*frames.items(), (FEATURES, features))}
    golden |= {tensor_key(fusion_name, name): value for name, value in taken.items()}
    golden[tensor_key(fusion_name, "logits")] = _run(fusion, taken, ())["logits"]
    return golden


def _run(path: Path, feed: Mapping[str, Array], outputs: tuple[str, ...]) -> Mapping[str, Array]:
    kinds = {item.name: helper.tensor_dtype_to_np_dtype(item.type.tensor_type.elem_type) for item in _inputs(path)}
    with runtime_module("onnxruntime").open_runner(path, exact=True, outputs=outputs) as runner:
        return runner.infer({name: value.astype(kinds[name], copy=False) for name, value in feed.items()})


def _inputs(path: Path) -> Iterable[onnx.ValueInfoProto]:
    inputs: Iterable[onnx.ValueInfoProto] = onnx.load(path).graph.input
    return inputs


def _blocks(whole: Path, blocks: Mapping[str, str]) -> dict[str, str]:
    """Blocks whose tensor is still in the lowered graph; the logits are the whole graph's own output."""
    made = {name for node in onnx.load(whole).graph.node for name in node.output}
    return {block: tensor for block, tensor in blocks.items() if tensor in made and tensor != "logits"}


def _graph(name: str, path: Path, inner: Mapping[str, str], plan: KitPlan) -> KitGraph:
    model = onnx.shape_inference.infer_shapes(onnx.load(path))
    made = {info.name: _dtype(info) for info in model.graph.value_info}
    return KitGraph(
        name=name,
        file=path.name,
        inputs=tuple(_tensor(info, plan.profile.max_batch) for info in model.graph.input),
        outputs=tuple(_tensor(info, None) for info in model.graph.output),
        blocks=tuple(
            KitBlock(name=block, tensor=tensor, dtype=made[tensor]) for block, tensor in inner.items() if tensor in made
        ),
    )


def _tensor(info: onnx.ValueInfoProto, most: int | None) -> KitTensor:
    first, *row = info.type.tensor_type.shape.dim
    rows = int(first.dim_param.split("*")[0]) if "*" in first.dim_param else 1
    return KitTensor(
        name=info.name,
        dtype=_dtype(info),
        shape=(-1, *(dim.dim_value for dim in row)),
        rows=() if most is None else (1, rows, rows * most),
    )


def _dtype(info: onnx.ValueInfoProto) -> str:
    return str(helper.tensor_dtype_to_np_dtype(info.type.tensor_type.elem_type))


def _table(profile: DeviceProfile) -> dict[str, Any]:
    """As the profile's TOML would have it: JSON's own types, and no key without a value."""
    table = {key: value for key, value in asdict(profile).items() if value is not None}
    return dict(json.loads(json.dumps(table)))

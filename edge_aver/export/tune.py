"""Find which blocks an int8 recipe must spare: measured block by block on the Q/DQ graph, within a time, resumably."""

import json
import tempfile
import time
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from torch import nn

from edge_aver.console import say
from edge_aver.errors import ExportError
from edge_aver.export.ladder import parity_clips
from edge_aver.export.parity import measure_step
from edge_aver.export.pipeline import CalibrationFeeds, ExportRequest, draw_manifest
from edge_aver.export.simplify import simplify
from edge_aver.export.trace import onnx_from_torch
from edge_aver.files import atomic_path, json_text, sha256_bytes, write_text
from edge_aver.quantize import Recipe
from edge_aver.quantize.blocks import PAPER_LAYOUT, Layout
from edge_aver.quantize.ptq import Feed
from edge_aver.quantize.qdq import quantize_qdq
from edge_aver.quantize.sensitivity import BlockDamage, Damage, cheapest_mix, measure_blocks
from edge_aver.spec import ModelSpec
from edge_aver.targets import runtime_module

__all__ = ["TunedRecipe", "Tuning", "restrict", "tune", "tune_export", "write_tuned_recipe"]

Array = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """Damage of every block of a recipe, and the blocks to compute in fp32 (None where no mix keeps the limits)."""

    blocks: tuple[BlockDamage, ...]
    whole: Damage
    kept: tuple[str, ...] | None


@dataclass(frozen=True, kw_only=True)
class TunedRecipe:
    """What tuning a recipe came to, and where the recipe found stands (None where no mix keeps the limits)."""

    recipe: Recipe
    tuning: Tuning
    path: Path | None


def tune_export(request: ExportRequest, recipe: Recipe, *, cache: Path, out: Path, minutes: float) -> TunedRecipe:
    """Tune a recipe for the checkpoint of an export, on the clips that the export would compare on.

    Args:
        request: whose checkpoint, store and fold are used.
        recipe: with int8 blocks.
        cache: folder of what is measured, for a later run to go on from.
        out: the TOML file to write; its recipe is named by the file's name.
        minutes: after which measuring stops.

    Raises:
        ExportError: nothing of the recipe is int8, or the time is over.
        CorpusError, LeakError: clips are missing, or leak.
    """
    manifest = draw_manifest(request, recipe)
    if manifest is None or not recipe.blocks_in("int8"):
        raise ExportError(f"recipe {recipe.name} keeps no block in int8: there is nothing to tune")
    clips = parity_clips(request.store, request.fold, recipe.parity.clips)
    spec = request.checkpoint.spec
    tuning = tune(
        request.checkpoint.network,
        recipe,
        calibration=CalibrationFeeds(store=request.store, manifest=manifest, inputs=spec.input_names),
        clips=[spec.feed(clip.faces[None], clip.audio[None]) for clip in clips],
        key=" ".join((request.checkpoint.sha256, recipe.sha256, manifest.digest())),
        cache=cache,
        minutes=minutes,
        spec=spec,
    )
    if tuning.kept is not None:
        write_tuned_recipe(out, recipe, tuning.kept)
    return TunedRecipe(recipe=recipe, tuning=tuning, path=None if tuning.kept is None else out)


def tune(
    network: nn.Module,
    recipe: Recipe,
    *,
    calibration: Collection[Feed],
    clips: Collection[Feed],
    key: str,
    cache: Path,
    minutes: float,
    spec: ModelSpec | None = None,
) -> Tuning:
    """Measure and choose; what was measured lies in `cache` and is not measured again.

    One calibration serves all mixes: a block leaves 8 bits by having its Q/DQ pairs bypassed.

    Args:
        network: in fp32.
        recipe: whose int8 blocks are tried.
        calibration: network inputs, batch 1.
        clips: to measure on; not those that calibrate.
        key: names checkpoint, recipe and calibration: other ones are measured anew.
        cache: folder of the workspace.
        minutes: after which measuring stops.
        spec: of a network that is none of the paper's.

    Raises:
        ExportError: the time is over; running it again goes on where it stopped.
    """
    folder = cache / "sensitivity" / sha256_bytes(key.encode())[:16]
    folder.mkdir(parents=True, exist_ok=True)
    source, reference = _graphs(network, recipe, calibration, folder, spec)
    measure = _Measuring(source, reference, clips, recipe, folder, time.monotonic() + 60 * minutes)
    weights = _weights_by_block(onnx.load(source), recipe.layout)
    blocks = [block for block in recipe.blocks_in("int8") if weights[block]]
    damages = measure_blocks(blocks, measure)
    kept = cheapest_mix(damages, measure, cost=lambda block: weights[block] / weights.total())
    return Tuning(blocks=damages, whole=measure(frozenset(blocks)), kept=kept)


def restrict(
    model: onnx.ModelProto, fp32: onnx.ModelProto, int8: Collection[str], layout: Layout = PAPER_LAYOUT
) -> onnx.ModelProto:
    """The Q/DQ graph with 8 bits in the blocks of `int8` alone; others read what they read in fp32."""
    wanted = {node.name: node.input for node in fp32.graph.node}
    copied = onnx.ModelProto.FromString(model.SerializeToString())
    for node in copied.graph.node:
        if node.name in wanted and layout.block_of(node.name) not in int8:
            node.input[:] = wanted[node.name]
    there = {item.name for item in copied.graph.initializer}
    read = {name for node in copied.graph.node for name in node.input}
    copied.graph.initializer.extend(
        item for item in fp32.graph.initializer if item.name in read and item.name not in there
    )
    return copied


def write_tuned_recipe(path: Path, recipe: Recipe, kept: Collection[str]) -> None:
    """Write the recipe with the blocks `kept` computing in fp32, as `--recipe` takes it, named by the file's name.

    Their weights stay in 8 bits: that costs next to nothing and keeps the file small.
    """
    assert recipe.calibration is not None
    blocks = {**recipe.blocks, **dict.fromkeys(kept, "int8-weights")}
    limits = {name: value for name, value in asdict(recipe.parity).items() if value is not None}
    lines = [f'name = "{path.stem}"', f'title = "{recipe.title}; tuned"', f'default = "{recipe.default}"']
    lines += [f"integer_kernels = {str(recipe.integer_kernels).lower()}"]
    lines += ["", "[blocks]", *(f'"{block}" = "{precision}"' for block, precision in blocks.items())]
    lines += ["", "[calibration]", *(f"{name} = {value}" for name, value in asdict(recipe.calibration).items())]
    lines += ["", "[parity]", *(f"{name} = {value}" for name, value in limits.items())]
    write_text(path, "\n".join(lines) + "\n")


class _Measuring:
    """Damage of a mix on the clips, remembered in a file."""

    def __init__(
        self,
        source: Path,
        reference: Path,
        clips: Collection[Feed],
        recipe: Recipe,
        folder: Path,
        deadline_s: float,
    ) -> None:
        self._fp32, self._qdq, self._clips = onnx.load(source), onnx.load(reference), clips
        self._recipe, self._folder, self._deadline_s = recipe, folder, deadline_s
        self._wanted = _logits(source, clips)
        path = folder / "measured.json"
        self._known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}

    def __call__(self, int8: frozenset[str]) -> Damage:
        name = " ".join(sorted(int8))
        if name not in self._known:
            self._known[name] = asdict(self._measure(int8))
            write_text(self._folder / "measured.json", json_text(self._known))
        return Damage(**self._known[name])

    def _measure(self, int8: frozenset[str]) -> Damage:
        if time.monotonic() > self._deadline_s:
            raise ExportError(f"the time to tune is over after {len(self._known)} mixes; run it again to go on")
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            path = Path(folder) / "mix.onnx"
            mix = int8.union(self._recipe.blocks_in("int8-weights"))
            onnx.save(restrict(self._qdq, self._fp32, mix, self._recipe.layout), path)
            step = measure_step("mix", self._wanted, _logits(path, self._clips), self._recipe.parity)
        say(f"{len(int8)} blocks in int8: {step.sqnr_db:.1f} dB, {step.top1_agreement:.1%} agree")
        return Damage(sqnr_db=step.sqnr_db, top1_agreement=step.top1_agreement, passed=step.passed)


def _graphs(
    network: nn.Module, recipe: Recipe, calibration: Collection[Feed], folder: Path, spec: ModelSpec | None
) -> tuple[Path, Path]:
    source, reference = folder / "fp32.onnx", folder / "qdq.onnx"
    if not reference.is_file():
        with atomic_path(source) as simplified:
            traced = folder / "traced.onnx"
            onnx_from_torch(network, traced, *([spec] if spec else []))
            simplify(traced, simplified)
            traced.unlink()
        with atomic_path(reference) as quantized:
            quantize_qdq(source, quantized, recipe, calibration)
    return source, reference


def _logits(path: Path, clips: Collection[Feed]) -> Array:
    with runtime_module("onnxruntime").open_runner(path) as runner:
        return np.concatenate([runner.infer(feed)["logits"] for feed in clips])


def _weights_by_block(model: onnx.ModelProto, layout: Layout) -> Counter[str]:
    sizes: Mapping[str, int] = {item.name: int(np.prod(item.dims)) for item in model.graph.initializer}
    counts: Counter[str] = Counter()
    for node in model.graph.node:
        block = layout.block_of(node.name)
        if block is not None and node.op_type in ("Conv", "Gemm", "MatMul"):
            counts[block] += sum(sizes.get(name, 0) for name in node.input[1:2])
    return counts

"""The clips and the PyTorch network that every step of an export is compared with."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from edge_aver.calibration.folds import Fold
from edge_aver.corpora.store import PreparedClip, PreparedStore
from edge_aver.errors import ArtifactError, CorpusError
from edge_aver.export.parity import ParityStep, check_step, first_diverging_block, measure_step
from edge_aver.export.trace import read_blocks
from edge_aver.models.network import block_paths
from edge_aver.quantize import ParityLimits
from edge_aver.spec import FEATURES, PARTS, ModelSpec
from edge_aver.targets import Runner, RuntimeModule, runtime_module

__all__ = ["Ladder", "parity_clips", "run_parts"]

Array = npt.NDArray[Any]


def parity_clips(store: PreparedStore, fold: Fold, count: int) -> tuple[PreparedClip, ...]:
    """Clips to compare on: of the fold's validation actors first, then of its test actors, spread over the records.

    They judge a conversion, not the network, so a fold with neither (a few clips of one's own) takes any clip.

    Raises:
        CorpusError: the store is empty.
    """
    records = store.records()
    chosen = [record for record in records if record.actor in fold.validation]
    chosen += [record for record in records if record.actor in fold.test]
    chosen = chosen or list(records)
    if not chosen:
        raise CorpusError(f"the prepared store of {store.corpus} has no clips to check parity on")
    picks = np.linspace(0, len(chosen) - 1, min(count, len(chosen))).round().astype(int)
    return tuple(store.load(chosen[i].id) for i in picks)


class Ladder:
    """What each step of an export must reproduce.

    Args:
        network: the trained network, in evaluation mode.
        clips: to compare on.
        spec: which inputs it takes; None for both.
    """

    def __init__(self, network: nn.Module, clips: Sequence[PreparedClip], spec: ModelSpec | None = None) -> None:
        spec = spec or ModelSpec(architecture="", corpus="", fold=1)
        self._network = network.eval().cpu()
        self._feeds: list[dict[str, Array]] = [spec.feed(clip.faces[None], clip.audio[None]) for clip in clips]
        self._logits = np.concatenate([_torch_logits(self._network, feed) for feed in self._feeds])
        self._blocks: Mapping[str, str] = {}
        self._checked: dict[tuple[Path, bool], ParityStep] = {}

    def check_onnx(self, step: str, path: Path, limits: ParityLimits, *, exact: bool = False) -> ParityStep:
        """Run an ONNX file with ONNX Runtime, or tell what came of it before: several targets share one.

        Args:
            step: name of the step.
            path: the file.
            limits: it must keep.
            exact: graph optimizations off; a Q/DQ graph means its emulation, not what 8-bit kernels make of it.

        Raises:
            ParityError: outside the limits.
        """
        self._blocks = read_blocks(path) or self._blocks
        if (path, exact) not in self._checked:
            self._checked[path, exact] = self._check(step, runtime_module("onnxruntime"), path, limits, exact=exact)
        return self._checked[path, exact]

    def check_engine(self, step: str, runtime: RuntimeModule, path: Path, limits: ParityLimits) -> ParityStep:
        """Run what a target was built, as it will run there.

        Raises:
            ParityError: outside the limits.
        """
        return self._check(step, runtime, path, limits, exact=False)

    def check_parts(self, runtime: RuntimeModule, parts: Mapping[str, Path], limits: ParityLimits) -> ParityStep:
        """Run a network that was built in two, each frame by itself, as a stream encodes them.

        Args:
            runtime: that opens both.
            parts: path of `frame_encoder` and of `fusion`.
            limits: they must keep.

        Raises:
            ParityError: outside the limits.
        """
        feeds = self._feeds[: limits.clips]
        encoder, fusion = (runtime.open_runner(parts[part], trust=True) for part in PARTS)
        with encoder, fusion:
            logits = np.concatenate([run_parts(encoder, fusion, feed) for feed in feeds])
        measured = measure_step("parts", self._logits[: len(feeds)], logits, limits)
        check_step(measured, parts["fusion"].name)
        return measured

    def _check(self, step: str, runtime: RuntimeModule, path: Path, limits: ParityLimits, *, exact: bool) -> ParityStep:
        feeds = self._feeds[: limits.clips]
        # What is checked here was built here a moment ago, and has no sidecar yet.
        with runtime.open_runner(path, exact=exact, trust=True) as runner:
            logits = np.concatenate([runner.infer(feed)["logits"] for feed in feeds])
        measured = measure_step(step, self._logits[: len(feeds)], logits, limits)
        if not measured.passed:
            measured = replace(measured, first_diverging_block=self._diverging(runtime, path, limits, exact=exact))
        check_step(measured, path.name)
        return measured

    def _diverging(self, runtime: RuntimeModule, path: Path, limits: ParityLimits, *, exact: bool) -> str | None:
        """Name the guilty block on the first clip; None where the file no longer has the blocks' tensors."""
        try:
            inner = tuple(tensor for tensor in self._blocks.values() if tensor != "logits")
            with runtime.open_runner(path, exact=exact, outputs=inner, trust=True) as runner:
                got = runner.infer(self._feeds[0])
        except ArtifactError:
            return None
        wanted = _torch_blocks(self._network, self._feeds[0])
        tensors = {block: got[tensor] for block, tensor in self._blocks.items()}
        # A module of one's own may give several tensors, or be called several times.
        tensors = {
            block: value for block, value in tensors.items() if block in wanted and wanted[block].shape == value.shape
        }
        return first_diverging_block(list(tensors), wanted.__getitem__, tensors.__getitem__, limits)


def run_parts(encoder: Runner, fusion: Runner, feed: Mapping[str, Array]) -> Array:
    """Logits (1, L) of one clip by a network in two: each frame by itself, then all of them fused."""
    frames = [encoder.infer({"faces": face[None]})[FEATURES].copy() for face in feed["faces"][0]]
    others = {name: value for name, value in feed.items() if name != "faces"}
    return fusion.infer({FEATURES: np.concatenate(frames)[None], **others})["logits"].copy()


def _torch_logits(network: nn.Module, feed: Mapping[str, Array]) -> Array:
    with torch.inference_mode():
        logits: Array = network(*map(torch.from_numpy, feed.values())).numpy()
    return logits


def _torch_blocks(network: nn.Module, feed: Mapping[str, Array]) -> dict[str, Array]:
    """What leaves each block in PyTorch."""
    found: dict[str, Array] = {}

    def keep(block: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            if isinstance(output, torch.Tensor):
                found[block] = output.detach().numpy()

        return hook

    hooks = [
        network.get_submodule(path).register_forward_hook(keep(block)) for block, path in block_paths(network).items()
    ]
    try:
        _torch_logits(network, feed)
    finally:
        for hook in hooks:
            hook.remove()
    return found

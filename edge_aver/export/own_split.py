"""A network of one's own in two: whether its frames are independent, measured, and where its graph is cut."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from edge_aver.corpora.store import PreparedClip
from edge_aver.errors import ExportError
from edge_aver.export.ladder import run_parts
from edge_aver.export.split import Cut, split_onnx
from edge_aver.models.checkpoint import Checkpoint
from edge_aver.models.user_code import first_line
from edge_aver.spec import ModelSpec
from edge_aver.targets import runtime_module

__all__ = ["OwnParts", "check_cut", "check_parts", "find_cut", "parse_parts"]

_TOLERANCE = 1e-4
"""Of the largest feature, or logit: how far fp32 on other batch sizes may come out."""


@dataclass(frozen=True, kw_only=True)
class OwnParts:
    """Paths of the modules that encode frames, (M, ...) to (M, D), and fuse them, (N, T, D) and audio to logits."""

    encoder: str
    fusion: str


def parse_parts(text: str) -> OwnParts:
    """Read `encoder=frame_encoder,fusion=fusion`.

    Raises:
        ExportError: something else.
    """
    pairs = [item.partition("=")[::2] for item in text.split(",")]
    table = {key.strip(): value.strip() for key, value in pairs}
    if len(pairs) != 2 or set(table) != {"encoder", "fusion"} or not all(table.values()):
        raise ExportError(f"--split {text}: expected encoder=MODULE,fusion=MODULE, by their paths in the network")
    return OwnParts(**table)


def check_parts(checkpoint: Checkpoint, parts: OwnParts, clip: PreparedClip) -> None:
    """Measure on one clip that every frame is encoded by itself, and that fusing what comes out is the whole network.

    Args:
        checkpoint: the network and its spec.
        parts: what is said to be its parts.
        clip: a prepared one.

    Raises:
        ExportError: no such modules, another division of work than `OwnParts` has it, or frames that depend on each
            other; the difference that was measured is told.
    """
    network, spec = checkpoint.network, checkpoint.spec
    if "faces" not in spec.input_names:
        raise ExportError("--split: the network takes no faces, so it has no frames to encode")
    encoder, fusion = (_module(network, path) for path in (parts.encoder, parts.fusion))
    faces, audio = torch.from_numpy(clip.faces[None]), torch.from_numpy(clip.audio[None])
    with torch.inference_mode():
        with _watched(encoder) as encoded, _watched(fusion) as fused:
            logits = network(*spec.feed(faces, audio).values())
        rows, features = _encoded(parts, encoded, faces.shape[1])
        fusing = _fused(parts, fused, features)
        alone = torch.cat([encoder(row) for row in torch.split(rows, 1)])
        _hold(f"{parts.encoder} on one frame at a time", features, alone)
        for i in range(faces.shape[1]):
            lone = torch.zeros_like(faces)
            lone[:, i] = faces[:, i]
            with _watched(encoder) as again:
                network(*spec.feed(lone, audio).values())
            _hold(f"{parts.encoder} of frame {i} beside black ones", features[i : i + 1], again[0].gave[i : i + 1])
        _hold(f"{parts.fusion} of frames encoded one at a time", fusing.gave, fusing.call(fusion, features, alone))
        with _given(fusion, fusing):
            other = network(*spec.feed(255 - faces, audio).values())
        _hold(f"the network on other faces, with the same features for {parts.fusion},", logits, other)


def find_cut(graph: Path, parts: OwnParts, spec: ModelSpec) -> Cut:
    """The node of a traced graph that puts encoded frames together into clips.

    Raises:
        ExportError: there is not exactly one.
    """
    model = onnx.load(graph)
    made = {name: node for node in model.graph.node for name in node.output}
    inside = {node.name for node in model.graph.node if _below(node.name, parts.encoder)}
    leaving = {
        name
        for node in model.graph.node
        if node.name not in inside
        for name in node.input
        if name in made and made[name].name in inside
    }
    joins = [
        node.name
        for node in model.graph.node
        if node.op_type == "Reshape" and node.input[0] in leaving and node.name not in inside
    ]
    readers = sum(name in leaving for node in model.graph.node for name in node.input)
    if not len(leaving) == len(joins) == readers == 1:
        raise ExportError(
            f"--split: between {parts.encoder} and {parts.fusion} stand {len(leaving)} tensors, {readers} readers and "
            f"{len(joins)} reshapes, expected one of each: features.reshape(-1, frames, width) and nothing else"
        )
    frames = next(int(item.shape[1]) for item in spec.inputs if item.name == "faces")
    return Cut(join=joins[0], frames=frames)


def check_cut(graph: Path, cut: Cut, clip: PreparedClip, spec: ModelSpec) -> None:
    """Run both parts of a traced graph, frame by frame, beside the whole.

    Raises:
        ExportError: they differ; what was measured is told.
    """
    runtime = runtime_module("onnxruntime")
    with TemporaryDirectory(prefix=".cutting-", dir=graph.parent) as folder, ExitStack() as stack:
        paths = (graph, *split_onnx(graph, Path(folder), cut).values())
        whole, encoder, fusion = (stack.enter_context(runtime.open_runner(path)) for path in paths)
        feed = spec.feed(clip.faces[None], clip.audio[None])
        try:
            got = run_parts(encoder, fusion, feed)
        except Exception as error:
            raise ExportError(
                f"--split: the encoder's graph does not take one frame ({first_line(error)}); write the reshape before "
                "it as faces.reshape(-1, height, width, 3)"
            ) from error
        _hold("the graph in two parts", torch.from_numpy(whole.infer(feed)["logits"]), torch.from_numpy(got))


@dataclass(frozen=True, kw_only=True)
class _Call:
    """What a module was given, and what it gave."""

    arguments: tuple[Any, ...]
    named: Mapping[str, Any]
    gave: Any

    @property
    def given(self) -> tuple[Any, ...]:
        return (*self.arguments, *self.named.values())

    def call(self, module: nn.Module, old: Tensor, new: Tensor) -> Any:
        """The same call with the argument that holds `old` changed to `new`."""

        def changed(item: Any) -> Any:
            return new.reshape(item.shape) if _holds(item, old) else item

        return module(*map(changed, self.arguments), **{name: changed(item) for name, item in self.named.items()})


@contextmanager
def _watched(module: nn.Module) -> Iterator[list[_Call]]:
    calls: list[_Call] = []

    def keep(module: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any], gave: Any) -> None:
        calls.append(_Call(arguments=arguments, named=named, gave=gave))

    hook = module.register_forward_hook(keep, with_kwargs=True)
    try:
        yield calls
    finally:
        hook.remove()


@contextmanager
def _given(module: nn.Module, call: _Call) -> Iterator[None]:
    """Give a module what it was given in `call`, whatever it is called with."""
    hook = module.register_forward_pre_hook(
        lambda module, arguments, named: (call.arguments, dict(call.named)), with_kwargs=True
    )
    try:
        yield
    finally:
        hook.remove()


def _module(network: nn.Module, path: str) -> nn.Module:
    try:
        return network.get_submodule(path)
    except AttributeError as error:
        children = ", ".join(name for name, _ in network.named_children())
        raise ExportError(f"--split: the network has no module {path!r}; it has {children or 'none'}") from error


def _encoded(parts: OwnParts, calls: Sequence[_Call], frames: int) -> tuple[Tensor, Tensor]:
    """What the encoder was given and gave, a row a frame."""
    if len(calls) != 1:
        raise ExportError(f"--split: {parts.encoder} is called {len(calls)} times a clip, expected once, on all frames")
    given, gave = calls[0].given, calls[0].gave
    if len(given) != 1 or not isinstance(given[0], Tensor) or not isinstance(gave, Tensor):
        raise ExportError(f"--split: {parts.encoder} must take one tensor and give one")
    if given[0].shape[0] != frames or gave.shape[0] != frames:
        raise ExportError(
            f"--split: {parts.encoder} takes {tuple(given[0].shape)} and gives {tuple(gave.shape)} for one clip, "
            f"expected a row for each of its {frames} frames (faces.reshape(-1, height, width, 3) before it)"
        )
    return given[0], gave


def _fused(parts: OwnParts, calls: Sequence[_Call], features: Tensor) -> _Call:
    """The one call of the fusion, on the encoded frames of one clip."""
    if len(calls) != 1 or not isinstance(calls[0].gave, Tensor):
        raise ExportError(f"--split: {parts.fusion} is called {len(calls)} times a clip, expected once, for one tensor")
    if sum(_holds(item, features) for item in calls[0].given) != 1:
        raise ExportError(
            f"--split: {parts.fusion} is not given what {parts.encoder} gives, reshaped to (N, frames, width)"
        )
    return calls[0]


def _holds(item: Any, features: Tensor) -> bool:
    """Whether an argument is these rows of frames as one clip, (1, T, D)."""
    shape = (1, *features.shape)
    return isinstance(item, Tensor) and tuple(item.shape) == shape and torch.equal(item, features.reshape(shape))


def _hold(what: str, wanted: Tensor, got: Tensor) -> None:
    difference = float((wanted - got).abs().max())
    largest = float(wanted.abs().max())
    if not difference <= _TOLERANCE * largest:
        raise ExportError(
            f"--split: frames are not independent: {what} differs by {difference:.3g} of {largest:.3g} "
            f"(limit {_TOLERANCE * largest:.1g}); build the network whole, without --split"
        )


def _below(name: str, path: str) -> bool:
    return name.startswith((f"{path}/", f"{path}."))

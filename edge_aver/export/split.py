"""The lowered graph in two: `frame_encoder` and `fusion`, so that frames can be encoded as they come."""

from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx.utils import Extractor

from edge_aver.errors import ExportError
from edge_aver.spec import FEATURES, PARTS

__all__ = ["PAPER_CUT", "Cut", "split_onnx"]


@dataclass(frozen=True, kw_only=True)
class Cut:
    """Where a whole-clip graph is cut.

    Attributes:
        join: name of the node that puts encoded frames, (M, D), together into clips, (N, T, D).
        frames: T.
    """

    join: str
    frames: int


PAPER_CUT = Cut(join="network/Reshape_1", frames=15)
"""Of the paper's networks."""


def split_onnx(lowered: Path, folder: Path, cut_at: Cut = PAPER_CUT) -> dict[str, Path]:
    """Cut a whole-clip graph where encoded frames are put together into clips.

    Args:
        lowered: `faces` (N, 15, 224, 224, 3) and `audio` to `logits`, nodes named by `onnx_from_torch`.
        folder: where to write `frame_encoder.onnx`, `faces` (M, 224, 224, 3) to `features` (M, 128), and
            `fusion.onnx`, `features` (N, 15, 128) and `audio` to `logits`.
        cut_at: where.

    Returns:
        Path by part.

    Raises:
        ExportError: the graph does not have the nodes to cut at.
    """
    model = onnx.shape_inference.infer_shapes(onnx.load(lowered))
    nodes = {node.name: node for node in model.graph.node}
    if cut_at.join not in nodes:
        raise ExportError(f"{lowered.name} has no node {cut_at.join}: it cannot be split into {' and '.join(PARTS)}")
    join, inputs = nodes[cut_at.join], [item.name for item in model.graph.input]
    cut, joined = join.input[0], join.output[0]
    _rename(model, cut, f"{FEATURES}/frames")
    _rename(model, joined, FEATURES)
    extractor = Extractor(model)
    try:
        encoder = extractor.extract_model(["faces"], [f"{FEATURES}/frames"])
        fusion = extractor.extract_model([FEATURES, *(name for name in inputs if name != "faces")], ["logits"])
    except onnx.checker.ValidationError as error:
        raise ExportError(
            f"{lowered.name}: what lies behind {cut_at.join} needs the faces too: it has no two parts"
        ) from error
    fusion.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    _rename(encoder, f"{FEATURES}/frames", FEATURES)
    _take_frames(encoder, cut_at.frames)
    return {part: _save(graph, folder / f"{part}.onnx") for part, graph in zip(PARTS, (encoder, fusion), strict=True)}


def _take_frames(encoder: onnx.ModelProto, frames: int) -> None:
    """Let it take frames, (M, 224, 224, 3): the reshape of clips to frames leaves them as they are."""
    for tensor in (encoder.graph.input[0], encoder.graph.output[0]):
        tensor.type.tensor_type.shape.dim[0].dim_param = f"{frames}*batch"
    del encoder.graph.input[0].type.tensor_type.shape.dim[1]
    # Shapes that were inferred for clips are wrong now; a reader infers them again.
    del encoder.graph.value_info[:]


def _rename(model: onnx.ModelProto, old: str, new: str) -> None:
    for node in model.graph.node:
        node.input[:] = [new if name == old else name for name in node.input]
        node.output[:] = [new if name == old else name for name in node.output]
    for info in (*model.graph.value_info, *model.graph.output):
        info.name = new if info.name == old else info.name


def _save(model: onnx.ModelProto, path: Path) -> Path:
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    return path

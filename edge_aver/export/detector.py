"""MTCNN's three networks from facenet-pytorch's own weights to ONNX, in the form that `edge_aver.media.mtcnn` runs."""

import importlib.metadata
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from edge_aver.bundle import DETECTOR_FOLDER, open_detector, write_detector
from edge_aver.errors import ArtifactError, MissingLibraryError
from edge_aver.locks import turn

__all__ = ["ensure_detector", "export_detector"]

_OPSET = 17
_IR_VERSION = 8
"""RoiAlign with half-pixel coordinates came with opset 16; these two are read by every runtime since 2022."""

_SAMPLES = 2
"""Points a side of every bin of RoiAlign: each is bilinear, so that bins up to four pixels wide lose nothing."""

Weights = Mapping[str, npt.NDArray[np.float32]]


@dataclass(frozen=True, kw_only=True)
class _Layer:
    """A convolution with its PReLU, and the max pooling after it as (kernel, stride); both round sizes up."""

    name: str
    pool: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class _Cascade:
    """One of the three networks: its layers, its hidden dense layer, and the names of its two heads."""

    layers: tuple[_Layer, ...]
    dense: str | None
    probability: str
    offsets: str
    side_px: int | None
    """Side of the square crop it takes; None: whole images of any size."""


_NETWORKS: Mapping[str, _Cascade] = {
    "pnet": _Cascade(
        layers=(_Layer(name="1", pool=(2, 2)), _Layer(name="2"), _Layer(name="3")),
        dense=None,
        probability="conv4_1",
        offsets="conv4_2",
        side_px=None,
    ),
    "rnet": _Cascade(
        layers=(_Layer(name="1", pool=(3, 2)), _Layer(name="2", pool=(3, 2)), _Layer(name="3")),
        dense="4",
        probability="dense5_1",
        offsets="dense5_2",
        side_px=24,
    ),
    "onet": _Cascade(
        layers=(
            _Layer(name="1", pool=(3, 2)),
            _Layer(name="2", pool=(3, 2)),
            _Layer(name="3", pool=(2, 2)),
            _Layer(name="4"),
        ),
        dense="5",
        probability="dense6_1",
        offsets="dense6_2",
        side_px=48,
    ),
}


def ensure_detector(folder: Path) -> None:
    """See to it that a folder of artifacts holds the detector: it is exported if it is not there, or is damaged.

    Raises:
        MissingLibraryError: it has to be made, and facenet-pytorch is not installed.
    """
    path = folder / DETECTOR_FOLDER
    with turn(path, "the export of the face detector"):
        try:
            open_detector(path)
        except ArtifactError:
            export_detector(path)


def export_detector(path: Path) -> None:
    """Write the three networks to the folder `path`, each as `<name>.onnx`; equal weights give equal bytes.

    `pnet` takes planes (N, 3, H, W) float32, RGB from 0 to 255, and gives, for every cell of 12 by 12 pixels at a
    stride of 2, the probability (N, h, w) of a face and the offsets (N, 4, h, w) of its box. `rnet` and `onet` take
    such planes, boxes (M, 4) float32 in their pixels and, for each box, the index of its planes (M,) int64; they cut
    the boxes out themselves (RoiAlign) and give probability (M,) and offsets (M, 4).

    Raises:
        MissingLibraryError: facenet-pytorch, which carries the weights, is not installed.
    """
    models = {name: _model(cascade, _weights(name)) for name, cascade in _NETWORKS.items()}
    source = f"facenet-pytorch {importlib.metadata.version('facenet-pytorch')} (MIT)"
    write_detector(path, {name: model.SerializeToString(deterministic=True) for name, model in models.items()}, source)


def _weights(name: str) -> Weights:
    # Found without importing it: its weights are all that is needed of it.
    package = importlib.util.find_spec("facenet_pytorch")
    if package is None or package.origin is None:
        raise MissingLibraryError("facenet_pytorch", "reference", "exporting the face detector")
    file = Path(package.origin).parent / "data" / f"{name}.pt"
    weights: dict[str, npt.NDArray[np.float32]]
    weights = {key: value.numpy() for key, value in torch.load(file, weights_only=True).items()}
    return {**weights, **_for_pixels(weights["conv1.weight"], weights["conv1.bias"])}


def _for_pixels(weight: npt.NDArray[np.float32], bias: npt.NDArray[np.float32]) -> Weights:
    """The first convolution for pixels from 0 to 255 where it was trained on (pixel - 127.5) / 128: it pads nothing."""
    scaled = weight.astype(np.float64) / 128
    moved = bias - 127.5 * scaled.sum(axis=(1, 2, 3))
    return {"conv1.weight": scaled.astype(np.float32), "conv1.bias": moved.astype(np.float32)}


def _model(cascade: _Cascade, weights: Weights) -> onnx.ModelProto:
    graph = _Graph(weights)
    features = _trunk(graph, cascade)
    if cascade.dense is None:
        probability, offsets = _convolved_heads(graph, cascade, features)
        shapes: tuple[Sequence[int | str], ...] = (("N", "h", "w"), ("N", 4, "h", "w"))
    else:
        probability, offsets = _dense_heads(graph, cascade, features)
        shapes = (("M",), ("M", 4))
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in zip((probability, offsets), shapes, strict=True)
    ]
    inputs = [helper.make_tensor_value_info("planes", TensorProto.FLOAT, ("N", 3, "H", "W"))]
    if cascade.side_px is not None:
        inputs.append(helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ("M", 4)))
        inputs.append(helper.make_tensor_value_info("owners", TensorProto.INT64, ("M",)))
    made = helper.make_graph(graph.nodes, "mtcnn", inputs, outputs, graph.initializers)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    return model


class _Graph:
    """Nodes and constants of a graph under construction."""

    def __init__(self, weights: Weights) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self._weights = weights

    def add(self, kind: str, *inputs: str, out: str, **attributes: object) -> str:
        """Append a node; the name of its output."""
        self.nodes.append(helper.make_node(kind, list(inputs), [out], name=out, **attributes))
        return out

    def constant(self, name: str, value: npt.NDArray[np.generic]) -> str:
        """Append a constant; its name."""
        self.initializers.append(numpy_helper.from_array(value, name))
        return name

    def weight(self, name: str, shape: tuple[int, ...] | None = None) -> str:
        """Append a trained tensor; its name."""
        value = self._weights[name]
        return self.constant(name, value if shape is None else value.reshape(shape))


def _trunk(graph: _Graph, cascade: _Cascade) -> str:
    """From the planes to the last convolution's features."""
    tensor = "planes"
    if cascade.side_px is not None:
        sides = {"output_height": cascade.side_px, "output_width": cascade.side_px, "sampling_ratio": _SAMPLES}
        half = "half_pixel"
        tensor = graph.add(
            "RoiAlign", tensor, "boxes", "owners", out="crops", coordinate_transformation_mode=half, **sides
        )
    for layer in cascade.layers:
        tensor = _convolution(graph, layer, tensor)
    return tensor


def _convolution(graph: _Graph, layer: _Layer, tensor: str) -> str:
    name = f"conv{layer.name}"
    tensor = graph.add("Conv", tensor, graph.weight(f"{name}.weight"), graph.weight(f"{name}.bias"), out=name)
    slope = graph.weight(f"prelu{layer.name}.weight", (-1, 1, 1))
    tensor = graph.add("PRelu", tensor, slope, out=f"prelu{layer.name}")
    if layer.pool is not None:
        kernel, stride = layer.pool
        sides = {"kernel_shape": [kernel, kernel], "strides": [stride, stride]}
        tensor = graph.add("MaxPool", tensor, out=f"pool{layer.name}", ceil_mode=1, **sides)
    return tensor


def _convolved_heads(graph: _Graph, cascade: _Cascade, features: str) -> tuple[str, str]:
    def head(name: str, out: str) -> str:
        return graph.add("Conv", features, graph.weight(f"{name}.weight"), graph.weight(f"{name}.bias"), out=out)

    pairs = graph.add("Softmax", head(cascade.probability, "scores"), out="pairs", axis=1)
    face = graph.constant("face", np.array(1, dtype=np.int64))
    return graph.add("Gather", pairs, face, out="probability", axis=1), head(cascade.offsets, "offsets")


def _dense_heads(graph: _Graph, cascade: _Cascade, features: str) -> tuple[str, str]:
    def dense(name: str, tensor: str, out: str) -> str:
        return graph.add(
            "Gemm", tensor, graph.weight(f"{name}.weight"), graph.weight(f"{name}.bias"), out=out, transB=1
        )

    # The weights were trained on features laid out as width, height, channel.
    turned = graph.add("Transpose", features, out="turned", perm=[0, 3, 2, 1])
    flat = graph.add("Flatten", turned, out="flat", axis=1)
    slope = graph.weight(f"prelu{cascade.dense}.weight")
    hidden = graph.add("PRelu", dense(f"dense{cascade.dense}", flat, "hidden"), slope, out="activated")
    pairs = graph.add("Softmax", dense(cascade.probability, hidden, "scores"), out="pairs", axis=1)
    face = graph.constant("face", np.array(1, dtype=np.int64))
    return graph.add("Gather", pairs, face, out="probability", axis=1), dense(cascade.offsets, hidden, "offsets")

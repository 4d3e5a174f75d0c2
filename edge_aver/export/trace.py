"""From a network in PyTorch to an ONNX file whose nodes are named for the modules they came from."""

import ast
import json
import warnings
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import onnx
import torch
from torch import nn

from edge_aver.errors import ExportError
from edge_aver.models.network import AverNetwork, block_paths

__all__ = ["BLOCKS_KEY", "OPSET", "onnx_from_faces", "onnx_from_torch", "read_blocks"]

OPSET = 18
"""The newest that TensorRT 10.3 (JetPack 6), OpenVINO and ONNX Runtime all read; LayerNormalization needs 17."""

BLOCKS_KEY = "edge_aver.blocks"
"""Where the tensor that leaves each block stands in `metadata_props`: a JSON list of [block, tensor] in order."""

_SCOPES_KEY = "pkg.torch.onnx.name_scopes"


def onnx_from_torch(network: AverNetwork, path: Path) -> None:
    """Trace the whole-clip graph: `faces` and `audio` in, `logits` out, the batch free.

    Nodes and tensors are renamed to `<module path>/<operator>_<k>`, so that a policy can name blocks and a message can
    name the guilty layer; the tracer's own remarks (which hold paths of this machine) are removed.

    Args:
        network: in any mode; it is traced in eval mode on the CPU.
        path: written as it is; the caller makes it atomic.

    Raises:
        ExportError: the tracer refused the network.
    """
    # Two windows: an example of one would let the tracer take the batch for a constant.
    example = {"faces": torch.zeros(2, 15, 224, 224, 3, dtype=torch.uint8), "audio": torch.zeros(2, 15, 128)}
    model = _trace(network.eval().cpu(), example, "logits")
    _write(model, path, block_paths(network))


def onnx_from_faces(network: nn.Module, path: Path) -> None:
    """Trace a network of single faces: `faces` (N, 224, 224, 3) uint8 in, `features` out, the batch free.

    Nodes are named as by `onnx_from_torch`; modules must stand below `frame_encoder` for that.

    Raises:
        ExportError: the tracer refused the network.
    """
    example = {"faces": torch.zeros(2, 224, 224, 3, dtype=torch.uint8)}
    _write(_trace(network.eval().cpu(), example, "features"), path, {})


def _write(model: onnx.ModelProto, path: Path, paths: Mapping[str, str]) -> None:
    scopes = {node.name: _scope(node) for node in model.graph.node}
    renamed = _rename(model, scopes)
    blocks = _block_tensors(model, {renamed[name]: scope for name, scope in scopes.items()}, paths)
    _strip(model)
    onnx.helper.set_model_props(model, {BLOCKS_KEY: json.dumps(list(blocks.items()))})
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def read_blocks(path: Path) -> dict[str, str]:
    """Tensor that leaves each block, by block in order of execution, as `onnx_from_torch` recorded it."""
    model = onnx.load(path, load_external_data=False)
    properties = {item.key: item.value for item in model.metadata_props}
    return dict(json.loads(properties.get(BLOCKS_KEY, "[]")))


def _trace(network: nn.Module, example: Mapping[str, torch.Tensor], output: str) -> onnx.ModelProto:
    batch = torch.export.Dim("batch", min=1, max=1024)
    with warnings.catch_warnings():
        # Both inputs share one batch dimension: the tracer remarks that it names it once.
        warnings.filterwarnings("ignore", message=".*axis name.*", category=UserWarning)
        warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"torch|copyreg|onnxscript")
        warnings.filterwarnings("ignore", category=FutureWarning, module=r"torch|copyreg")
        try:
            program = torch.onnx.export(
                network,
                tuple(example.values()),
                dynamo=True,
                verbose=False,
                opset_version=OPSET,
                input_names=list(example),
                output_names=[output],
                dynamic_shapes=tuple({0: batch} for _ in example),
            )
        except torch.onnx.errors.OnnxExporterError as error:
            raise ExportError(f"PyTorch cannot trace the network to ONNX: {error}") from error
    assert program is not None
    return program.model_proto


def _scope(node: onnx.NodeProto) -> str:
    """Path of the innermost module of the network that a node came from; '' at the top."""
    for item in node.metadata_props:
        if item.key == _SCOPES_KEY:
            modules = [
                name for name in ast.literal_eval(item.value)[:-1] if name.startswith(("frame_encoder", "fusion"))
            ]
            return modules[-1] if modules else ""
    return ""


def _rename(model: onnx.ModelProto, scopes: Mapping[str, str]) -> dict[str, str]:
    """Name every node `<scope>/<operator>_<k>` and its outputs after it; gives old node name to new."""
    fixed = {item.name for item in (*model.graph.input, *model.graph.output)}
    seen: Counter[str] = Counter()
    names, tensors = {}, {}
    for node in model.graph.node:
        stem = f"{scopes[node.name] or 'network'}/{node.op_type}"
        names[node.name] = node.name = f"{stem}_{seen[stem]}"
        seen[stem] += 1
        for i, output in enumerate(node.output):
            if output and output not in fixed:
                tensors[output] = node.name if i == 0 else f"{node.name}:{i}"
    for node in model.graph.node:
        node.input[:] = [tensors.get(name, name) for name in node.input]
        node.output[:] = [tensors.get(name, name) for name in node.output]
    for info in model.graph.value_info:
        info.name = tensors.get(info.name, info.name)
    return names


def _block_tensors(model: onnx.ModelProto, scopes: Mapping[str, str], paths: Mapping[str, str]) -> dict[str, str]:
    """The last tensor made inside each block's module; blocks of which nothing is left are not listed."""
    blocks = {}
    for block, path in paths.items():
        inside = [node for node in model.graph.node if f"{scopes[node.name]}.".startswith(f"{path}.")]
        if inside:
            blocks[block] = inside[-1].output[0]
    return blocks


def _strip(model: onnx.ModelProto) -> None:
    model.doc_string = ""
    del model.metadata_props[:], model.graph.metadata_props[:]
    for item in (*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        item.doc_string = ""
        del item.metadata_props[:]
    for initializer in model.graph.initializer:
        initializer.doc_string = ""
        del initializer.metadata_props[:]

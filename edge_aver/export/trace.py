"""From a network in PyTorch to an ONNX file whose nodes are named for the modules they came from."""

import ast
import contextlib
import io
import json
import logging
import re
import warnings
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import nn

from edge_aver.errors import ExportError
from edge_aver.models.network import block_paths
from edge_aver.models.own import example_inputs
from edge_aver.models.user_code import first_line, guilty_line, quoted_line, source_files
from edge_aver.spec import ARCHITECTURES, ModelSpec

__all__ = ["BLOCKS_KEY", "OPSET", "onnx_from_faces", "onnx_from_torch", "read_blocks"]

OPSET = 18
"""The newest that TensorRT 10.3 (JetPack 6), OpenVINO and ONNX Runtime all read; LayerNormalization needs 17."""

BLOCKS_KEY = "edge_aver.blocks"
"""Where the tensor that leaves each block stands in `metadata_props`: a JSON list of [block, tensor] in order."""

_SCOPES_KEY = "pkg.torch.onnx.name_scopes"


_PAPER = ModelSpec(architecture=ARCHITECTURES[-1], corpus="", fold=1)


def onnx_from_torch(network: nn.Module, path: Path, spec: ModelSpec = _PAPER) -> None:
    """Trace the whole-clip graph: `faces` and `audio` (or what else the spec says) in, `logits` out, the batch free.

    Nodes and tensors are renamed to `<module path>/<operator>_<k>`, so that a policy can name blocks and a message can
    name the guilty layer; the tracer's own remarks (which hold paths of this machine) are removed.

    Args:
        network: in any mode; it is traced in eval mode on the CPU.
        path: written as it is; the caller makes it atomic.
        spec: names, types and shapes of the inputs; those of the paper's networks by default.

    Raises:
        ExportError: the tracer refused the network; the line of its code is named where one is to blame.
    """
    network = network.eval().cpu()
    model = _trace(network, example_inputs(spec), "logits")
    _write(model, path, block_paths(network), network)


def onnx_from_faces(network: nn.Module, path: Path) -> None:
    """Trace a network of single faces: `faces` (N, 224, 224, 3) uint8 in, `features` out, the batch free.

    Nodes are named as by `onnx_from_torch`.

    Raises:
        ExportError: the tracer refused the network.
    """
    example = {"faces": torch.zeros(2, 224, 224, 3, dtype=torch.uint8)}
    _write(_trace(network.eval().cpu(), example, "features"), path, {}, network)


def _write(model: onnx.ModelProto, path: Path, paths: Mapping[str, str], network: nn.Module) -> None:
    known = {name for name, _ in network.named_modules()} - {""}
    scopes = {node.name: _scope(node, known) for node in model.graph.node}
    renamed = _rename(model, scopes)
    blocks = _block_tensors(model, {renamed[name]: scope for name, scope in scopes.items()}, paths)
    _strip(model)
    onnx.helper.set_model_props(model, {BLOCKS_KEY: json.dumps(list(blocks.items()))})
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def read_blocks(path: Path) -> dict[str, str]:
    """Tensor that leaves each block, by block in order of execution, as `onnx_from_torch` recorded it.

    Blocks whose tensor went into a fused node are left out.
    """
    model = onnx.load(path, load_external_data=False)
    properties = {item.key: item.value for item in model.metadata_props}
    made = {name for node in model.graph.node for name in node.output}
    blocks = json.loads(properties.get(BLOCKS_KEY, "[]"))
    return {block: tensor for block, tensor in blocks if tensor in made}


def _trace(network: nn.Module, example: Mapping[str, torch.Tensor], output: str) -> onnx.ModelProto:
    batch = torch.export.Dim("batch", min=1, max=1024)
    with warnings.catch_warnings():
        # Both inputs share one batch dimension: the tracer remarks that it names it once.
        warnings.filterwarnings("ignore", message=".*axis name.*", category=UserWarning)
        warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"torch|copyreg|onnxscript")
        warnings.filterwarnings("ignore", category=FutureWarning, module=r"torch|copyreg")
        program = _convert(_capture(network, example, batch), network, list(example), output, batch)
    return program.model_proto


def _capture(network: nn.Module, example: Mapping[str, torch.Tensor], batch: Any) -> torch.export.ExportedProgram:
    """The graph of a network, captured by running its code: an error in it has that code in its traceback."""
    try:
        with _silent():
            return torch.export.export(
                network, tuple(example.values()), dynamic_shapes=tuple({0: batch} for _ in example), strict=False
            )
    except Exception as error:
        where = _guilty(error, network)
        if "specialized" in str(error):
            reason = "forward must take any number of clips, but fixes the batch (a size of 2 written into a reshape?)"
        else:
            reason = first_line(error)
        raise ExportError(f"{where}PyTorch cannot trace the network: {reason}") from error


def _convert(
    program: torch.export.ExportedProgram, network: nn.Module, inputs: list[str], output: str, batch: Any
) -> Any:
    try:
        with _silent():
            converted = torch.onnx.export(
                program,
                dynamo=True,
                verbose=False,
                opset_version=OPSET,
                input_names=inputs,
                output_names=[output],
                dynamic_shapes=tuple({0: batch} for _ in inputs),
            )
    except torch.onnx.errors.OnnxExporterError as error:
        where = _guilty(error, network) or _translated(error, program, network)
        raise ExportError(f"{where}PyTorch cannot trace the network to ONNX: {_deepest(error)}") from error
    assert converted is not None
    return converted


def _guilty(error: BaseException, network: nn.Module) -> str:
    where = guilty_line(error, network=network, files=source_files(network))
    return f"{where}: " if where else ""


def _translated(error: BaseException, program: torch.export.ExportedProgram, network: nn.Module) -> str:
    """The line that the node came from for which ONNX has no operator; such a message names the node alone."""
    named = re.search(r"translating node %(\w+)", str(error))
    traces = [
        node.meta.get("stack_trace") or ""
        for node in program.run_decompositions().graph.nodes
        if named and node.name == named[1]
    ]
    where = quoted_line("\n".join(traces), files=source_files(network))
    return f"{where}: " if where else ""


def _deepest(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return first_line(error)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Without what torch logs of a failure before it raises it."""
    loggers = [logging.getLogger(name) for name in ("torch.fx", "torch._export", "torch.export", "torch.onnx")]
    before = [item.level for item in loggers]
    try:
        for item in loggers:
            item.setLevel(logging.CRITICAL)
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        for item, level in zip(loggers, before, strict=True):
            item.setLevel(level)


def _scope(node: onnx.NodeProto, known: Collection[str]) -> str:
    """Path of the innermost module of the network that a node came from; '' at the top."""
    for item in node.metadata_props:
        if item.key == _SCOPES_KEY:
            modules = [name for name in ast.literal_eval(item.value)[:-1] if name in known]
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
    """The last tensor made inside each block's module, in order; blocks of which nothing is left are not listed."""
    last: dict[str, tuple[int, str]] = {}
    for place, node in enumerate(model.graph.node):
        for block, path in paths.items():
            if f"{scopes[node.name]}.".startswith(f"{path}."):
                last[block] = (place, node.output[0])
    return {block: tensor for block, (_, tensor) in sorted(last.items(), key=lambda item: item[1][0])}


def _strip(model: onnx.ModelProto) -> None:
    model.doc_string = ""
    del model.metadata_props[:], model.graph.metadata_props[:]
    for item in (*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        item.doc_string = ""
        del item.metadata_props[:]
    for initializer in model.graph.initializer:
        initializer.doc_string = ""
        del initializer.metadata_props[:]

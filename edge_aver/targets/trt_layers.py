"""Which types the layers of an engine run in, read from what TensorRT logs at the end of a detailed build."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["BuiltLayers", "read_layers"]

_HEADING = "Layers:"
_POINTWISE = frozenset({"kgen", "Reformat", "PointWise", "PointWiseV2", "NoOp", "Cast", "Quantize", "Dequantize"})
"""Layer types that multiply no matrices: an 8-bit tensor that they read is converted, not computed with."""

_TYPES = {
    **dict.fromkeys(("Float", "FP32"), "FP32"),
    **dict.fromkeys(("Half", "FP16"), "FP16"),
    **dict.fromkeys(("Int8", "INT8"), "INT8"),
    **dict.fromkeys(("BFloat16", "BF16"), "BF16"),
    **dict.fromkeys(("FP8", "E4M3"), "FP8"),
}
_FLOATS = ("FP32", "BF16", "FP16", "FP8")
"""Widest first."""

_SECTION = re.compile(r"(Inputs|Outputs): \[(.*?)\](?=, (?:Constants|Outputs|TacticName|ParameterType|StreamId)\b|$)")
_TYPE = re.compile(r"\b(?:Datatype|Format/Datatype|Format): ([A-Za-z0-9 ]+)")
_NODE = re.compile(r"\[ONNX Layer: ([^\]]+)\]")
_PRODUCT = re.compile(r"/(Conv|Gemm|MatMul)_\d+$")


@dataclass(frozen=True, kw_only=True)
class BuiltLayers:
    """The layers of an engine.

    Attributes:
        counts: layers by the type they compute in: INT8, FP16, FP32 (a convolution or product by what it multiplies,
            anything else by the widest number it touches), or `other` (indices and pixels). Synchronisation does not
            count.
        products: nodes of the ONNX file that multiply (convolutions, matrix products) by the type they run in.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    products: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def read_layers(messages: Sequence[str]) -> BuiltLayers:
    """Read the last list of layers among a build's messages; an empty result where there is none.

    The list is one message, a line for each layer, or a heading with a message for each.
    """
    counts: Counter[str] = Counter()
    products: dict[str, list[str]] = {}
    for line in _layer_lines(messages):
        kind = _computed_type(line)
        if kind is None:
            continue
        counts[kind] += 1
        if _layer_type(line) not in _POINTWISE:
            products.setdefault(kind, []).extend(node for node in _NODE.findall(line) if _PRODUCT.search(node))
    return BuiltLayers(
        counts=dict(sorted(counts.items())),
        products={kind: tuple(sorted(set(nodes))) for kind, nodes in sorted(products.items()) if nodes},
    )


def _layer_lines(messages: Sequence[str]) -> Iterator[str]:
    starts = [index for index, message in enumerate(messages) if message.lstrip().startswith(_HEADING)]
    if not starts:
        return
    text = "\n".join(messages[starts[-1] :]).split(_HEADING, 1)[1]
    for line in text.splitlines():
        if "LayerType: " in line:
            yield line.strip()
        elif line.startswith(("I/O Tensors", "Bindings", "Engine Metadata")):
            return


def _layer_type(line: str) -> str:
    return line.split("LayerType: ", 1)[1].split(",", 1)[0]


def _computed_type(line: str) -> str | None:
    """None for a layer without tensors."""
    sections = {name: _types(text) for name, text in _SECTION.findall(line)}
    inputs, outputs = sections.get("Inputs", []), sections.get("Outputs", [])
    if not inputs and not outputs:
        return None
    if _layer_type(line) not in _POINTWISE and inputs and inputs[0] in ("INT8", *_FLOATS):
        return inputs[0]
    touched = {*inputs, *outputs}
    return next((kind for kind in _FLOATS if kind in touched), "INT8" if "INT8" in touched else "other")


def _types(section: str) -> list[str]:
    """Type of each tensor of `[ { Name: ..., Datatype: Half, ... }, ... ]`; unknown ones as they are written."""
    return [_type_name(found[1]) for tensor in section.split("{ ")[1:] if (found := _TYPE.search(tensor))]


def _type_name(told: str) -> str:
    """`FP16` from `Half`, and from `Channel major FP16 format where channel % 8 == 0`."""
    return next((_TYPES[word] for word in told.split() if word in _TYPES), told.strip())

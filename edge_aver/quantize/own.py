"""A recipe on a network that is none of the paper's: its own modules for blocks, and what is kept out of 8 bits."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import onnx

from edge_aver.errors import DeclarationError
from edge_aver.quantize.blocks import Layout
from edge_aver.quantize.recipes import Recipe

__all__ = ["ALL", "COMMON", "fit_recipe", "own_layout", "spared_nodes"]

COMMON = ("normalisation", "softmax", "layer_norm")
"""Blocks of the shipped recipes that any network has: its own operators outside its modules, and these two kinds."""

ALL = "network"
"""The one block of a network without children."""

_BEHIND_BACKBONE = ("visual_dense", "cross_attention", "self_attention", "classifier")
_WEIGHED = ("Conv", "Gemm", "MatMul")


def fit_recipe(recipe: Recipe, *, children: Sequence[str], modules: Mapping[str, str], shipped: bool) -> Recipe:
    """Give a recipe the blocks of a network: every child is one; a recipe of one's own may name any module by its path.

    What a shipped recipe says of the parts behind the paper's backbone is not meant for other networks and left out.

    Args:
        recipe: read by `load_recipe(..., own_network=True)`.
        children: paths of the network's children.
        modules: class name by path of every module.
        shipped: whether edge-aver ships it.

    Raises:
        DeclarationError: it names a block that the network does not have, or stages of the paper's backbone.
    """
    blocks = dict(recipe.blocks)
    if shipped:
        blocks = {name: value for name, value in blocks.items() if name not in _BEHIND_BACKBONE}
    known = {*COMMON, *modules} | ({ALL} if not children else set())
    if unknown := [name for name in blocks if name not in known]:
        if shipped:
            raise DeclarationError(
                f"recipe {recipe.name} names {unknown[0]}, of the paper's backbone: for a network of your own take "
                "int8, or write a recipe with the paths of its modules (--recipe)"
            )
        raise DeclarationError(
            f"recipe {recipe.name}: unknown block {unknown[0]!r}; of this network any module by its path "
            f"({', '.join(children) or 'it has none'}), or {', '.join(COMMON)}"
        )
    named = [name for name in blocks if name not in COMMON]
    return replace(recipe, blocks=blocks, layout=own_layout(children, modules, named))


def own_layout(children: Sequence[str], modules: Mapping[str, str], named: Collection[str] = ()) -> Layout:
    """Blocks of a network: the modules named first, inner before outer, then kinds of operators, then its children."""
    norms = [path for path, kind in modules.items() if "Norm" in kind and "BatchNorm" not in kind]
    inner = sorted(named, key=lambda path: (-path.count("."), path))
    patterns = {path: _below(path) for path in inner}
    patterns |= {
        "softmax": r".*/Softmax_",
        "layer_norm": "|".join([r".*/LayerNormalization_", *map(_below, norms)]),
        **{path: _below(path) for path in children if path not in patterns},
        "normalisation" if children else ALL: ".*/",
    }
    return Layout(patterns=patterns, weighted_only=True)


def spared_nodes(model: onnx.ModelProto, recipe: Recipe) -> list[str]:
    """Nodes of an fp32 graph that 8-bit arithmetic does not take in a network that nobody looked into.

    Those are all but convolutions and products with constant weights, and the first of these behind a float input: its
    features have units of their own (decibels, hertz), and share one scale.
    """
    constants = {item.name: len(item.dims) for item in model.graph.initializer}
    raw = {item.name for item in model.graph.input if item.type.tensor_type.elem_type == onnx.TensorProto.FLOAT}
    spared = []
    for node in model.graph.node:
        weighed = (
            node.op_type in _WEIGHED
            and (node.op_type == "Conv" or constants.get(node.input[1]) == 2)
            and node.input[1] in constants
            and node.input[0] not in constants
        )
        reads_raw = bool(raw & set(node.input))
        if not weighed or reads_raw or recipe.layout.block_of(node.name) is None:
            spared.append(node.name)
        if reads_raw and not weighed:
            raw.update(node.output)
    return spared


def _below(path: str) -> str:
    return rf"{re.escape(path)}[./]"

"""Blocks of the graph that a policy can name, and the nodes that belong to each."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

__all__ = ["BLOCKS", "PAPER_LAYOUT", "Layout", "block_of", "nodes_of"]

_BACKBONE = r"frame_encoder\.backbone"

BLOCKS: Mapping[str, str] = {
    "normalisation": r"(network|frame_encoder|fusion)/",
    "squeeze_excite": rf"{_BACKBONE}\.blocks\.\d+\.\d+\.se\b",
    "stem": rf"{_BACKBONE}\.(conv_stem|bn1)\b",
    **{f"stage{i}": rf"{_BACKBONE}\.blocks\.{i}\." for i in range(6)},
    "head": rf"{_BACKBONE}(\.(conv_head|bn2|global_pool)\b|/)",
    "visual_dense": r"frame_encoder\.dense\b",
    "softmax": r"fusion\..*/Softmax_",
    "layer_norm": r"fusion\..*norm\b",
    "cross_attention": r"fusion\.(audio_to_visual|visual_to_audio)\b",
    "self_attention": r"fusion\.(visual_self|audio_self)\b",
    "classifier": r"fusion\.classifier\b",
}
"""Block name to a pattern matched at the start of a node's name (`<module path>/<operator>_<k>`); first match wins."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How the nodes of a network fall into blocks.

    Attributes:
        patterns: as `BLOCKS`.
        weighted_only: 8-bit arithmetic for products and convolutions with constant weights alone: of a network that
            nobody looked into, nothing else is known to bear it.
    """

    patterns: Mapping[str, str]
    weighted_only: bool = False

    def block_of(self, node: str) -> str | None:
        """Block that a node belongs to; None for a node that no module owns (what a tool inserted)."""
        return next((block for block, pattern in self.patterns.items() if re.match(pattern, node)), None)

    def nodes_of(self, nodes: Iterable[str], blocks: Iterable[str]) -> list[str]:
        """Those of `nodes` that belong to one of `blocks`, in order."""
        wanted = set(blocks)
        return [node for node in nodes if self.block_of(node) in wanted]


PAPER_LAYOUT = Layout(patterns=BLOCKS)
"""Of the paper's networks."""

block_of, nodes_of = PAPER_LAYOUT.block_of, PAPER_LAYOUT.nodes_of

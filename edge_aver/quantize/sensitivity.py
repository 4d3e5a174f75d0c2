"""What each block costs in 8 bits, and the cheapest mix that keeps limits; measuring is a callable's business."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

__all__ = ["BlockDamage", "Damage", "Measure", "cheapest_mix", "measure_blocks"]


@dataclass(frozen=True, kw_only=True)
class Damage:
    """What a mix did to the logits.

    Attributes:
        sqnr_db: signal to quantization noise ratio.
        top1_agreement: fraction of clips with the label of the fp32 network.
        passed: whether the recipe's limits hold.
    """

    sqnr_db: float
    top1_agreement: float
    passed: bool


Measure = Callable[[frozenset[str]], Damage]
"""Damage of a network whose int8 blocks are those given, and no other."""


@dataclass(frozen=True, kw_only=True)
class BlockDamage:
    """One block: the damage when it alone is int8, and when all but it are."""

    block: str
    alone: Damage
    spared: Damage


def measure_blocks(blocks: Sequence[str], measure: Measure) -> tuple[BlockDamage, ...]:
    """Measure every block alone and spared; a caller that stops in between keeps what its `measure` stored."""
    whole = frozenset(blocks)
    return tuple(
        BlockDamage(block=block, alone=measure(frozenset({block})), spared=measure(whole - {block})) for block in blocks
    )


def cheapest_mix(
    damages: Collection[BlockDamage], measure: Measure, *, cost: Callable[[str], float]
) -> tuple[str, ...] | None:
    """Blocks to keep out of int8, greedily: the one that gives back most dB for its cost first, until limits hold.

    Args:
        damages: of every block that may be int8.
        measure: gives the damage of a mix.
        cost: of keeping a block in fp32 (its share of multiplications, or seconds); more than 0.

    Returns:
        The blocks in the order they were taken out; () where all may be int8, None where no mix holds.
    """
    whole = measure(frozenset(item.block for item in damages))
    order = sorted(damages, key=lambda item: (whole.sqnr_db - item.spared.sqnr_db) / cost(item.block))
    kept: list[str] = []
    int8 = {item.block for item in damages}
    if whole.passed:
        return ()
    for item in order:
        kept.append(item.block)
        int8.discard(item.block)
        if measure(frozenset(int8)).passed:
            return tuple(kept)
    return None

"""Recipes: what a precision means, block by block, and the limits its parity must keep."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from edge_aver.declarations import declaration_digest, load, shipped_names
from edge_aver.errors import DeclarationError
from edge_aver.quantize.blocks import BLOCKS, PAPER_LAYOUT, Layout

__all__ = ["Calibration", "ParityLimits", "Recipe", "load_recipe", "recipe_names"]

_FOLDER = "export/recipes"
_SIGNIFICANCE = 0.05

Precision = Literal["fp32", "fp16", "int8", "int8-weights"]
"""`int8-weights`: weights stored in 8 bits, arithmetic in fp32; a small file where 8-bit arithmetic saves no time."""


@dataclass(frozen=True, kw_only=True)
class ParityLimits:
    """Limits of the parity ladder; None does not apply.

    Attributes:
        clips: clips to compare on.
        max_abs_diff: largest absolute difference of a logit.
        min_sqnr_db: signal to quantization noise ratio, in dB.
        min_top1_agreement: fraction of clips with the same label. Of a few clips one or two more may differ by chance:
            it is broken where a network that keeps it would give so many with a probability below 5 %.
    """

    clips: int = 32
    max_abs_diff: float | None = None
    min_sqnr_db: float | None = None
    min_top1_agreement: float | None = None

    @property
    def limited(self) -> bool:
        """Whether any limit applies."""
        return any(item is not None for item in (self.max_abs_diff, self.min_sqnr_db, self.min_top1_agreement))

    def hold(self, *, max_abs_diff: float, sqnr_db: float, agreeing: int = 0, clips: int = 0) -> bool:
        """Whether what was measured is within every limit that applies; `agreeing` of `clips` have the same label."""
        return (
            (self.max_abs_diff is None or max_abs_diff <= self.max_abs_diff)
            and (self.min_sqnr_db is None or sqnr_db >= self.min_sqnr_db)
            and (self.min_top1_agreement is None or _plausible(agreeing, clips, self.min_top1_agreement))
        )


def _plausible(agreeing: int, clips: int, share: float) -> bool:
    """Whether at most `agreeing` of `clips` is likelier than 5 % where each agrees with probability `share`."""
    terms = (math.comb(clips, i) * share**i * (1 - share) ** (clips - i) for i in range(agreeing + 1))
    return sum(terms) >= _SIGNIFICANCE


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """How many clips calibrate, and the seed of the draw."""

    clips: int = 128
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One precision (`export/recipes/*.toml`).

    Attributes:
        name: what artifacts are named by.
        title: one line for people.
        default: precision of every block that `blocks` does not name.
        blocks: precision by block (names in `edge_aver.quantize.blocks`; of a network of one's own, paths of modules).
        layout: which nodes a block has.
        calibration: the draw; None where nothing is calibrated.
        parity: limits for the quantized graph and the engines.
        integer_kernels: whether ONNX Runtime's form quantizes what lies between convolutions too, which its integer
            kernels demand; without it they multiply in fp32 with 8-bit operands.
    """

    name: str
    title: str
    default: Precision
    blocks: Mapping[str, str] = field(default_factory=dict)
    calibration: Calibration | None = None
    parity: ParityLimits = field(default_factory=ParityLimits)
    integer_kernels: bool = False
    layout: Layout = PAPER_LAYOUT
    sha256: str = ""

    def precision_of(self, block: str) -> str:
        """Precision of a block."""
        return self.blocks.get(block, self.default)

    def blocks_in(self, precision: str) -> tuple[str, ...]:
        """Blocks that the recipe keeps in `precision`."""
        return tuple(block for block in self.layout.patterns if self.precision_of(block) == precision)


def recipe_names() -> tuple[str, ...]:
    """Names of the shipped recipes: the choices of `--precision`."""
    return shipped_names(_FOLDER)


def load_recipe(name: str, *, own_network: bool = False) -> Recipe:
    """Read a recipe by shipped name or path.

    Args:
        name: of either.
        own_network: for a network that is none of the paper's, whose blocks `fit_recipe` checks.

    Raises:
        DeclarationError: unknown name, key, block or precision; int8 or fp16 without calibration; a name unfit for
            files.
    """
    declared = load(_Declared, _FOLDER, name)
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", declared.name):
        raise DeclarationError(
            f"{name}: name {declared.name!r} is part of file names: lower-case letters, digits, - and ."
        )
    if not own_network and (unknown := sorted(set(declared.blocks) - set(BLOCKS))):
        raise DeclarationError(f"{name}: unknown block {unknown[0]!r}; known: {', '.join(BLOCKS)}")
    if declared.parity.clips < 1 or (declared.calibration and declared.calibration.clips < 1):
        raise DeclarationError(f"{name}: clips must be at least 1")
    if not declared.parity.limited:
        raise DeclarationError(f"{name}: [parity] names no limit: max_abs_diff, min_sqnr_db or min_top1_agreement")
    uses = {declared.default, *declared.blocks.values()}
    if uses & {"int8", "fp16"} and declared.calibration is None:
        raise DeclarationError(f"{name}: blocks in int8 or fp16 need a [calibration] table")
    return Recipe(**vars(declared), sha256=declaration_digest(_FOLDER, name))


@dataclass(frozen=True, kw_only=True)
class _Declared:
    """What stands in the file."""

    name: str
    title: str
    default: Precision
    blocks: dict[str, Precision] = field(default_factory=dict)
    calibration: Calibration | None = None
    parity: ParityLimits = field(default_factory=ParityLimits)
    integer_kernels: bool = False

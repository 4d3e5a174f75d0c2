"""Recipes: what a precision means, block by block, and the limits its parity must keep."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from edge_aver.declarations import declaration_digest, load, shipped_names
from edge_aver.errors import DeclarationError
from edge_aver.quantize.blocks import BLOCKS

__all__ = ["Calibration", "ParityLimits", "Recipe", "load_recipe", "recipe_names"]

_FOLDER = "export/recipes"

Precision = Literal["fp32", "fp16", "int8"]


@dataclass(frozen=True, kw_only=True)
class ParityLimits:
    """Limits of the parity ladder; None does not apply.

    Attributes:
        clips: clips to compare on.
        max_abs_diff: largest absolute difference of a logit.
        min_sqnr_db: signal to quantization noise ratio, in dB.
        min_top1_agreement: fraction of clips with the same label.
    """

    clips: int = 32
    max_abs_diff: float | None = None
    min_sqnr_db: float | None = None
    min_top1_agreement: float | None = None

    @property
    def limited(self) -> bool:
        """Whether any limit applies."""
        return any(item is not None for item in (self.max_abs_diff, self.min_sqnr_db, self.min_top1_agreement))

    def hold(self, *, max_abs_diff: float, sqnr_db: float, top1_agreement: float) -> bool:
        """Whether what was measured is within every limit that applies."""
        return (
            (self.max_abs_diff is None or max_abs_diff <= self.max_abs_diff)
            and (self.min_sqnr_db is None or sqnr_db >= self.min_sqnr_db)
            and (self.min_top1_agreement is None or top1_agreement >= self.min_top1_agreement)
        )


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
        blocks: precision by block (names in `edge_aver.quantize.blocks`).
        calibration: the draw; None where nothing is calibrated.
        parity: limits for the quantized graph and the engines.
        integer_kernels: whether ONNX Runtime's form quantizes what lies between convolutions too, which its integer
            kernels demand; without it they multiply in fp32 with 8-bit operands.
        overflow_fix: 7-bit weights in OpenVINO's form, which cannot saturate on a CPU without 8-bit dot products.
    """

    name: str
    title: str
    default: Precision
    blocks: Mapping[str, str] = field(default_factory=dict)
    calibration: Calibration | None = None
    parity: ParityLimits = field(default_factory=ParityLimits)
    integer_kernels: bool = False
    overflow_fix: bool = False
    sha256: str = ""

    def precision_of(self, block: str) -> str:
        """Precision of a block."""
        return self.blocks.get(block, self.default)

    def blocks_in(self, precision: str) -> tuple[str, ...]:
        """Blocks that the recipe keeps in `precision`."""
        return tuple(block for block in BLOCKS if self.precision_of(block) == precision)


def recipe_names() -> tuple[str, ...]:
    """Names of the shipped recipes: the choices of `--precision`."""
    return shipped_names(_FOLDER)


def load_recipe(name: str) -> Recipe:
    """Read a recipe by shipped name or path.

    Raises:
        DeclarationError: unknown name, key, block or precision; int8 or fp16 without calibration; a name unfit for
            files.
    """
    declared = load(_Declared, _FOLDER, name)
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", declared.name):
        raise DeclarationError(
            f"{name}: name {declared.name!r} is part of file names: lower-case letters, digits, - and ."
        )
    if unknown := sorted(set(declared.blocks) - set(BLOCKS)):
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
    overflow_fix: bool = False

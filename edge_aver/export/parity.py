"""The parity ladder: what each conversion changed at the logits, and by which limits that is refused."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_aver.errors import ParityError
from edge_aver.quantize.recipes import ParityLimits

__all__ = ["ParityStep", "check_step", "first_diverging_block", "measure_step", "sqnr_db"]

Array = npt.NDArray[Any]

_EXACT_DB = 300.0
"""Stands for infinite signal to noise (equal to the last bit), which JSON cannot hold."""


@dataclass(frozen=True, kw_only=True)
class ParityStep:
    """One step of the ladder, compared with the PyTorch network on the same clips.

    Attributes:
        step: what was compared (`onnx`, `simplified`, `quantized`, `engine`).
        clips: number of clips compared.
        max_abs_diff: largest absolute difference of a logit.
        cosine: smallest cosine similarity of a clip's logits.
        sqnr_db: signal to quantization noise ratio over all logits, in dB.
        top1_agreement: fraction of clips with the same label.
        limits: the recipe's limits, those that apply.
        passed: whether all limits hold.
        first_diverging_block: first block below the SQNR limit (or above the difference); None where the step passed.
    """

    step: str
    clips: int
    max_abs_diff: float
    cosine: float
    sqnr_db: float
    top1_agreement: float
    limits: Mapping[str, float]
    passed: bool
    first_diverging_block: str | None = None


def measure_step(step: str, reference: Array, candidate: Array, limits: ParityLimits) -> ParityStep:
    """Compare logits (N, 8) of a step with those of the PyTorch network."""
    reference, candidate = reference.astype(np.float64), candidate.astype(np.float64)
    finite = bool(np.isfinite(candidate).all())
    largest = float(np.abs(candidate - reference).max()) if finite else math.inf
    agreeing = int((candidate.argmax(1) == reference.argmax(1)).sum()) if finite else 0
    ratio = sqnr_db(reference, candidate) if finite else -_EXACT_DB
    return ParityStep(
        step=step,
        clips=len(reference),
        max_abs_diff=largest if finite else np.finfo(np.float32).max.item(),
        cosine=_smallest_cosine(reference, candidate) if finite else -1.0,
        sqnr_db=ratio,
        top1_agreement=agreeing / len(reference),
        limits={name: value for name, value in asdict(limits).items() if value is not None and name != "clips"},
        passed=finite and limits.hold(max_abs_diff=largest, sqnr_db=ratio, agreeing=agreeing, clips=len(reference)),
    )


def check_step(step: ParityStep, artifact: str) -> None:
    """Refuse a step that left its limits.

    Raises:
        ParityError: names the step, what was measured, the limits and the first diverging block.
    """
    if not step.passed:
        limits = ", ".join(f"{name} {value:g}" for name, value in step.limits.items())
        raise ParityError(
            f"{artifact}: parity failed at step {step.step!r} on {step.clips} clips: "
            f"max_abs_diff {step.max_abs_diff:.3g}, "
            f"SQNR {step.sqnr_db:.1f} dB, top-1 agreement {step.top1_agreement:.1%}; limits: {limits}; "
            f"first diverging block: {step.first_diverging_block or 'none by itself'}"
        )


def first_diverging_block(
    blocks: Sequence[str], reference: Callable[[str], Array], candidate: Callable[[str], Array], limits: ParityLimits
) -> str | None:
    """Name the first block, in order of execution, whose output is outside the limits.

    Args:
        blocks: names in order of execution.
        reference: gives a block's output as it should be.
        candidate: gives a block's output as it is, in the same shape.
        limits: of the recipe; agreement of labels does not apply inside the network.
    """
    for block in blocks:
        wanted, got = reference(block).astype(np.float64), candidate(block).astype(np.float64)
        difference = float(np.abs(wanted - got).max())
        if not limits.hold(max_abs_diff=difference, sqnr_db=sqnr_db(wanted, got)):
            return block
    return None


def sqnr_db(reference: Array, candidate: Array) -> float:
    """10 log10 of the reference's energy over the difference's, at most 300 dB."""
    signal = float(np.square(reference, dtype=np.float64).sum())
    noise = float(np.square(reference.astype(np.float64) - candidate).sum())
    if noise == 0.0:
        return _EXACT_DB
    return 10.0 * math.log10(max(signal, 1e-300) / noise)


def _smallest_cosine(reference: Array, candidate: Array) -> float:
    norms = np.linalg.norm(reference, axis=1) * np.linalg.norm(candidate, axis=1)
    return float((np.einsum("nk,nk->n", reference, candidate) / np.maximum(norms, 1e-300)).min())

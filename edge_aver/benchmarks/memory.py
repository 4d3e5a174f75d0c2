"""The memory table of an artifact: parameters, files, weights, activations, process and device; and its budget."""

from collections.abc import Iterable
from dataclasses import dataclass

from edge_aver.benchmarks.results import Result
from edge_aver.benchmarks.runs import NetworkRun
from edge_aver.errors import DeclarationError
from edge_aver.targets import load_profile

__all__ = ["Budget", "MemoryTable", "memory_of"]


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What the device profile allows a model's files, in bytes, and whether they fit."""

    limit_bytes: float
    fits: bool


@dataclass(frozen=True, kw_only=True)
class MemoryTable:
    """Largest value over processes; None where it was not measured.

    Attributes:
        parameters_paper, parameters_deployed: counted as the paper does, and as they are deployed.
        file_bytes: of the artifact's files.
        library_bytes: what the process grew by when it imported the runtime's library.
        weights_bytes: what it grew by when it loaded the network: weights, and what the runtime makes of the graph.
        activations_bytes: most that inference took beyond the loaded network; a runtime that maps its file reads
            weights only then, and they count here.
        peak_bytes: most that was resident, clips and interpreter included.
        pss_bytes: at the end, pages that processes share divided among them.
        device_bytes: that the network held on a GPU.
        budget: of the device's profile; None where it names none.
    """

    parameters_paper: int | None
    parameters_deployed: int | None
    file_bytes: int
    library_bytes: int | None
    weights_bytes: int | None
    activations_bytes: int | None
    peak_bytes: int | None
    pss_bytes: int | None
    device_bytes: int | None
    budget: Budget | None


def memory_of(result: Result) -> MemoryTable:
    """Compute the table of one result."""
    runs, parameters, files = result.network, result.spec.parameters, result.artifact.size_bytes
    return MemoryTable(
        parameters_paper=parameters.paper if parameters else None,
        parameters_deployed=parameters.deployed if parameters else None,
        file_bytes=files,
        library_bytes=_most(_library(run) for run in runs),
        weights_bytes=_most(_weights(run) for run in runs),
        activations_bytes=_most(_activations(run) for run in runs),
        peak_bytes=_most(run.after_queries.peak_bytes for run in runs if run.after_queries),
        pss_bytes=_most(run.after_queries.pss_bytes for run in runs if run.after_queries),
        device_bytes=_most(run.device_memory_bytes for run in runs),
        budget=_budget(result.artifact.target, files),
    )


def _library(run: NetworkRun) -> int | None:
    if run.before_load is None or run.with_library is None:
        return None
    return run.with_library.resident_bytes - run.before_load.resident_bytes


def _weights(run: NetworkRun) -> int | None:
    """Results of schema 1 have the library in it: they cannot tell."""
    if run.with_library is None or run.after_load is None:
        return None
    return run.after_load.resident_bytes - run.with_library.resident_bytes


def _activations(run: NetworkRun) -> int | None:
    if run.after_load is None or run.inference_peak_bytes is None:
        return None
    return run.inference_peak_bytes - run.after_load.resident_bytes


def _most(values: Iterable[int | None]) -> int | None:
    return max((value for value in values if value is not None), default=None)


def _budget(target: str, file_bytes: int) -> Budget | None:
    try:
        budget_mb = load_profile(target).model_budget_mb
    except DeclarationError:
        return None
    return None if budget_mb is None else Budget(limit_bytes=budget_mb * 1e6, fits=file_bytes <= budget_mb * 1e6)

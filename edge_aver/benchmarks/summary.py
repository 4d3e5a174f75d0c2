"""What tables and reports say of a result, computed from its raw values."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import mean

from edge_aver.benchmarks.accuracy import Accuracy, accuracy_of
from edge_aver.benchmarks.calibration_error import Calibration, calibration_of
from edge_aver.benchmarks.conditions import BOTH
from edge_aver.benchmarks.energy import Energy, energy_of
from edge_aver.benchmarks.front_end_results import STAGES, EndToEndQuery
from edge_aver.benchmarks.front_end_summary import FrontEndSummary, summarize_front_end
from edge_aver.benchmarks.memory import MemoryTable, memory_of
from edge_aver.benchmarks.overheads import Overhead, overheads_of
from edge_aver.benchmarks.results import Result
from edge_aver.benchmarks.runs import NetworkRun
from edge_aver.benchmarks.stats import Interval, Percentiles, percentile, percentiles
from edge_aver.benchmarks.throughput import Throughput, throughputs
from edge_aver.benchmarks.validity import invalid_reasons
from edge_aver.spec import LABELS
from edge_aver.targets import RUNTIMES

__all__ = ["Summary", "condition_names", "provenance_notes", "summarize"]


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A result's statistics; whatever was not measured is None or empty.

    Attributes:
        result: where they come from.
        accuracy: over the fold's test clips, with both modalities.
        conditions: the same by the name of each condition that was measured (`conditions`), `both` among them.
        calibration: whether it is right as often as it claims to be, on the same clips; None without accuracy.
        network_s: over the queries of all processes, in seconds, from host arrays to logits: copies to a device and
            back included.
        compute_s: without these copies; on a CPU, where nothing is copied, the very same values.
        first_answer_s: from the start of a fresh process to its first logits: median and range over processes.
        process_p50_s: lowest and highest p50 of a process: how far repetitions differ.
        end_to_end_s: from file bytes to label, in seconds.
        stages_s: mean seconds of each stage, in order, `other` being what no stage accounts for.
        load_s: median over processes, from the path to a network that is ready.
        peak_bytes: largest peak of a process that loaded the network and answered queries, clips included.
        base_bytes: what such a process held before it loaded the network (interpreter, libraries, clips).
        device_memory_bytes: largest that a process's network held on a GPU.
        memory: by part, and whether the files fit the device.
        throughput: clips a second with all clips at hand, the fastest first.
        overheads: our latency over that of others on the same file in the same run.
        energy: joules a clip; () where the device tells none.
        front_end: of a suite with such a part, which measures nothing else; None for the others.
        invalid: why the result is INVALID; () where it is VALID.
        missing: what could not be measured here, and why.
    """

    result: Result
    accuracy: Accuracy | None
    conditions: dict[str, Accuracy]
    calibration: Calibration | None
    network_s: Percentiles
    compute_s: Percentiles
    first_answer_s: tuple[float, Interval] | None
    process_p50_s: Interval | None
    end_to_end_s: Percentiles
    stages_s: dict[str, float]
    load_s: float | None
    peak_bytes: int | None
    base_bytes: int | None
    device_memory_bytes: int | None
    memory: MemoryTable
    throughput: tuple[Throughput, ...]
    overheads: tuple[Overhead, ...]
    energy: tuple[Energy, ...]
    front_end: FrontEndSummary | None
    invalid: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def name(self) -> str:
        """Architecture and precision: what a reader calls the network."""
        return f"{self.result.spec.architecture} {self.result.artifact.precision}"

    @property
    def on_gpu(self) -> bool:
        """Whether the artifact's runtime needs a GPU: only then has it device memory."""
        return _on_gpu(self.result)

    @property
    def origin(self) -> str:
        """Corpus and fold that the accuracy belongs to, and how many labels were told apart where not the usual."""
        spec = self.result.spec
        own = f", {len(spec.labels)} labels" if spec.labels != LABELS else ""
        return f"{spec.corpus}, fold {spec.fold}{own}"

    @property
    def executed(self) -> str:
        """Layers by executed precision, the most frequent first; "" where the runtime does not tell."""
        counts = sorted(self.result.executed_precisions.items(), key=lambda item: (-item[1], item[0]))
        return ", ".join(f"{count} {precision}" for precision, count in counts)


def summarize(result: Result) -> Summary:
    """Compute the statistics of one result."""
    runs = result.network
    p50s = [percentile(run.latency_s, 0.5) for run in runs if run.latency_s]
    done = [run.after_queries.peak_bytes for run in runs if run.after_queries]
    conditions = _by_condition(result)
    queries_s = [value for run in runs for value in run.latency_s]
    compute_s = [value for run in runs for value in run.compute_s] if _on_gpu(result) else queries_s
    base = [run.before_load.resident_bytes for run in runs if run.before_load]
    return Summary(
        result=result,
        accuracy=conditions.get(BOTH),
        conditions=conditions,
        calibration=calibration_of(result.predictions),
        network_s=percentiles(queries_s),
        compute_s=percentiles(compute_s),
        first_answer_s=_first_answer(runs),
        process_p50_s=Interval(low=min(p50s), high=max(p50s)) if p50s else None,
        end_to_end_s=percentiles([query.total_s for query in result.end_to_end]),
        stages_s=_stage_means(result.end_to_end),
        load_s=_median_load(runs),
        peak_bytes=max(done, default=None),
        base_bytes=max(base, default=None),
        device_memory_bytes=max(
            (run.device_memory_bytes for run in runs if run.device_memory_bytes is not None), default=None
        ),
        memory=memory_of(result),
        throughput=throughputs(result.throughput),
        overheads=overheads_of(result),
        energy=energy_of(result),
        front_end=_front_end(result),
        invalid=invalid_reasons(result),
        missing=tuple(f"{gap.case.replace('_', ' ')}: {gap.reason}" for gap in result.gaps if not gap.failed),
    )


def provenance_notes(results: Iterable[Result]) -> tuple[str, ...]:
    """The sentences that must stand wherever these results are shown, each once."""
    return tuple(dict.fromkeys(result.spec.note for result in results if result.spec.note))


def condition_names(summaries: Iterable[Summary]) -> tuple[str, ...]:
    """Every condition that one of these was measured under, in order."""
    return tuple(dict.fromkeys(name for summary in summaries for name in summary.conditions))


def _by_condition(result: Result) -> dict[str, Accuracy]:
    found = {name: accuracy_of(said, result.spec.labels) for name, said in result.predictions_by_condition.items()}
    return {name: accuracy for name, accuracy in found.items() if accuracy is not None}


def _stage_means(queries: tuple[EndToEndQuery, ...]) -> dict[str, float]:
    """Means, because they add up to the mean total where percentiles of stages add up to nothing."""
    if not queries:
        return {}
    seen = dict.fromkeys((*STAGES, *(stage for query in queries for stage in query.stages_s)))
    means = {stage: mean(query.stages_s.get(stage, 0.0) for query in queries) for stage in seen}
    means["other"] = max(0.0, mean(query.total_s for query in queries) - sum(means.values()))
    return means


def _front_end(result: Result) -> FrontEndSummary | None:
    part, measured = result.suite.front_end, result.front_end
    if part is None or measured is None:
        return None
    return summarize_front_end(measured, part, result.spec.preprocessing)


def _on_gpu(result: Result) -> bool:
    entry = RUNTIMES.get(result.artifact.runtime)
    return entry is not None and entry.needs_gpu


def _first_answer(runs: tuple[NetworkRun, ...]) -> tuple[float, Interval] | None:
    seconds = [run.first_answer_s for run in runs if run.first_answer_s is not None]
    if not seconds:
        return None
    return percentile(seconds, 0.5), Interval(low=min(seconds), high=max(seconds))


def _median_load(runs: tuple[NetworkRun, ...]) -> float | None:
    return percentile([run.load_s for run in runs], 0.5) if runs else None

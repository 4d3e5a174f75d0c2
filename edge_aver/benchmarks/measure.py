"""Measure artifacts: every case in a fresh process, cases of all artifacts interleaved in seeded random order."""

import json
import math
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

from edge_aver.benchmarks.cases import Case, Subject, find_subjects, interleaved, request
from edge_aver.benchmarks.conditions import BOTH, check_condition
from edge_aver.benchmarks.front_end import AgreementAnswer, RoundAnswer
from edge_aver.benchmarks.front_end_processes import FreshAnswer, ScalingAnswer
from edge_aver.benchmarks.front_end_results import FrontEndMeasurements, MeasuredClip
from edge_aver.benchmarks.machine import describe_machine, tool_versions
from edge_aver.benchmarks.offline import ThroughputAnswer
from edge_aver.benchmarks.overhead import OverheadAnswer, ToolAnswer
from edge_aver.benchmarks.processes import WorkerFailure, ask_process, without_places
from edge_aver.benchmarks.request import GOLDEN, Request
from edge_aver.benchmarks.results import (
    ArtifactRecord,
    ConditionPredictions,
    Gap,
    Result,
    without_none,
    write_result,
)
from edge_aver.benchmarks.sensors import QuerySpan, SensorLog, find_sensors, join_logs, sampled
from edge_aver.benchmarks.suites import Suite
from edge_aver.benchmarks.worker import AccuracyAnswer, Answer, EndToEndAnswer, NetworkAnswer
from edge_aver.bundle import Artifact
from edge_aver.cluster import RemoteExecutor
from edge_aver.console import progress
from edge_aver.corpora.fanout import fan_out
from edge_aver.declarations import parse
from edge_aver.errors import DeclarationError, MeasurementError
from edge_aver.files import json_text

__all__ = ["evaluate", "run_benchmark"]

_ANSWERS: dict[str, type[Answer]] = {
    "network": NetworkAnswer,
    "throughput": ThroughputAnswer,
    "overhead": OverheadAnswer,
    "library_tool": ToolAnswer,
    "accuracy": AccuracyAnswer,
    "end_to_end": EndToEndAnswer,
    "ours": RoundAnswer,
    "reference": RoundAnswer,
    "front_end_parity": AgreementAnswer,
    "fresh_run": FreshAnswer,
    "prepare_scaling": ScalingAnswer,
}

_OFTEN_MISSING = (EndToEndAnswer, RoundAnswer, AgreementAnswer, OverheadAnswer, ToolAnswer)
"""Answers that may say why there is nothing to measure here."""

_WITHOUT_CLIPS = ("network", "throughput", "overhead", "library_tool")
"""Cases that made-up clips are good enough for."""


def run_benchmark(
    artifacts: Sequence[Artifact],
    prepared: Callable[[str], Path],
    suite: Suite,
    *,
    results: Path,
    threads: int | None = None,
    data: Sequence[Path] = (),
    checkpoints: Path | None = None,
    conditions: Sequence[str] = (BOTH,),
    golden: bool = False,
    answered: Mapping[Path, Sequence[Answer | Gap]] | None = None,
) -> tuple[Result, ...]:
    """Measure `artifacts` by `suite` and write one result each, as soon as its last case is done.

    A case whose process fails, is killed or takes too long is a gap with its reason in the result; the others go on.
    An interruption kills the running process and leaves only complete results.

    Args:
        artifacts: what to measure, at least one.
        prepared: from a corpus's name to the folder of its prepared store (`Workspace.prepared`).
        suite: how much to measure.
        results: folder that takes `<target>/<artifact>-<UTC stamp>.json`.
        threads: CPU threads of every runtime; None leaves it to the runtime.
        data: folders of media files for a front-end part; none: the files of the fold's prepared test clips.
        checkpoints: folder in which the artifacts' own networks are looked for, for the reference stack.
        conditions: under which accuracy is measured, each in a process of its own (`conditions_of`).
        golden: where a corpus is not prepared, measure the network's latency on made-up clips and leave accuracy out.
        answered: accuracy that `evaluate` measured before, by the paths of artifacts; it is not measured again.

    Returns:
        One result for each artifact, in their order.

    Raises:
        ArtifactError: all artifacts are incomplete or changed.
        CorpusError: the clips of their corpora are not prepared, or were with other constants.
        MeasurementError: nothing to measure, a folder for results that cannot be made, clips given to a suite that
            measures the fold's own, or conditions to one that measures no accuracy.
    """
    if not artifacts:
        raise MeasurementError("no artifact to measure; make one with edge-aver export")
    _check_conditions(conditions, suite)
    subjects = find_subjects(artifacts, prepared, suite, data, checkpoints, golden=golden)
    _make_folder(results)
    started_utc = _utc_now()
    outcomes: dict[int, list[Answer | Gap]] = {
        index: list((answered or {}).get(subject.artifact.path, ())) for index, subject in enumerate(subjects)
    }
    written: dict[int, Result] = {}
    cases = [
        case
        for case in interleaved(len(artifacts), suite, conditions)
        if not (case.name == "accuracy" and outcomes[case.artifact])
    ]
    sensors: dict[int, SensorLog] = {}
    with progress(f"Benchmark, suite {suite.name}", len(cases)) as advance:
        for position, case in enumerate(cases):
            subject = subjects[case.artifact]
            asked = request(case, subject, suite, threads)
            began_s = time.monotonic()
            with sampled(find_sensors() if case.name == "network" else None) as log:
                outcome = _outcome(asked, suite.timeout_s, own_network=subject.artifact.spec.network)
            outcomes[case.artifact].append(outcome)
            joined = join_logs(sensors.get(case.artifact), _with_span(log(), outcome, began_s))
            sensors |= {case.artifact: joined} if joined else {}
            advance(note=f"{subject.artifact.path.name}: {asked.name}")
            if all(later.artifact != case.artifact for later in cases[position + 1 :]):
                result = _result(subject, outcomes[case.artifact], suite, started_utc, threads, conditions)
                result = replace(result, sensors=sensors.get(case.artifact))
                write_result(result, results)
                written[case.artifact] = result
    return tuple(written[index] for index in range(len(artifacts)))


def evaluate(
    artifacts: Sequence[Artifact],
    prepared: Callable[[str], Path],
    suite: Suite,
    *,
    threads: int | None = None,
    conditions: Sequence[str] = (BOTH,),
    golden: bool = False,
    workers: int = 1,
    executor: RemoteExecutor | None = None,
) -> dict[Path, list[Answer | Gap]]:
    """Measure the accuracy of `artifacts` side by side, for `run_benchmark` to take; nothing here is timed.

    Args:
        artifacts: as for `run_benchmark`, as the other arguments of the same names.
        prepared: likewise.
        suite: likewise; () comes of one without accuracy.
        threads: likewise.
        conditions: likewise.
        golden: likewise.
        workers: processes of this machine.
        executor: does the work instead; its workers see artifacts and prepared clips at the same paths.

    Returns:
        Answers by the paths of artifacts.

    Raises:
        ClusterError: workers do not see the artifacts.
        EdgeAverError: as `run_benchmark`.
    """
    subjects = find_subjects(artifacts, prepared, suite, (), None, golden=golden)
    cases = [case for case in interleaved(len(artifacts), suite, conditions) if case.name == "accuracy"]
    asked = [request(case, subjects[case.artifact], suite, threads) for case in cases]
    jobs = [
        _Evaluation(case=case, request=one, timeout_s=suite.timeout_s) for case, one in zip(cases, asked, strict=True)
    ]
    if executor is not None:
        executor.require_files(subject.artifact.path for subject in subjects)
    found: dict[Path, list[Answer | Gap]] = {subject.artifact.path: [] for subject in subjects}
    with (
        progress(f"Accuracy, suite {suite.name}", len(jobs)) as advance,
        closing(fan_out(_evaluate, jobs, workers=workers, executor=executor)) as results,
    ):
        for job, answer in results:
            path = subjects[job.case.artifact].artifact.path
            found[path].append(answer or _gap(job.request, "the process that measured it died"))
            advance(note=f"{path.name}: {job.request.name}")
    return found


@dataclass(frozen=True, kw_only=True)
class _Evaluation:
    case: Case
    request: Request
    timeout_s: float


def _evaluate(job: _Evaluation) -> Answer | Gap:
    return _outcome(job.request, job.timeout_s)


def _with_span(log: SensorLog | None, outcome: Answer | Gap, began_s: float) -> SensorLog | None:
    """When the process asked, on the log's clock: both processes read the same one."""
    if log is None or not isinstance(outcome, NetworkAnswer):
        return log
    run = outcome.run
    if run.before is None or run.after is None:
        return log
    start_s, end_s = (round(moment.monotonic_s - began_s, 3) for moment in (run.before, run.after))
    return replace(log, spans=(QuerySpan(start_s=start_s, end_s=end_s, queries=len(run.latency_s)),))


def _check_conditions(conditions: Sequence[str], suite: Suite) -> None:
    for name in conditions:
        check_condition(name)
    if suite.front_end is not None and tuple(conditions) != (BOTH,):
        raise MeasurementError(f"suite {suite.name} measures no accuracy; leave out --modality and --missing-faces")


def _outcome(request: Request, timeout_s: float, *, own_network: str | None = None) -> Answer | Gap:
    if request.case == "reference" and own_network is not None:
        return _gap(request, f"there is no reference stack for a network of one's own ({own_network})", failed=False)
    if request.case == "reference" and request.checkpoint is None:
        return _gap(request, "the checkpoint that the artifact came from is not in the workspace", failed=False)
    if request.store == GOLDEN and request.case not in _WITHOUT_CLIPS:
        return _gap(request, "the clips of its corpus are not prepared here", failed=False)
    return _ask(request, timeout_s)


def _ask(request: Request, timeout_s: float) -> Answer | Gap:
    """Run one worker process to its end; whatever goes wrong in it becomes a gap."""
    try:
        return _answer(request, ask_process(_command(), json_text(without_none(asdict(request))), timeout_s=timeout_s))
    except WorkerFailure as error:
        return _gap(request, str(error))


def _command() -> list[str]:
    return [sys.executable, "-m", "edge_aver.benchmarks.worker"]


def _answer(request: Request, text: str) -> Answer | Gap:
    try:
        table = json.loads(text)
        if "error" in table:
            return _gap(request, table["error"])
        answer = parse(_ANSWERS[request.case], table, where="answer")
    except (ValueError, DeclarationError) as error:
        return _gap(request, f"answered with something unreadable ({error})")
    if (impossible := _impossible(answer)) is not None:
        return _gap(request, f"a latency of {impossible:g} s (did a clock jump?)")
    if isinstance(answer, _OFTEN_MISSING) and answer.not_measured:
        return _gap(request, answer.not_measured, failed=False)
    return answer


def _impossible(answer: Answer) -> float | None:
    """A time that no process can have measured: such a process failed as a whole, and none of its values counts."""
    times: Iterable[float] = ()
    if isinstance(answer, NetworkAnswer):
        times = answer.run.latency_s
    elif isinstance(answer, EndToEndAnswer):
        times = (query.total_s for query in answer.queries)
    return next((value for value in times if not 0 < value < math.inf), None)


def _gap(request: Request, reason: str, *, failed: bool = True) -> Gap:
    return Gap(case=request.name, reason=without_places(reason), failed=failed)


def _result(
    subject: Subject,
    outcomes: Iterable[Answer | Gap],
    suite: Suite,
    started_utc: str,
    threads: int | None,
    conditions: Sequence[str],
) -> Result:
    artifact, answers = subject.artifact, list(outcomes)
    accuracy = {item.condition: item for item in answers if isinstance(item, AccuracyAnswer)}
    return Result(
        artifact=ArtifactRecord(
            name=artifact.path.name,
            target=artifact.target,
            runtime=artifact.runtime,
            precision=artifact.precision,
            files=dict(artifact.files),
        ),
        spec=artifact.spec,
        parity=tuple(artifact.parity),
        suite=suite,
        machine=describe_machine(),
        tool_versions=tool_versions(),
        started_utc=started_utc,
        threads=threads,
        executed_precisions=next(iter(accuracy.values())).executed_precisions if accuracy else {},
        network=tuple(item.run for item in answers if isinstance(item, NetworkAnswer)),
        throughput=tuple(item.throughput for item in answers if isinstance(item, ThroughputAnswer)),
        overhead=tuple(item.overhead for item in answers if isinstance(item, OverheadAnswer) and item.overhead),
        tools=tuple(item.tool for item in answers if isinstance(item, ToolAnswer) and item.tool),
        predictions=accuracy[BOTH].predictions if BOTH in accuracy else (),
        conditions=tuple(
            ConditionPredictions(name=name, predictions=accuracy[name].predictions)
            for name in conditions
            if name in accuracy and name != BOTH
        ),
        end_to_end=tuple(query for item in answers if isinstance(item, EndToEndAnswer) for query in item.queries),
        front_end=_front_end(subject, answers) if suite.front_end is not None else None,
        gaps=_gaps(answers),
    )


def _front_end(subject: Subject, answers: Sequence[Answer | Gap]) -> FrontEndMeasurements:
    clips = (
        MeasuredClip(id=clip.id, width_px=clip.width_px, height_px=clip.height_px, sha256=clip.sha256)
        for clip in subject.media
    )
    return FrontEndMeasurements(
        given=subject.given,
        clips=tuple(clips),
        rounds=tuple(one for item in answers if isinstance(item, RoundAnswer) for one in item.rounds),
        agreement=tuple(one for item in answers if isinstance(item, AgreementAnswer) for one in item.clips),
        fresh_runs=tuple(item.run for item in answers if isinstance(item, FreshAnswer)),
        prepare_runs=tuple(one for item in answers if isinstance(item, ScalingAnswer) for one in item.runs),
    )


def _gaps(answers: Sequence[Answer | Gap]) -> tuple[Gap, ...]:
    """What several processes of one case say alike is said once, where it is no failure."""
    gaps = [item for item in answers if isinstance(item, Gap)]
    failed = [gap for gap in gaps if gap.failed]
    return (*failed, *dict.fromkeys(gap for gap in gaps if not gap.failed))


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MeasurementError(f"{folder}: cannot hold results ({error.strerror}); name another workspace") from error


def _utc_now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")

"""Measure artifacts: every case in a fresh process, cases of all artifacts interleaved in seeded random order."""

import json
import math
import random
import re
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

from edge_aver.benchmarks.machine import describe_machine, tool_versions
from edge_aver.benchmarks.results import ArtifactRecord, Gap, Result, without_none, write_result
from edge_aver.benchmarks.suites import Suite
from edge_aver.benchmarks.worker import AccuracyAnswer, Answer, EndToEndAnswer, NetworkAnswer, Request
from edge_aver.bundle import Artifact, open_artifact
from edge_aver.console import progress, say
from edge_aver.corpora.store import PreparedStore
from edge_aver.declarations import parse
from edge_aver.errors import ArtifactError, CorpusError, DeclarationError, MeasurementError
from edge_aver.files import json_text

__all__ = ["run_benchmark"]

_ANSWERS: dict[str, type[Answer]] = {
    "network": NetworkAnswer,
    "accuracy": AccuracyAnswer,
    "end_to_end": EndToEndAnswer,
}


@dataclass(frozen=True, kw_only=True)
class _Case:
    """One worker process: `artifact` counts the artifacts, `repetition` the processes of the same case."""

    artifact: int
    name: str
    repetition: int


def run_benchmark(
    artifacts: Sequence[Artifact],
    prepared: Callable[[str], Path],
    suite: Suite,
    *,
    results: Path,
    threads: int | None = None,
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

    Returns:
        One result for each artifact, in their order.

    Raises:
        ArtifactError: all artifacts are incomplete or changed.
        CorpusError: the clips of their corpora are not prepared, or were with other constants.
        MeasurementError: nothing to measure, or a folder for results that cannot be made.
    """
    if not artifacts:
        raise MeasurementError("no artifact to measure; make one with edge-aver export")
    _check_some_usable(artifacts, prepared)
    _make_folder(results)
    started_utc = _utc_now()
    cases, outcomes, written = _interleaved(len(artifacts), suite), defaultdict(list), {}
    with progress(f"Benchmark, suite {suite.name}", len(cases)) as advance:
        for position, case in enumerate(cases):
            artifact = artifacts[case.artifact]
            request = _request(case, artifact, prepared(artifact.spec.corpus), suite, threads)
            outcomes[case.artifact].append(_ask(request, suite.timeout_s))
            advance(note=f"{artifact.path.name}: {case.name}")
            if all(later.artifact != case.artifact for later in cases[position + 1 :]):
                result = _result(artifact, outcomes[case.artifact], suite, started_utc, threads)
                write_result(result, results)
                written[case.artifact] = result
    return tuple(written[index] for index in range(len(artifacts)))


def _interleaved(artifacts: int, suite: Suite) -> list[_Case]:
    """All cases in seeded random order, so that a drift of the machine meets every artifact alike."""
    cases = []
    for artifact in range(artifacts):
        for repetition in range(suite.processes):
            cases.append(_Case(artifact=artifact, name="network", repetition=repetition))
        for name in ("accuracy", "end_to_end"):
            cases.append(_Case(artifact=artifact, name=name, repetition=0))
    random.Random(suite.seed).shuffle(cases)
    return cases


def _request(case: _Case, artifact: Artifact, store: Path, suite: Suite, threads: int | None) -> Request:
    """The suite's counts and times hold for all processes together: each takes its share."""
    shares = {"network": math.ceil(suite.network_queries / suite.processes), "end_to_end": suite.end_to_end_clips}
    return Request(
        case=case.name,
        artifact=str(artifact.path),
        store=str(store),
        threads=threads,
        queries=shares.get(case.name, 0),
        min_duration_s=suite.min_duration_s / suite.processes,
        warmup_queries=suite.warmup_queries,
        seed=suite.seed + case.repetition,
    )


def _ask(request: Request, timeout_s: float) -> Answer | Gap:
    """Run one worker process to its end; whatever goes wrong in it becomes a gap."""
    pipe = subprocess.PIPE
    with subprocess.Popen(_command(), stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            text, remarks = process.communicate(json_text(without_none(asdict(request))), timeout=timeout_s)
        except subprocess.TimeoutExpired:
            return _gap(request, f"took longer than the suite's {timeout_s:g} s and was stopped")
        finally:
            # An interruption of this process must not leave that one behind.
            process.kill()
    if process.returncode:
        return _gap(request, _death(process.returncode, remarks))
    return _answer(request, text)


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
    if isinstance(answer, EndToEndAnswer) and answer.not_measured:
        return _gap(request, answer.not_measured, failed=False)
    return answer


def _death(status: int, remarks: str) -> str:
    """Why a worker died: by a signal, or by a bug whose traceback is shown in full."""
    if status < 0:
        name = signal.Signals(-status).name
        return f"the process was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
    say(remarks.strip())
    last = (remarks.strip().splitlines() or ["no message"])[-1]
    return f"the process ended with status {status}: {last}"


def _gap(request: Request, reason: str, *, failed: bool = True) -> Gap:
    """Results name no place on the machine: of every absolute path the last part is kept."""
    return Gap(case=request.case, reason=re.sub(r"(?<![\w.])/(?:[^\s/'\":]+/)+", "", reason), failed=failed)


def _result(
    artifact: Artifact, outcomes: Iterable[Answer | Gap], suite: Suite, started_utc: str, threads: int | None
) -> Result:
    answers = list(outcomes)
    accuracy = next((item for item in answers if isinstance(item, AccuracyAnswer)), None)
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
        executed_precisions=accuracy.executed_precisions if accuracy else {},
        network=tuple(item.run for item in answers if isinstance(item, NetworkAnswer)),
        predictions=accuracy.predictions if accuracy else (),
        end_to_end=tuple(query for item in answers if isinstance(item, EndToEndAnswer) for query in item.queries),
        gaps=tuple(item for item in answers if isinstance(item, Gap)),
    )


def _check_some_usable(artifacts: Sequence[Artifact], prepared: Callable[[str], Path]) -> None:
    """Refuse at once what would be a gap in every case; one bad artifact among good ones is a row with its reason."""
    problems = []
    for artifact in artifacts:
        try:
            open_artifact(artifact.path)
            PreparedStore.open(prepared(artifact.spec.corpus), artifact.spec.preprocessing)
        except (ArtifactError, CorpusError) as error:
            problems.append(error)
        else:
            return
    raise problems[0]


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MeasurementError(f"{folder}: cannot hold results ({error.strerror}); name another workspace") from error


def _utc_now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")

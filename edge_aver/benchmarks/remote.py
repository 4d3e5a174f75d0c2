"""A benchmark on another machine: copy the artifact or kit there, build, verify, measure, bring the result back."""

import json
import re
import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge_aver import __version__
from edge_aver.benchmarks.remote_shell import Host, RemoteError, run_script
from edge_aver.benchmarks.remote_transfer import copy_artifact
from edge_aver.benchmarks.results import Result, read_result, write_result
from edge_aver.benchmarks.suites import load_suite
from edge_aver.bundle import Artifact, is_kit, open_artifact
from edge_aver.console import say
from edge_aver.errors import EdgeAverError, MeasurementError, ParityError, UndecidedError
from edge_aver.files import json_text

__all__ = ["ROOT", "benchmark_on"]

ROOT = "edge-aver-remote"
"""Folder on the device, in the user's home."""

_MISSING = (126, 127)
_KINDS: dict[int, type[EdgeAverError]] = {3: ParityError, 4: UndecidedError}


def benchmark_on(
    host: Host,
    artifacts: Sequence[Artifact],
    suite: str,
    *,
    results: Path,
    threads: int | None = None,
    root: str = ROOT,
) -> tuple[Result, ...]:
    """Measure artifacts on a device, one after the other; a kit is built and verified there first.

    Accuracy is measured where `<root>/prepared/<corpus>` on the device holds the prepared clips; without them the
    latency of the network is, on made-up clips, and the rest is "not measured". Each result is written here as soon
    as it has come back whole.

    Args:
        host: the device.
        artifacts: artifacts and kits.
        suite: shipped name, or path of a TOML file, which is sent along.
        results: folder that takes `<target>/<artifact>-<UTC stamp>.json`.
        threads: CPU threads of the runtime there.
        root: folder on the device, from the user's home.

    Returns:
        One result for each artifact, in their order.

    Raises:
        ParityError: an engine that does not answer as its kit expects (exit status 3).
        UndecidedError: an engine that was built there and could not be verified (exit status 4).
        MeasurementError: no connection, no or too old an edge-aver there, or a command there failed.
    """
    load_suite(suite)
    _check_program(host)
    return tuple(_benchmark_one(host, artifact, suite, results, threads, root) for artifact in artifacts)


def _benchmark_one(host: Host, artifact: Artifact, suite: str, results: Path, threads: int | None, root: str) -> Result:
    checked = open_artifact(artifact.path)
    place = copy_artifact(host, checked, root=root)
    if is_kit(checked.path):
        say(f"{host.destination}: building and verifying {checked.path.name}")
        _program(host, "build", f"{place}/artifacts/{checked.path.name}", "--reuse", "--json", "-")
    say(f"{host.destination}: measuring")
    options = ["--workspace", place, "--suite", _send_suite(host, suite, place), "--golden", "--json", "-"]
    options += ["--threads", str(threads)] if threads is not None else []
    (document,) = _documents(host, _program(host, "benchmark", *options))
    result = _checked_result(host, document, checked)
    write_result(result, results)
    return result


def _check_program(host: Host) -> None:
    """Refuse a device without edge-aver, or with an older one than this."""
    try:
        words = run_script(host, f"{host.program} --version").split()
    except RemoteError as error:
        if error.status in _MISSING:
            raise MeasurementError(
                f"{host.destination}: no command {host.program} there; install edge-aver on the device (the light "
                "install is enough), and if it lies off the PATH name it with --remote-command"
            ) from error
        raise
    if len(words) != 2 or words[0] != "edge-aver" or not re.fullmatch(r"[\d.]+\w*", words[1]):
        raise MeasurementError(f"{host.destination}: {host.program} there is not edge-aver (--remote-command names it)")
    if _numbers(words[1]) < _numbers(__version__):
        raise MeasurementError(
            f"{host.destination}: edge-aver {words[1]} there is older than {__version__} here; install the same there"
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def _program(host: Host, *arguments: str) -> str:
    """Call edge-aver there; the exit statuses of gates are kept."""
    try:
        return run_script(host, f"{host.program} {shlex.join(arguments)}", guarded=True)
    except RemoteError as error:
        if kind := _KINDS.get(error.status):
            raise kind(str(error)) from error
        raise


def _send_suite(host: Host, suite: str, place: str) -> str:
    if not suite.endswith(".toml"):
        return suite
    new, path = f"{place}/.suite.new", f"{place}/suite.toml"
    with Path(suite).open("rb", buffering=0) as source:
        run_script(host, f"cat > {shlex.quote(new)} && mv {shlex.quote(new)} {shlex.quote(path)}", source=source)
    return path


def _documents(host: Host, answer: str) -> list[dict[str, Any]]:
    try:
        documents = json.loads(answer)
        if not isinstance(documents, list) or len(documents) != 1:
            raise ValueError("expected one result")
    except ValueError as error:
        raise MeasurementError(f"{host.destination}: answered with something unreadable ({error})") from error
    return documents


def _checked_result(host: Host, document: dict[str, Any], artifact: Artifact) -> Result:
    """Read a result as any other file of one, its own hash included; it must be of what was sent."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "result.json"
        path.write_text(json_text(document), encoding="utf-8")
        result = read_result(path)
    told, sent = result.artifact, artifact
    same = told.files == dict(sent.files) or is_kit(sent.path)
    if (told.target, told.precision, result.spec) != (sent.target, sent.precision, sent.spec) or not same:
        raise MeasurementError(f"{host.destination}: sent back a result of {told.name}, expected {sent.path.name}")
    return result

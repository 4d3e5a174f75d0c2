import json
import stat
import sys
from pathlib import Path

import jetson_stand_in
import numpy as np
import pytest
from kits import tiny_golden, tiny_kit
from outcomes import check_error
from runtime_models import tiny_artifact
from ssh_server import ssh_server

from edge_aver import __version__, cli
from edge_aver.benchmarks.results import read_result

ROOT = Path(__file__).parents[2]

SUITE = """name = "brief"
network_queries = 6
min_duration_s = 0.01
processes = 2
warmup_queries = 1
end_to_end_clips = 1
timeout_s = 120.0
seed = 1
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with ssh_server(tmp_path_factory.mktemp("ssh")) as running:
        program(running, "edge-aver", f'PYTHONPATH={ROOT} exec {sys.executable} -m edge_aver "$@"')
        yield running


def program(server, name, text):
    path = server.home / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def workspace(tmp_path):
    (tmp_path / "artifacts").mkdir()
    return tmp_path


@pytest.fixture
def benchmark(server, workspace, capsys):
    """Call `edge-aver benchmark --host`: exit status, standard output and standard error."""

    def call(*arguments, command="./edge-aver"):
        host = server.host()
        options = [part for option in host.options for part in ("--ssh-option", option)]
        options += ["--workspace", str(workspace), "--host", host.destination, "--remote-command", command]
        status = cli._run(["benchmark", *options, *arguments])
        return (status, *capsys.readouterr())

    return call


def test_an_artifact_is_measured_there_and_the_result_comes_back(server, workspace, benchmark):
    artifact = tiny_artifact(workspace / "artifacts", target="onnxruntime-cpu")
    suite = workspace / "brief.toml"
    suite.write_text(SUITE)
    status, out, err = benchmark("--suite", str(suite), "--threads", "1")
    assert status == 0, err
    assert "there: Benchmark, suite brief" in err
    (path,) = (workspace / "results" / "onnxruntime-cpu").glob("*.json")
    result = read_result(path)
    assert result.artifact.files == artifact.files
    assert [len(run.latency_s) >= 3 for run in result.network] == [True, True]
    assert result.threads == 1
    assert result.predictions == ()
    assert {gap.reason for gap in result.gaps} == {"the clips of its corpus are not prepared here"}
    assert not any(gap.failed for gap in result.gaps)
    assert "not measured" in out
    (there,) = server.home.glob("edge-aver-remote/runs/*/results/onnxruntime-cpu/*.json")
    assert there.read_bytes() == path.read_bytes()


@pytest.fixture
def jetson(server, tmp_path_factory):
    """Name of an edge-aver there that finds itself on a Jetson Orin Nano (see `jetson_stand_in`)."""
    folder = tmp_path_factory.mktemp("jetson") / "device"
    jetson_stand_in.install_in(folder)
    path = f"PYTHONPATH={folder}:{ROOT}:{ROOT / 'tests'} PATH={folder / 'bin'}:$PATH"
    program(server, "on-jetson", f'{path} exec {sys.executable} -m edge_aver "$@"')
    return "./on-jetson"


def test_a_kit_is_built_verified_and_measured_there_and_the_result_comes_back(server, workspace, benchmark, jetson):
    kit = tiny_kit(workspace / "artifacts")
    suite = workspace / "brief.toml"
    suite.write_text(SUITE.replace("min_duration_s = 0.01", "min_duration_s = 1.0"))
    status, _, err = benchmark("--target", "jetson-orin-nano", "--suite", str(suite), command=jetson)
    assert status == 0, err
    assert f"building and verifying {kit.name}" in err
    (path,) = (workspace / "results" / "jetson-orin-nano").glob("*.json")
    result = read_result(path)
    assert (result.artifact.target, result.artifact.precision) == ("jetson-orin-nano", "fp32")
    assert [len(run.latency_s) >= 3 for run in result.network] == [True, True]
    assert (result.sensors.source, result.sensors.power_mode) == ("tegrastats", "15W")
    assert {sample.power_w["VDD_IN"] for sample in result.sensors.samples} == {9.5}
    (engine,) = server.home.glob("edge-aver-remote/runs/*/artifacts/*jetson-orin-nano.engine")
    build = json.loads(engine.with_name(f"{engine.name}.json").read_text())["build"]
    assert (build["verification"], build["library_version"]) == ("passed", "10.3.0")
    # A second benchmark keeps the engine that was verified.
    before = engine.stat().st_mtime_ns
    assert benchmark("--target", "jetson-orin-nano", "--suite", str(suite), command=jetson)[0] == 0
    assert engine.stat().st_mtime_ns == before
    assert len(list((workspace / "results" / "jetson-orin-nano").glob("*.json"))) == 2


def test_a_kit_whose_engine_differs_there_fails_with_the_block_and_is_not_measured(workspace, benchmark, jetson):
    golden = {
        name: np.asarray(value * 1.01) if value.dtype == np.float32 else value for name, value in tiny_golden().items()
    }
    tiny_kit(workspace / "artifacts", golden=golden)
    status, out, err = benchmark("--target", "jetson-orin-nano", command=jetson)
    assert (status, out) == (3, "")
    assert "first block that differs" in err.splitlines()[-1]
    assert not (workspace / "results").exists()


def test_a_kit_that_is_not_for_that_machine_is_refused_in_its_words(workspace, benchmark):
    tiny_kit(workspace / "artifacts", built_on="linux-riscv")
    outcome = benchmark("--target", "jetson-orin-nano")
    status, out, err = outcome
    assert (status, out) == (1, "")
    assert err.splitlines()[-1].startswith("error: ")
    assert "the kit is for jetson-orin-nano (linux-riscv)" in err.splitlines()[-1]
    assert not (workspace / "results").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, ("no command ./other there", "--remote-command")),
        ("echo 'edge-aver 0.0.9'", ("edge-aver 0.0.9 there is older than", __version__)),
        ("echo something else here", ("is not edge-aver",)),
        ("exit 5", ("exit status 5",)),
        ("echo 'ImportError: broken' >&2; exit 1", ("ImportError: broken",)),
    ],
)
def test_a_device_without_a_fitting_edge_aver_is_told_so(server, workspace, benchmark, text, words):
    tiny_artifact(workspace / "artifacts", target="onnxruntime-cpu")
    (server.home / "other").unlink(missing_ok=True)
    if text is not None:
        program(server, "other", text)
    check_error(benchmark("--target", "onnxruntime-cpu", command="./other"), 1, *words)


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        ("echo '[]'", 1, "something unreadable"),
        ("echo 'not json'", 1, "something unreadable"),
        ("echo '[{}]'", 1, "not a benchmark result"),
        ("echo 'error: an engine differs' >&2; exit 3", 3, "an engine differs"),
        ("echo 'error: cannot decide' >&2; exit 4", 4, "cannot decide"),
    ],
)
def test_what_comes_back_is_checked(server, workspace, benchmark, answer, status, words):
    tiny_artifact(workspace / "artifacts", target="onnxruntime-cpu")
    program(server, "fake", f"[ $1 = --version ] && echo 'edge-aver {__version__}' && exit 0\n{answer}")
    got, out, err = benchmark(command="./fake")
    assert (got, out) == (status, "")
    assert words in err.splitlines()[-1]
    assert not (workspace / "results").exists()


def test_a_result_of_something_else_is_not_taken(server, workspace, benchmark, tmp_path_factory):
    tiny_artifact(workspace / "artifacts", target="onnxruntime-cpu")
    suite = workspace / "brief.toml"
    suite.write_text(SUITE)
    assert benchmark("--suite", str(suite))[0] == 0
    (path,) = (workspace / "results" / "onnxruntime-cpu").glob("*.json")
    other = server.home / "other.json"
    other.write_text(json.dumps([json.loads(path.read_text())]))
    path.unlink()
    tiny_artifact(workspace / "artifacts", target="openvino-cpu")
    program(server, "fake", f"[ $1 = --version ] && echo 'edge-aver {__version__}' && exit 0\ncat {other}")
    got, out, err = benchmark("--target", "openvino-cpu", command="./fake")
    assert (got, out) == (1, "")
    assert "sent back a result of" in err
    assert not list((workspace / "results").rglob("*.json"))


def test_options_that_do_not_go_together_are_usage_errors(workspace, benchmark, capsys):
    tiny_artifact(workspace / "artifacts", target="onnxruntime-cpu")
    assert benchmark("--modality", "audio")[0] == 2
    status = cli._run(["benchmark", "--workspace", str(workspace), "--ssh-option", "Port=1"])
    check_error((status, *capsys.readouterr()), 2, "go with --host")

"""Fixtures that several folders of tests share."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from edge_aver.errors import EdgeAverError
from edge_aver.targets.cuda import cuda_device
from edge_aver.workspace import Workspace

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Real clips to test with; skips where there are none (they are never part of the repository)."""
    folder = Path(os.environ.get("EDGE_AVER_TEST_DATA") or ROOT.parent / "shared" / "data")
    if not (folder / "ravdess").is_dir():
        pytest.skip(f"no real clips at {folder}: set EDGE_AVER_TEST_DATA to a folder with ravdess/Actor_XX/*.mp4")
    return folder


@pytest.fixture(scope="session")
def trained_workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with a prepared synthetic store and a trained `sa` checkpoint; read it, do not write into it."""
    trained = pytest.importorskip("trained", reason="needs the extras that train")
    return trained.make_workspace(tmp_path_factory.mktemp("trained") / "workspace")


@pytest.fixture(scope="session")
def exported_workspace(trained_workspace: Workspace) -> Workspace:
    """The same, with the artifacts of `edge-aver export --arch sa --precision int8` for both CPU targets."""
    from edge_aver import cli

    assert cli._run(["export", "--arch", "sa", "--precision", "int8", "--workspace", str(trained_workspace.root)]) == 0
    return trained_workspace


_LEFT_OUT = pytest.StashKey[int]()


@pytest.hookimpl(hookwrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]):
    """Count the tests of a GPU that the marker expression leaves out."""
    asked = len(_of_a_gpu(items))
    yield
    if not config.option.keyword and not _of_a_gpu(items):
        config.stash[_LEFT_OUT] = asked


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was not run for want of a GPU and why, and what was measured on one: neither is ever silent."""
    lines = []
    if left_out := config.stash.get(_LEFT_OUT, 0):
        lines.append(f"Not run: {left_out} tests that need an NVIDIA GPU. {_gpu_state()}")
    reports = [item for kind in ("passed", "failed") for item in terminalreporter.stats.get(kind, ())]
    properties = (one for item in reports if item.when == "call" for one in item.user_properties)
    lines += [str(value) for name, value in properties if name == "measured"]
    if lines:
        terminalreporter.section("GPU")
    for line in lines:
        terminalreporter.write_line(line)


def _of_a_gpu(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    return [item for item in items if item.get_closest_marker("gpu")]


def _gpu_state() -> str:
    try:
        device = cuda_device()
    except EdgeAverError as error:
        return f"None can be used here: {error}"
    return f"{device.name} is here: run them with make gpu"


@pytest.fixture
def edge_aver(tmp_path, capsys, monkeypatch):
    """Run a command in this process with a workspace of its own: (status, standard output, standard error)."""
    monkeypatch.setenv("EDGE_AVER_WORKSPACE", str(tmp_path / "workspace"))

    from edge_aver import cli

    def run(*arguments):
        status = cli._run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run

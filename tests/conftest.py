"""Fixtures that several folders of tests share."""

import os
from pathlib import Path

import pytest

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

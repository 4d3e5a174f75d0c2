"""Fixtures that several folders of tests share."""

import os
from pathlib import Path

import pytest

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

"""A sweep whose cells are made and measured by workers of a cluster."""

import pytest
from sweep_cells import make_workspace

from edge_aver.benchmarks.grids import load_grid
from edge_aver.cluster import connected
from edge_aver.sweep import run_sweep

pytest.importorskip("torch", reason="needs the extra export")


@pytest.fixture
def workspace(tmp_path):
    return make_workspace(tmp_path)


def test_cells_come_back_from_workers_as_they_come_from_here(pair, workspace, tmp_path):
    grid = load_grid(tmp_path / "grid.toml")
    with connected(pair.address) as executor:
        there = run_sweep(grid, workspace, workers=1, executor=executor)
    here = run_sweep(load_grid(tmp_path / "grid.toml"), workspace, workers=1)
    done, failed = there.records
    assert done.result is not None
    assert failed.step == "train"
    assert here.reused == 1
    assert here.results[done.cell.name] == there.results[done.cell.name]
    assert len(there.results[done.cell.name].predictions) == 8

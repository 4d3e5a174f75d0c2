"""A sweep over a workspace whose one network is made already: what is measured, kept, failed and tried again."""

import json

import pytest
from sweep_cells import GRID, make_workspace

from edge_aver import cli
from edge_aver.benchmarks.grids import load_grid
from edge_aver.errors import DeclarationError
from edge_aver.sweep import failed_cells, run_sweep
from edge_aver.sweep.cells import cells_of

pytest.importorskip("torch", reason="needs the extra export")
pytest.importorskip("onnxruntime", reason="runs the network of this test")


@pytest.fixture
def workspace(tmp_path):
    return make_workspace(tmp_path)


def results(workspace):
    return sorted(path.name for path in workspace.results.rglob("*.json"))


def test_a_cell_is_measured_once_a_failed_one_is_a_row_and_changed_weights_make_it_another(workspace, tmp_path):
    grid = load_grid(tmp_path / "grid.toml")
    first = run_sweep(grid, workspace, workers=1)
    done, failed = first.records
    assert (done.cell.name, done.reason, failed.cell.name, failed.step) == (
        "sa-synthetic-fold1-fp32-onnxruntime-cpu",
        None,
        "ca-synthetic-fold1-fp32-onnxruntime-cpu",
        "train",
    )
    assert failed.reason == (
        "aver-ca-synthetic-fold1.safetensors: no such checkpoint; train it, or set train = true in the grid"
    )
    result = first.results[done.cell.name]
    assert len(result.predictions) == 8
    assert len(result.network[0].latency_s) >= 4
    assert result.gaps == ()
    assert failed_cells(workspace.sweeps) == ((failed.cell.name, f"train: {failed.reason}"),)

    kept = results(workspace)
    second = run_sweep(grid, workspace, workers=1)
    assert (second.reused, second.records) == (1, first.records)
    assert results(workspace) == kept == [done.result.split("/")[1]]

    (workspace.checkpoints / "aver-sa-synthetic-fold1.safetensors").write_bytes(b"others")
    third = run_sweep(grid, workspace, workers=1)
    assert third.reused == 0
    assert third.records[0].step == "export"


def test_the_command_shows_rows_and_the_report_has_the_failed_one(workspace, tmp_path, capsys):
    place = ["--workspace", str(workspace.root)]
    assert cli._run(["sweep", str(tmp_path / "grid.toml"), "--workers", "1", "--json", "-", *place]) == 0
    rows = json.loads(capsys.readouterr().out)["cells"]
    assert [(row["step"], row.get("accuracy") is None) for row in rows] == [(None, False), ("train", True)]
    assert cli._run(["sweep", str(tmp_path / "grid.toml"), *place]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "1 of 2 cells done, 1 of them before; 1 failed" in shown
    assert cli._run(["report", "--format", "md", *place]) == 0
    text = (workspace.reports / "report.md").read_text()
    assert "Failed cells of sweeps" in text
    assert "| ca-synthetic-fold1-fp32-onnxruntime-cpu | FAILED |" in text


def test_a_sweep_that_comes_to_nothing_is_an_error(workspace, tmp_path, capsys):
    text = (tmp_path / "grid.toml").read_text().replace('["sa", "ca"]', '["ca"]')
    (tmp_path / "grid.toml").write_text(text)
    assert cli._run(["sweep", str(tmp_path / "grid.toml"), "--workspace", str(workspace.root)]) == 1
    assert "error: no cell came to anything; the first, ca-synthetic-fold1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('["sa", "ca"]', '["xx"]', "unknown architecture 'xx'"),
        ('["sa", "ca"]', "[]", "architectures must hold one value or more"),
        ("folds = [1]", "folds = [0]", "folds and epochs count from 1"),
        ("folds = [1]", "folds = [1, 1]", "folds must hold one value or more, each once"),
        ('"trial"', '"../trial"', "its name names a folder"),
        ("threads = 1", "thread = 1", "unknown key 'thread'"),
    ],
)
def test_a_grid_that_is_none_is_refused(tmp_path, old, new, message):
    path = tmp_path / "grid.toml"
    path.write_text(GRID.format(suite="smoke").replace(old, new))
    with pytest.raises(DeclarationError, match=message):
        load_grid(path)


def test_cells_go_fold_by_fold(tmp_path):
    path = tmp_path / "grid.toml"
    path.write_text(GRID.format(suite="smoke").replace("folds = [1]", "folds = [2, 1]"))
    assert [(cell.fold, cell.architecture) for cell in cells_of(load_grid(path))] == [
        (2, "sa"),
        (2, "ca"),
        (1, "sa"),
        (1, "ca"),
    ]

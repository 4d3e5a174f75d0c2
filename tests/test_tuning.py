"""Tuning a recipe on a small trained network, as a person would, and exporting what it found."""

import json
import shutil

import pytest

from edge_aver import cli
from edge_aver.quantize import load_recipe
from edge_aver.workspace import Workspace


@pytest.fixture
def workspace(trained_workspace, tmp_path):
    copy = Workspace(root=tmp_path / "workspace")
    for name in ("prepared", "checkpoints", "artifacts"):
        shutil.copytree(trained_workspace.root / name, copy.root / name)
    return copy


def tune(workspace, *options):
    arguments = ["export", "--arch", "sa", "--precision", "int8", "--tune", "--workspace", str(workspace.root)]
    return cli._run([*arguments, "--calibration-clips", "8", *options])


@pytest.mark.slow
def test_tuning_measures_every_block_and_writes_a_recipe_that_exports(workspace, capsys):
    pytest.importorskip("matplotlib", reason="the plot needs the extra report")
    assert tune(workspace, "--json", str(workspace.root / "tuned.json")) == 0

    table = json.loads((workspace.root / "tuned.json").read_text())
    blocks = {item["block"]: item for item in table["blocks"]}
    assert {"stem", "stage0", "stage5", "squeeze_excite", "head"} <= set(blocks)
    assert all(item["alone"]["sqnr_db"] > table["whole"]["sqnr_db"] - 3 for item in blocks.values())
    assert "<svg" in (workspace.reports / "sa-synthetic-fold1-int8-tuned.svg").read_text()
    recipe = load_recipe(table["written"])
    assert set(table["kept_in_fp32"]) <= set(recipe.blocks_in("int8-weights"))
    out = capsys.readouterr().out
    assert "stage5" in out
    assert f"--recipe {table['written']}" in " ".join(out.split())

    arguments = ["export", "--arch", "sa", "--recipe", table["written"], "--target", "openvino-cpu"]
    assert cli._run([*arguments, "--calibration-clips", "8", "--workspace", str(workspace.root)]) == 0
    assert (workspace.artifacts / f"aver-sa-synthetic-fold1-{recipe.name}.openvino").is_dir()


@pytest.mark.slow
def test_tuning_that_runs_out_of_time_says_so_and_goes_on_where_it_stopped(workspace, capsys):
    assert tune(workspace, "--tune-minutes", "0.1") == 1
    first = capsys.readouterr().err
    assert "the time to tune is over after" in first.splitlines()[-1]
    measured = next(workspace.cache.rglob("measured.json"))
    before = json.loads(measured.read_text())
    assert tune(workspace, "--tune-minutes", "30") == 0
    after = json.loads(measured.read_text())
    assert before.items() <= after.items()
    assert len(after) > len(before)

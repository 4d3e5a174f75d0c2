"""The subcommand `sweep`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from edge_aver import screens
from edge_aver.cluster import connected
from edge_aver.commands.options import WORKSPACE, ClusterOption, JsonOption, WorkersOption, WorkspaceOption
from edge_aver.doctor import require
from edge_aver.workspace import Workspace

__all__ = ["sweep"]


def sweep(
    grid: Annotated[Path, typer.Argument(metavar="GRID.toml", help="What to run; or a shipped name, as cpu.")],
    workers: WorkersOption = None,
    cluster: ClusterOption = None,
    workspace: WorkspaceOption = WORKSPACE,
    json_path: JsonOption = None,
) -> None:
    """Train, export and measure every cell of a grid: architectures x folds x precisions x targets.

    What an earlier run finished is kept while checkpoint, clips, recipe, target and suite are the same; failed cells
    are rows with their reason, and are tried again. Accuracy is measured side by side, latency one cell at a time.
    """
    require("export")
    from edge_aver.benchmarks.grids import load_grid
    from edge_aver.sweep import run_sweep

    declared, place = load_grid(grid), Workspace(root=workspace.absolute())
    with connected(cluster) as executor:
        outcome = run_sweep(declared, place, workers=workers or os.cpu_count() or 1, executor=executor)
    screens.show_sweep(outcome, json_path)

"""Sweeps: a declared grid of networks, precisions and targets, made and measured cell by cell, resumably."""

from edge_aver.sweep.cells import Cell, CellRecord, failed_cells
from edge_aver.sweep.run import SweepOutcome, run_sweep

__all__ = ["Cell", "CellRecord", "SweepOutcome", "failed_cells", "run_sweep"]

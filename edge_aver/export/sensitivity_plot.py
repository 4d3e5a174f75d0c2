"""The damage of every block, drawn: how many dB are left when it alone is int8, and when it alone is spared."""

from pathlib import Path

from edge_aver.errors import MissingLibraryError
from edge_aver.export.tune import Tuning
from edge_aver.files import atomic_path

__all__ = ["draw_sensitivity"]


def draw_sensitivity(tuning: Tuning, path: Path) -> None:
    """Write the plot as SVG, atomically; equal figures give equal bytes.

    Raises:
        MissingLibraryError: the extra `report` is not installed.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingLibraryError("matplotlib", "report", "A plot") from error
    blocks = sorted(tuning.blocks, key=lambda item: item.alone.sqnr_db)
    rows = list(range(len(blocks)))
    figure = Figure(figsize=(8, 1.2 + 0.4 * len(blocks)), layout="constrained")
    axes = figure.add_subplot()
    alone, spared = ([getattr(item, name).sqnr_db for item in blocks] for name in ("alone", "spared"))
    axes.barh([row - 0.2 for row in rows], alone, height=0.4, color="#3b6ea5", label="this block alone in int8")
    axes.barh([row + 0.2 for row in rows], spared, height=0.4, color="#c98a2b", label="all but this block in int8")
    whole = tuning.whole.sqnr_db
    axes.axvline(whole, color="#444444", linewidth=1, linestyle="--", label=f"all of them in int8: {whole:.1f} dB")
    axes.set_yticks(rows, [item.block for item in blocks])
    axes.invert_yaxis()
    axes.set_xlabel("signal to quantization noise ratio at the logits, dB (less is more damage)")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=1, frameon=False)
    with atomic_path(path) as temporary, mpl.rc_context({"svg.hashsalt": "edge-aver"}):
        figure.savefig(temporary, format="svg", metadata={"Date": None})

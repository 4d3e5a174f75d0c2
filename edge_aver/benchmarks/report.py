"""Results as one HTML page that needs nothing else: no request leaves it, and it reads without its script too."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge_aver import __version__
from edge_aver.benchmarks.pages import render
from edge_aver.benchmarks.report_accuracy import MOODS
from edge_aver.benchmarks.report_content import Content, content_of
from edge_aver.benchmarks.report_figures import (
    accuracy_figures,
    end_to_end_figures,
    latency_figures,
    published_figure,
    trade_figures,
)
from edge_aver.benchmarks.report_published import left_out, published_bars
from edge_aver.benchmarks.report_text import write_csv, write_markdown
from edge_aver.benchmarks.results import Result
from edge_aver.files import write_text

__all__ = ["render_page", "write_report", "write_reports"]


def write_report(results: Sequence[Result], path: Path, *, refused: Sequence[tuple[str, str]] = ()) -> Path:
    """Write `results` as one self-contained HTML file, atomically, and return its path.

    Args:
        results: at least one.
        path: of the `.html` file.
        refused: files that could not be read, and why; shown on top.

    Raises:
        ArtifactError: no results.
        MissingLibraryError: the extra `report` is not installed.
    """
    return _write_page(content_of(results, refused), path)


def write_reports(
    results: Sequence[Result],
    path: Path,
    *,
    formats: Sequence[str],
    refused: Sequence[tuple[str, str]] = (),
    failed: Sequence[tuple[str, str]] = (),
) -> tuple[Path, ...]:
    """Write `results` in several formats and return what was written.

    Args:
        results: at least one.
        path: of the HTML file; Markdown stands beside it under the same name, CSV in `<name>-csv/<table>.csv`.
        formats: of html, md and csv, each at most once.
        refused: files that could not be read, and why.
        failed: cells of sweeps that came to nothing, and why.

    Raises:
        ArtifactError: no results.
        MissingLibraryError: HTML is wanted and the extra `report` is not installed.
    """
    content = content_of(results, refused, failed)
    writers = {
        "html": lambda: _write_page(content, path),
        "md": lambda: write_markdown(content, path.with_suffix(".md")),
        "csv": lambda: write_csv(content, path.with_name(f"{path.stem}-csv")),
    }
    return tuple(writers[kind]() for kind in formats)


def render_page(content: Content) -> str:
    """The page, as HTML.

    Raises:
        MissingLibraryError: the extra `report` is not installed.
    """
    return render("report.html", _context(content))


def _write_page(content: Content, path: Path) -> Path:
    write_text(path, render_page(content))
    return path


def _context(content: Content) -> dict[str, Any]:
    results = [row.summary.result for row in content.everything]
    days = sorted({result.started_utc[:16].replace("T", " ") for result in results})
    return {
        **vars(content),
        "items": [row.summary for row in content.rows],
        "provenance": content.everything,
        "suites": sorted({result.suite.name for result in results}),
        "machines": sorted({result.machine.device for result in results}),
        "measured": days if len(days) < 2 else (days[0], days[-1]),
        "invalid_count": sum(bool(row.summary.invalid) for row in content.everything),
        "tables": {name: content.tables.get(name) for name in _TABLES},
        "not_among": left_out(content.pooled),
        "sections": _sections(content),
        "figures": _figures(content),
        "moods": MOODS,
        "version": __version__,
    }


_TABLES = (
    *("folds", "throughput", "overhead", "energy"),
    *("glance", "accuracy", "emotions", "conditions", "against-fp32", "published"),
    *("latency", "end-to-end", "memory", "parity"),
)


def _sections(content: Content) -> list[tuple[str, str]]:
    """Id and title of each section on the page, in order."""
    networks = bool(content.rows)
    known = (
        ("ship", "What to ship", bool(content.heads)),
        ("glance", "At a glance", networks),
        ("accuracy", "Accuracy", networks),
        ("missing", "Missing modality", "conditions" in content.tables),
        ("paired", "Against fp32", "against-fp32" in content.tables),
        ("published", "Among published systems", networks),
        ("latency", "Network latency", networks),
        ("trade", "Accuracy against cost", networks),
        ("end-to-end", "End to end", networks),
        ("memory", "Size and memory", networks),
        ("energy", "Energy", networks),
        ("parity", "Parity", networks),
        ("front-end", "Front end", bool(content.fronts)),
        ("provenance", "Provenance", True),
        ("method", "Method", True),
    )
    return [(name, title) for name, title, there in known if there]


def _figures(content: Content) -> dict[str, Any]:
    bars = published_bars(content.published, content.pooled)
    return {
        "accuracy": accuracy_figures(content.rows),
        "published": published_figure(bars, assumption=content.published.assumption),
        "latency": latency_figures(content.rows),
        "trade": trade_figures(content.rows),
        "end_to_end": end_to_end_figures(content.rows),
    }

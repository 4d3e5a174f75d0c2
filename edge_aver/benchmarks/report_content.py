"""What a report shows, whatever its format: rows, verdicts, remarks and tables, computed once."""

from collections.abc import Sequence
from dataclasses import dataclass

from edge_aver.benchmarks.conditions import BOTH
from edge_aver.benchmarks.costs import costs_of
from edge_aver.benchmarks.published import Pooled, Published, load_published, pool_folds
from edge_aver.benchmarks.report_accuracy import accuracy_table, condition_table, cost_table, emotion_table
from edge_aver.benchmarks.report_cells import Row, Table, name_rows
from edge_aver.benchmarks.report_costs import end_to_end_table, glance_table, latency_table, memory_table
from edge_aver.benchmarks.report_extras import energy_table, folds_table, overhead_table, throughput_table
from edge_aver.benchmarks.report_front_end import front_end_tables
from edge_aver.benchmarks.report_parity import parity_table
from edge_aver.benchmarks.report_published import published_table
from edge_aver.benchmarks.report_verdict import Headline, failed_table, headlines, refused_table, remarks
from edge_aver.benchmarks.results import Result
from edge_aver.benchmarks.summary import condition_names, provenance_notes, summarize
from edge_aver.errors import ArtifactError

__all__ = ["Content", "content_of"]


@dataclass(frozen=True, kw_only=True)
class Content:
    """Everything on a report.

    Attributes:
        rows: results of networks.
        fronts: results of front ends, each with its tables.
        everything: both.
        notes: sentences that must stand wherever figures are shown.
        heads: what to ship.
        invalid, missing: why results are INVALID, and what was not measured.
        refused: files that are no results.
        failed: cells of sweeps that came to nothing.
        tables: of the networks, by name; those that have nothing to say are left out.
        published: the systems that ours may stand among.
        pooled: ours over all folds, or why not.
    """

    rows: tuple[Row, ...]
    fronts: tuple[tuple[Row, tuple[Table, ...]], ...]
    everything: tuple[Row, ...]
    notes: tuple[str, ...]
    heads: tuple[Headline, ...]
    invalid: tuple[str, ...]
    missing: tuple[str, ...]
    refused: Table
    failed: Table
    tables: dict[str, Table]
    published: Published
    pooled: tuple[Pooled, ...]


def content_of(
    results: Sequence[Result], refused: Sequence[tuple[str, str]] = (), failed: Sequence[tuple[str, str]] = ()
) -> Content:
    """Compute what a report shows.

    Args:
        results: at least one.
        refused: files that could not be read, and why.
        failed: cells of sweeps that came to nothing, and why.

    Raises:
        ArtifactError: no results.
    """
    if not results:
        raise ArtifactError("no results to report; run edge-aver benchmark first")
    summaries = [summarize(result) for result in results]
    rows = name_rows([item for item in summaries if item.front_end is None])
    fronts = name_rows([item for item in summaries if item.front_end is not None])
    everything = (*rows, *fronts)
    measured = [row.summary.result for row in rows]
    costs = costs_of(measured)
    published = load_published("ravdess")
    pooled = pool_folds(measured, published)
    names = condition_names([row.summary for row in rows])
    invalid, missing = remarks([(row.told, row.summary) for row in everything])
    tables = (
        glance_table(rows),
        accuracy_table(rows),
        emotion_table(rows),
        _unless_empty(folds_table(rows)),
        condition_table(rows, names) if set(names) - {BOTH} else None,
        cost_table(costs, rows) if costs else None,
        published_table(published, pooled),
        latency_table(rows),
        _unless_empty(throughput_table(rows)),
        _unless_empty(overhead_table(rows)),
        end_to_end_table(rows),
        memory_table(rows),
        energy_table(rows),
        parity_table(rows),
    )
    return Content(
        rows=rows,
        fronts=tuple((row, front_end_tables(row)) for row in fronts),
        everything=everything,
        notes=provenance_notes(results),
        heads=headlines(measured),
        invalid=tuple(invalid),
        missing=tuple(missing),
        refused=refused_table(refused),
        failed=failed_table(failed),
        tables={table.name: table for table in tables if table} if rows else {},
        published=published,
        pooled=pooled,
    )


def _unless_empty(table: Table) -> Table | None:
    return table if table.rows else None

"""A report's tables as Markdown, and as CSV files with every value at full precision."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from edge_aver import __version__
from edge_aver.benchmarks.report_cells import Cell, Column, Table
from edge_aver.benchmarks.report_content import Content
from edge_aver.benchmarks.report_published import left_out
from edge_aver.benchmarks.report_verdict import verdict_table
from edge_aver.files import write_text

__all__ = ["escaped", "pipes", "write_csv", "write_markdown"]


def write_markdown(content: Content, path: Path) -> Path:
    """Write the tables as one Markdown file, atomically, with every note and reason on top; return its path."""
    write_text(path, "\n".join(_markdown(content)))
    return path


def write_csv(content: Content, folder: Path) -> Path:
    """Write each table as `<folder>/<table>.csv`, each atomically; return the folder.

    A cell is its value in the column's unit, empty where nothing was measured; a column with intervals is followed by
    one for either end. Text that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    for name, tables in _by_name(content).items():
        write_text(folder / f"{name}.csv", _csv(tables))
    return folder


def _markdown(content: Content) -> Iterator[str]:
    yield "# What the artifacts cost, and how well they read emotions"
    yield from (f"\n> **{note}**" for note in content.notes)
    yield ""
    yield from (f"- {escaped(line)}" for line in (*content.invalid, *content.missing))
    for table in _tables(content):
        yield f"\n## {table.title}\n\n{escaped(table.caption)}\n"
        yield from pipes(table)
    if reasons := left_out(content.pooled):
        yield "\n## Not among the published systems\n"
        yield from (f"- {escaped(reason)}" for reason in reasons)
    yield f"\nWritten by edge-aver {__version__}.\n"


def pipes(table: Table) -> Iterator[str]:
    """Lines of a table in Markdown."""
    yield f"| {' | '.join(escaped(_title(column)) for column in table.columns)} |"
    yield f"|{'|'.join('---' if column.words else '---:' for column in table.columns)}|"
    for row in table.rows:
        yield f"| {' | '.join(escaped('; '.join((cell.text, *cell.small))) for cell in row)} |"


def escaped(text: str) -> str:
    """Text that Markdown takes as it is, on one line."""
    for sign in "\\`*_[]<>|#":
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())


def _csv(tables: Sequence[Table]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    first, several = tables[0], len(tables) > 1
    writer.writerow([*(["Of"] if several else []), *(name for column in first.columns for name in _names(column))])
    for table in tables:
        for row in table.rows:
            cells = (value for cell, column in zip(row, table.columns, strict=True) for value in _values(cell, column))
            writer.writerow([*([_safe(table.title)] if several else []), *cells])
    return file.getvalue()


def _names(column: Column) -> list[str]:
    title = _title(column)
    return [title, f"{title}, low", f"{title}, high"] if column.ends else [title]


def _values(cell: Cell, column: Column) -> list[str]:
    value = "" if cell.value is None else repr(cell.value) if isinstance(cell.value, float) else _safe(str(cell.value))
    if not column.ends:
        return [value]
    return [value, *((repr(cell.ends.low), repr(cell.ends.high)) if cell.ends else ("", ""))]


def _safe(text: str) -> str:
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t")) and not _numeric(text) else text


def _numeric(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _title(column: Column) -> str:
    return f"{column.title} ({column.unit})" if column.unit else column.title


def _tables(content: Content) -> list[Table]:
    shown = [table for table in (content.refused, content.failed) if table.rows]
    shown += [verdict_table(content.heads)] if content.heads else []
    return [*shown, *content.tables.values(), *(table for _, tables in content.fronts for table in tables)]


def _by_name(content: Content) -> dict[str, list[Table]]:
    """Tables of one file: those of a name that have the same columns."""
    files: dict[str, list[Table]] = {}
    for table in _tables(content):
        files.setdefault(table.name, []).append(table)
    return files

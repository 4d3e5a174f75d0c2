"""Tables of a report: each cell holds the text for people and the value for sorting and for CSV."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge_aver.benchmarks.formats import NOT_MEASURED, percent, points
from edge_aver.benchmarks.stats import Interval
from edge_aver.benchmarks.summary import Summary

__all__ = [
    "ARTIFACT",
    "Cell",
    "Column",
    "Row",
    "Table",
    "figure",
    "interval_text",
    "missing",
    "name_rows",
    "rate",
    "status",
    "words",
]


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column's title and unit; `words` where it holds text, `ends` where its cells have intervals."""

    title: str
    unit: str = ""
    words: bool = False
    ends: bool = False


ARTIFACT = Column(title="Artifact", words=True)
"""What most tables begin with."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A cell.

    Attributes:
        text: as people read it.
        small: lines below it.
        value: in the column's unit; None where nothing was measured.
        ends: its interval, in the same unit.
        mood: `good`, `bad` or "".
        share: from 0 to 1, how strongly the cell is tinted; None where it is not.
    """

    text: str
    small: tuple[str, ...] = ()
    value: float | str | None = None
    ends: Interval | None = None
    mood: str = ""
    share: float | None = None


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table; the first cell of each row names it.

    Attributes:
        name: of its file as CSV, and of its place on the page.
        title: in a few words.
        caption: what a reader must know of it.
        columns: one for each cell of a row.
        rows: may be none.
    """

    name: str
    title: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Row:
    """A result with the name that tells it from the others on the page, and where it ran."""

    summary: Summary
    name: str
    where: str

    @property
    def told(self) -> str:
        """Both, in one line."""
        return f"{self.name}, {self.where}"

    @property
    def cell(self) -> Cell:
        """The cell that names the row."""
        return Cell(text=self.name, small=(self.where,), value=self.told)


def name_rows(summaries: Sequence[Summary]) -> tuple[Row, ...]:
    """Name results by architecture, precision and target, and by whatever else they differ in."""
    tells = [tell for tell in _DIFFERENCES if len({tell(summary) for summary in summaries}) > 1]
    heads = [(summary.name, _where(summary, tells)) for summary in summaries]
    return tuple(
        Row(summary=item, name=name, where=where if heads.count((name, where)) == 1 else f"{where}, {_date(item)}")
        for item, (name, where) in zip(summaries, heads, strict=True)
    )


def words(text: str, *small: str, mood: str = "") -> Cell:
    """A cell of text."""
    return Cell(text=text, small=tuple(line for line in small if line), value=text, mood=mood)


def missing(why: str = NOT_MEASURED) -> Cell:
    """A cell of something that has no figure."""
    return Cell(text=why)


def figure(
    value: float | None, show: Callable[[float], str], *small: str, scale: float = 1.0, ends: Interval | None = None
) -> Cell:
    """A cell of a measured value.

    Args:
        value: as stored (seconds, bytes); None: not measured.
        show: prints it.
        small: lines below.
        scale: from what is stored to the column's unit (1e3 for ms).
        ends: its interval, as stored; printed below.
    """
    if value is None:
        return missing()
    told = (f"{show(ends.low)} to {show(ends.high)}",) if ends else ()
    scaled = Interval(low=scale * ends.low, high=scale * ends.high) if ends else None
    return Cell(text=show(value), small=(*told, *small), value=scale * value, ends=scaled)


def rate(value: float, ends: Interval, *small: str, tinted: bool = False) -> Cell:
    """A cell of a share in [0, 1], in percent with its interval."""
    cell = figure(value, percent, *small, scale=100, ends=ends)
    return Cell(**{**vars(cell), "share": value if tinted else None})


def interval_text(ends: Interval, *, signed: bool = False) -> str:
    """An interval of shares, in percent or, signed, in points."""
    show = points if signed else percent
    return f"{show(ends.low)} to {show(ends.high)}"


def status(summary: Summary) -> Cell:
    """VALID or INVALID, with how many reasons."""
    if summary.invalid:
        count = len(summary.invalid)
        return words("INVALID", f"{count} reason{'s' if count > 1 else ''}, on top", mood="bad")
    return words("VALID", mood="good")


def _where(summary: Summary, tells: Sequence[Callable[[Summary], str]]) -> str:
    return ", ".join([summary.result.artifact.target, *(told for tell in tells if (told := tell(summary)))])


def _date(summary: Summary) -> str:
    return summary.result.started_utc[:16].replace("T", " ")


_DIFFERENCES: tuple[Callable[[Summary], str], ...] = (
    lambda item: item.result.spec.corpus,
    lambda item: f"fold {item.result.spec.fold}",
    lambda item: item.result.machine.device,
    lambda item: f"{item.result.threads} threads" if item.result.threads else "",
)
"""What rows are told apart by, beside network and target, where results differ in it."""

"""The rows of a manifest: a CSV file read and checked, every mistake with its line and column."""

import csv
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_aver.console import say
from edge_aver.corpora.own import SPLITS
from edge_aver.errors import CorpusError

__all__ = ["Mistakes", "Row", "read_rows"]

_NEEDED = ("path", "label", "subject")
_OPTIONAL = ("split", "start", "end")
_SHOWN = 10
_SECONDS = re.compile(r"\d+(\.\d*)?|\.\d+", flags=re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_LONGEST = 100


@dataclass(frozen=True, slots=True)
class Row:
    """One row, `line` counted from 1 as editors count; `split` is "" where the file has no such column."""

    line: int
    path: str
    label: str
    subject: str
    split: str
    start_s: float
    end_s: float | None


class Mistakes:
    """What is wrong in a file, collected so that a person can put it right in one go.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: list[str] = []

    def add(self, line: int, column: str, what: str) -> None:
        """Note one."""
        self._found.append(f"{self._path}: line {line}, column {column}: {what}")

    def check(self) -> None:
        """Raise CorpusError where there are any: one mistake is the message, of more the first ten are told before."""
        if len(self._found) == 1:
            raise CorpusError(self._found[0])
        if self._found:
            for text in self._found[:_SHOWN]:
                say(text)
            raise CorpusError(f"{self._path}: {len(self._found)} mistakes; the first: {self._found[0]}")


def read_rows(path: Path) -> tuple[Row, ...]:
    """Read a manifest: UTF-8 with or without a byte-order mark, separated by commas, a header first.

    Columns are path, label, subject and optionally split, start and end; any others are left aside with one remark.

    Raises:
        CorpusError: no such file, not CSV, a column missing or twice, no rows, or values that cannot be; each with its
            line and column.
    """
    lines = _lines(path, _text(path))
    number, header = next(lines, (1, []))
    places = _places(path, number, [name.strip() for name in header])
    mistakes = Mistakes(path)
    rows = [row for line, fields in lines if (row := _row(line, fields, header, places, mistakes))]
    mistakes.check()
    if not rows:
        raise CorpusError(f"{path}: no rows below the header")
    return tuple(rows)


def _text(path: Path) -> str:
    if path.is_dir() or not path.exists():
        state = "a folder" if path.is_dir() else "no such file"
        raise CorpusError(f"{path}: {state}; expected a CSV file with the columns {', '.join(_NEEDED)}")
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise CorpusError(
            f"{path}: line {line}: not UTF-8 (byte 0x{data[error.start]:02x}); save it as CSV in UTF-8"
        ) from error


def _lines(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not empty, with the line that each begins in."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        begins = 1
        for fields in reader:
            if any(field.strip() for field in fields):
                yield begins, fields
            begins = reader.line_num + 1
    except csv.Error as error:
        raise CorpusError(f"{path}: line {reader.line_num}: not CSV: {error}") from error


def _places(path: Path, line: int, header: Sequence[str]) -> Mapping[str, int]:
    if not header:
        raise CorpusError(f"{path}: empty; expected a header: {','.join(_NEEDED)}[,{'][,'.join(_OPTIONAL)}]")
    for name in header:
        if header.count(name) > 1:
            raise CorpusError(f"{path}: line {line}, column {name or '(no name)'}: stands in the header twice")
    if missing := [name for name in _NEEDED if name not in header]:
        hint = "; columns are separated by commas" if len(header) == 1 else ""
        raise CorpusError(
            f"{path}: line {line}, column {missing[0]}: not in the header ({', '.join(header)}); needed are "
            f"{', '.join(_NEEDED)}{hint}"
        )
    known = (*_NEEDED, *_OPTIONAL)
    if unknown := [name or "(no name)" for name in header if name not in known]:
        say(f"{path}: columns that are not used: {', '.join(unknown)}; those that are: {', '.join(known)}")
    return {name: header.index(name) for name in known if name in header}


def _row(
    line: int, fields: Sequence[str], header: Sequence[str], places: Mapping[str, int], mistakes: Mistakes
) -> Row | None:
    if len(fields) != len(header):
        column = header[min(len(fields), len(header) - 1)].strip()
        mistakes.add(line, column, f"the row has {len(fields)} fields, the header {len(header)}")
        return None
    values = {name: fields[place].strip() for name, place in places.items()}
    problems = list(_problems(values, has_split="split" in places))
    for column, what in problems:
        mistakes.add(line, column, what)
    if problems:
        return None
    end = values.get("end", "")
    return Row(
        line=line,
        path=values["path"],
        label=values["label"],
        subject=values["subject"],
        split=values.get("split", ""),
        start_s=float(values.get("start") or 0),
        end_s=float(end) if end else None,
    )


def _problems(values: Mapping[str, str], *, has_split: bool) -> Iterator[tuple[str, str]]:
    for column in _NEEDED:
        if not values[column]:
            yield column, "empty"
        elif _CONTROL.search(values[column]):
            yield column, f"{values[column]!r} holds a control character"
        elif column != "path" and len(values[column]) > _LONGEST:
            yield column, f"longer than {_LONGEST} characters"
    if has_split and values["split"] not in SPLITS:
        yield "split", f"{values['split'] or 'empty'!r} is not one of {', '.join(SPLITS)}"
    times_s = {}
    for column in ("start", "end"):
        if text := values.get(column, ""):
            if _SECONDS.fullmatch(text) and math.isfinite(float(text)):
                times_s[column] = float(text)
            else:
                yield column, f"{text!r} is not a number of seconds, as 12.5"
    if "end" in times_s and times_s["end"] <= times_s.get("start", 0.0):
        yield "end", f"{times_s['end']:g} s is not after its start, {times_s.get('start', 0.0):g} s"

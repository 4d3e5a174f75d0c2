"""A corpus from a manifest: a CSV file that says of each clip where it is, what it shows and whose it is."""

import os
import re
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from edge_aver.corpora.manifest_rows import Mistakes, Row, read_rows
from edge_aver.corpora.own import OwnCorpus, check_name, refuse_generated, subject_number
from edge_aver.corpora.ravdess import SourceClip
from edge_aver.errors import CorpusError, LeakError
from edge_aver.files import sha256_bytes
from edge_aver.spec import Preprocessing

__all__ = ["read_manifest"]

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")
_STEM = 60
_DIGITS = 12


def read_manifest(path: Path, *, name: str, labels: Sequence[str] | None = None) -> OwnCorpus:
    """Read a manifest (see `read_rows` for its columns).

    Paths are relative to the folder of the file; several rows may name one media file. `start` and `end`, in seconds,
    take a part of it. A row's id is made of its path, start and end: it stays, whatever other rows come or go.

    Args:
        path: of the CSV file.
        name: of the corpus.
        labels: all of them, in the order of the logits; None for those of the rows, sorted.

    Raises:
        CorpusError: rows that cannot be, that stand there twice, or whose files are missing; line and column are named.
        LeakError: a subject in two splits; both rows are named.
    """
    rows = read_rows(path)
    mistakes = Mistakes(path)
    order = _labels(path, rows, labels, mistakes)
    _check_alike(rows, "label", mistakes)
    _check_alike(rows, "subject", mistakes)
    subjects = _subjects(rows, mistakes)
    folder = path.parent.absolute()
    places = {row.path: Path(os.path.normpath(folder / row.path)) for row in rows}
    clips = _clips(rows, places, order, subjects, mistakes)
    mistakes.check()
    splits = _splits(path, rows)
    _check_files(path, rows, places)
    refuse_generated(places.values(), path)
    return OwnCorpus(
        name=check_name(name),
        labels=tuple(order),
        clips=tuple(sorted(clips, key=lambda clip: clip.id)),
        subjects=dict(sorted(subjects.items())),
        splits=splits,
        remarks=tuple(_remarks(clips, order)),
    )


def _labels(path: Path, rows: Sequence[Row], given: Sequence[str] | None, mistakes: Mistakes) -> dict[str, int]:
    found = sorted({row.label for row in rows})
    if given is not None:
        if len(set(given)) < len(given) or not all(given):
            raise CorpusError(f"--labels {','.join(given)}: a label is empty or stands there twice")
        if len(given) < 2:
            raise CorpusError(f"--labels {given[0]}: a network tells two labels or more apart")
        for row in rows:
            if row.label not in given:
                mistakes.add(row.line, "label", f"{row.label!r} is not one of --labels {','.join(given)}")
        found = list(given)
    if len(found) < 2:
        raise CorpusError(
            f"{path}: column label: every row says {found[0]!r}; a network tells two labels or more apart"
        )
    return {label: index for index, label in enumerate(found)}


def _check_alike(rows: Sequence[Row], column: str, mistakes: Mistakes) -> None:
    """`Happy` beside `happy` would be another label, silently; `Anna` beside `anna` another person."""
    seen: dict[str, Row] = {}
    for row in rows:
        value = getattr(row, column)
        first = seen.setdefault(value.casefold(), row)
        if (other := getattr(first, column)) != value:
            told = f"{value!r} differs from {other!r} on line {first.line} in its case alone; write them alike"
            mistakes.add(row.line, column, told)


def _subjects(rows: Sequence[Row], mistakes: Mistakes) -> dict[str, int]:
    numbers: dict[str, int] = {}
    owners: dict[int, str] = {}
    for row in rows:
        if row.subject not in numbers:
            number = numbers[row.subject] = subject_number(row.subject)
            if (other := owners.setdefault(number, row.subject)) != row.subject:
                mistakes.add(row.line, "subject", f"{row.subject!r} has the number of {other!r}; give it another name")
    return numbers


def _clips(
    rows: Sequence[Row],
    places: Mapping[str, Path],
    labels: Mapping[str, int],
    subjects: Mapping[str, int],
    mistakes: Mistakes,
) -> list[SourceClip]:
    firsts: dict[tuple[Path, float, float | None], Row] = {}
    ids: dict[str, Row] = {}
    clips = []
    for row in rows:
        place = places[row.path]
        if (first := firsts.setdefault((place, row.start_s, row.end_s), row)) is not row:
            mistakes.add(row.line, "path", f"the same clip as on line {first.line}: {row.path}")
            continue
        identifier = _identifier(row, place)
        if (other := ids.setdefault(identifier, row)) is not row:
            mistakes.add(row.line, "path", f"has the id of line {other.line}, {identifier}; give the file another name")
        clip = SourceClip(
            id=identifier,
            label=labels.get(row.label, 0),
            actor=subjects[row.subject],
            path=place,
            start_s=row.start_s,
            end_s=row.end_s,
        )
        clips.append(clip)
    return clips


def _identifier(row: Row, place: Path) -> str:
    written = f"{os.path.normpath(row.path)}\n{row.start_s!r}\n{row.end_s!r}"
    return f"{_UNSAFE.sub('_', place.stem)[:_STEM]}-{sha256_bytes(written.encode())[:_DIGITS]}"


def _splits(path: Path, rows: Sequence[Row]) -> dict[str, str]:
    firsts: dict[str, Row] = {}
    for row in rows:
        first = firsts.setdefault(row.subject, row)
        if first.split != row.split:
            raise LeakError(
                f"{path}: line {row.line}, column split: subject {row.subject!r} is in {row.split} here and in "
                f"{first.split} on line {first.line}; a subject stands in one split"
            )
    return {subject: row.split for subject, row in sorted(firsts.items()) if row.split}


def _check_files(path: Path, rows: Sequence[Row], places: Mapping[str, Path]) -> None:
    missing = {text for text, place in places.items() if not _is_file(place)}
    if missing:
        first = next(row for row in rows if row.path in missing)
        many = f"{len(missing)} of {len(places)} files are missing; the first, " if len(missing) > 1 else ""
        raise CorpusError(f"{path}: {many}line {first.line}, column path: no such file: {places[first.path]}")


def _is_file(place: Path) -> bool:
    try:
        return stat.S_ISREG(place.stat().st_mode)
    except OSError:
        return False


def _remarks(clips: Sequence[SourceClip], labels: Mapping[str, int]) -> list[str]:
    remarks = []
    window_s = Preprocessing().window_s
    if longer := sum(clip.end_s is not None and clip.end_s - clip.start_s > window_s for clip in clips):
        remarks.append(f"clips longer than {window_s:g} s, of which a network sees the beginning: {longer:,}")
    used = {clip.label for clip in clips}
    if unused := [label for label, index in labels.items() if index not in used]:
        remarks.append(f"no clip is labelled {', '.join(unused)}")
    return remarks

"""One side of a comparison: predictions clip by clip, read from results or CSV files and pooled over folds."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_aver.benchmarks.conditions import BOTH, accuracy_case, check_condition, told
from edge_aver.benchmarks.pooling import check_poolable
from edge_aver.benchmarks.results import Result, read_result
from edge_aver.benchmarks.summary import provenance_notes
from edge_aver.benchmarks.validity import invalid_reasons
from edge_aver.console import say
from edge_aver.errors import ComparisonError

__all__ = ["Prediction", "Side", "read_side", "results_side"]

_REQUIRED = ("clip", "label", "prediction")
_OPTIONAL = ("fold", "actor")


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What one network said of one clip.

    Attributes:
        clip: the clip's name, as the file gives it.
        label, prediction: the true and the predicted emotion.
        fold: an opaque label of the fold; None where the file names none.
        actor: whose clip it is; None where only the clip's name may tell.
        tensors_sha256: of the prepared clip; None in a CSV file.
    """

    clip: str
    label: str
    prediction: str
    fold: str | None = None
    actor: str | None = None
    tensors_sha256: str | None = None


@dataclass(frozen=True, kw_only=True)
class Side:
    """The predictions of one network, all folds pooled.

    Attributes:
        name: what a reader calls it.
        predictions: at least one.
        checkpoints: SHA-256 of the checkpoints behind the results, by fold; {} for CSV files.
        notes: what must be said wherever its figures are shown.
        invalid: why its results are INVALID; () where they are VALID or there are none.
    """

    name: str
    predictions: tuple[Prediction, ...]
    checkpoints: tuple[tuple[str, str | None], ...] = ()
    notes: tuple[str, ...] = ()
    invalid: tuple[str, ...] = ()


def read_side(path: Path, *, condition: str = BOTH) -> Side:
    """Read a benchmark result (`.json`), a CSV file (any other name), or a folder of either, pooled.

    A CSV file is comma-separated UTF-8 with a header. Columns `clip`, `label` and `prediction` are needed, `fold` and
    `actor` are used where given, and others are left out with a remark. Of a folder, the `.json` and `.csv` files that
    stand directly in it are read.

    Args:
        path: what to read.
        condition: under which the predictions were made (`conditions`); a CSV file knows of none but `both`.

    Raises:
        ArtifactError: a `.json` file that is no result.
        ComparisonError: a CSV file that cannot be read, no predictions, or files of one folder that do not belong
            together.
        MeasurementError: no such condition.
    """
    check_condition(condition)
    paths = _members(path) if path.is_dir() else (path,)
    results = [(member, read_result(member)) for member in paths if member.suffix == ".json"]
    tables = [(member, tuple(_read_csv(member))) for member in paths if member.suffix != ".json"]
    if results and tables:
        raise ComparisonError(f"{path}: holds results and CSV files; one side of a comparison is either of them")
    if results:
        return _pool_results(path, results, condition)
    if condition != BOTH:
        raise ComparisonError(f"{path}: a CSV file names no condition; of {told(condition)} results alone can tell")
    return _pool_tables(path, tables)


def results_side(results: Sequence[Result], *, condition: str = BOTH) -> Side:
    """Results of one network as a side, its folds pooled.

    Raises:
        ComparisonError: they do not belong together, or one holds no predictions under the condition.
    """
    named = [(Path(result.artifact.name), result) for result in results]
    return _pool_results(Path(results[0].artifact.name), named, condition)


def _members(folder: Path) -> tuple[Path, ...]:
    paths = sorted(
        path for path in folder.iterdir() if path.suffix in (".json", ".csv") and not path.name.startswith(".")
    )
    if not paths:
        raise ComparisonError(f"{folder}: holds no results (*.json) and no predictions (*.csv)")
    return tuple(paths)


def _pool_results(path: Path, results: Sequence[tuple[Path, Result]], condition: str) -> Side:
    check_poolable(str(path), [(member.name, result) for member, result in results])
    predictions = tuple(item for member, result in results for item in _of_result(member, result, condition))
    first = results[0][1]
    folds = ", ".join(str(result.spec.fold) for _, result in results)
    network = f"{first.spec.architecture} {first.artifact.precision} on {first.artifact.target}"
    under = "" if condition == BOTH else f", {told(condition)}"
    return Side(
        name=f"{network}, {first.spec.corpus}, fold{'s' if len(results) > 1 else ''} {folds}{under}",
        predictions=predictions,
        checkpoints=tuple(sorted((str(result.spec.fold), result.spec.checkpoint_sha256) for _, result in results)),
        notes=provenance_notes(result for _, result in results),
        invalid=tuple(f"{member.name}: {reason}" for member, result in results for reason in invalid_reasons(result)),
    )


def _of_result(path: Path, result: Result, condition: str) -> Iterator[Prediction]:
    predictions = result.predictions_by_condition.get(condition)
    if not predictions:
        case = accuracy_case(condition)
        gaps = "; ".join(gap.reason for gap in result.gaps if gap.case == case)
        raise ComparisonError(f"{path}: holds no predictions ({gaps or f'{case} was not measured'}); measure it again")
    for item in predictions:
        yield Prediction(
            clip=item.id,
            label=item.label,
            prediction=item.prediction,
            fold=str(result.spec.fold),
            actor=str(item.actor),
            tensors_sha256=item.tensors_sha256,
        )


def _pool_tables(path: Path, tables: Sequence[tuple[Path, tuple[Prediction, ...]]]) -> Side:
    predictions = tuple(item for _, rows in tables for item in rows)
    for column in _OPTIONAL:
        if len({getattr(item, column) is None for item in predictions}) > 1:
            raise ComparisonError(f"{path}: some of its CSV files have a column {column!r}, others have none")
    files = f", {len(tables)} files" if len(tables) > 1 else ""
    return Side(name=path.absolute().name + files, predictions=predictions)


def _read_csv(path: Path) -> list[Prediction]:
    try:
        # utf-8-sig drops the byte order mark that spreadsheets write; the csv module takes any line ending.
        with path.open(encoding="utf-8-sig", newline="") as file:
            predictions = list(_rows(path, csv.reader(file, strict=True)))
    except OSError as error:
        raise ComparisonError(f"{path}: cannot be read ({error.strerror})") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ComparisonError(f"{path}: not a CSV file in UTF-8 ({error})") from error
    if not predictions:
        raise ComparisonError(f"{path}: holds a header and no clips")
    return predictions


def _rows(path: Path, lines: Iterator[list[str]]) -> Iterator[Prediction]:
    header = _header(path, next(lines, []))
    for number, cells in enumerate(lines, start=2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            raise ComparisonError(f"{path}: row {number} has {len(cells)} cells, the header {len(header)}")
        values = {name: cell.strip() for name, cell in zip(header, cells, strict=True) if name in _known()}
        if empty := [name for name, value in values.items() if not value]:
            raise ComparisonError(f"{path}: row {number} has nothing in column {empty[0]!r}")
        yield Prediction(**values)


def _header(path: Path, cells: Iterable[str]) -> list[str]:
    header = [cell.strip().lower() for cell in cells]
    if missing := [name for name in _REQUIRED if name not in header]:
        raise ComparisonError(
            f"{path}: its first row names no column {', '.join(map(repr, missing))}; expected"
            f" clip,label,prediction[,fold][,actor], got {','.join(header) or 'an empty file'}"
        )
    if twice := [name for name in _known() if header.count(name) > 1]:
        raise ComparisonError(f"{path}: its first row names column {twice[0]!r} twice")
    if others := [name for name in header if name not in _known()]:
        say(f"{path}: left out column{'s' if len(others) > 1 else ''} {', '.join(map(repr, others))}")
    return header


def _known() -> tuple[str, ...]:
    return (*_REQUIRED, *_OPTIONAL)

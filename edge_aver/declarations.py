"""TOML declarations read into dataclasses: found by shipped name or by path, unknown keys refused."""

import collections.abc
import functools
import sys
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar

from edge_aver.errors import DeclarationError
from edge_aver.files import sha256_file

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["declaration_digest", "declaration_path", "load", "parse", "shipped_names", "shipped_results"]

T = TypeVar("T")


def shipped_names(folder: str) -> tuple[str, ...]:
    """Names of the shipped declarations in `folder` (`export/recipes`), sorted: the choices of a command option."""
    return tuple(sorted(path.stem for path in (_root() / folder).glob("*.toml")))


def shipped_results(target: str) -> int:
    """How many results measured on a target ship: 0 for a device that nobody measured."""
    return len(list((_root() / "benchmarks" / "results" / target).glob("*.json")))


def declaration_path(folder: str, name: str | Path) -> Path:
    """Path of a declaration, given a shipped name or a path to a TOML file.

    Raises:
        DeclarationError: neither a shipped name nor an existing file; the shipped names are listed.
    """
    if str(name) in shipped_names(folder):
        return _root() / folder / f"{name}.toml"
    path = Path(name)
    if path.suffix == ".toml" and path.is_file():
        return path
    raise DeclarationError(
        f"{name}: neither a TOML file nor one of the shipped {folder}: {', '.join(shipped_names(folder))}"
    )


def declaration_digest(folder: str, name: str | Path) -> str:
    """SHA-256 of a declaration's file, as 64 hexadecimal digits."""
    return sha256_file(declaration_path(folder, name))


def load(kind: type[T], folder: str, name: str | Path) -> T:
    """Read one declaration into the dataclass `kind`.

    Raises:
        DeclarationError: unknown name, not TOML, unknown or missing keys, wrong types.
    """
    path = declaration_path(folder, name)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # also of numbers without end, and of lists without bottom
        raise DeclarationError(f"{path}: not TOML: {_short(str(error))}") from error
    return parse(kind, table, where=str(path))


def parse(kind: type[T], table: Mapping[str, Any], *, where: str) -> T:
    """Build the dataclass `kind` from a TOML table, nested dataclasses and tuples included.

    Raises:
        DeclarationError: unknown key (the known ones are listed), missing key, or a value of another type.
    """
    hint: Any = kind
    try:
        found: T = _reader(hint)(dict(table))
    except _Misfit as misfit:
        raise DeclarationError(f"{where}{misfit}") from None
    return found


_Reader = Callable[[Any], Any]


class _Misfit(Exception):
    """What does not fit, behind the way to it: `: parts[0]: key 'index' is missing`."""


@functools.cache
def _reader(hint: Any) -> _Reader:
    """A function that turns a plain value into what `hint` says; made once, since results hold many thousand values.

    Places are put into words only where something does not fit.
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is typing.Any:
        return _read_anything
    if origin in (typing.Union, types.UnionType):
        return _read_one_of(arguments)
    if origin is typing.Literal:
        return functools.partial(_read_literal, arguments)
    if origin is tuple:
        return functools.partial(_read_list, arguments[0], None if Ellipsis in arguments else len(arguments))
    if origin in (dict, Mapping, collections.abc.Mapping):
        return functools.partial(_read_table, arguments[1])
    if is_dataclass(hint):
        return functools.partial(_read_dataclass, hint)
    return functools.partial(_read_plain, hint)


def _read_dataclass(kind: Any, table: Any) -> Any:
    _expect(dict, table)
    readers, needed = _fields(kind)
    if unknown := table.keys() - readers.keys():
        raise _Misfit(f": unknown key {_short(repr(min(unknown)))}; known: {', '.join(sorted(readers))}")
    values = {}
    for key, value in table.items():
        try:
            values[key] = readers[key](value)
        except _Misfit as misfit:
            raise _Misfit(f": {key}{misfit}") from None
    for name in needed:
        if name not in values:
            raise _Misfit(f": key {name!r} is missing")
    return kind(**values)


@functools.cache
def _fields(kind: Any) -> tuple[dict[str, _Reader], tuple[str, ...]]:
    """Readers of the fields by name, and which of them must be given."""
    hints = typing.get_type_hints(kind)
    needed = tuple(item.name for item in fields(kind) if item.default is MISSING and item.default_factory is MISSING)
    return {item.name: _reader(hints[item.name]) for item in fields(kind)}, needed


def _read_anything(value: Any) -> Any:
    return value


def _read_one_of(hints: tuple[Any, ...]) -> _Reader:
    """Of several plain types the one that the value has; it is reported as the first that it is not."""
    first, may_be_none = next(hint for hint in hints if hint is not type(None)), type(None) in hints

    def read(value: Any) -> Any:
        if value is None and may_be_none:
            return None
        hint: Any = next((hint for hint in hints if type(value) is hint), first)
        return _reader(hint)(value)

    return read


def _read_list(hint: Any, length: int | None, value: Any) -> Any:
    if type(value) is not tuple:  # as `dataclasses.asdict` has them
        _expect(list, value)
    if length not in (None, len(value)):
        raise _Misfit(f": {len(value)} values, expected {length}")
    # Long lists of measured values: nothing is left to be done to each.
    if hint in (str, int, float) and {*map(type, value)} <= {hint} and (hint is not float or all(map(isfinite, value))):
        return tuple(value)
    read = _reader(hint)
    return tuple([_at(read, item, f"[{index}]") for index, item in enumerate(value)])


def _read_table(hint: Any, value: Any) -> Any:
    _expect(dict, value)
    read = _reader(hint)
    return {key: _at(read, item, f".{key}") for key, item in value.items()}


def _at(read: _Reader, value: Any, place: str) -> Any:
    try:
        return read(value)
    except _Misfit as misfit:
        raise _Misfit(f"{place}{misfit}") from None


def _read_literal(known: tuple[Any, ...], value: Any) -> Any:
    if not isinstance(value, (str, int)) or value not in known:
        raise _Misfit(f": {_short(repr(value))} is not one of {', '.join(map(str, known))}")
    return value


def _read_plain(kind: type, value: Any) -> Any:
    if kind is float and type(value) is int and abs(value) < _TOO_LARGE:
        return float(value)
    _expect(kind, value)
    if kind is float and not isfinite(value):  # every comparison with it would hold, or none
        raise _Misfit(f": {value} is not a number to reckon with")
    return value


def _expect(kind: type, value: Any) -> None:
    if type(value) is not kind:
        raise _Misfit(f": {_short(repr(value))} is {type(value).__name__}, expected {kind.__name__}")


_TOO_LARGE = 1 << 1000
"""Whole numbers from here on make no float."""

_SHOWN = 80


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _root() -> Path:
    """Where the declaration folders stand: inside the wheel, or beside the package in a checkout."""
    package = Path(__file__).parent
    shipped = package / "_declarations"
    return shipped if shipped.is_dir() else package.parent

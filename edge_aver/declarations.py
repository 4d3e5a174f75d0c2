"""TOML declarations read into dataclasses: found by shipped name or by path, unknown keys refused."""

import functools
import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
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
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DeclarationError(f"{path}: not TOML: {error}") from error
    return parse(kind, table, where=str(path))


def parse(kind: type[T], table: Mapping[str, Any], *, where: str) -> T:
    """Build the dataclass `kind` from a TOML table, nested dataclasses and tuples included.

    Raises:
        DeclarationError: unknown key (the known ones are listed), missing key, or a value of another type.
    """
    assert is_dataclass(kind)
    hints = _hints(kind)
    known = {item.name: item for item in fields(kind)}
    if unknown := sorted(set(table) - set(known)):
        raise DeclarationError(f"{where}: unknown key {unknown[0]!r}; known: {', '.join(sorted(known))}")
    values = {key: _convert(hints[key], value, f"{where}: {key}") for key, value in table.items()}
    for name, item in known.items():
        if name not in values and item.default is MISSING and item.default_factory is MISSING:
            raise DeclarationError(f"{where}: key {name!r} is missing")
    return kind(**values)


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _convert(hint: Any, value: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        hint = next(item for item in arguments if item is not type(None))
        return _convert(hint, value, where)
    if origin is typing.Literal:
        if value not in arguments:
            raise DeclarationError(f"{where}: {value!r} is not one of {', '.join(map(str, arguments))}")
        return value
    if origin is tuple:
        _expect(list, value, where)
        # Long lists of measured values: the common case needs no message for each.
        if arguments[0] in (str, int, float) and all(type(item) is arguments[0] for item in value):
            return tuple(value)
        return tuple(_convert(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    if origin in (dict, Mapping):
        _expect(dict, value, where)
        return {key: _convert(arguments[1], item, f"{where}.{key}") for key, item in value.items()}
    if is_dataclass(hint):
        _expect(dict, value, where)
        return parse(typing.cast("type[Any]", hint), value, where=where)
    if hint is float and type(value) is int:
        return float(value)
    _expect(hint, value, where)
    return value


def _expect(kind: type, value: Any, where: str) -> None:
    if type(value) is not kind:
        raise DeclarationError(f"{where}: {value!r} is {type(value).__name__}, expected {kind.__name__}")


def _root() -> Path:
    """Where the declaration folders stand: inside the wheel, or beside the package in a checkout."""
    package = Path(__file__).parent
    shipped = package / "_declarations"
    return shipped if shipped.is_dir() else package.parent

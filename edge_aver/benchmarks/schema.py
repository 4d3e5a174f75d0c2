"""The JSON Schema of a result, drawn from the dataclasses that read it; `python -m` writes it.

The shipped `benchmarks/schema/result-v<N>.json` is what this writes at schema version N; older ones stay as they were.
"""

import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

from edge_aver.benchmarks.results import SCHEMA_VERSION, Measurements
from edge_aver.files import json_text
from edge_aver.spec import ModelSpec

__all__ = ["result_schema"]

_NAMES = {str: "string", int: "integer", float: "number", bool: "boolean"}
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_DIGEST = {"type": "string", "pattern": "^[0-9a-f]{64}$"}


def result_schema() -> dict[str, Any]:
    """The schema of results as this edge-aver writes them (draft 2020-12).

    Numbers must be finite, which JSON itself demands; that predictions are labels of the network and times positive
    is checked on reading alone, as is the SHA-256 over the whole.
    """
    definitions: dict[str, Any] = {}
    whole = _object(Measurements, definitions)
    # A spec holds null where others leave a field out: it travels as its own format writes it.
    whole["properties"] |= {
        "schema_version": {"const": SCHEMA_VERSION},
        "sha256": _DIGEST,
        "spec": _object(ModelSpec, definitions, nulls=True),
        "parity": {"type": "array", "items": {"type": "object"}},
    }
    whole["required"] = sorted({*whole["required"], "schema_version", "sha256", "spec", "parity"})
    return {
        "$schema": _DIALECT,
        "$id": f"urn:edge-aver:result:{SCHEMA_VERSION}",
        "title": f"edge-aver benchmark result, version {SCHEMA_VERSION}",
        **whole,
        "$defs": dict(sorted(definitions.items())),
    }


def _object(kind: type, definitions: dict[str, Any], *, nulls: bool = False) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    needed = [item.name for item in fields(kind) if item.default is MISSING and item.default_factory is MISSING]
    return {
        "type": "object",
        "additionalProperties": False,
        "required": sorted(needed),
        "properties": {item.name: _of(hints[item.name], definitions, nulls) for item in fields(kind)},
    }


def _of(hint: Any, definitions: dict[str, Any], nulls: bool) -> dict[str, Any]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        found = [_of(item, definitions, nulls) for item in arguments if item is not type(None)]
        if nulls and type(None) in arguments:
            found.append({"type": "null"})
        return found[0] if len(found) == 1 else {"anyOf": found}
    if origin is typing.Literal:
        return {"enum": list(arguments)}
    if origin is tuple:
        return _array(arguments, definitions, nulls)
    if origin in (dict, Mapping):
        return {"type": "object", "additionalProperties": _of(arguments[1], definitions, nulls)}
    if is_dataclass(hint):
        return _reference(typing.cast(type, hint), definitions, nulls)
    return {} if hint is Any else {"type": _NAMES[hint]}


def _array(arguments: tuple[Any, ...], definitions: dict[str, Any], nulls: bool) -> dict[str, Any]:
    if arguments[-1] is Ellipsis:
        return {"type": "array", "items": _of(arguments[0], definitions, nulls)}
    items = [_of(item, definitions, nulls) for item in arguments]
    return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}


def _reference(kind: type, definitions: dict[str, Any], nulls: bool) -> dict[str, Any]:
    name = kind.__name__
    if name not in definitions:
        definitions[name] = {}  # a dataclass may hold itself
        definitions[name] = _object(kind, definitions, nulls=nulls)
    return {"$ref": f"#/$defs/{name}"}


def main() -> None:
    """Write the schema into the folder where it is shipped."""
    path = Path("benchmarks") / "schema" / f"result-v{SCHEMA_VERSION}.json"
    path.write_text(json_text(result_schema()), encoding="utf-8")
    print(path)


if __name__ == "__main__":
    main()

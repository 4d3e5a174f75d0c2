"""One case of a backbone study in a process of its own: JSON on standard input, JSON on standard output."""

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edge_aver.benchmarks.results import without_none
from edge_aver.errors import EdgeAverError
from edge_aver.files import json_text

__all__ = ["main", "perform"]


def main() -> int:
    """Answer one request; a person's mistake is an answer too, a bug a traceback."""
    # Libraries print to standard output as they load: the answer keeps it to itself.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        answer = perform(json.load(sys.stdin))
    except EdgeAverError as error:
        answer = {"error": str(error)}
    with answers:
        answers.write(json_text(answer))
    return 0


def perform(request: Mapping[str, Any]) -> dict[str, Any]:
    """Do what `case` names with the other fields as arguments; each imports only what it needs."""
    arguments = {key: value for key, value in request.items() if key != "case"}
    return _CASES[request["case"]](arguments)


def _fetch(arguments: dict[str, Any]) -> dict[str, Any]:
    from edge_aver.models.face_weights import fetch_face_weights

    found = fetch_face_weights(arguments["name"])
    return {"weights": found.name if found else "random"}


def _build(arguments: dict[str, Any]) -> dict[str, Any]:
    from edge_aver.export.backbones import build_backbone

    paths: dict[str, Any] = {key: Path(arguments.pop(key)) for key in ("faces", "folder")}
    return _table(build_backbone(arguments.pop("name"), **arguments, **paths))


def _measure(arguments: dict[str, Any]) -> dict[str, Any]:
    from edge_aver.benchmarks.backbone_worker import measure_backbone

    return _table(measure_backbone(Path(arguments.pop("artifact")), faces=Path(arguments.pop("faces")), **arguments))


def _train(arguments: dict[str, Any]) -> dict[str, Any]:
    from edge_aver.models.fer import train_on_fer
    from edge_aver.models.fer_protocol import FerTraining

    plan, state = FerTraining(**arguments["plan"]), Path(arguments["state"])
    return _table(train_on_fer(arguments["name"], Path(arguments["data"]), plan, state=state))


def _table(answer: Any) -> dict[str, Any]:
    table: dict[str, Any] = without_none(asdict(answer))
    return table


_CASES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "fetch": _fetch,
    "build": _build,
    "measure": _measure,
    "train": _train,
}

if __name__ == "__main__":
    sys.exit(main())

"""Clips that killed their workers, named in a file of the prepared store until they are prepared, or gone."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path

from edge_aver.corpora.ravdess import Refusal
from edge_aver.files import json_text, write_text

__all__ = ["read_quarantine", "write_quarantine"]

_NAME = "quarantine.json"


def read_quarantine(folder: Path) -> dict[str, dict[str, str]]:
    """Path and reason of each clip, by id; {} where there is no file, or one that cannot be read."""
    try:
        table = json.loads((folder / _NAME).read_text(encoding="utf-8"))
        return {name: {key: str(entry[key]) for key in ("path", "reason")} for name, entry in table.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def write_quarantine(folder: Path, killers: Mapping[str, Refusal], *, tried: Collection[str]) -> None:
    """Note the clips that killed their workers; whichever else was tried and is in the file leaves it.

    Args:
        folder: of the store.
        killers: clips of this run, by id.
        tried: ids of all clips that this run has done.
    """
    before = read_quarantine(folder)
    kept = {name: entry for name, entry in before.items() if name not in tried}
    kept |= {name: {"path": str(item.path), "reason": item.reason} for name, item in killers.items()}
    if kept:
        write_text(folder / _NAME, json_text(kept))
    elif before:
        (folder / _NAME).unlink(missing_ok=True)

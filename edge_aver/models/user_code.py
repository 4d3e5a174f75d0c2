"""Which line of a person's own code an error came from, among the many of the libraries that called it."""

import os
import re
import sys
import sysconfig
import traceback
from collections.abc import Collection, Iterator
from pathlib import Path
from types import FrameType

import torch
from torch import nn

import edge_aver

__all__ = ["first_line", "guilty_line", "quoted_line", "source_files"]

_LIBRARIES = tuple(
    f"{folder}{os.sep}"
    for folder in (Path(str(torch.__file__)).parent, Path(edge_aver.__file__).parent, sysconfig.get_path("stdlib"))
)
_QUOTED = re.compile(r'File "([^"]+)", line (\d+), in (\w+)|File: (\S+?):(\d+) in (\w+)')
"""How Python and torch's graphs write a line of source."""


def source_files(network: nn.Module) -> frozenset[str]:
    """Files that the classes of a network's modules were written in, those of torch left out."""
    files = {getattr(sys.modules.get(type(item).__module__), "__file__", None) for item in network.modules()}
    return frozenset(str(file) for file in files if file and not _is_library(str(file)))


def guilty_line(error: BaseException, *, network: nn.Module | None = None, files: Collection[str] = ()) -> str | None:
    """The last line of a person's own code that took part: `my_net.py:41 in forward (module fusion.attention)`.

    Args:
        error: with its traceback and causes; where no frame is the person's, the lines its message quotes count.
        network: whose modules are named.
        files: that are the person's; none for whatever is no library of ours, torch's or Python's.

    Returns:
        None where no line is the person's.
    """
    for item in _chain(error):
        if isinstance(item, SyntaxError) and item.filename and not _is_library(item.filename):
            return f"{_shown(item.filename)}:{item.lineno}"
        frames = list(traceback.walk_tb(item.__traceback__))
        for frame, line in reversed(frames):
            if _is_own(frame.f_code.co_filename, files):
                where = f"{_shown(frame.f_code.co_filename)}:{line} in {frame.f_code.co_name}"
                return where + _module_of(frame, network)
    quoted = (quoted_line(str(item), files=files) for item in _chain(error))
    return next((where for where in quoted if where), None)


def quoted_line(text: str, *, files: Collection[str] = ()) -> str | None:
    """The last line of a person's own code that a traceback or a graph quotes; None where it quotes none."""
    for match in reversed(list(_QUOTED.finditer(text))):
        file, number, name = (part for part in match.groups() if part is not None)
        if _is_own(file, files):
            return f"{_shown(file)}:{number} in {name}"
    return None


def first_line(error: BaseException) -> str:
    """The first line of an error's message that says something, or its type."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and what it was raised from, the deepest last."""
    seen: set[int] = set()
    item: BaseException | None = error
    while item is not None and id(item) not in seen:
        seen.add(id(item))
        yield item
        item = item.__cause__ or item.__context__


def _module_of(frame: FrameType, network: nn.Module | None) -> str:
    if network is None or not frame.f_code.co_varnames:
        return ""
    owner = frame.f_locals.get(frame.f_code.co_varnames[0])
    path = next((path for path, item in network.named_modules() if item is owner), None)
    return f" (module {path})" if path else ""


def _is_own(file: str, files: Collection[str]) -> bool:
    return file in files if files else not _is_library(file)


def _is_library(file: str) -> bool:
    return file.startswith("<") or file.startswith(_LIBRARIES)


def _shown(file: str) -> str:
    """As seen from the current directory, if it stands below."""
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file

"""What a person sees while work runs: a progress bar on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

__all__ = ["Advance", "out", "progress", "say"]

out = Console(highlight=False, stderr=True)
"""Progress and remarks go to standard error, so that standard output holds results alone."""

_PLAIN_INTERVAL_S = 10.0


class Advance(Protocol):
    """Report work done: `advance()` for one unit, `advance(3)`, `advance(note="loss 0.31")`."""

    def __call__(self, amount: int = 1, *, note: str = "") -> None:
        """Count `amount` units as done."""


def say(message: str) -> None:
    """Print one remark; text in square brackets is shown as it stands."""
    out.print(message, markup=False, soft_wrap=True)


@contextmanager
def progress(description: str, total: int) -> Iterator[Advance]:
    """Show how far `total` units of work have come.

    On a terminal it is a bar; elsewhere a plain line at the start, every ten seconds and at the end.
    """
    with (_bar if out.is_terminal else _lines)(description, total) as advance:
        yield advance


@contextmanager
def _bar(description: str, total: int) -> Iterator[Advance]:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Progress(*columns, console=out) as bar:
        task = bar.add_task(description, total=total, note="")

        def advance(amount: int = 1, *, note: str = "") -> None:
            bar.update(task, advance=amount, note=note)

        yield advance


@contextmanager
def _lines(description: str, total: int) -> Iterator[Advance]:
    started = said = time.monotonic()
    done, last_note = 0, ""

    def advance(amount: int = 1, *, note: str = "") -> None:
        nonlocal done, said, last_note
        done, last_note = done + amount, note
        if time.monotonic() - said >= _PLAIN_INTERVAL_S and done < total:
            said = time.monotonic()
            say(f"{description}: {done}/{total} {note}".rstrip())

    say(f"{description}: {total} to do")
    yield advance
    say(f"{description}: {done}/{total} in {time.monotonic() - started:.1f} s {last_note}".rstrip())

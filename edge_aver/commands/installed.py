"""What is there on this machine: `targets` and `doctor`."""

from rich.console import Console

from edge_aver import screens
from edge_aver.commands.options import JsonOption
from edge_aver.doctor import targets_table

__all__ = ["doctor", "targets"]


def targets() -> None:
    """List the targets, and which of them work here."""
    Console().print(targets_table())


def doctor(json_path: JsonOption = None) -> None:
    """Tell what is installed, which targets work here, and what to install for the rest."""
    screens.show_doctor(json_path)

"""Completion in shells: typer's own, with the script of the shell that is named instead of the one it guesses."""

import typer

# typer offers both only behind options that detect the shell they run in, which a script or a Dockerfile is not.
from typer._completion_classes import completion_init
from typer._completion_shared import get_completion_script

__all__ = ["SHELLS", "completion_script", "enable_completion"]

SHELLS = ("bash", "zsh", "fish")


def enable_completion() -> None:
    """Let the program answer the shells that its script makes ask."""
    completion_init()


def completion_script(shell: str) -> str:
    """What a shell has to source; raises a usage error for a shell that is none of SHELLS."""
    if shell not in SHELLS:
        raise typer.BadParameter(f"unknown shell {shell!r}; known: {', '.join(SHELLS)}")
    return get_completion_script(prog_name="edge-aver", complete_var="_EDGE_AVER_COMPLETE", shell=shell)

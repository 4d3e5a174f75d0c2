"""The README's commands exist, with the options it shows."""

import re

import pytest
import typer.main

from edge_aver import cli

COMMANDS = typer.main.get_command(cli.app).commands


def shown(repository, name="README.md"):
    """Command lines of edge-aver in the console blocks of a file."""
    blocks = re.findall(r"```console\n(.*?)```", (repository / name).read_text(), re.DOTALL)
    lines = [line.partition("#")[0].split() for block in blocks for line in block.splitlines()]
    return [words[1:] for words in lines if words[:1] == ["edge-aver"]]


def test_every_command_and_option_that_it_shows_exists(repository):
    lines = shown(repository)

    assert {words[0] for words in lines} >= set(COMMANDS) - {"demo"}
    for command, *words in lines:
        known = {option for parameter in COMMANDS[command].params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("target", ["demo", "test"])
def test_its_two_commands_are_targets_of_make(repository, target):
    assert f"make {target}" in (repository / "README.md").read_text()
    assert re.search(rf"^{target}:", (repository / "Makefile").read_text(), re.MULTILINE)


def test_every_exit_status_of_the_errors_stands_in_its_table(repository):
    from edge_aver import errors

    text = (repository / "README.md").read_text()
    statuses = {getattr(errors, name).exit_status for name in errors.__all__}

    assert all(f"| {status} |" in text for status in {0, 2, 130} | statuses)

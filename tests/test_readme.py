"""The README's commands exist, with the options it shows."""

import re
import shlex

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


def workflow_commands(repository):
    """Command lines of edge-aver in the workflows that the benchmarks' README shows, as a shell would split them."""
    blocks = re.findall(r"```yaml\n(.*?)```", (repository / "benchmarks" / "README.md").read_text(), re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [shlex.split(line.split("edge-aver", 1)[1].lstrip('"')) for line in lines if "bin/edge-aver" in line]


def test_the_workflow_of_the_gate_parses(repository):
    """By the command line itself: unknown options, suites, targets and gates are refused here as they are in CI."""
    commands = workflow_commands(repository)

    assert [words[0] for words in commands] == ["benchmark", "compare"]
    for command, *words in commands:
        parsed = COMMANDS[command].make_context(command, list(words))
        assert not parsed.args
    assert parsed.params["gate"] == "speed"
    assert parsed.params["margin"] == 5.0


@pytest.mark.parametrize("target", ["demo", "test"])
def test_its_two_commands_are_targets_of_make(repository, target):
    assert f"make {target}" in (repository / "README.md").read_text()
    assert re.search(rf"^{target}:", (repository / "Makefile").read_text(), re.MULTILINE)


def test_every_exit_status_of_the_errors_stands_in_its_table(repository):
    from edge_aver import errors

    text = (repository / "README.md").read_text()
    statuses = {getattr(errors, name).exit_status for name in errors.__all__}

    assert all(f"| {status} |" in text for status in {0, 2, 130} | statuses)

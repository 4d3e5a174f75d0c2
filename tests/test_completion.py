"""Completion in a shell: commands, options and the values of options, by the script that --show-completion prints."""

import os
import shlex
import shutil
import subprocess
import sys

import pytest
from outcomes import check_error
from test_layout import HEAVY

from edge_aver import cli

COMPLETED = (
    ("edge-aver exp", "export"),
    ("edge-aver com", "compare"),
    ("edge-aver export --check", "--checkpoint"),
    ("edge-aver export --arch ", "ca id sa"),
    ("edge-aver export --arch sa --precision int8-", "int8-mixed"),
    ("edge-aver benchmark --suite f", "full"),
    ("edge-aver benchmark --target openvino", "openvino-cpu"),
    ("edge-aver prepare --corpus r", "ravdess"),
    ("edge-aver compare A.json B.json --gate s", "speed"),
)


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """A folder with `edge-aver` in it, as an installation has."""
    folder = tmp_path_factory.mktemp("bin")
    program = folder / "edge-aver"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m edge_aver "$@"\n')
    program.chmod(0o755)
    return folder


def in_shell(programs, *command):
    environment = os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_bash_completes(programs):
    """All in one shell: the script is sourced once, then asked as readline asks it."""
    asked = "\n".join(
        f"COMP_WORDS=({words}{' ' if line.endswith(' ') else ''}{chr(34) * 2 * line.endswith(' ')}); "
        'COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=(); $function edge-aver; echo "${COMPREPLY[@]}"'
        for line, _ in COMPLETED
        for words in [line.strip()]
    )
    script = (
        'eval "$(edge-aver --show-completion bash)"\n'
        "registered=($(complete -p edge-aver)); function=${registered[-2]}\n" + asked
    )

    assert in_shell(programs, "bash", "-c", script).splitlines() == [expected for _, expected in COMPLETED]


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_completes(programs):
    lines = "\n".join(f"complete -C {shlex.quote(line)} | cut -f 1 | string join ' '" for line, _ in COMPLETED)

    out = in_shell(programs, "fish", "--no-config", "-c", f"edge-aver --show-completion fish | source\n{lines}\nexit 0")

    assert out.splitlines() == [expected for _, expected in COMPLETED]


@pytest.mark.parametrize(("shell", "word"), [("bash", "complete"), ("zsh", "compdef"), ("fish", "complete")])
def test_a_script_for_each_shell_is_printed_and_holds_for_it(programs, shell, word):
    script = in_shell(programs, "edge-aver", "--show-completion", shell)

    assert word in script
    assert "_EDGE_AVER_COMPLETE=complete_" + shell in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


def test_completing_imports_next_to_nothing():
    """It happens at every press of a key: no library of a network, a medium or a table."""
    code = (
        "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr));"
        "from edge_aver.cli import main; main()"
    )
    asked = {"COMP_WORDS": "edge-aver export --arch ", "COMP_CWORD": "3", "_EDGE_AVER_COMPLETE": "complete_bash"}

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | asked, check=True
    )

    imported = {name.split(".")[0] for name in done.stderr.split()}
    assert done.stdout.split() == ["ca", "id", "sa"]
    assert "typer" in imported
    assert not imported & (HEAVY | {"av", "cryptography", "jinja2", "tomlkit"})


def test_an_unknown_shell_is_a_usage_error(capsys):
    status = cli._run(["--show-completion", "csh"])

    check_error((status, *capsys.readouterr()), 2, "csh", "bash, zsh, fish")

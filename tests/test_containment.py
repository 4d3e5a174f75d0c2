"""A command whose library crashes: with real processes that crash, hang, are interrupted or killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

CODE = """
import os, signal, sys, time
from edge_aver import cli
from edge_aver.errors import ClipError


def command(arguments):
    print("child", os.getpid(), flush=True)
    WHAT


def interrupted(arguments):
    try:
        return command(arguments)
    except KeyboardInterrupt:
        return 130


cli._run = interrupted
sys.argv = ["edge-aver", *sys.argv[1:]]
cli.main()
"""


def start(what, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", CODE.replace("WHAT", what), *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def child_of(process):
    return int(process.stdout.readline().split()[1])


@pytest.mark.parametrize("name", ["SIGABRT", "SIGSEGV", "SIGKILL"])
@pytest.mark.parametrize("command", ["run", "verify"])
def test_a_crash_is_one_line_that_names_the_file_and_exit_status_1(command, name):
    what = "os.abort()" if name == "SIGABRT" else f"os.kill(os.getpid(), signal.{name})"
    process = start(what, command, "CLIP.mp4")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors.startswith(f"error: edge-aver {command} CLIP.mp4: died of {name}: ")
    assert errors.count("\n") == 1


@pytest.mark.parametrize("status", [0, 1, 3])
def test_the_exit_status_of_the_command_is_kept(status):
    process = start(f"return {status}", "run", "CLIP.mp4")
    assert process.communicate(timeout=60)[1] == ""
    assert process.returncode == status


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_reaches_the_command(number):
    process = start("time.sleep(600)", "run", "CLIP.mp4")
    child_of(process)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_a_killed_parent_takes_the_command_with_it():
    process = start("time.sleep(600)", "run", "CLIP.mp4")
    child = child_of(process)
    assert child != process.pid
    process.kill()
    process.communicate(timeout=60)
    until = time.monotonic() + 30
    while time.monotonic() < until and _lives(child):
        time.sleep(0.05)
    assert not _lives(child)


def _lives(number):
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{number}/stat").read_text().split(")")[1].split()[0] != "Z"


def test_other_commands_run_in_the_process_itself():
    process = start("return 0", "export")
    assert child_of(process) == process.pid
    process.communicate(timeout=60)

"""Turns and scratch folders among real processes, some of them killed."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge_aver.files import atomic_directory
from edge_aver.locks import scratch_folder, sweep, turn

ROOT = Path(__file__).parent.parent

HOLD = """
import sys, time
from pathlib import Path
from edge_aver.locks import scratch_folder, turn
with HOLDING:
    print("held", flush=True)
    time.sleep(600)
"""

TAKE = """
import sys, time
from pathlib import Path
from edge_aver.locks import turn
for _ in range(20):
    with turn(Path(sys.argv[1]), "a test"):
        count = int(Path(sys.argv[1]).read_text())
        time.sleep(0.001)
        Path(sys.argv[1]).write_text(str(count + 1))
"""


def start(code, *arguments):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def holder():
    """A function that starts a process which holds something until it is killed."""
    started = []

    def hold(holding, *arguments):
        started.append(start(HOLD.replace("HOLDING", holding), *arguments))
        assert started[-1].stdout.readline() == "held\n", started[-1].stderr.read()
        return started[-1]

    yield hold
    for process in started:
        process.kill()
        process.communicate()


def test_processes_that_take_turns_never_mix(tmp_path):
    (tmp_path / "count").write_text("0")
    processes = [start(TAKE, tmp_path / "count") for _ in range(4)]
    assert [process.communicate(timeout=120) and process.returncode for process in processes] == [0] * 4
    assert (tmp_path / "count").read_text() == "80"


def test_who_waits_says_for_whom_and_goes_on_when_that_one_is_killed(tmp_path, holder):
    first = holder('turn(Path(sys.argv[1]), "edge-aver export --arch sa")', tmp_path / "artifacts")
    second = start(TAKE, tmp_path / "artifacts")
    line = second.stderr.readline()
    assert line == f"{tmp_path / 'artifacts'}: waiting for edge-aver export --arch sa (process {first.pid}) to finish\n"
    (tmp_path / "artifacts").write_text("0")
    assert second.poll() is None
    first.kill()
    second.communicate(timeout=60)
    assert (tmp_path / "artifacts").read_text() == "20"


def test_a_scratch_folder_is_swept_once_its_process_is_gone(tmp_path, holder):
    process = holder("scratch_folder(Path(sys.argv[1]))", tmp_path)
    with scratch_folder(tmp_path) as own:
        sweep(tmp_path)
        assert own.is_dir()
        assert len(list(tmp_path.iterdir())) == 2
        process.kill()
        process.communicate()
        sweep(tmp_path)
        assert list(tmp_path.iterdir()) == [own]
    assert list(tmp_path.iterdir()) == []


def test_a_scratch_folder_of_which_nobody_knows_is_left_alone_for_a_day(tmp_path):
    for name, age_s in (("old", 2 * 86_400), ("new", 60)):
        (tmp_path / f".writing-{name}").mkdir()
        os.utime(tmp_path / f".writing-{name}", (time.time() - age_s,) * 2)
    sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".writing-new"]


REPLACE = """
import sys
from pathlib import Path
from edge_aver.files import atomic_directory
for _ in range(30):
    with atomic_directory(Path(sys.argv[1])) as place:
        for name in "abc":
            (place / name).write_text(sys.argv[2])
"""


def test_two_processes_that_replace_one_folder_leave_it_whole(tmp_path):
    processes = [start(REPLACE, tmp_path / "x.openvino", who) for who in ("one", "two")]
    assert [process.communicate(timeout=120)[1] for process in processes] == ["", ""]
    found = {(tmp_path / "x.openvino" / name).read_text() for name in "abc"}
    assert len(found) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["x.openvino"]


def test_the_lock_of_a_folder_stays_out_of_it(tmp_path):
    with turn(tmp_path / "artifacts", "a test"), atomic_directory(tmp_path / "artifacts"):
        pass
    assert list((tmp_path / "artifacts").iterdir()) == []

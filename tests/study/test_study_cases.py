"""The processes of a study for real: killed, too slow, broken, mistaken, and what a person is told of each."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fer_faces import faces, write_csv

from edge_aver.benchmarks.processes import WorkerFailure, ask_process, without_places
from edge_aver.study.cases import ask_worker


def ask(code, timeout_s=30.0, heard=None):
    return ask_process([sys.executable, "-c", code], "{}", timeout_s=timeout_s, heard=heard)


def test_what_a_process_reads_and_prints_comes_through():
    assert ask_process([sys.executable, "-c", "print(input() * 2)"], "ab\n", timeout_s=30) == "abab\n"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", r"killed by SIGKILL \(out of memory\?\)"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "killed by SIGSEGV$"),
        ("raise LookupError('of mine')", "ended with status 1: LookupError: of mine"),
        ("raise SystemExit(3)", "ended with status 3: no message"),
    ],
)
def test_why_a_process_died_is_told(code, reason):
    with pytest.raises(WorkerFailure, match=reason):
        ask(code)


def test_a_process_that_takes_too_long_is_stopped_with_its_own(tmp_path):
    child = "import subprocess, sys; print(subprocess.Popen(['sleep', '60']).pid, file=open(sys.argv[1], 'w', 1));"
    command = [sys.executable, "-c", f"{child} import time; time.sleep(60)", str(tmp_path / "pid")]
    began_s = time.monotonic()
    with pytest.raises(WorkerFailure, match="longer than the suite's 2 s"):
        ask_process(command, "", timeout_s=2)
    assert time.monotonic() - began_s < 30
    assert ended(int((tmp_path / "pid").read_text()))


def ended(pid):
    """Whether a process is gone within a few seconds, or only waits for its parent to notice."""
    for _ in range(100):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


def test_lines_are_heard_while_the_process_runs():
    said = []
    code = "import sys, time; print('one', file=sys.stderr, flush=True); time.sleep(1.5); print('two', file=sys.stderr)"
    ask(code, heard=lambda line: said.append((line, time.monotonic())))
    assert [line for line, _ in said] == ["one", "two"]
    assert said[1][1] - said[0][1] > 1


def test_a_bug_is_shown_in_full_and_a_kill_is_not(capsys):
    with pytest.raises(WorkerFailure):
        ask("raise LookupError('of mine')")
    assert "Traceback" in capsys.readouterr().err


def test_a_study_that_is_interrupted_stops_its_worker(tmp_path):
    code = f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    # In a process of its own: a late SIGINT would end the one that runs the tests.
    asking = f"""
import contextlib
from test_study_cases import ask
with contextlib.suppress(KeyboardInterrupt):
    ask({code!r}, timeout_s=50)
print("interrupted")
"""
    here = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", asking], stdout=subprocess.PIPE, text=True, env=here) as asker:
        deadline = time.monotonic() + 60
        while not ((tmp_path / "pid").is_file() and (tmp_path / "pid").read_text()) and time.monotonic() < deadline:
            time.sleep(0.05)
        asker.send_signal(signal.SIGINT)
        assert asker.communicate(timeout=60)[0] == "interrupted\n"
    assert ended(int((tmp_path / "pid").read_text()))


def test_reasons_name_no_place():
    assert without_places("/home/someone/data/f.csv: no face in '/srv/a/b.csv'") == "f.csv: no face in 'b.csv'"


def test_a_persons_mistake_is_the_answer_of_a_worker(tmp_path):
    plan = {"weights": "random", "face_px": 64, "hidden": 8, "outputs": 8, "batch": 7, "learning_rate": 1e-3}
    plan |= {"epochs": 1, "plateau_patience": 1, "stop_patience": 1, "timeout_s": 60.0}
    data = write_csv(tmp_path / "f.csv", faces(7, 7))
    asked = {"case": "train", "name": "test_resnet", "plan": plan, "data": str(data), "state": str(tmp_path / "s")}
    said = []
    answer = ask_worker(asked, 300.0, said.append)
    assert (answer["total"], answer["weights"], answer["train_faces"]) == (7, "random", 7)
    assert any("Training on FER2013" in line for line in said)
    missing = ask_worker(asked | {"data": str(tmp_path / "missing.csv")}, 300.0)
    assert missing["error"].startswith("missing.csv: cannot be read as FER2013's CSV")

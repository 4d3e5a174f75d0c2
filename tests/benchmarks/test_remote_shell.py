import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from ssh_server import ssh_server

from edge_aver.benchmarks.remote_shell import DroppedError, Host, RemoteError, run_script
from edge_aver.errors import MeasurementError


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with ssh_server(tmp_path_factory.mktemp("ssh")) as running:
        yield running


def test_a_script_runs_there_and_its_output_comes_back(server):
    assert run_script(server.host(), "printf '%s' \"$PWD\"; for i in 1 2; do echo \"'$i'\"; done") == (
        f"{server.home}'1'\n'2'\n"
    )


def test_a_file_is_sent_from_where_it_stands(server, tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"0123456789")
    with path.open("rb", buffering=0) as source:
        source.seek(4)
        assert run_script(server.host(), "cat", source=source) == "456789"


def test_a_failure_there_tells_its_last_words_and_status(server):
    with pytest.raises(RemoteError, match=r"@127\.0\.0\.1: no room left$") as caught:
        run_script(server.host(), "echo first >&2; echo 'error: no room left' >&2; exit 7")
    assert caught.value.status == 7


def test_what_a_long_command_says_is_told_here(server, capsys):
    assert run_script(server.host(), "sh -c 'echo building >&2; echo done'", guarded=True) == "done\n"
    assert "there: building" in capsys.readouterr().err


def test_a_guarded_command_keeps_its_status(server):
    with pytest.raises(RemoteError) as caught:
        run_script(server.host(), "sh -c 'exit 3'", guarded=True)
    assert caught.value.status == 3


def test_an_interruption_here_stops_the_command_there(server):
    """In a process of its own, as a person's Ctrl-C meets it; a shell that starts us in the background ignores it."""
    marks = server.home / "marks"
    command = (
        f"sh -c 'trap \"echo stopped >> {marks}; exit 0\" TERM; echo started > {marks}; while :; do sleep 0.1; done'"
    )
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from edge_aver.benchmarks.remote_shell import Host, run_script\n"
        f"run_script({server.host()!r}, {command!r}, guarded=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not marks.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[1]
    assert process.returncode == -signal.SIGINT, said
    assert "KeyboardInterrupt" in said
    deadline = time.monotonic() + 10
    while "stopped" not in marks.read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert marks.read_text() == "started\nstopped\n"


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (lambda server: ("HostName=no-such-device.invalid",), "no such host"),
        (lambda server: (f"Port={closed_port()}",), "nothing listens for ssh there"),
        (lambda server: ("PubkeyAuthentication=no",), "it takes no key of yours"),
        (lambda server: ("UserKnownHostsFile=/dev/null",), "its host key is not known yet"),
        (lambda server: (f"UserKnownHostsFile={changed_key(server)}",), "its host key is not the one known"),
    ],
    ids=["unknown host", "refused", "no key", "unknown host key", "changed host key"],
)
def test_why_there_is_no_connection_is_one_line(server, options, words):
    with pytest.raises(MeasurementError, match=words) as caught:
        run_script(server.host(*options(server)), "true")
    assert "\n" not in str(caught.value)
    assert not isinstance(caught.value, RemoteError)


def changed_key(server):
    path = server.folder / "changed_hosts"
    key = (server.folder / "user_key.pub").read_text()
    path.write_text(f"[127.0.0.1]:{server.port} {key}")
    return path


def test_a_server_that_hangs_up_at_once_is_a_dropped_connection(server):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=lambda: listener.accept()[0].close(), daemon=True).start()
        with pytest.raises(DroppedError, match="the connection dropped"):
            run_script(server.host(f"Port={listener.getsockname()[1]}"), "true")


def test_a_machine_without_ssh_is_told_so(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which("ssh") is None
    with pytest.raises(MeasurementError, match="ssh is not installed here"):
        run_script(Host(destination="device"), "true")


def test_no_option_of_ours_hides_the_users_configuration():
    command = Host(destination="device", options=("ConnectTimeout=3",)).command("true")
    assert "-F" not in command
    assert command.index("ConnectTimeout=3") < command.index("ConnectTimeout=15")
    assert command[-2] == "device"
    assert command[-3] == "--"

"""`edge-aver demo --serve`: where it listens, how it ends, and what it says when it cannot."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest
from outcomes import check_error

from edge_aver import cli
from edge_aver.viewer import serve as serving
from edge_aver.viewer.server import Viewer, ViewerServer


@pytest.fixture
def edge_aver(tmp_path, capsys):
    def run(*arguments):
        status = cli._run([str(argument) for argument in (*arguments, "--workspace", tmp_path / "workspace")])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_it_prints_its_address_and_ends_cleanly(network, tmp_path, number):
    process = subprocess.Popen(
        [sys.executable, "-m", "edge_aver", "demo", "--serve", "--port", "0", "--artifact", str(network)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    url = process.stdout.readline().strip()
    with urllib.request.urlopen(f"{url}network", timeout=60) as answer:
        told = json.load(answer)
    process.send_signal(number)
    _, err = process.communicate(timeout=120)

    assert url.startswith("http://127.0.0.1:")
    assert told["artifact"] == network.name
    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert "warning" not in err
    assert err.splitlines()[-1] == "Stopped"
    assert list(tmp_path.glob("edge-aver-*")) == []


def test_with_nothing_built_it_says_how_to_build(edge_aver):
    check_error(edge_aver("demo", "--serve"), 1, "edge-aver demo first")


def test_a_port_that_is_taken_is_named(edge_aver, network):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        check_error(edge_aver("demo", "--serve", "--artifact", network, "--port", port), 1, f"127.0.0.1:{port}")


def test_an_address_of_another_machine_is_named(edge_aver, network):
    check_error(edge_aver("demo", "--serve", "--artifact", network, "--host", "192.0.2.1"), 1, "192.0.2.1")


def test_a_missing_artifact_is_named(edge_aver):
    check_error(edge_aver("demo", "--serve", "--artifact", "nowhere.onnx"), 1, "nowhere.onnx")


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--port", "1"), "--port"),
        (("--host", "::1"), "--host"),
        (("--artifact", "a.onnx"), "--artifact"),
        (("--bundle", "a.aver"), "--bundle"),
        (("--open",), "--open"),
        (("--serve", "--workers", "2"), "--workers"),
        (("--serve", "--artifact", "a.onnx", "--bundle", "a.aver"), "--bundle"),
        (("--serve", "--bundle", "a.onnx"), ".aver"),
        (("--serve", "--port", "65536"), "65535"),
    ],
)
def test_options_that_do_not_go_together_are_refused(edge_aver, options, word):
    check_error(edge_aver("demo", *options), 2, word)


@pytest.mark.parametrize(("host", "warned"), [("127.0.0.1", False), ("localhost", False), ("0.0.0.0", True)])
def test_listening_beyond_this_machine_is_warned_of(model, tmp_path, capfd, host, warned):
    with ViewerServer(Viewer(model, tmp_path), host=host, port=0) as server:
        serving._announce(server, open_browser=False)

    captured = capfd.readouterr()
    assert ("warning:" in captured.err) is warned
    assert captured.out == f"http://{host}:{server.server_port}/\n"


def test_the_browser_is_opened_when_asked(model, tmp_path, monkeypatch, capfd):
    opened = []
    monkeypatch.setattr(serving.webbrowser, "open", lambda url: bool(opened.append(url)))
    with ViewerServer(Viewer(model, tmp_path), host="127.0.0.1", port=0) as server:
        serving._announce(server, open_browser=True)

    assert opened == [server.url]
    assert "no browser could be opened" in capfd.readouterr().err

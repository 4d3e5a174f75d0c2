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
from edge_aver.runtime import load
from edge_aver.runtime.make_bundle import make_bundle
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


@pytest.fixture(scope="module")
def signed(network, tmp_path_factory):
    """A bundle with its own key, and a key that has nothing to do with it."""
    pytest.importorskip("cryptography", reason="needs the extra sign")
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    folder, pem = tmp_path_factory.mktemp("signed"), serialization.Encoding.PEM
    for name in ("mine", "others"):
        private = Ed25519PrivateKey.generate()
        plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        (folder / f"{name}.pem").write_bytes(private.private_bytes(pem, *plain))
        public = private.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
        (folder / f"{name}.pub").write_bytes(public)
    make_bundle([network], folder / "sa.aver", key=folder / "mine.pem")
    return folder


def test_a_signed_bundle_is_served_and_a_clip_looked_at_with_it(signed, network, clips, tmp_path):
    command = [sys.executable, "-m", "edge_aver", "demo", "--serve", "--port", "0"]
    command += ["--bundle", str(signed / "sa.aver"), "--key", str(signed / "mine.pub")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(tmp_path)})
    try:
        url = process.stdout.readline().strip()
        with urllib.request.urlopen(f"{url}network", timeout=60) as answer:
            assert json.load(answer)["artifact"] == network.name
        headers = {"Origin": url.rstrip("/"), "Content-Type": "application/octet-stream"}
        upload = urllib.request.Request(f"{url}clip", clips["short"].read_bytes(), headers)
        with urllib.request.urlopen(upload, timeout=60) as answer:
            events = [json.loads(line) for line in answer]
    finally:
        process.terminate()
        process.communicate(timeout=60)
    with load(network) as model:
        expected = model.predict(clips["short"])
    assert (events[-1]["event"], events[-1]["label"]) == ("end", expected.label)
    assert events[-1]["probabilities"] == pytest.approx(expected.probabilities, abs=1e-5)


def test_a_bundle_that_another_signed_is_refused(edge_aver, signed):
    words = ["demo", "--serve", "--bundle", signed / "sa.aver", "--key", signed / "others.pub"]
    check_error(edge_aver(*words), 1, "sa.aver", "sign")


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
        (("--key", "me.pub"), "--key"),
        (("--serve", "--artifact", "a.onnx", "--key", "me.pub"), "--bundle"),
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

import os

import pytest
from runtime_models import tiny_artifact
from ssh_server import cutting_proxy, ssh_server

from edge_aver.benchmarks.remote_shell import DroppedError, run_script
from edge_aver.benchmarks.remote_transfer import copy_artifact, copy_files
from edge_aver.bundle import open_artifact
from edge_aver.errors import MeasurementError
from edge_aver.files import sha256_file

SIZE = 1_500_000


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with ssh_server(tmp_path_factory.mktemp("ssh")) as running:
        yield running


@pytest.fixture
def big(tmp_path):
    path = tmp_path / "big.bin"
    path.write_bytes(os.urandom(SIZE))
    return path


def test_a_file_arrives_under_its_hash_and_is_sent_once(server, big):
    digest = sha256_file(big)
    assert copy_files(server.host(), {digest: big}, root="once") == SIZE
    assert (server.home / "once" / "blobs" / digest).read_bytes() == big.read_bytes()
    assert copy_files(server.host(), {digest: big}, root="once") == 0


def through(server, port):
    """The server by another port, its key still that of the first."""
    return server.host(f"Port={port}", f"HostKeyAlias=[127.0.0.1]:{server.port}")


def test_a_dropped_connection_resumes_by_itself(server, big, capsys):
    digest = sha256_file(big)
    with cutting_proxy(server.port, after_bytes=700_000, cuts=1) as port:
        assert copy_files(through(server, port), {digest: big}, root="self") == SIZE
    assert "going on from where it stopped" in capsys.readouterr().err
    assert (server.home / "self" / "blobs" / digest).read_bytes() == big.read_bytes()


def test_a_line_that_keeps_dropping_ends_in_one_line_and_a_later_run_sends_the_rest(server, big):
    digest = sha256_file(big)
    with cutting_proxy(server.port, after_bytes=300_000, cuts=99) as port, pytest.raises(DroppedError, match="dropped"):
        copy_files(through(server, port), {digest: big}, root="later")
    blobs = server.home / "later" / "blobs"
    part = blobs / f"{digest}.part"
    assert not (blobs / digest).exists()
    there = part.stat().st_size
    assert 0 < there < SIZE
    # What was still on its way when the connection dropped may have arrived since.
    assert 0 < copy_files(server.host(), {digest: big}, root="later") <= SIZE - there
    assert (blobs / digest).read_bytes() == big.read_bytes()
    assert not part.exists()


def test_a_damaged_part_is_removed_and_a_further_run_sends_all(server, big):
    digest = sha256_file(big)
    blobs = server.home / "damaged" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / f"{digest}.part").write_bytes(b"x" * 1000)
    with pytest.raises(MeasurementError, match=r"big\.bin arrived damaged and was removed there"):
        copy_files(server.host(), {digest: big}, root="damaged")
    assert list(blobs.iterdir()) == []
    assert copy_files(server.host(), {digest: big}, root="damaged") == SIZE


@pytest.mark.parametrize("target", ["onnxruntime-cpu", "openvino-cpu"])
def test_an_artifact_stands_there_whole_with_its_sidecar(server, tmp_path, target):
    artifact = tiny_artifact(tmp_path, target=target)
    place = copy_artifact(server.host(), artifact, root=f"root of {target}")
    there = open_artifact(server.home / place / "artifacts" / artifact.path.name)
    assert there.files == artifact.files
    marker = server.home / place / "kept"
    marker.touch()
    assert copy_artifact(server.host(), artifact, root=f"root of {target}") == place
    assert marker.exists()


def test_a_folder_that_cannot_be_made_there_is_told(server, big):
    (server.home / "taken").write_text("a file")
    with pytest.raises(MeasurementError, match=r"@127\.0\.0\.1: .*taken"):
        copy_files(server.host(), {sha256_file(big): big}, root="taken")
    assert run_script(server.host(), "cat taken") == "a file"

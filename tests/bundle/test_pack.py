import json
import subprocess

import pytest
from bundles import ARTIFACTS, MEMBERS, small_bundle

from edge_aver.bundle import open_bundle, write_bundle
from edge_aver.bundle.archive import open_archive, read_member, write_archive
from edge_aver.errors import ArtifactError, MissingLibraryError
from edge_aver.files import json_text, sha256_bytes


def whole(path, **options):
    with open_bundle(path, **options) as bundle:
        bundle.check()
        return bundle


def refused(path, words, **options):
    with pytest.raises(ArtifactError, match=words) as caught:
        whole(path, **options)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def contents(path):
    with open_archive(path) as (file, members):
        return {member.name: b"".join(read_member(file, member)) for member in members}


def rewritten(path, change):
    """The bundle again, its manifest changed by a function of its table."""
    members = contents(path)
    table = json.loads(members["manifest.json"])
    change(table)
    write_archive(path, members | {"manifest.json": json_text(table).encode()})
    return path


def test_a_bundle_extracts_to_what_went_in(tmp_path):
    with open_bundle(small_bundle(tmp_path)) as bundle:
        bundle.extract(tmp_path / "out")
        assert bundle.manifest.artifacts == ARTIFACTS
    found = {path.relative_to(tmp_path / "out").as_posix(): path for path in (tmp_path / "out").rglob("*.*")}
    assert {name: found[name].read_bytes() for name in MEMBERS} == MEMBERS


def test_the_same_inputs_give_the_same_bytes(tmp_path):
    first, second = small_bundle(tmp_path), tmp_path / "again.aver"
    write_bundle(second, dict(reversed(MEMBERS.items())), ARTIFACTS)
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("signed", [False, True])
def test_every_changed_byte_of_a_bundle_is_found(tmp_path, request, signed):
    path = small_bundle(tmp_path, key=request.getfixturevalue("keys") / "me.pem" if signed else None)
    data = path.read_bytes()
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0x20]) + data[at + 1 :])
        with pytest.raises(ArtifactError):
            whole(path)
    path.write_bytes(data)
    whole(path)


def test_a_wrong_hash_is_found_though_every_checksum_is_right(tmp_path):
    path = small_bundle(tmp_path)
    write_archive(path, contents(path) | {"artifacts/aver-sa.onnx": b"Weights" * 9})
    refused(path, r"aver-sa\.onnx: not the file of the manifest")


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_another_format_version_is_told(tmp_path, version):
    path = rewritten(small_bundle(tmp_path), lambda table: table.update(format_version=version))
    refused(path, f"format_version {version!r}, this edge-aver reads 1")


def test_strangers_missing_members_and_another_order_are_refused(tmp_path):
    path = small_bundle(tmp_path)
    members = contents(path)
    write_archive(path, members | {"zzz": b""})
    refused(path, "zzz: a member that is not in the manifest")
    write_archive(path, {name: data for name, data in members.items() if name != "spec.json"})
    refused(path, r"spec\.json: missing")
    write_archive(path, dict(reversed(members.items())))
    refused(path, "not in the order")
    write_archive(path, members | {"spec.json": b"{ }\n"})
    refused(path, r"spec\.json: 4 bytes, 3 expected")
    write_archive(path, {"a": b""})
    refused(path, r"no manifest\.json in it: a zip, but no bundle")


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"\xff", b"[" * 100_000, b'{"format": "edge-aver bundle", "format_version": 1}', b"1" * 5_000],
)
def test_a_manifest_that_is_none_is_one_line(tmp_path, text):
    path = small_bundle(tmp_path)
    write_archive(path, contents(path) | {"manifest.json": text})
    refused(path, r"manifest\.json: cannot be read")


def test_an_absurd_manifest_is_not_read(tmp_path):
    path = small_bundle(tmp_path)
    write_archive(path, contents(path) | {"manifest.json": bytes(2_000_000)})
    refused(path, r"manifest\.json: 2,000,000 bytes, at most")


@pytest.mark.parametrize("names", [[], ["nothing.onnx"], ["../aver-sa.onnx"], [3], "aver"])
def test_artifacts_that_are_not_there_are_refused(tmp_path, names):
    refused(rewritten(small_bundle(tmp_path), lambda table: table.update(artifacts=names)), "cannot be read")


def test_a_signature_holds_for_its_key_alone(tmp_path, keys):
    path = small_bundle(tmp_path, key=keys / "me.pem")
    assert whole(path, key=keys / "me.pub").signature_checked
    assert not whole(path).signature_checked
    refused(path, r"not made with the key of .*you\.pub", key=keys / "you.pub")


def test_a_bundle_that_was_changed_and_made_consistent_again_is_not_signed(tmp_path, keys):
    path = small_bundle(tmp_path, key=keys / "me.pem")
    changed = MEMBERS | {"spec.json": b"{ }"}
    entry = {"bytes": 3, "sha256": sha256_bytes(b"{ }")}
    write_archive(path, contents(path) | changed)
    rewritten(path, lambda table: table["members"].update({"spec.json": entry}))
    whole(path)
    refused(path, "the signature was not made with the key", key=keys / "me.pub")


def test_a_stripped_signature_is_missed_even_without_a_key(tmp_path, keys):
    path = small_bundle(tmp_path, key=keys / "me.pem")
    write_archive(path, {name: data for name, data in contents(path).items() if name != "manifest.sig"})
    refused(path, r"manifest\.sig: missing")
    refused(small_bundle(tmp_path), "not signed, and a key was given", key=keys / "me.pub")


def test_openssl_checks_the_signature_too(tmp_path, keys):
    path = small_bundle(tmp_path, key=keys / "me.pem")
    for name in ("manifest.json", "manifest.sig"):
        (tmp_path / name).write_bytes(contents(path)[name])
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", keys / "me.pub", "-rawin"]
    files = ["-in", tmp_path / "manifest.json", "-sigfile", tmp_path / "manifest.sig"]
    assert subprocess.run([*command, *files], check=False, capture_output=True).returncode == 0


def test_a_file_that_is_no_key_is_one_line(tmp_path, keys):
    (tmp_path / "rubbish.pem").write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    rsa = tmp_path / "rsa.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "rsa", "-out", rsa], check=True, capture_output=True)
    for bad in (tmp_path / "rubbish.pem", rsa, keys / "me.pub"):
        with pytest.raises(ArtifactError, match="not a private Ed25519 key"):
            small_bundle(tmp_path, key=bad)
    with pytest.raises(ArtifactError, match="no such key file"):
        small_bundle(tmp_path, key=tmp_path / "none.pem")
    refused(small_bundle(tmp_path, key=keys / "me.pem"), "not a public Ed25519 key", key=keys / "me.pem")


def test_without_the_library_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingLibraryError, match=r"pip install 'edge-aver\[sign\]'"):
        small_bundle(tmp_path, key=tmp_path / "key.pem")

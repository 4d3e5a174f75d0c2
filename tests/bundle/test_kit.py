import json
from dataclasses import replace

import numpy as np
import pytest
from kits import tiny_golden, tiny_kit

from edge_aver.benchmarks.probe import advise_builds
from edge_aver.bundle import find_artifacts, open_kit, sidecar_path
from edge_aver.bundle.artifact import choose_artifacts
from edge_aver.bundle.kit import read_golden
from edge_aver.errors import ArtifactError


def test_a_kit_is_read_as_it_was_written(tmp_path):
    path = tiny_kit(tmp_path)
    artifact, kit = open_kit(path)
    assert (artifact.target, kit.target, kit.precision) == ("jetson-orin-nano", "jetson-orin-nano", "fp32")
    assert kit.graphs[0].inputs[0].rows == (1, 1, 4)
    assert kit.graphs[0].blocks[0].name == "colours"
    assert kit.profile["compute_capabilities"] == ["8.7"]
    assert kit.notes == ("a note",)
    golden, wanted = read_golden(path), tiny_golden()
    assert golden.keys() == wanted.keys()
    for name, value in wanted.items():
        np.testing.assert_array_equal(golden[name], value)


@pytest.mark.parametrize("name", ["clip.onnx", "golden.npz", "kit.json"])
@pytest.mark.parametrize("damage", ["changed", "truncated", "missing"])
def test_a_damaged_member_is_refused_by_name(tmp_path, name, damage):
    path = tiny_kit(tmp_path)
    member = path / name
    data = bytearray(member.read_bytes())
    data[len(data) // 2] ^= 1
    if damage == "missing":
        member.unlink()
    else:
        member.write_bytes(bytes(data) if damage == "changed" else bytes(data[:-1]))
    with pytest.raises(ArtifactError, match=name):
        open_kit(path)


def test_a_kit_without_its_sidecar_says_what_to_copy(tmp_path):
    path = tiny_kit(tmp_path)
    sidecar_path(path).unlink()
    with pytest.raises(ArtifactError, match=rf"copy {path.name}\.json beside it too"):
        open_kit(path)


def test_what_is_no_kit_is_said_to_be_none(tmp_path):
    with pytest.raises(ArtifactError, match=r"no such kit"):
        open_kit(tmp_path / "x.kit")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema_version": 9}, "schema_version 9"),
        ({"surprise": 1}, "unknown key 'surprise'"),
        ({"graphs": []}, "first graph is not 'clip'"),
        ({"precision": None}, "precision"),
    ],
)
def test_a_manifest_of_another_form_is_refused(tmp_path, change, words):
    path = tiny_kit(tmp_path)
    manifest = path / "kit.json"
    text = json.dumps(json.loads(manifest.read_text()) | change)
    manifest.write_text(text)
    vouch(path, manifest)
    with pytest.raises(ArtifactError, match=words):
        open_kit(path)


def vouch(path, member):
    """Make the sidecar tell a member's new hash."""
    from edge_aver.files import sha256_file

    table = json.loads(sidecar_path(path).read_text())
    table["files"][member.name] = {"bytes": member.stat().st_size, "sha256": sha256_file(member)}
    sidecar_path(path).write_text(json.dumps(table))


def test_a_kit_is_no_artifact_that_a_runtime_opens(tmp_path):
    tiny_kit(tmp_path)
    assert find_artifacts(tmp_path) == ()
    assert len(find_artifacts(tmp_path, kits=True)) == 1
    with pytest.raises(ArtifactError, match=r"is a kit: its engines are built on the device"):
        choose_artifacts(tmp_path, target="jetson-orin-nano")


def test_nothing_is_advised_of_kits_that_nobody_built(tmp_path):
    artifact, _ = open_kit(tiny_kit(tmp_path))
    assert advise_builds([artifact, replace(artifact, precision="int8")]) == ()

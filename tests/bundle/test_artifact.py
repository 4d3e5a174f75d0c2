import json
import os
from dataclasses import replace

import pytest

from edge_aver.bundle import (
    Artifact,
    FileEntry,
    find_artifacts,
    open_artifact,
    remove_artifact,
    sidecar_path,
    write_artifact,
)
from edge_aver.errors import ArtifactError
from edge_aver.files import sha256_bytes
from edge_aver.spec import CalibrationManifest, ModelSpec, Parameters

SPEC = ModelSpec(
    architecture="sa",
    corpus="synthetic",
    fold=1,
    test_actors=(1, 2),
    parameters=Parameters(deployed=13, paper=14),
    calibration=CalibrationManifest(corpus="synthetic", fold=1, actors=(9,), clips=(("01-01", "ab" * 32),)),
)
STEP = {"step": "engine", "clips": 32, "sqnr_db": 21.5, "passed": True}


def make(folder, *, architecture="sa", precision="int8", suffix=".onnx", **changes) -> Artifact:
    values = {
        "path": folder / f"aver-{architecture}-synthetic-fold1-{precision}{suffix}",
        "target": "onnxruntime-cpu" if suffix == ".onnx" else "openvino-cpu",
        "runtime": "onnxruntime" if suffix == ".onnx" else "openvino",
        "precision": precision,
        "spec": replace(SPEC, architecture=architecture, precision=precision),
        "parity": (STEP,),
        "build": {"seconds": 1.5},
    }
    return Artifact(**(values | changes))


def write_file(artifact: Artifact, content: bytes = b"an engine") -> Artifact:
    with write_artifact(artifact, folder=False) as place:
        place.write_bytes(content)
    return artifact


def write_folder(artifact: Artifact, content: bytes = b"weights") -> Artifact:
    with write_artifact(artifact, folder=True) as place:
        (place / "model.xml").write_text("<net/>")
        (place / "inner").mkdir()
        (place / "inner" / "model.bin").write_bytes(content)
    return artifact


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_comes_back_as_it_was_written(tmp_path):
    written = write_file(make(tmp_path))
    opened = open_artifact(written.path)
    entry = FileEntry(bytes=9, sha256=sha256_bytes(b"an engine"))
    assert opened == replace(written, files={written.path.name: entry})
    assert opened.size_bytes == 9
    assert names(tmp_path) == [written.path.name, f"{written.path.name}.json"]


def test_a_folder_comes_back_with_all_its_files(tmp_path):
    opened = open_artifact(write_folder(make(tmp_path, suffix=".openvino")).path)
    assert sorted(opened.files) == ["inner/model.bin", "model.xml"]
    assert opened.size_bytes == len(b"weights") + len("<net/>")


@pytest.mark.parametrize("content", [b"an engin", b"an enginE", b""])
def test_a_truncated_or_changed_file_is_refused(tmp_path, content):
    artifact = write_file(make(tmp_path))
    artifact.path.write_bytes(content)
    with pytest.raises(ArtifactError, match="not the file its sidecar describes"):
        open_artifact(artifact.path)


def test_a_changed_or_missing_member_of_a_folder_is_named(tmp_path):
    path = write_folder(make(tmp_path, suffix=".openvino")).path
    (path / "inner" / "model.bin").write_bytes(b"Weights")
    with pytest.raises(ArtifactError, match=r"model\.bin: not the file"):
        open_artifact(path)
    (path / "inner" / "model.bin").unlink()
    with pytest.raises(ArtifactError, match=r"model\.bin: missing"):
        open_artifact(path)


def test_no_artifact_and_no_sidecar_are_told_apart(tmp_path):
    with pytest.raises(ArtifactError, match="no such artifact"):
        open_artifact(tmp_path / "aver-sa.onnx")
    path = write_file(make(tmp_path)).path
    sidecar_path(path).unlink()
    with pytest.raises(ArtifactError, match=r"has no sidecar .*\.onnx\.json"):
        open_artifact(path)


def spoil(change):
    def spoiled(text):
        table = json.loads(text)
        change(table)
        return json.dumps(table)

    return spoiled


@pytest.mark.parametrize(
    ("spoiled", "told"),
    [
        (spoil(lambda table: table.update(schema_version=2)), "schema_version 2, this edge-aver reads 1"),
        (spoil(lambda table: table.pop("target")), "'target'"),
        (spoil(lambda table: table.update(files={})), "no files"),
        (spoil(lambda table: table["files"].update(x={"bytes": 1})), "sha256"),
        (spoil(lambda table: table["spec"].update(format_version=7)), "format_version 7"),
        (spoil(lambda table: table["spec"].update(mood="good")), "mood"),
        (spoil(lambda table: table.update(spec=None)), "sidecar"),
        (lambda text: text[: len(text) // 2], "sidecar"),
        (lambda text: "[]", "sidecar"),
        (lambda text: "", "sidecar"),
    ],
)
def test_a_sidecar_that_cannot_be_read_is_one_line(tmp_path, spoiled, told):
    path = write_file(make(tmp_path)).path
    sidecar = sidecar_path(path)
    sidecar.write_text(spoiled(sidecar.read_text()))
    for read in (lambda: open_artifact(path), lambda: find_artifacts(tmp_path)):
        with pytest.raises(ArtifactError, match=told) as caught:
            read()
        assert "\n" not in str(caught.value)
        assert "export it again" in str(caught.value)


@pytest.mark.parametrize("folder", [False, True])
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_interrupted_build_leaves_nothing(tmp_path, folder, error):
    artifact = make(tmp_path)
    with pytest.raises(error):
        _build_half(artifact, folder, error)
    assert names(tmp_path) == []
    assert find_artifacts(tmp_path) == ()


def _build_half(artifact, folder, error):
    with write_artifact(artifact, folder=folder) as place:
        (place / "half" if folder else place).write_bytes(b"half")
        raise error


@pytest.mark.parametrize("write", [write_file, write_folder])
def test_an_interrupted_replacement_keeps_the_older_artifact(tmp_path, write):
    before = open_artifact(write(make(tmp_path)).path)
    with pytest.raises(KeyboardInterrupt), write_artifact(make(tmp_path), folder=write is write_folder):
        raise KeyboardInterrupt
    assert open_artifact(before.path) == before


@pytest.mark.parametrize("write", [write_file, write_folder])
def test_a_disk_that_fills_up_keeps_the_older_artifact(tmp_path, write, monkeypatch):
    before = open_artifact(write(make(tmp_path)).path)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write(make(tmp_path), b"newer and larger")
    assert open_artifact(before.path) == before
    assert len(names(tmp_path)) == 2


def test_between_the_two_renames_nothing_opens(tmp_path):
    artifact = write_file(make(tmp_path))
    older = sidecar_path(artifact.path).read_bytes()
    write_file(artifact, b"a newer engine")
    sidecar_path(artifact.path).write_bytes(older)
    with pytest.raises(ArtifactError, match="not the file its sidecar describes"):
        open_artifact(artifact.path)


@pytest.mark.parametrize("write", [write_file, write_folder])
def test_a_newer_artifact_replaces_the_older(tmp_path, write):
    write(make(tmp_path), b"old")
    newer = write(make(tmp_path, build={"seconds": 9.0}), b"new")
    opened = open_artifact(newer.path)
    assert opened.build == {"seconds": 9.0}
    assert sha256_bytes(b"new") in {entry.sha256 for entry in opened.files.values()}
    assert len(names(tmp_path)) == 2


@pytest.mark.parametrize("write", [write_file, write_folder])
def test_remove_leaves_nothing_and_may_be_repeated(tmp_path, write):
    artifact = write(make(tmp_path))
    remove_artifact(artifact.path)
    assert names(tmp_path) == []
    remove_artifact(artifact.path)


@pytest.fixture
def shelf(tmp_path):
    """Five artifacts, each a second newer than the one before."""
    kinds = [
        ("sa", "fp32", ".onnx"),
        ("sa", "int8", ".onnx"),
        ("sa", "int8", ".openvino"),
        ("ca", "int8", ".onnx"),
        ("id", "fp16", ".openvino"),
    ]
    for age, (architecture, precision, suffix) in enumerate(kinds):
        artifact = make(tmp_path, architecture=architecture, precision=precision, suffix=suffix)
        (write_file if suffix == ".onnx" else write_folder)(artifact)
        os.utime(sidecar_path(artifact.path), (1000 + age, 1000 + age))
    return tmp_path


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, ["id fp16 openvino", "ca int8 onnx", "sa int8 openvino", "sa int8 onnx", "sa fp32 onnx"]),
        ({"architecture": "sa"}, ["sa int8 openvino", "sa int8 onnx", "sa fp32 onnx"]),
        ({"architecture": ["ca", "id"]}, ["id fp16 openvino", "ca int8 onnx"]),
        ({"precision": ("fp16", "fp32")}, ["id fp16 openvino", "sa fp32 onnx"]),
        ({"target": "openvino-cpu", "precision": "int8"}, ["sa int8 openvino"]),
        ({"precision": "int"}, []),
        ({"target": []}, []),
    ],
)
def test_find_gives_what_matches_newest_first(shelf, asked, found):
    got = [
        f"{artifact.spec.architecture} {artifact.precision} {artifact.path.suffix[1:]}"
        for artifact in find_artifacts(shelf, **asked)
    ]
    assert got == found


def test_find_passes_over_what_is_no_complete_artifact(tmp_path):
    assert find_artifacts(tmp_path / "not there") == ()
    lonely = write_file(make(tmp_path)).path
    lonely.unlink()
    (tmp_path / "notes.json").write_text("{}")
    unfinished = write_file(make(tmp_path, precision="fp32")).path
    sidecar_path(unfinished).unlink()
    assert find_artifacts(tmp_path) == ()

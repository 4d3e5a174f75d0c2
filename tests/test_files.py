import hashlib
import os
from pathlib import Path

import pytest

from edge_aver.files import (
    atomic_directory,
    atomic_path,
    json_text,
    sha256_bytes,
    sha256_file,
    write_bytes,
    write_text,
)


def fail(*arguments, **named):
    raise OSError(28, "No space left on device")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def write_file(path, content):
    with atomic_path(path) as place:
        place.write_text(content)


def write_folder(path, content):
    with atomic_directory(path) as place:
        (place / "inner").mkdir()
        (place / "inner" / "text").write_text(content)


def read(path):
    return (path / "inner" / "text" if path.is_dir() else path).read_text()


@pytest.fixture(params=[write_file, write_folder])
def write(request):
    return request.param


def test_what_was_written_stands_at_the_path_alone(tmp_path, write):
    write(tmp_path / "a" / "b" / "x.onnx", "new")
    assert read(tmp_path / "a" / "b" / "x.onnx") == "new"
    assert names(tmp_path / "a" / "b") == ["x.onnx"]


def test_the_older_one_is_replaced_as_a_whole(tmp_path, write):
    path = tmp_path / "x"
    write(path, "old")
    if path.is_dir():
        (path / "only in the old one").touch()
    write(path, "new")
    assert read(path) == "new"
    assert names(tmp_path) == ["x"]
    assert not (path / "only in the old one").exists()


@pytest.mark.parametrize("context", [atomic_path, atomic_directory])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_exception_inside_keeps_the_older_one(tmp_path, context, error):
    path = tmp_path / "x"
    (write_file if context is atomic_path else write_folder)(path, "old")
    with pytest.raises(error):
        _write_half(context, path, error)
    assert read(path) == "old"
    assert names(tmp_path) == ["x"]


def _write_half(context, path, error):
    with context(path) as place:
        (place if context is atomic_path else place / "half").write_text("half")
        raise error


@pytest.mark.parametrize("context", [atomic_path, atomic_directory])
def test_an_exception_inside_leaves_nothing_where_nothing_was(tmp_path, context):
    with pytest.raises(ValueError, match="stop"), context(tmp_path / "x"):
        raise ValueError("stop")
    assert names(tmp_path) == []


@pytest.mark.parametrize("steps", [[(os, "fsync")], [(Path, "replace"), (Path, "rename")]])
def test_a_full_disk_keeps_the_older_one(tmp_path, write, steps, monkeypatch):
    path = tmp_path / "x"
    write(path, "old")
    for step in steps:
        monkeypatch.setattr(*step, fail)
    with pytest.raises(OSError, match="No space left"):
        write(path, "new")
    assert read(path) == "old"
    assert names(tmp_path) == ["x"]


def test_a_failed_second_rename_puts_the_older_directory_back(tmp_path, monkeypatch):
    path = tmp_path / "x"
    write_folder(path, "old")
    rename = Path.rename
    calls = []

    def second_fails(self, target):
        if target.name != ".in-use":
            calls.append(target)
        if len(calls) == 2:
            fail()
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", second_fails)
    with pytest.raises(OSError, match="No space left"):
        write_folder(path, "new")
    assert len(calls) == 3
    assert read(path) == "old"
    assert names(tmp_path) == ["x"]


def test_content_is_synced_before_the_rename_and_the_folder_after(tmp_path, write, monkeypatch):
    synced = []
    fsync = os.fsync

    def note(descriptor):
        synced.append((Path(f"/proc/self/fd/{descriptor}").readlink().name, (tmp_path / "x").exists()))
        fsync(descriptor)

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("file names of descriptors are read from /proc")
    monkeypatch.setattr(os, "fsync", note)
    write(tmp_path / "x", "new")
    assert ("x", False) in synced
    assert synced[-1] == (tmp_path.name, True)
    if write is write_folder:
        assert ("text", False) in synced


def test_a_file_being_written_keeps_its_suffix_and_meets_no_listing(tmp_path):
    with atomic_path(tmp_path / "x.onnx") as place:
        place.touch()
        assert place.name == "x.onnx"
        assert list(tmp_path.glob("*.onnx")) == []


def test_files_get_the_permissions_of_ordinary_ones(tmp_path, write):
    path = tmp_path / "x"
    write(path, "new")
    (tmp_path / "ordinary").mkdir() if path.is_dir() else (tmp_path / "ordinary").touch()
    assert path.stat().st_mode == (tmp_path / "ordinary").stat().st_mode


def test_bytes_and_text(tmp_path):
    write_bytes(tmp_path / "bytes", b"\x00\xff")
    write_text(tmp_path / "text", "é\n")
    assert (tmp_path / "bytes").read_bytes() == b"\x00\xff"
    assert (tmp_path / "text").read_bytes() == b"\xc3\xa9\n"


def test_equal_values_give_equal_json_and_nan_none():
    assert json_text({"b": 1, "a": [2.5]}) == json_text({"a": [2.5], "b": 1})
    assert json_text({}).endswith("\n")
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_text({"x": float("nan")})


@pytest.mark.parametrize("size", [0, 5, (1 << 20) + 1])
def test_sha256_is_that_of_the_content(tmp_path, size):
    content = bytes(range(256)) * (size // 256 + 1)
    (tmp_path / "x").write_bytes(content[:size])
    expected = hashlib.sha256(content[:size]).hexdigest()
    assert sha256_file(tmp_path / "x") == expected
    assert sha256_bytes(memoryview(content[:size])) == expected

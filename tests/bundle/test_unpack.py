import multiprocessing
import os

import pytest
from bundles import MEMBERS, small_bundle

from edge_aver.bundle import unpack
from edge_aver.errors import ArtifactError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGE_AVER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "bundles"


def contents(unpacked):
    return {name: (unpacked.folder / name).read_bytes() for name in unpacked.manifest.members}


def test_a_bundle_is_unpacked_once_and_privately(tmp_path, cache):
    path = small_bundle(tmp_path)
    first = unpack(path)
    inode = first.folder.stat().st_ino
    second = unpack(path)
    assert contents(first) == MEMBERS
    assert (second.folder, second.folder.stat().st_ino) == (first.folder, inode)
    assert cache.stat().st_mode & 0o077 == 0
    assert [item.name for item in cache.iterdir()] == [first.folder.name]
    second.remove()
    assert first.folder.is_dir()


def spoil(folder, how):
    file = folder / "artifacts" / "aver-sa.onnx"
    if how == "changed":
        file.write_bytes(b"evil..." * 9)
    elif how == "missing":
        file.unlink()
    elif how == "linked":
        file.rename(folder.parent / "elsewhere")
        file.symlink_to(folder.parent / "elsewhere")
    else:
        (folder / "artifacts" / "extra.onnx").touch()


@pytest.mark.parametrize("how", ["changed", "missing", "linked", "extra"])
def test_what_was_done_to_the_cache_is_undone(tmp_path, how):
    path = small_bundle(tmp_path)
    spoil(unpack(path).folder, how)
    again = unpack(path)
    assert contents(again) == MEMBERS
    assert not (again.folder / "artifacts" / "aver-sa.onnx").is_symlink()
    assert not (again.folder / "artifacts" / "extra.onnx").exists()


def test_a_damaged_bundle_leaves_nothing_even_where_it_was_whole_before(tmp_path, cache):
    path = small_bundle(tmp_path)
    before = unpack(path).folder
    data = path.read_bytes()
    path.write_bytes(data.replace(b"weights", b"WEIGHTS"))
    with pytest.raises(ArtifactError, match="damaged"):
        unpack(path)
    assert list(cache.iterdir()) == [before]


def test_a_folder_that_others_may_write_to_is_not_used(tmp_path, cache):
    cache.mkdir(parents=True)
    cache.chmod(0o777)
    unpacked = unpack(small_bundle(tmp_path))
    assert unpacked.temporary
    assert cache not in unpacked.folder.parents
    assert contents(unpacked) == MEMBERS
    unpacked.remove()
    assert not unpacked.folder.exists()
    assert list(cache.iterdir()) == []


def test_where_no_cache_can_be_a_temporary_folder_is(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("EDGE_AVER_CACHE", str(tmp_path / "file"))
    unpacked = unpack(small_bundle(tmp_path))
    assert contents(unpacked) == MEMBERS
    unpacked.remove()
    assert not unpacked.folder.parent.exists()


def test_what_a_killed_process_left_is_swept_when_it_is_old(tmp_path, cache):
    for name, age_s in (("old", 2 * 86_400), ("new", 60)):
        left = cache / f".writing-{name}"
        left.mkdir(parents=True)
        os.utime(left, (left.stat().st_mtime - age_s,) * 2)
    cache.chmod(0o700)
    unpack(small_bundle(tmp_path))
    assert [item.name for item in cache.glob(".writing-*")] == [".writing-new"]


def _unpack(path, start, results):
    start.wait()
    results.put(contents(unpack(path)) == MEMBERS)


def test_several_processes_at_once_get_one_folder(tmp_path, cache):
    path = small_bundle(tmp_path)
    context = multiprocessing.get_context("spawn")
    start, results = context.Event(), context.Queue()
    workers = [context.Process(target=_unpack, args=(path, start, results)) for _ in range(4)]
    for worker in workers:
        worker.start()
    start.set()
    assert [results.get(timeout=300) for _ in workers] == [True] * 4
    for worker in workers:
        worker.join()
    assert len(list(cache.iterdir())) == 1

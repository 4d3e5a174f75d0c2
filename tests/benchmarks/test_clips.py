from pathlib import Path

import numpy as np
import pytest
from media_files import numbered, tone, write_media

from edge_aver.benchmarks.clips import find_media
from edge_aver.errors import CorpusError
from edge_aver.files import sha256_file

_PICTURES = [np.asarray(numbered(index)) for index in range(5)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / ".hidden").mkdir()
    for name in ("a.mp4", "deep/b.mov", "deep/er/a.mkv", ".hidden/c.mp4"):
        write_media(tmp_path / name, pictures=_PICTURES, sound=tone(0.2))
    write_media(tmp_path / "silent.mp4", pictures=_PICTURES)
    (tmp_path / "words.mp4").write_text("These are words.")
    (tmp_path / "notes.txt").write_text("These too.")
    return tmp_path


def test_media_files_are_found_at_any_depth(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    clips = find_media([folder], count=9, seed=1)
    assert [clip.id for clip in clips] == ["a", "b", "a-2"]
    assert [Path(clip.path).name for clip in clips] == ["a.mp4", "b.mov", "a.mkv"]
    assert {(clip.width_px, clip.height_px) for clip in clips} == {(160, 64)}
    assert clips[1].sha256 == sha256_file(folder / "deep" / "b.mov")
    said = " ".join(capfd.readouterr().err.split())
    assert said.count("left out: ") == 2
    assert "no audio track" in said


def test_at_most_as_many_as_asked_chosen_by_seed(folder: Path) -> None:
    chosen = {tuple(clip.id for clip in find_media([folder], count=2, seed=seed)) for seed in range(6)}
    assert chosen <= {("a", "b"), ("a", "a-2"), ("b", "a-2")}
    assert len(chosen) > 1
    assert find_media([folder], count=2, seed=3) == find_media([folder], count=2, seed=3)


def test_several_folders_count_together_and_no_file_twice(folder: Path) -> None:
    clips = find_media([folder / "deep" / "er", folder / "deep"], count=9, seed=1)
    assert [clip.id for clip in clips] == ["a", "b"]


def test_nothing_to_measure_on_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"nowhere: no such folder"):
        find_media([tmp_path / "nowhere"], count=1, seed=1)
    with pytest.raises(CorpusError, match=r"no media files \(\.avi, .*with a picture and a sound"):
        find_media([tmp_path], count=1, seed=1)

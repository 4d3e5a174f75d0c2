"""The whole corpus: RAVDESS's names, resumed where it stopped, made again where it is another one."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import av
import pytest

from edge_aver.corpora.synthetic import generate, generate_corpus
from edge_aver.errors import CorpusError


@pytest.fixture
def quick(monkeypatch):
    """Write small stand-ins in this process, where a test is about files and not about what they show."""
    written = []

    def write(path, **arguments):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(json.dumps(arguments).encode())
        written.append(path)

    def in_turn(task, jobs, *, workers):
        assert workers >= 1
        return ((job, task(job)) for job in jobs)

    monkeypatch.setattr(generate, "write_clip", write)
    monkeypatch.setattr(generate, "fan_out", in_turn)
    return written


def clips_in(folder):
    return sorted(path for path in folder.rglob("*.mp4") if ".writing-" not in str(path))


def test_the_corpus_is_laid_out_as_ravdess(tmp_path, quick):
    assert generate_corpus(tmp_path) == 384
    paths = clips_in(tmp_path)
    assert len(paths) == 384
    for path in paths:
        match = re.fullmatch(r"01-01-(0[1-8])-(0[12])-(0[12])-(0[12])-(\d\d)", path.stem)
        assert match, path.name
        emotion, intensity, statement, repetition, actor = (int(group) for group in match.groups())
        assert path.parent.relative_to(tmp_path).as_posix() == f"Video_Speech_Actor_{actor:02d}/Actor_{actor:02d}"
        assert emotion > 1 or intensity == 1
        assert json.loads(path.read_bytes()) == {
            "actor": actor,
            "emotion": emotion - 1,
            "statement": statement,
            "repetition": repetition,
            "intensity": intensity,
            "seed": 0,
        }


def test_four_takes_have_four_names(tmp_path, quick):
    assert generate_corpus(tmp_path, actors=1, takes=4) == 32
    assert len(clips_in(tmp_path)) == 32


def test_what_a_killed_run_had_begun_is_swept(tmp_path, quick):
    generate_corpus(tmp_path, actors=1)
    begun = clips_in(tmp_path)[0].parent / ".writing-abc" / "01-01-01-01-01-01-01.mp4"
    begun.parent.mkdir()
    begun.write_bytes(b"half a clip")
    begun.with_name(".in-use").touch()  # and nobody holds it
    assert generate_corpus(tmp_path, actors=1) == 0
    assert not begun.parent.exists()


def test_a_second_run_writes_nothing_and_a_lost_clip_comes_back(tmp_path, quick):
    generate_corpus(tmp_path, actors=2)
    assert generate_corpus(tmp_path, actors=2) == 0
    lost = clips_in(tmp_path)[5]
    lost.unlink()
    quick.clear()
    assert generate_corpus(tmp_path, actors=2) == 1
    assert quick == [lost]


def test_fewer_actors_leave_no_others(tmp_path, quick):
    generate_corpus(tmp_path, actors=3)
    assert generate_corpus(tmp_path, actors=2) == 0
    assert len(clips_in(tmp_path)) == 32


@pytest.mark.parametrize("change", ["seed", "version", "variation"])
def test_another_seed_or_generator_makes_all_again(tmp_path, quick, monkeypatch, change):
    generate_corpus(tmp_path, actors=1)
    if change == "version":
        monkeypatch.setattr(generate, "GENERATOR_VERSION", generate.GENERATOR_VERSION + 1)
    if change == "variation":
        monkeypatch.setattr(generate, "VARIATION", type(generate.VARIATION)(strength=0.5))
    assert generate_corpus(tmp_path, actors=1, seed=1 if change == "seed" else 0) == 16


def test_the_marker_says_that_the_actors_are_synthetic(tmp_path, quick):
    generate_corpus(tmp_path, actors=1, seed=7)
    marker = json.loads((tmp_path / generate.MARKER).read_text())
    assert marker["note"].startswith("Synthetic actors")
    assert (marker["seed"], marker["generator_version"]) == (7, generate.GENERATOR_VERSION)


def test_a_folder_of_other_clips_is_left_alone(tmp_path, quick):
    real = tmp_path / "Actor_01" / "01-01-01-01-01-01-01.mp4"
    real.parent.mkdir()
    real.write_bytes(b"somebody's recording")
    with pytest.raises(CorpusError, match="not generated"):
        generate_corpus(tmp_path, actors=1)
    assert real.read_bytes() == b"somebody's recording"
    assert quick == []


@pytest.mark.parametrize("wrong", [{"actors": 0}, {"actors": 25}, {"takes": 0}, {"takes": 5}])
def test_impossible_counts_are_refused(tmp_path, quick, wrong):
    with pytest.raises(CorpusError, match="1 to 24 actors"):
        generate_corpus(tmp_path, **wrong)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(CorpusError, match="cannot be written there") as caught:
        generate_corpus(tmp_path / "taken" / "corpus", actors=1)
    assert "\n" not in str(caught.value)
    assert (tmp_path / "taken").read_text() == "a file"


def test_a_full_disk_in_a_worker_is_one_line(tmp_path, quick, monkeypatch):
    def full(path, **_):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(generate, "write_clip", full)
    with pytest.raises(CorpusError, match=r"No space left on device"):
        generate_corpus(tmp_path, actors=1)


def test_processes_write_files_that_play(tmp_path):
    assert generate_corpus(tmp_path, actors=1, takes=1, workers=2) == 8
    paths = clips_in(tmp_path)
    for path in paths:
        with av.open(str(path)) as container:
            assert sum(1 for _ in container.decode(video=0)) >= 75
    assert not list(tmp_path.rglob(".writing-*"))
    paths[3].unlink()
    assert generate_corpus(tmp_path, actors=1, takes=1, workers=1) == 1


def test_ctrl_c_leaves_whole_clips_that_a_later_run_keeps(tmp_path):
    program = (
        "import sys; from pathlib import Path\n"
        "from edge_aver.corpora.synthetic import generate_corpus\n"
        "if __name__ == '__main__': generate_corpus(Path(sys.argv[1]), actors=2, workers=1)\n"
    )
    script = tmp_path / "make.py"
    script.write_text(program)
    folder = tmp_path / "corpus"
    process = subprocess.Popen([sys.executable, str(script), str(folder)], stderr=subprocess.DEVNULL, env=os.environ)
    deadline = time.monotonic() + 60
    while len(clips_in(folder)) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) != 0
    assert not list(folder.rglob(".writing-*"))
    kept = clips_in(folder)
    assert 2 <= len(kept) < 32
    for path in kept:
        with av.open(str(path)) as container:
            assert sum(1 for _ in container.decode(video=0)) >= 75

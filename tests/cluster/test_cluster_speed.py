"""What a cluster is for: two workers prepare 200 clips faster than one, and a job costs little on its way."""

import os
import shutil
import time

import cluster_tasks
import pytest
from cluster_processes import Cluster

from edge_aver.cluster import connected
from edge_aver.corpora.prepare import prepare
from edge_aver.corpora.ravdess import SourceClip

pytestmark = pytest.mark.slow

CLIPS, DRAWN = 200, 25


@pytest.fixture
def solo(tmp_path_factory):
    """A scheduler with one worker."""
    cluster = Cluster(tmp_path_factory.mktemp("solo"))
    try:
        cluster.add_worker()
        yield cluster.wait_for(1)
    finally:
        cluster.close()


@pytest.fixture
def clips(tmp_path):
    """200 files; of every drawn clip there are eight, each of which is prepared by itself."""
    from edge_aver.corpora.synthetic import write_clip

    found = []
    for number in range(CLIPS):
        path = tmp_path / "in" / f"{number:03}.mp4"
        if number < DRAWN:
            write_clip(path, actor=number % 24 + 1, emotion=number % 8, intensity=1)
        else:
            shutil.copy(tmp_path / "in" / f"{number % DRAWN:03}.mp4", path)
        found.append(SourceClip(id=path.stem, label=number % 8, actor=number % 24 + 1, path=path))
    return found


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two cores")
def test_two_workers_prepare_200_clips_at_least_1_6_times_faster_than_one(solo, pair, clips, tmp_path, capsys):
    pytest.importorskip("facenet_pytorch")
    from edge_aver.export.front_end import front_end_plan

    front_end = front_end_plan(tmp_path / "artifacts")
    seconds = {"one": 0.0, "two": 0.0}
    for number, name in enumerate(("one", "two", "two", "one")):
        folder = tmp_path / f"{number}-{name}"
        with connected({"one": solo, "two": pair}[name].address) as executor:
            began = time.perf_counter()
            summary = prepare(clips, folder=folder, corpus="synthetic", front_end=front_end, executor=executor)
            seconds[name] += time.perf_counter() - began
        assert summary.prepared == CLIPS
        with capsys.disabled():
            print(f"\n{name}: {seconds[name]:.1f} s so far")
    assert seconds["one"] / seconds["two"] >= 1.6, seconds


def test_a_job_costs_at_most_5_ms_on_its_way(pair):
    with connected(pair.address) as executor:
        began = time.perf_counter()
        found = list(executor.run(cluster_tasks.nothing, range(1000)))
        seconds = time.perf_counter() - began
    assert len(found) == 1000
    assert seconds / 1000 <= 0.005, f"{seconds} s for 1,000 jobs"

"""Work on real workers over TCP, some of them killed."""

import os
import shutil
import signal
import socket
import time
from contextlib import closing
from itertools import pairwise

import cluster_tasks
import pytest

from edge_aver import __version__
from edge_aver.cluster import admission, connected, crew
from edge_aver.errors import ClusterError, MissingLibraryError


def started(folder):
    path = folder / "started"
    return [line.split()[0] for line in path.read_text().splitlines()] if path.exists() else []


def process_of(folder, name):
    return next(int(pid) for job, pid in map(str.split, (folder / "started").read_text().splitlines()) if job == name)


def processes(folder, pid):
    """Jobs that a process began."""
    return [job for job, own in map(str.split, (folder / "started").read_text().splitlines()) if int(own) == pid]


def test_every_job_is_done_once_whatever_its_size(pair):
    with connected(pair.address) as executor:
        found = list(executor.run(cluster_tasks.nothing, range(1000)))
    assert sorted(found) == [(number, number) for number in range(1000)]


def test_what_a_task_raises_comes_back_and_the_crew_goes_on(pair):
    with connected(pair.address) as executor:
        with pytest.raises(ZeroDivisionError):
            list(executor.run(cluster_tasks.divide, [1, 0, 2]))
        assert list(executor.run(cluster_tasks.divide, [4])) == [(4, 0.25)]


def test_a_task_may_raise_a_timeout_of_its_own(pair):
    with connected(pair.address) as executor, pytest.raises(TimeoutError, match="of the task"):
        list(executor.run(cluster_tasks.time_out, [1]))


def test_a_worker_killed_half_way_loses_nothing_and_repeats_its_running_job_alone(pair, tmp_path):
    jobs = [(str(tmp_path), f"clip-{number}", 0.1) for number in range(30)]
    done, victim = [], None
    with connected(pair.address) as executor, closing(executor.run(cluster_tasks.note, jobs)) as results:
        for job, result in results:
            done.append((job[1], result))
            if len(done) == 15:
                victim = process_of(tmp_path, "clip-0")
                os.kill(victim, signal.SIGKILL)
    assert sorted(done) == sorted((job[1], job[1]) for job in jobs)
    assert set(started(tmp_path)) == {job[1] for job in jobs}
    assert len(started(tmp_path)) <= len(jobs) + 1
    assert len(processes(tmp_path, victim)) < 16


def test_a_job_that_kills_its_workers_is_given_up_after_two_and_the_others_are_done(pair, tmp_path):
    names = ["one", "two", "poison", "three", "four", "five"]
    with connected(pair.address) as executor:
        found = {
            job[1]: result for job, result in executor.run(cluster_tasks.note, [(str(tmp_path), n, 0.2) for n in names])
        }
    assert found == {name: None if name == "poison" else name for name in names}
    assert started(tmp_path).count("poison") == 2


def test_jobs_that_measure_never_overlap_on_a_machine(pair, tmp_path):
    with connected(pair.address) as executor:
        spans = [span for _, span in executor.run(cluster_tasks.span, [0.15] * 4, alone=True)]
    spans.sort()
    assert all(later[0] >= earlier[1] for earlier, later in pairwise(spans)), spans


def test_no_scheduler_is_one_line(monkeypatch):
    monkeypatch.setattr(crew, "_CONNECT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(ClusterError, match=rf"^{address}: no Dask scheduler answers there"), connected(address):
        pass


@pytest.mark.slow
def test_a_scheduler_without_workers_is_one_line(scheduler):
    with (
        pytest.raises(ClusterError, match="has no workers; start some with: dask worker"),
        connected(scheduler.address),
    ):
        pass


def test_workers_of_another_version_are_one_line(pair, monkeypatch):
    monkeypatch.setattr(admission, "__version__", "9.9")
    expected = r"^worker tcp://127\.0\.0\.1:\d+: has edge-aver \S+, this machine 9\.9; results would not be the same"
    with pytest.raises(ClusterError, match=expected), connected(pair.address):
        pass


def test_workers_with_another_library_are_one_line(pair, monkeypatch):
    monkeypatch.setattr(admission, "own_versions", lambda: {"edge-aver": __version__, "numpy": "0.1"})
    with pytest.raises(ClusterError, match=r"has numpy [\d.]+, this machine 0\.1"), connected(pair.address):
        pass


@pytest.mark.slow
def test_a_worker_of_another_version_is_one_line_and_a_late_one_is_left_out(scheduler, tmp_path, repository, capsys):
    old = tmp_path / "old" / "edge_aver"
    shutil.copytree(repository / "edge_aver" / "cluster", old / "cluster")
    for name in ("errors", "console"):
        shutil.copy(repository / "edge_aver" / f"{name}.py", old)
    (old / "__init__.py").write_text('__version__ = "0.0.9"\n')
    scheduler.add_worker()
    scheduler.wait_for(1)
    jobs = [(str(tmp_path), f"clip-{number}", 0.1) for number in range(60)]
    with connected(scheduler.address) as executor, closing(executor.run(cluster_tasks.note, jobs)) as results:
        late = None
        for _ in results:
            late = late or scheduler.add_worker(tmp_path / "old")
    assert len(started(tmp_path)) == 60
    assert "has edge-aver 0.0.9, this machine" in capsys.readouterr().err
    scheduler.wait_for(2)
    with (
        pytest.raises(ClusterError, match=r"^worker tcp://127\.0\.0\.1:\d+: has edge-aver 0\.0\.9, this machine"),
        connected(scheduler.address),
    ):
        pass


@pytest.mark.slow
def test_a_worker_without_edge_aver_is_one_line(scheduler, tmp_path):
    broken = tmp_path / "edge_aver"
    broken.mkdir()
    (broken / "__init__.py").write_text("raise ImportError('not here')\n")
    scheduler.add_worker(tmp_path)
    scheduler.wait_for(1)
    with pytest.raises(ClusterError, match="has edge-aver none, this machine"), connected(scheduler.address):
        pass


def test_files_that_a_worker_does_not_see_are_one_line(pair, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    here = tmp_path / "here.mp4"
    here.touch()
    with connected(pair.address) as executor:
        executor.require_files([here])
        with pytest.raises(ClusterError, match=r"cannot read here\.mp4 .*shared file system"):
            executor.require_files([here.relative_to(tmp_path)])


def kill_after_one(results, scheduler, process):
    next(results)
    scheduler.kill(process)
    list(results)


@pytest.mark.slow
def test_all_workers_lost_is_one_line_that_says_how_to_go_on(scheduler, tmp_path, monkeypatch):
    monkeypatch.setattr(crew, "_WITHOUT_WORKERS_S", 1.0)
    only = scheduler.add_worker()
    scheduler.wait_for(1)
    jobs = [(str(tmp_path), f"clip-{number}", 0.2) for number in range(10)]
    with (
        connected(scheduler.address) as executor,
        closing(executor.run(cluster_tasks.note, jobs)) as results,
        pytest.raises(ClusterError, match=r"no worker left.* run again"),
    ):
        kill_after_one(results, scheduler, only)


@pytest.mark.slow
def test_a_scheduler_that_goes_away_is_one_line(scheduler, tmp_path):
    scheduler.add_worker()
    scheduler.wait_for(1)
    jobs = [(str(tmp_path), f"clip-{number}", 0.2) for number in range(10)]
    with (
        connected(scheduler.address) as executor,
        closing(executor.run(cluster_tasks.note, jobs)) as results,
        pytest.raises(ClusterError, match=r"the scheduler went away"),
    ):
        kill_after_one(results, scheduler, scheduler.processes[0])


def test_a_killed_worker_process_comes_back_and_takes_part_again(pair, tmp_path):
    with connected(pair.address) as executor:
        pids = {pid for _, pid in executor.run(cluster_tasks.process, [0.1] * 8)}
        os.kill(min(pids), signal.SIGKILL)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            now = {pid for _, pid in executor.run(cluster_tasks.process, [0.1] * 8)}
            if len(now) == 2 and min(pids) not in now:
                break
    assert len(now) == 2
    assert min(pids) not in now


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(MissingLibraryError, match=r"edge-aver\[cluster\]"), connected("tcp://127.0.0.1:1"):
        pass

"""A scheduler over TCP, to which tests add workers."""

import pytest

pytest.importorskip("distributed", reason="needs the extra cluster")

from cluster_processes import Cluster


@pytest.fixture
def scheduler(tmp_path_factory):
    """A scheduler without workers, for one test."""
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    yield cluster
    cluster.close()


@pytest.fixture(scope="session")
def pair(tmp_path_factory):
    """A scheduler and two workers, which are started again when they die."""
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        for _ in range(2):
            cluster.add_worker(nanny=True)
        yield cluster.wait_for(2)
    finally:
        cluster.close()

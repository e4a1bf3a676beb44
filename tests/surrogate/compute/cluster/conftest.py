import pytest

from tests.surrogate.compute.cluster.machines import local_cluster


@pytest.fixture(scope="session")
def scheduler():
    """The address of a cluster of two workers, each a process with one thread."""
    with local_cluster() as cluster:
        yield cluster.scheduler_address

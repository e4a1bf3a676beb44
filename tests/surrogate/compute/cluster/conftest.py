import pytest

from tests.surrogate.compute.cluster.machines import local_cluster


@pytest.fixture(scope="module")
def cluster():
    """Two workers, each a process with one thread, in the place of which another one comes when it is killed.

    They end with the module: no test of another one meets them among the children of its process.
    """
    with local_cluster() as made:
        yield made


@pytest.fixture
def scheduler(cluster):
    """The address of that cluster."""
    return cluster.scheduler_address

import pytest

from drivers.clock import VirtualClock, VirtualLoop, run_virtual


@pytest.fixture
def virtually():
    """Run a coroutine function of a clock in virtual time; returns what it returns."""

    def run(use):
        loop = VirtualLoop()
        return run_virtual(use(VirtualClock(loop)), loop=loop)

    return run

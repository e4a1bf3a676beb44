"""Work that is left: a series that is broken off does not wait for the patterns that are at work."""

import multiprocessing
import time
from pathlib import Path

import pytest

from surrogate.xrd import leaving
from surrogate.xrd.leaving import SIGNAL, Left, at_work, processes, watch

LONG_S = 120.0
pytestmark = pytest.mark.skipif(SIGNAL is None, reason="the system has no signal for it")


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """Let workers import this module: they inherit the path."""
    monkeypatch.syspath_prepend(Path(__file__).parent)


def spin(started):
    """Work on and on, and say that it began."""

    def work():
        started.touch()
        end_s = time.monotonic() + LONG_S
        while time.monotonic() < end_s:
            pass
        return "done"

    return at_work(work, "left")


def test_what_is_at_work_is_left_when_the_series_is_broken_off(tmp_path, children):
    began_s, futures = time.monotonic(), []
    with (
        pytest.raises(KeyboardInterrupt),
        processes(2, multiprocessing.get_context("spawn"), watch, ()) as pool,
    ):
        futures = [pool.submit(spin, tmp_path / str(number)) for number in range(3)]
        while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < began_s + LONG_S / 2:
            time.sleep(0.01)
        raise KeyboardInterrupt
    assert time.monotonic() - began_s < LONG_S / 2
    assert [future.result() for future in futures] == ["left"] * 3
    assert not children()


def test_work_that_ends_by_itself_gives_its_result():
    with processes(1, multiprocessing.get_context("spawn"), watch, ()) as pool:
        assert pool.submit(at_work, "abc".upper, "left").result() == "ABC"


def test_nothing_is_interrupted_but_work():
    leaving._interrupt(0, None)

    def interrupted():
        with pytest.raises(Left):
            leaving._interrupt(0, None)
        raise Left

    assert at_work(interrupted, "left") == "left"
    leaving._interrupt(0, None)

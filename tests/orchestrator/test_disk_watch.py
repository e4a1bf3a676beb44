"""The disk watch: what a disk that fills does to a campaign."""

from datetime import UTC, datetime

import pytest

from drivers.clock import RealClock
from orchestrator.disk_watch import DiskWatch
from orchestrator.errors import StorageError
from orchestrator.record import space
from orchestrator.record.space import Reserve


class Heard:
    """A journal, and the two ways to end a campaign, which note what they are told."""

    def __init__(self, error=None):
        self.said, self.error = [], error

    def append(self, kind, body, *, durable):
        if self.error is not None:
            raise self.error
        self.said.append((kind, body["kind"], durable))

    def stop(self, why):
        self.said.append(("stop", why))

    def abort(self, why):
        self.said.append(("abort", why))


@pytest.fixture
def watched(tmp_path, monkeypatch):
    free = {"mb": 1000.0}
    monkeypatch.setattr(space, "free_bytes", lambda _: int(free["mb"] * 2**20))

    def made(heard):
        reserve = Reserve(tmp_path, size_bytes=2**16)
        assert reserve.hold()
        return DiskWatch(
            reserve=reserve,
            clock=RealClock(datetime.now(UTC)),
            journal=heard,
            stop=heard.stop,
            abort=heard.abort,
        )

    return free, made


def test_enough_space_says_nothing(watched):
    _, made = watched
    heard = Heard()
    made(heard).look()
    assert heard.said == []


def test_little_space_stops_in_good_order_and_says_so_once(watched):
    free, made = watched
    heard = Heard()
    watch = made(heard)
    free["mb"] = 30.0
    watch.look()
    watch.look()
    assert [one[0] for one in heard.said] == ["incident", "stop"]
    assert heard.said[0] == ("incident", "fault", True)
    assert "30 MB are free" in heard.said[1][1] and "labpilot resume" in heard.said[1][1]
    assert watch.reserve.is_held


def test_no_space_makes_safe_with_the_reserve_as_room_for_the_last_words(watched):
    free, made = watched
    heard = Heard()
    watch = made(heard)
    free["mb"] = 30.0
    watch.look()
    free["mb"] = 1.0
    watch.look()
    assert [one[0] for one in heard.said] == ["incident", "stop", "incident", "abort"]
    assert not watch.reserve.is_held


def test_a_journal_that_takes_nothing_keeps_nobody_from_making_safe(watched):
    free, made = watched
    heard = Heard(StorageError("full"))
    watch = made(heard)
    free["mb"] = 1.0
    watch.look()
    assert [one[0] for one in heard.said] == ["abort"]


def test_a_reserve_that_was_used_up_is_set_aside_again_where_there_is_room(watched):
    _, made = watched
    heard = Heard()
    watch = made(heard)
    watch.reserve.release()
    watch.look()
    assert watch.reserve.is_held and heard.said == []

import pytest

from drivers.clock import VirtualClock
from orchestrator.journal import Journal
from tests.orchestrator.oven import DISPENSE, READ, SET


def test_the_intent_is_durable_before_the_device_hears_of_it(bench):
    one = bench()
    seen = []
    original = one.oven._next

    def look(name):
        seen.append(one.kinds())
        original(name)

    one.oven._next = look
    one.run(SET)
    assert seen == [["step_intended"]]


@pytest.mark.parametrize(("act", "is_durable"), [(DISPENSE, True), (SET, False), (READ, False)], ids=lambda a: str(a))
def test_only_an_outcome_that_nothing_can_settle_is_committed_at_once(bench, act, is_durable, monkeypatch):
    one = bench()
    at_the_end = []
    monkeypatch.setattr(Journal, "close", lambda journal: at_the_end.append(one.kinds()) or journal.connection.close())
    one.run(act)
    assert ("step_done" in at_the_end[0]) is is_durable


def test_in_wall_time_every_event_is_committed_at_once(bench, monkeypatch):
    one = bench()
    at_the_end = []
    monkeypatch.setattr(Journal, "close", lambda journal: at_the_end.append(one.kinds()) or journal.connection.close())
    monkeypatch.setattr(VirtualClock, "is_virtual", False)
    one.run(READ)
    assert at_the_end == [["step_intended", "step_done"]]

import pytest

from drivers.errors import Ambiguous, NotConnected, Unreadable
from orchestrator.outcomes import TrialLost
from orchestrator.plan import Act
from tests.orchestrator.oven import READ, SET


def test_a_lost_port_is_opened_again(bench):
    one = bench(NotConnected("gone"))
    one.run(SET)
    assert one.oven.connects == 2


def test_another_device_at_the_port_is_not_taken_for_the_first(bench):
    one = bench(NotConnected("gone"))
    one.port_later = "S2"
    with pytest.raises(TrialLost, match="serial number S2 answers where S1 was"):
        one.run(SET)
    assert one.oven.done == []


def test_a_read_back_that_fails_is_tried_again_before_anything_is_sent(bench):
    one = bench(("landed", Ambiguous("timed out")))
    one.oven.verdicts = [Unreadable("noise"), True]
    one.run(SET)
    assert one.oven.done == [("set", 900.0)]


def test_a_read_back_over_a_lost_port_opens_it_again(bench):
    one = bench(("landed", Ambiguous("timed out")))
    one.oven.verdicts = [NotConnected("gone"), True]
    one.run(SET)
    assert one.oven.connects == 2
    assert one.oven.done == [("set", 900.0)]


def test_a_driver_that_hangs_is_bounded(bench):
    one = bench()
    hang = Act(path="0", label="hang", device="oven", command="hang")
    with pytest.raises(TrialLost, match="no outcome within 601 s"):
        one.run(hang)


@pytest.mark.parametrize("act", [SET, READ], ids=["acting", "reading"])
def test_a_driver_that_breaks_costs_the_trial_and_not_the_campaign(bench, act):
    one = bench()
    setattr(one.oven, act.command, lambda **_: one.oven.raw())
    one.oven.verdicts = [False] * 9
    with pytest.raises(TrialLost, match="the driver failed with KeyError"):
        one.run(act)
    assert list(one.steps().values()) == ["failed"]

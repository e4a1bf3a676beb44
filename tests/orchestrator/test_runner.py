import asyncio
from dataclasses import replace

import pytest

from drivers.errors import DeviceFault, NotConnected, NotSent, Rejected, Unreadable
from orchestrator.outcomes import PastStep, StopRequested, TrialFailed, TrialLost
from orchestrator.plan import Act, Wait
from tests.orchestrator.oven import COLLECT, FRAME, MILL, READ, SET, SHOOT


def test_intent_stands_before_outcome(bench):
    one = bench()
    one.run(SET)
    assert one.kinds() == ["step_intended", "step_done"]
    assert one.oven.done == [("set", 900.0)]


@pytest.mark.parametrize("error", [NotSent("lost"), NotConnected("gone")], ids=["not sent", "not connected"])
def test_what_was_not_sent_is_sent_again(bench, error):
    one = bench(error, error)
    _, now_s = one.run(SET)
    assert one.oven.done == [("set", 900.0)]
    assert now_s == pytest.approx(6.0)
    assert len(one.events("incident")) == 2


def test_what_a_device_forgot_while_its_port_was_lost_is_set_again(bench):
    one = bench(None, NotConnected("gone"))
    one.oven.verdicts = [False]
    one.run(SET, READ)
    assert one.oven.done == [("set", 900.0), ("set", 900.0), ("temperature",)]


def test_what_a_device_kept_while_its_port_was_lost_is_not_set_again(bench):
    one = bench(None, NotConnected("gone"))
    one.run(SET, READ)
    assert one.oven.done == [("set", 900.0), ("temperature",)]


def test_patience_ends(bench):
    one = bench(*[NotConnected("gone")] * 4)
    with pytest.raises(TrialLost, match="gave up after 4 attempts: .*gone"):
        one.run(SET)
    assert one.kinds()[-1] == "step_failed"


@pytest.mark.parametrize(
    ("error", "kind"), [(Rejected("no"), "step_rejected"), (DeviceFault("burnt out"), "step_failed")], ids=str
)
def test_a_refusal_or_fault_costs_the_trial_and_is_not_repeated(bench, error, kind):
    one = bench(error)
    with pytest.raises(TrialLost):
        one.run(SET)
    assert one.kinds()[-1] == kind
    assert one.kinds().count("step_intended") == 1


def test_what_the_limits_refuse_never_reaches_journal_or_wire(bench):
    one = bench()
    hot = Act(path="0", label="set", device="oven", command="set", arguments={"target_c": 1300.0})
    with pytest.raises(TrialFailed, match=r"target_c = 1300.0 is outside \[0, 1200\] Cel; nothing was sent"):
        one.run(hot)
    assert one.kinds() == []
    assert one.oven.done == []


def test_an_act_that_was_done_is_not_done_again(bench):
    one = bench()
    past = {"000001.4": PastStep(state="done", result={"value": 1.0})}
    (done,), _ = one.run(READ, past=past)
    assert done.result == {"value": 1.0}
    assert one.oven.done == []


def test_a_stop_ends_before_the_next_act_but_settles_what_was_open(bench):
    one = bench()
    with pytest.raises(StopRequested):
        one.run(SET, stop=True)
    assert one.oven.done == []
    one.run(READ, past={"000001.4": PastStep(state="done", result={"value": 2.0})}, stop=True)


def test_a_wait_that_was_interrupted_lasts_only_what_is_left(bench):
    one = bench()
    node = Wait(path="7", label="cool", duration_s=3600)
    _, now_s = one.run(node)
    assert now_s == 3600.0
    _, now_s = one.run(node, waits={"000001.7": 3600.0}, start_s=3000.0)
    assert now_s == 3600.0


def test_what_a_device_lost_since_it_was_set_is_set_again_before_anything_new(bench):
    one = bench()
    one.run(SET)
    one.oven.holds = None  # its power was cut together with the controller's
    past = {"000001.0": PastStep(state="done", result={})}
    one.run(SET, FRAME, past=past)
    assert one.oven.done == [("set", 900.0), ("set", 900.0), ("frame", "000001.3")]
    assert [event.body["text"] for event in one.events("incident")] == ["000001.0 (set): lost since, so set again"]
    assert one.steps() == {"000001.0": "done", "000001.0.again1": "done", "000001.3": "done"}


def test_setting_again_is_itself_settled_after_a_kill_and_done_again_after_another_loss(bench):
    one = bench()
    one.run(SET)
    past = {"000001.0": PastStep(state="done", result={}), "000001.0.again1": PastStep(state="intended", result={})}
    one.oven.holds = None
    with one.engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO step SELECT '000001.0.again1', trial, path, label, device, command, effect, 'intended', "
            "arguments, started_s, finished_s, attempts, error, settled_by, result FROM step"
        )
    one.run(SET, READ, past=past)
    assert one.oven.done.count(("set", 900.0)) == 2
    assert one.steps()["000001.0.again1"] == "done"
    one.oven.holds = None
    past["000001.0.again1"] = PastStep(state="done", result={})
    one.run(SET, replace(READ, path="9"), past=past)
    assert one.oven.done.count(("set", 900.0)) == 3
    assert one.steps()["000001.0.again2"] == "done"


def test_set_points_that_still_hold_are_left_alone_and_events_are_never_repeated(bench):
    one = bench()
    one.run(SET, SHOOT)
    done = {key: PastStep(state="done", result={}) for key in ("000001.0", "000001.6")}
    one.oven.done.remove(("shoot", "000001.6"))  # the device has forgotten the shot, which stays fired all the same
    one.run(SET, replace(SHOOT, measure=None), READ, past=done)
    assert one.oven.done == [("set", 900.0), ("temperature",)]
    assert one.events("incident") == []


def test_a_set_point_is_set_again_before_a_wait_goes_on_and_not_after_it(bench):
    one = bench()
    one.run(SET)
    one.oven.holds = None
    seen = []
    one.oven._next = lambda name: seen.append((name, asyncio.get_running_loop().time())) or one.oven.done.append(name)
    node = Wait(path="7", label="hold", duration_s=3600)
    past = {"000001.0": PastStep(state="done", result={})}
    one.run(SET, node, past=past, waits={"000001.7": 3600.0}, start_s=1000.0)
    assert seen == [(("set", 900.0), 1000.0)]


def test_a_device_that_does_not_say_whether_it_still_holds_costs_the_trial(bench):
    one = bench()
    one.run(SET)
    one.oven.verdicts = [Unreadable("garbled")] * 9
    with pytest.raises(TrialLost, match=r"outcome of oven\.set stays unknown: .*garbled"):
        one.run(SET, READ, past={"000001.0": PastStep(state="done", result={})})
    assert one.steps() == {"000001.0": "done"}


def test_a_limit_that_cannot_be_compared_costs_the_trial(bench):
    one = bench()
    with pytest.raises(TrialLost, match=r"target_c = 'hot' is not a number"):
        one.run(replace(SET, arguments={"target_c": "hot"}))
    assert one.kinds() == []


def test_a_stop_does_not_wait_for_waits(bench):
    one = bench()
    node = Wait(path="7", label="cool", duration_s=86_400)
    with pytest.raises(StopRequested):
        one.run(node, stop=True)
    assert one.kinds() == []
    with pytest.raises(StopRequested):
        one.run(node, stop_at_s=100.0)
    assert one.ended_s == 100.0
    assert [event.body["until_s"] for event in one.events("wait")] == [86_400.0]
    one.run(node, waits={"000001.7": 90.0}, start_s=100.0, stop=True)  # over, so nothing is left to wait for


def test_a_stop_finishes_an_act_but_leaves_a_long_reading(bench):
    one = bench()
    _, now_s = one.run(MILL, stop_at_s=1.0)
    assert (now_s, one.oven.done) == (10.0, [("mill",)])
    with pytest.raises(StopRequested):
        one.run(COLLECT, stop_at_s=1000.0)
    assert one.ended_s == 1000.0
    one.run(COLLECT, past={"000001.8": PastStep(state="intended", result={})}, start_s=1000.0)
    assert one.steps()["000001.8"] == "done"

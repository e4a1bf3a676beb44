import asyncio
from collections import Counter

import pytest

from drivers.command import command_specs
from drivers.errors import DeviceFault, NotConnected, Rejected
from orchestrator.acts.step import Step
from orchestrator.acts.step_journal import StepJournal
from orchestrator.execution import start
from orchestrator.outcomes import PastStep, TrialLost
from orchestrator.plan import Act
from orchestrator.scheduling.names import A_HOME
from tests.orchestrator.test_journeys import VIRTUAL, events_of, unsafe
from tests.orchestrator.workshop import SwitchedArm


def test_what_was_not_gripped_is_tried_again(bakery, tmp_path):
    task = bakery(lab="simulation: {bakery: {miss: 0.1}}\n")
    assert start(task, tmp_path / "out", VIRTUAL).status == "finished"
    kinds = Counter(event.kind for event in events_of(tmp_path / "out"))
    assert kinds["sample_not_moved"] > 0
    assert kinds["analysed"] == 12
    assert unsafe(tmp_path / "out") == []


def not_gripped():
    return DeviceFault("slipped", code="not_gripped")


def test_a_sample_is_carried_over_a_bridge_and_lets_go_of_what_it_needs_no_more(workshop):
    async def script():
        workshop.door.state = "open"
        journey = await workshop.admitted()
        await workshop.carried(journey, "oven-1")
        assert journey.at == "oven-1"
        assert workshop.board.held("000001") == {A_HOME, "@home-1", "@oven-1"}

    workshop.run(script)
    assert workshop.arm.done == [("stack", "bridge")]
    assert workshop.arm_2.done == [("bridge", "oven-1")]


def test_what_a_robot_cannot_grip_three_times_a_person_sets_straight(workshop):
    async def script():
        journey = await workshop.admitted()
        workshop.arm.script = [not_gripped(), not_gripped(), not_gripped()]
        await workshop.carried(journey, "home-1")
        assert journey.at == "home-1"
        assert workshop.person.seen == ["askew"]

    workshop.run(script)
    assert workshop.arm.done == [("stack", "home-1")]
    assert [event.kind for event in workshop.events("sample_not_moved", "sample_moved")] == [
        *["sample_not_moved"] * 3,
        "sample_moved",
    ]


def test_robots_are_others_while_a_person_is_waited_for(workshop):
    async def script():
        journey, other = await workshop.admitted(1), await workshop.admitted(2)
        workshop.arm.script = [not_gripped(), not_gripped(), not_gripped()]
        slow = asyncio.create_task(workshop.carried(journey, "home-1"))
        await workshop.clock.sleep(60.0)
        assert "arm-1" not in workshop.board.held("000001")
        await workshop.carried(other, "home-2")
        assert workshop.person.seen == []
        await slow

    workshop.run(script)
    assert workshop.arm.done == [("stack", "home-2"), ("stack", "home-1")]


def test_an_empty_magazine_is_filled_once_for_all_who_wait(workshop):
    async def script():
        journeys = [await workshop.admitted(1), await workshop.admitted(2)]
        workshop.arm.script = [Rejected("no container"), Rejected("no container")]
        homes = zip(journeys, ("home-1", "home-2"), strict=True)
        await asyncio.gather(*(workshop.carried(journey, home) for journey, home in homes))
        assert workshop.person.seen == ["restock"]

    workshop.run(script)
    assert workshop.incidents() == ["restock"]
    assert len(workshop.arm.done) == 2


def test_a_robot_that_has_restarted_is_switched_on_and_goes_on(workshop):
    async def script():
        journey = await workshop.admitted()
        await workshop.carried(journey, "home-1")
        workshop.arm.script = [Rejected("motors are off")]
        await workshop.carried(journey, "bin")
        assert journey.at == "bin"

    workshop.run(script)
    assert workshop.arm.done == [("stack", "home-1"), ("power_on",), ("home-1", "bin")]
    assert workshop.incidents() == ["recovery"]


def test_a_robot_that_refuses_though_it_was_made_ready_may_hold_the_sample(workshop):
    async def script():
        journey = await workshop.admitted()
        await workshop.carried(journey, "home-1")
        workshop.arm.script = [Rejected("blocked"), None, Rejected("blocked"), None, Rejected("blocked")]
        with pytest.raises(TrialLost, match="blocked"):
            await workshop.carried(journey, "bin")
        assert journey.at is None
        assert workshop.board.closed == {"@home-1", "arm-1"}

    workshop.run(script)
    assert workshop.arm.done.count(("power_on",)) == 2


def test_a_robot_that_nobody_can_switch_on_moved_nothing(workshop):
    async def script():
        workshop.door.state = "open"
        journey = await workshop.admitted()
        await workshop.carried(journey, "bridge")
        workshop.arm_2.script = [Rejected("motors are off")]
        with pytest.raises(TrialLost, match="motors are off"):
            await workshop.carried(journey, "oven-1")
        assert journey.at == "bridge"
        assert workshop.board.closed == set()

    workshop.run(script)


@pytest.mark.parametrize("trouble", [[], [NotConnected("gone")] * 4], ids=["closed", "unknown"])
def test_no_arm_reaches_through_a_door_that_was_not_seen_open(workshop, trouble):
    async def script():
        journey = await workshop.admitted()
        await workshop.carried(journey, "bridge")
        workshop.person.helps = lambda doubt: setattr(workshop.door, "state", "open")
        workshop.door.says = list(trouble)
        await workshop.carried(journey, "oven-1")
        assert workshop.person.seen == ["furnace"]
        assert workshop.clock.now_s() >= 3600.0

    workshop.run(script)
    assert workshop.arm_2.done == [("bridge", "oven-1")]
    assert workshop.incidents() == ["intervention"]


def test_a_sample_whose_place_nobody_knows_has_no_way(workshop):
    async def script():
        journey = await workshop.admitted()
        journey.at = None
        with pytest.raises(TrialLost, match="no way leads from a place that nobody knows to bin"):
            workshop.transport.claims.route(journey, "bin")

    workshop.run(script)


def test_a_transfer_that_a_restart_interrupted_is_settled_before_anything_else(workshop):
    async def script():
        journey = await workshop.admitted()
        arguments = {"source": "stack", "destination": "home-1"}
        act = Act(path="m000", label="x", device="arm-1", command="transfer", arguments=arguments, is_tagged=True)
        spec = command_specs(SwitchedArm)["transfer"]
        begun = Step(trial=1, owner="000001", act=act, spec=spec, was_intended=False)
        StepJournal(workshop.journal, workshop.clock).intend(begun, is_repeat=False)
        facts = {"device": "arm-1", "arguments": arguments}
        workshop.runner.past["000001.m000"] = PastStep(state="intended", result={}, act=facts)
        workshop.arm.done.append(("stack", "home-1"))
        await workshop.transport.carrier.settle(journey)
        assert journey.at == "home-1"
        await workshop.transport.carrier.settle(journey)

    workshop.run(script)
    assert workshop.arm.done == [("stack", "home-1")]
    assert workshop.incidents() == ["recovery"]

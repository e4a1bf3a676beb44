from dataclasses import replace

from drivers.errors import Rejected
from orchestrator.firing.controls import Controls
from orchestrator.firing.door import COOL_LOOK_S, DOOR_TRIES, REFUSALS, Door
from orchestrator.journey import BatchRun
from orchestrator.outcomes import PastStep
from tests.orchestrator.workshop import FURNACE


def door_of(workshop, furnace=FURNACE):
    batch = BatchRun(name="batch-00001", station="oven", path="3", places={1: "oven-1"})
    controls = Controls(batch=batch, furnace=furnace, runner=workshop.runner, attention=workshop.attention)
    return Door(controls=controls, clock=workshop.clock)


def turns(workshop):
    return [event.command_id for event in workshop.events("step_intended")]


def test_it_is_turned_and_seen_to_be_so(workshop):
    async def script():
        door = door_of(workshop)
        await door.open(0)
        assert workshop.door.state == "open"
        await door.close(1)
        assert workshop.door.state == "closed"

    workshop.run(script)
    assert turns(workshop) == ["batch-00001.0", "batch-00001.1"]


def test_too_hot_still_it_is_waited_for_as_long_as_the_furnace_cools(workshop):
    n = REFUSALS + 5

    async def script():
        workshop.heater.cooling_c = [900.0 - index for index in range(n)]
        workshop.door.script = [Rejected("too hot")] * n
        await door_of(workshop).open(3)
        assert workshop.clock.now_s() == n * COOL_LOOK_S
        assert workshop.person.seen == []

    workshop.run(script)
    assert turns(workshop)[:2] == ["batch-00001.3", "batch-00001.3.again1"]


def test_one_that_refuses_though_nothing_cools_any_further_waits_for_a_person(workshop):
    async def script():
        workshop.door.script = [Rejected("blocked")] * (REFUSALS + 2)
        await door_of(workshop).open(3)
        assert workshop.person.seen == ["furnace"]

    workshop.run(script)
    assert workshop.door.state == "open"


def test_one_that_is_jammed_is_tried_again_and_then_waits_for_a_person(workshop):
    async def script():
        workshop.door.is_stuck = True
        workshop.person.helps = lambda doubt: setattr(workshop.door, "is_stuck", False)
        await door_of(workshop).open(0)
        assert workshop.person.seen == ["furnace"]

    workshop.run(script)
    assert len(workshop.door.done) == DOOR_TRIES + 1
    (doubted,) = workshop.events("doubted")
    assert doubted.body["text"].endswith("the door of oven is closed and not open")


def test_a_path_that_failed_before_a_restart_is_not_taken_again(workshop):
    async def script():
        workshop.runner.past["batch-00001.0"] = PastStep(state="failed", result={}, error="jammed")
        await door_of(workshop).open(0)

    workshop.run(script)
    assert turns(workshop) == ["batch-00001.0.again1"]


def test_a_furnace_without_a_door_needs_no_turning(workshop):
    async def script():
        door = door_of(workshop, replace(FURNACE, door=None))
        await door.open(0)
        await door.close(1)

    workshop.run(script)
    assert turns(workshop) == []

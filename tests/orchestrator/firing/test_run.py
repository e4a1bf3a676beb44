import asyncio

import pytest

from drivers.errors import DeviceFault
from orchestrator.firing.controls import Controls
from orchestrator.firing.run import FurnaceRun, GivenUp
from orchestrator.outcomes import TrialLost
from tests.orchestrator.workshop import FIRING, FURNACE

FORMED = {"batch": "batch-00001", "station": "oven", "path": "3", "places": {"1": "oven-1"}, "key": "900 degC"}


async def a_run(workshop, node=FIRING):
    """A sample that is to be fired, and its run."""
    journey, tracker = await workshop.admitted(), workshop.transport.tracker
    tracker.note("batch_formed", None, FORMED)
    controls = Controls(
        batch=workshop.where.batches["batch-00001"],
        furnace=FURNACE,
        runner=workshop.runner,
        attention=workshop.attention,
    )
    return journey, FurnaceRun(controls=controls, node=node, clock=workshop.clock, tracker=tracker)


def kinds(workshop):
    return [event.kind for event in workshop.events("batch_loaded", "batch_fired", "batch_failed", "doubted")]


def test_it_is_loaded_fired_and_emptied(workshop):
    async def script():
        journey, run = await a_run(workshop)
        running = asyncio.create_task(run.carry_out())
        await run.opened.wait()
        assert not workshop.heater.done
        await workshop.carried(journey, "oven-1")
        await run.is_over.wait()
        assert (run.error, run.has_samples, running.done()) == (None, True, False)
        await workshop.carried(journey, "home-1")
        await running

    workshop.run(script)
    assert workshop.door.done == [("open",), ("closed",), ("open",), ("closed",)]
    assert kinds(workshop) == ["batch_loaded", "batch_fired"]


def test_a_furnace_that_failed_gives_its_samples_back_and_is_out_of_service(workshop):
    async def script():
        journey, run = await a_run(workshop)
        workshop.heater.script = [DeviceFault("burnt out")]
        running = asyncio.create_task(run.carry_out())
        await run.opened.wait()
        await workshop.carried(journey, "oven-1")
        await run.is_over.wait()
        assert isinstance(run.error, TrialLost)
        assert workshop.board.closed == {"heater"}
        await workshop.carried(journey, "home-1")
        await running

    workshop.run(script)
    assert kinds(workshop) == ["batch_loaded", "doubted", "batch_failed"]


def test_a_furnace_that_we_stopped_ourselves_stays_in_service(workshop):
    async def script():
        journey, run = await a_run(workshop)
        workshop.heater.state = "reset"
        running = asyncio.create_task(run.carry_out())
        await run.opened.wait()
        workshop.where.made_safe_s["heater"] = workshop.clock.now_s() + 1.0
        await workshop.carried(journey, "oven-1")
        await run.is_over.wait()
        assert workshop.board.closed == set()
        await workshop.carried(journey, "home-1")
        await running

    workshop.run(script)
    assert kinds(workshop) == ["batch_loaded", "batch_failed"]


@pytest.mark.parametrize(("place", "kind"), [("home-1", GivenUp), ("oven-1", TrialLost)], ids=["before", "inside"])
def test_who_is_not_in_a_furnace_that_is_given_up_waits_for_another(workshop, place, kind):
    async def script():
        workshop.door.state = "open"
        journey, run = await a_run(workshop)
        await workshop.carried(journey, place)
        run.give_up(TrialLost("it met a defect"))
        assert type(run.error) is kind
        assert run.opened.is_set() and run.is_over.is_set()
        assert workshop.board.closed == {"heater"}

    workshop.run(script)


def test_where_a_restart_left_nobody_to_be_fired_the_furnace_is_only_closed(workshop):
    async def script():
        _, run = await a_run(workshop, node=None)
        await run.carry_out()

    workshop.run(script)
    assert workshop.door.done == [("closed",)]
    assert workshop.heater.done == []

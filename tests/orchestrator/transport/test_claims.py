import asyncio

import pytest

from orchestrator.outcomes import StopRequested
from orchestrator.scheduling.board import Option
from orchestrator.scheduling.names import A_HOME


def test_carrying_takes_the_robots_and_the_places_on_the_way(workshop):
    async def script():
        journey = await workshop.admitted()
        assert workshop.transport.claims.needed(journey, "oven-1") == {"arm-1", "arm-2", "@bridge"}
        assert workshop.transport.claims.needed(journey, "home-1") == {"arm-1"}
        assert workshop.transport.claims.needed(journey, "stack") == set()

    workshop.run(script)


def test_what_is_held_already_is_not_claimed_again(workshop):
    async def script():
        journey, claims = await workshop.admitted(), workshop.transport.claims
        option = Option(name="x", resources=frozenset({"arm-1"}))
        await claims.claim_missing(journey, option)
        await claims.claim_missing(journey, option)
        assert workshop.board.held("000001") == {A_HOME, "@home-1", "arm-1"}
        claims.let_go(journey)
        assert workshop.board.held("000001") == {A_HOME, "@home-1"}

    workshop.run(script)


def test_a_sample_that_is_in_the_way_goes_home_instead(workshop):
    async def script():
        first, second = await workshop.admitted(1), await workshop.admitted(2)
        await workshop.carried(first, "bridge")
        workshop.board.close("heater")
        waits = Option(name="work", resources=frozenset({"heater"}))
        waiting = asyncio.create_task(workshop.transport.claims.leave_for(first, [waits]))
        await workshop.clock.sleep(60.0)
        assert not waiting.done()
        passing = asyncio.create_task(workshop.carried(second, "bridge"))
        assert (await waiting).name == "home-1"
        await workshop.transport.carrier.go(first, "home-1")
        await passing
        assert (first.at, second.at) == ("home-1", "bridge")

    workshop.run(script)


def test_a_claim_is_waited_for_only_until_somebody_asks_to_stop(workshop):
    async def script():
        journey = await workshop.admitted()
        workshop.board.close("heater")
        option = Option(name="work", resources=frozenset({"heater"}))
        waiting = asyncio.create_task(workshop.transport.claims.claim(journey, [option]))
        await workshop.clock.sleep(60.0)
        workshop.stop.set()
        with pytest.raises(StopRequested):
            await waiting
        assert list(workshop.board.waiting) == []

    workshop.run(script)


def test_a_sample_gets_back_what_it_held_before_a_restart(workshop):
    async def script():
        journey = await workshop.admitted()
        await workshop.carried(journey, "bridge")
        workshop.dispatcher.release("000001")
        begun = workshop.transport.claims.route(journey, "bin").legs[0]
        workshop.transport.claims.restore(journey, begun)
        assert workshop.board.held("000001") == {A_HOME, "@home-1", "@bridge", "arm-1"}
        with pytest.raises(ValueError, match="is held by 000001"):
            workshop.transport.claims.restore(await workshop.admitted(2), begun)

    workshop.run(script)

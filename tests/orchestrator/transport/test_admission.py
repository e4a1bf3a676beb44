import asyncio

import pytest

from orchestrator.outcomes import Skipped
from orchestrator.scheduling.names import A_HOME


def test_a_sample_comes_in_once_there_is_a_home_for_it(workshop):
    async def script():
        admission = workshop.transport.admission
        first, _ = await workshop.admitted(1), await workshop.admitted(2)
        waiting = asyncio.create_task(admission.admitted(3))
        await workshop.clock.sleep(1.0)
        assert admission.is_awaited and not waiting.done()
        await workshop.transport.departure.put_away(first)
        workshop.dispatcher.release("000001")
        assert (await waiting).home == "home-1"
        assert not admission.is_awaited

    workshop.run(script)


def test_a_sample_that_is_known_keeps_its_home(workshop):
    async def script():
        journey = await workshop.admitted()
        assert await workshop.admitted() is journey

    workshop.run(script)
    assert len(workshop.events("sample_admitted")) == 1


def test_where_all_homes_are_closed_the_first_that_is_opened_again_is_taken(workshop):
    async def script():
        for home in ("@home-1", "@home-2"):
            workshop.board.close(home)
        waiting = asyncio.create_task(workshop.admitted())
        await workshop.clock.sleep(1.0)
        workshop.board.reopen("@home-2")
        workshop.dispatcher.serve()
        assert (await waiting).home == "home-2"

    workshop.run(script)


def test_who_is_given_up_meanwhile_holds_nothing(workshop):
    async def script():
        for home in ("@home-1", "@home-2"):
            workshop.board.close(home)
        waiting = asyncio.create_task(workshop.admitted())
        await workshop.clock.sleep(1.0)
        workshop.stop.skip(1, "not wanted")
        with pytest.raises(Skipped, match="not wanted"):
            await waiting
        assert workshop.board.holders(A_HOME) == []

    workshop.run(script)

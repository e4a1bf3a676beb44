import asyncio

import pytest

from orchestrator.outcomes import StopRequested


def test_whoever_waits_for_samples_looks_again_at_each_note(workshop):
    async def script():
        journey, tracker = await workshop.admitted(), workshop.transport.tracker
        waiting = asyncio.create_task(tracker.until(lambda: journey.at == "home-1"))
        await workshop.carried(journey, "bridge")
        await workshop.clock.sleep(1.0)
        assert not waiting.done()
        await workshop.carried(journey, "home-1")
        await waiting

    workshop.run(script)


def test_a_stop_ends_the_wait(workshop):
    async def script():
        waiting = asyncio.create_task(workshop.transport.tracker.until(lambda: False))
        await workshop.clock.sleep(1.0)
        workshop.stop.set()
        with pytest.raises(StopRequested):
            await waiting

    workshop.run(script)


def test_what_was_noted_is_in_the_journal_and_known(workshop):
    async def script():
        await workshop.admitted()
        workshop.transport.tracker.incident("fault", "odd", trial=1)
        workshop.transport.tracker.incident("fault", "odd", trial=1, device="arm-1")

    workshop.run(script)
    (admitted,) = workshop.events("sample_admitted")
    assert admitted.body == {"sample": "sample-000001", "home": "home-1", "at": "stack"}
    assert workshop.where.journeys[1].home == "home-1"
    bodies = [event.body for event in workshop.events("incident")]
    assert bodies == [{"kind": "fault", "text": "odd"}, {"kind": "fault", "device": "arm-1", "text": "odd"}]

import pytest

from drivers.errors import DeviceFault
from orchestrator.execution import start
from orchestrator.outcomes import TrialLost
from tests.orchestrator.test_journeys import VIRTUAL, events_of, unsafe


def test_a_sample_that_was_dropped_costs_its_trial_and_closes_its_places(bakery, tmp_path):
    task = bakery("budget.trials=6", lab="simulation: {bakery: {drop: 0.03}}\n")
    ending = start(task, tmp_path / "out", VIRTUAL)
    events = events_of(tmp_path / "out")
    lost = [event for event in events if event.kind == "sample_lost"]
    assert lost and ending.status in ("finished", "faulted")
    assert {event.trial for event in lost} <= {event.trial for event in events if event.kind == "trial_lost"}
    assert any(
        e.kind == "incident" and e.body["kind"] == "intervention" and "look for" in e.body["text"] for e in events
    )
    assert unsafe(tmp_path / "out") == []


def test_a_dropped_sample_may_lie_at_either_end_or_on_the_floor(workshop):
    async def script():
        journey = await workshop.admitted()
        await workshop.carried(journey, "home-1")
        workshop.arm.script = [DeviceFault("dropped it", code="dropped")]
        with pytest.raises(TrialLost, match="dropped it"):
            await workshop.carried(journey, "bridge")
        assert journey.at is None
        (doubt,) = workshop.where.doubted.values()
        assert doubt.facts["places"] == ["home-1", "bridge", "the floor below arm-1"]
        assert workshop.board.closed == {"@home-1", "@bridge", "arm-1"}
        await workshop.attention.until_seen_to(doubt)
        assert workshop.board.closed == set()

    workshop.run(script)


def test_a_device_that_cannot_be_stopped_is_closed_once_with_the_sample_in_it(workshop):
    async def script():
        workshop.door.state = "open"
        journey = await workshop.admitted()
        await workshop.carried(journey, "oven-1")
        for device in ("heater", "door"):
            workshop.transport.doubts.left_inside(journey, "oven-1", device, TrialLost("it does not answer"))
        (doubt,) = workshop.where.doubted.values()
        assert doubt.facts["robot"] == "arm-2"
        assert workshop.board.closed == {"heater", "@oven-1"}

    workshop.run(script)
    assert len(workshop.events("sample_lost")) == 1

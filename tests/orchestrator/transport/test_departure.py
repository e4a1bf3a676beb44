import pytest

from drivers.errors import Rejected
from orchestrator.transport.departure import PAUSE_S, PUTS_AWAY


def test_a_sample_leaves_by_the_chute(workshop):
    async def script():
        journey = await workshop.admitted()
        await workshop.carried(journey, "home-1")
        await workshop.transport.departure.put_away(journey)
        assert (journey.at, journey.has_left) == ("bin", True)

    workshop.run(script)
    assert workshop.arm.done == [("stack", "home-1"), ("home-1", "bin")]


@pytest.mark.parametrize("place", ["stack", None])
def test_what_never_came_or_was_lost_is_not_carried(workshop, place):
    async def script():
        journey = await workshop.admitted()
        journey.at = place
        await workshop.transport.departure.put_away(journey)
        assert journey.has_left

    workshop.run(script)
    assert workshop.arm.done == []
    assert [event.body for event in workshop.events("sample_left")] == [{"at": place}]


def test_a_sample_that_cannot_be_taken_out_is_left_to_a_person_and_its_place_closed(workshop):
    async def script():
        workshop.door.state = "open"
        journey = await workshop.admitted()
        await workshop.carried(journey, "oven-1")
        workshop.arm_2.script = [Rejected("no plan")] * PUTS_AWAY
        await workshop.transport.departure.put_away(journey)
        assert workshop.clock.now_s() == pytest.approx((PUTS_AWAY - 1) * PAUSE_S)
        (doubt,) = workshop.where.doubted.values()
        assert (doubt.facts["code"], doubt.facts["robot"], doubt.closed) == ("stranded", "arm-2", ("@oven-1",))
        assert journey.has_left

    workshop.run(script)
    assert workshop.incidents() == ["fault"] * PUTS_AWAY + ["intervention"]

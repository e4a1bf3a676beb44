"""A simulated person who is asked for help does what is needed, and no more."""

import pytest

from drivers.errors import DeviceFault
from drivers.links.opening import memory_link
from simulators.powder_lab.attendant import TRIES, LabAttendant
from tests.simulators.powder_lab.rig import Rig


def attendant(rig):
    return LabAttendant(lambda name: memory_link(rig.lab.instruments[name], rig.clock, name=name), rig.clock)


def test_a_dropped_crucible_is_swept_up_and_the_arm_set_free():
    rig = Rig(options={"faults": {"dropped_per_transfer": 1.0}})

    async def work(rig):
        with pytest.raises(DeviceFault):
            await rig.carry("magazine", "dosing")
        facts = {"robot": "arm-1", "places": ["magazine", "dosing"]}
        said = await attendant(rig).see_to("lost", facts)
        assert "1 swept up" in said and "arm-1 is free" in said
        return await rig.driver("arm-1")

    rig.run(work)
    assert rig.state.get("container/crucible-000001")["at"] == "away"
    assert [row["facts"]["act"] for row in rig.acts("person")] == ["clear floor", "free arm-1"]
    assert rig.check() == []


def test_what_stands_where_the_lost_one_was_headed_is_taken_away():
    rig = Rig()

    async def work(rig):
        rig.conjure("home-01")
        return await attendant(rig).see_to("lost", {"robot": "arm-1", "places": ["home-01", "home-02"]})

    assert "crucible-000001 was taken away" in rig.run(work)
    assert rig.state.get("container/crucible-000001")["at"] == "away"


def test_stock_and_magazine_are_filled_up():
    rig = Rig(options={"crucibles": 5, "stock_mg": 100.0})

    async def work(rig):
        helper = attendant(rig)
        rig.conjure("home-01")
        await helper.see_to("restock", {})
        await helper.see_to("device", {"device": "doser-1", "code": "empty"})
        return await rig.look()

    seen = rig.run(work)
    assert seen["magazine"] == 5
    assert set(seen["stock_mg"].values()) == {200_000.0}


def test_a_person_waits_until_the_arms_stand_still_and_gives_up_in_the_end():
    rig = Rig()

    async def work(rig):
        helper = attendant(rig)
        rig.conjure("home-01")
        assert "straight" in await helper.see_to("askew", {"place": "home-01"})
        rig.lab.arms["arm-1"].row["speed"] = 1e-4  # a program that never ends
        with rig.lab.turn():
            rig.lab.arms["arm-1"].load("move_mill.urp")
            rig.lab.arms["arm-1"].play()
        before_s = rig.clock.now_s()
        said = await helper.see_to("askew", {"place": "home-01"})
        assert rig.lab.arms["arm-1"].is_running
        return said, rig.clock.now_s() - before_s

    said, took_s = rig.run(work)
    assert said == "straighten home-01: arm-1 is moving"
    assert took_s == pytest.approx(30.0 * TRIES)


def test_what_nobody_knows_of_leaves_everything_as_it_is():
    rig = Rig()
    assert rig.run(lambda rig: attendant(rig).see_to("unheard of", {})) == "nothing was amiss"
    assert rig.acts() == []

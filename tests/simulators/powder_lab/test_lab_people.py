"""What people do by hand, and what they cannot."""

import asyncio

import pytest

from drivers.errors import DeviceFault
from simulators.powder_lab.people import NotDone
from tests.simulators.powder_lab.rig import Rig


def test_a_person_looks_round():
    async def look(rig):
        rig.conjure("mill")
        return await rig.look()

    seen = Rig().run(look)
    assert seen["places"] == {"mill": ["crucible-000001"]}
    assert seen["arms"] == {"arm-1": None, "arm-2": None}
    assert (seen["magazine"], seen["stock_mg"]["TiO2"]) == (399, 200_000.0)


def test_a_person_restocks():
    async def restock(rig):
        order = {"material": "TiO2", "amount_mg": 60.0, "tolerance_mg": 2.0}
        with pytest.raises(DeviceFault, match="emptied"):
            await rig.do("doser-2", "dispense", **order, tag="d1")
        assert await rig.person("restock TiO2 5000") == "the cartridge of doser-2 holds 5000 mg"
        await rig.do("doser-2", "dispense", **order, tag="d2")
        return await (await rig.driver("doser-2")).read_left()

    rig = Rig(options={"stock_mg": 50.0})
    assert rig.run(restock) == pytest.approx(4940.0, abs=3.0)
    assert [row["facts"]["act"] for row in rig.acts("person")] == ["restock TiO2 5000"]


def test_a_person_carries_a_crucible():
    async def carry(rig):
        rig.conjure("home-01")
        await rig.person("take home-01")
        assert (await rig.look())["away"] == ["crucible-000001"]
        await rig.person("put crucible-000001 home-02")
        return await rig.look()

    rig = Rig()
    assert rig.run(carry)["places"] == {"home-02": ["crucible-000001"]}
    assert rig.check() == []


def test_a_person_frees_an_arm_that_has_stopped_itself():
    async def free(rig):
        rig.conjure("bridge")
        with pytest.raises(DeviceFault, match="PROTECTIVE_STOP"):
            await rig.carry("bridge", "box-1-1")
        said = await rig.person("free arm-2")
        arm = await rig.driver("arm-2")
        assert await arm.is_unlocked() and await arm.is_holding() is False
        await arm.home()
        return said

    rig = Rig()
    assert rig.run(free) == "arm-2 is free; crucible-000001 was taken away"
    assert {violation.rule for violation in rig.check()} == {"collision"}


@pytest.mark.parametrize(
    ("act", "why"),
    [
        ("dance", "say look"),
        ("restock gold 100", "no doser holds gold"),
        ("restock TiO2 -1", "more than 0 mg"),
        ("restock TiO2 much", "could not convert"),
        ("fill magazine 0", "none"),
        ("take home-09", "nothing stands at home-09"),
        ("take chute", "nothing stands at chute"),
        ("take nowhere", "nothing stands at nowhere"),
        ("put crucible-000009 mill", "nobody has crucible-000009"),
        ("straighten mill", "nothing stands at mill"),
        ("free people", "no door, doser or arm"),
    ],
)
def test_what_cannot_be_done_is_not(act, why):
    async def tries(rig):
        with pytest.raises(NotDone, match=why):
            await rig.person(act)

    rig = Rig()
    rig.run(tries)
    assert rig.acts("person") == []


@pytest.mark.parametrize(
    ("act", "why"), [("put crucible-000001 limbo", "no place limbo"), ("put crucible-000001 mill", "stands at mill")]
)
def test_a_crucible_goes_where_there_is_room(act, why):
    async def tries(rig):
        rig.conjure("home-01")
        rig.conjure("mill")
        await rig.person("take home-01")
        with pytest.raises(NotDone, match=why):
            await rig.person(act)

    Rig().run(tries)


def test_nobody_reaches_between_moving_arms():
    async def tries(rig):
        rig.conjure("home-01")
        rig.conjure("home-02")
        transfer = asyncio.ensure_future(rig.carry("home-01", "mill"))
        await rig.clock.sleep(2.0)
        with pytest.raises(NotDone, match="arm-1 is moving"):
            await rig.person("take home-02")
        await transfer
        await rig.person("take home-02")

    Rig().run(tries)

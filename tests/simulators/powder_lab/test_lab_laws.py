"""The laws of the laboratory: sensors and safeguards hold where a real arm's would, and where not the log tells."""

import asyncio

import pytest

from drivers.errors import DeviceFault, Rejected
from tests.simulators.powder_lab.rig import Rig, program


def rules_of(rig):
    return {violation.rule for violation in rig.check()}


def test_an_arm_stops_where_it_is_when_the_enclosure_opens_and_goes_on_afterwards():
    async def interrupted(rig):
        rig.conjure("home-01")
        with pytest.raises(DeviceFault, match="SAFEGUARD_STOP") as fault:
            await rig.carry("home-01", "mill", tag="t1")
        assert fault.value.needs_operator
        arm, door = await rig.driver("arm-1"), await rig.driver("enclosure")
        assert await door.door_state() in ("open", "moving") and await arm.is_holding()
        assert not next(lock.holds for lock in await door.interlocks() if lock.name == "enclosure_closed")
        with pytest.raises(DeviceFault, match="SAFEGUARD_STOP"):
            await rig.do("arm-1", "move", position="home")
        await rig.clock.sleep(100.0)
        assert await door.door_state() == "closed"
        await rig.carry("home-01", "mill", tag="t1")

    rig = Rig(options={"enclosure_opens": [[6.0, 60.0]]})
    rig.run(interrupted)
    assert rig.state.get("container/crucible-000001")["at"] == "mill"
    assert rig.acts("safeguard stop")[0]["at_s"] == 6.0
    assert [row["facts"]["tag"] for row in rig.acts("transfer") if row["once"]] == ["t1"]
    assert rig.check() == []


def test_an_arm_that_goes_on_behind_an_open_enclosure_is_noted():
    rig = Rig(options={"enclosure_opens": [[6.0, 60.0]], "safeguard_is_bypassed": True})

    async def carried(rig):
        rig.conjure("home-01")
        await rig.carry("home-01", "mill")

    rig.run(carried)
    assert "motion with an open enclosure" in rig.rules()
    assert rules_of(rig) == {"motion with an open enclosure"}


def test_a_person_closes_the_enclosure():
    async def close(rig):
        door = await rig.driver("enclosure")
        await rig.clock.sleep(10.0)
        assert await door.door_state() == "open"
        await rig.person("close enclosure")
        await rig.clock.sleep(5.0)
        assert await door.door_state() == "closed"

    Rig(options={"enclosure_opens": [[1.0, 1000.0]]}).run(close)


def test_the_enclosure_does_not_open_by_command_while_an_arm_moves():
    async def tries(rig):
        rig.conjure("home-01")
        transfer = asyncio.ensure_future(rig.carry("home-01", "mill"))
        await rig.clock.sleep(3.0)
        with pytest.raises(Rejected, match="arms_still"):
            await rig.do("enclosure", "open_door")
        await transfer
        await rig.do("enclosure", "open_door")

    rig = Rig()
    rig.run(tries)
    assert rig.check() == []


def test_an_arm_runs_into_a_closed_furnace():
    async def collide(rig):
        rig.conjure("bridge")
        with pytest.raises(DeviceFault, match="PROTECTIVE_STOP"):
            await rig.carry("bridge", "box-4-8")
        return await (await rig.driver("arm-2")).is_holding()

    rig = Rig()
    assert rig.run(collide)
    assert rig.rules() == ["collision"] and rig.acts("unsafe")[0]["facts"]["into"] == "door-4"
    assert rig.state.get("container/crucible-000001")["at"] == "arm-2"
    assert rules_of(rig) == {"collision"}


def test_a_door_that_closes_on_an_arm_is_a_collision():
    async def caught(rig):
        rig.conjure("box-1-1")
        await rig.do("door-1", "open_door")
        transfer = asyncio.ensure_future(rig.carry("box-1-1", "bridge"))
        arm = rig.lab.arms["arm-2"]
        while arm.reaches_into != "box-1-1":
            await rig.clock.sleep(0.1)
            await (await rig.driver("box-2")).program_state()  # anything, so that time passes in the laboratory
        await rig.do("door-1", "close_door")
        with pytest.raises(DeviceFault, match="PROTECTIVE_STOP"):
            await transfer

    rig = Rig()
    rig.run(caught)
    assert rig.rules() == ["collision"]


def test_two_arms_meet_at_the_bridge():
    async def meet(rig):
        rig.conjure("home-01")
        rig.conjure("grinder")
        # each sees an empty bridge when it sets out
        ways = [rig.carry("home-01", "bridge"), rig.carry("grinder", "bridge")]
        return await asyncio.gather(*ways, return_exceptions=True)

    rig = Rig()
    ended = rig.run(meet)
    assert any(isinstance(one, DeviceFault) for one in ended)
    assert set(rig.rules()) & {"collision", "two samples in one place"}


def test_two_samples_in_one_place_are_noted():
    async def both(rig):
        first = rig.conjure("home-01")
        transfer = asyncio.ensure_future(rig.carry("home-01", "mill"))
        await rig.clock.sleep(3.0)
        rig.conjure("mill")  # somebody was quicker
        await transfer
        return first

    rig = Rig()
    rig.run(both)
    assert rig.rules() == ["two samples in one place"]
    assert rules_of(rig) == {"two samples in one place"}


def test_the_sensor_of_a_taken_place_refuses():
    async def refused(rig):
        rig.conjure("home-01")
        rig.conjure("mill")
        with pytest.raises(Rejected, match="destination_occupied"):
            await rig.carry("home-01", "mill")

    rig = Rig()
    rig.run(refused)
    assert rig.rules() == []


def test_firing_with_an_open_door_is_noted_and_does_not_get_hot():
    async def fire(rig):
        await rig.do("door-1", "open_door")
        await rig.do("box-1", "run_profile", segments=program(900.0, 3600.0), tag="p1")
        await rig.clock.sleep(2 * 3600.0)
        return await (await rig.driver("box-1")).read_temperature()

    rig = Rig()
    assert 100.0 < rig.run(fire) < 400.0
    assert rig.rules() == ["firing with an open door"]
    assert rules_of(rig) == {"firing with an open door"}


def test_a_hot_furnace_does_not_open():
    async def tries(rig):
        await rig.do("box-1", "run_profile", segments=program(300.0, 600.0), tag="p1")
        await rig.clock.sleep(1500.0)
        with pytest.raises(Rejected, match="furnace_cold"):
            await rig.do("door-1", "open_door")
        await rig.clock.sleep(8 * 3600.0)
        await rig.do("door-1", "open_door")

    rig = Rig()
    rig.run(tries)
    assert rig.rules() == []


def test_the_hard_limit_of_the_site_is_watched():
    async def too_hot(rig):
        await rig.do("box-1", "run_profile", segments=program(500.0, 600.0), tag="p1")
        await rig.clock.sleep(4 * 3600.0)
        await (await rig.driver("box-1")).read_temperature()

    rig = Rig(options={"hard_limit_c": 400.0})
    rig.run(too_hot)
    assert rig.rules() == ["above the hard limit"]
    assert rig.acts("unsafe")[0]["at_s"] < 3600.0


def test_a_running_mill_is_not_reached_into():
    async def reach(rig):
        rig.conjure("home-01")
        run = asyncio.ensure_future(rig.do("mill", "run", duration_s=60.0, frequency_hz=5.0, tag="m"))
        with pytest.raises(DeviceFault, match="PROTECTIVE_STOP"):
            await rig.carry("home-01", "mill")
        await run

    rig = Rig()
    rig.run(reach)
    assert rig.acts("unsafe")[0]["facts"]["into"] == "mill"


def test_what_somebody_took_meanwhile_is_not_gripped():
    async def gone(rig):
        rig.conjure("home-01")
        transfer = asyncio.ensure_future(rig.carry("home-01", "mill"))
        await rig.clock.sleep(1.0)
        with rig.lab.turn():
            rig.lab.room.move("crucible-000001", "away")
            rig.lab.room.happened("taken", by="person", container="crucible-000001", place="away")
        with pytest.raises(DeviceFault, match="not_gripped"):
            await transfer
        assert await (await rig.driver("arm-1")).is_holding() is False

    rig = Rig()
    rig.run(gone)
    assert rig.check() == []

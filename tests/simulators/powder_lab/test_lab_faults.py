"""What goes wrong in the laboratory when it is told to, and how it shows."""

import asyncio

import numpy as np
import pytest

from drivers.command import Effect
from drivers.errors import Ambiguous, DeviceFault, DriverError, Rejected
from drivers.instruments.robot_arm import RobotArmDriver
from drivers.links.opening import memory_link
from simulators.faults import Fault, FaultyWire, Strike
from tests.simulators.powder_lab.rig import SCAN, Rig, program

ORDER = {"material": "BaCO3", "amount_mg": 100.0, "tolerance_mg": 2.0}


def rig_with(**faults):
    return Rig(options={"faults": faults})


async def dosed(rig):
    await rig.carry("magazine", "dosing")
    await rig.do("doser-1", "dispense", **ORDER, tag="d1")


def test_a_doser_is_off_without_knowing_it():
    rig = rig_with(dosing_error=0.05)
    rig.run(dosed)
    said_mg = next(row["delivered_mg"] for row in rig.state.get("doser-1/doser")["doses"])
    truly_mg = rig.lab.room.powder("crucible-000001").mass_mg
    assert said_mg == pytest.approx(100.0, abs=1.0)
    assert 0.002 < abs(truly_mg / said_mg - 1.0) < 0.2


def test_a_clogged_doser_says_so_and_a_person_frees_it():
    async def clogs(rig):
        with pytest.raises(DeviceFault, match="clogged") as fault:
            await dosed(rig)
        assert fault.value.needs_operator
        assert (await rig.look())["clogged"] == ["doser-1"]
        with pytest.raises(Rejected, match="clogged"):
            await rig.do("doser-1", "dispense", **ORDER, tag="d2")
        await rig.person("free doser-1")
        assert (await rig.look())["clogged"] == []

    rig = rig_with(clogged_per_dose=1.0)
    rig.run(clogs)
    assert 5.0 < rig.lab.room.powder("crucible-000001").mass_mg < 95.0


def test_another_precursor_comes_out_of_a_swapped_vial():
    rig = rig_with(swapped_vial_per_dose=1.0)
    rig.run(dosed)
    (phase,) = rig.lab.room.powder("crucible-000001").weights
    assert phase in ("anatase", "zabuyelite", "CoO")
    assert rig.acts("dispense")[0]["facts"]["material"] == "BaCO3"


def test_powder_that_no_crucible_catches_is_spilled():
    rig = Rig()
    rig.run(lambda rig: rig.do("doser-1", "dispense", **ORDER, tag="d1"))
    assert [row["facts"]["tag"] for row in rig.acts("spilled")] == ["d1"] and not rig.acts("poured")


def test_a_crucible_taken_away_during_a_dose_holds_what_had_come_by_then():
    async def hurry(rig):
        await rig.carry("magazine", "dosing")
        feeder = await rig.driver("doser-1")
        await feeder._send('M750 P"BaCO3" S600.000 D2.000 T"d1"', Effect.VERIFIABLE)
        await rig.clock.sleep(20.0)
        await rig.carry("dosing", "home-01")
        await rig.clock.sleep(200.0)
        await feeder.read_left()

    rig = Rig()
    rig.run(hurry)
    caught_mg = rig.lab.room.powder("crucible-000001").mass_mg
    spilled_mg = sum(row["facts"]["true_mg"] for row in rig.acts("spilled"))
    assert 100.0 < caught_mg < 500.0
    assert caught_mg + spilled_mg == pytest.approx(600.0, abs=2.0)


async def heated(rig, target_c=800.0, hold_s=3600.0):
    rig.conjure("box-1-1", {"witherite": 592.0, "anatase": 240.0})
    await rig.fire("box-1", program(target_c, hold_s))
    await rig.do("door-1", "open_door")
    await rig.carry("box-1-1", "bridge")
    return rig.lab.room.powder("crucible-000001")


def hot_minutes(rig, above_c):
    hours = [rig.state.get(key) for key in rig.state.keys("box-1/hot/")]
    return [temperature_c for hour in hours for _, temperature_c in hour if temperature_c > above_c]


def test_a_furnace_overshoots_and_its_thermocouple_does_not_see_it():
    async def look(rig):
        rig.conjure("box-1-1", {"anatase": 240.0})
        furnace = await rig.driver("box-1")
        await rig.do("box-1", "run_profile", segments=program(800.0, 7200.0), tag="p")
        await rig.clock.sleep(2 * 3600.0)
        return await furnace.read_temperature()

    rig = rig_with(overshoot_per_run=1.0, overshoot_c=10.0)
    assert rig.run(look) == pytest.approx(800.0, abs=1.0)
    assert hot_minutes(rig, 100.0)[-1] == pytest.approx(810.0, abs=1.0)


def test_a_hold_can_be_wrong():
    rig, right = rig_with(wrong_hold_per_run=1.0), Rig()
    rig.run(heated)
    right.run(heated)
    held, asked = (len(hot_minutes(one, 795.0)) for one in (rig, right))
    assert asked == pytest.approx(60, abs=4)
    assert held in (pytest.approx(30, abs=4), pytest.approx(90, abs=4))


def test_power_can_be_lost_and_the_program_with_it():
    async def lose(rig):
        rig.conjure("box-1-1", {"anatase": 240.0})
        await rig.do("box-1", "run_profile", segments=program(800.0, 3600.0), tag="p")
        furnace, silent = await rig.driver("box-1"), 0
        for _ in range(60):
            await rig.clock.sleep(300.0)
            try:
                state = await furnace.program_state()
            except DriverError:
                silent += 1
        return state, silent

    rig = rig_with(power_loss_per_run=1.0, power_loss_s=900.0)
    state, silent = rig.run(lose)
    assert state == "reset" and 2 <= silent <= 4
    assert [row["facts"]["device"] for row in rig.acts("power lost")] == ["box-1"]
    assert len(hot_minutes(rig, 795.0)) < 58


def test_a_melt_goes_through_its_crucible():
    async def melt(rig):
        rig.conjure("box-1-1", {"zabuyelite": 300.0})
        await rig.fire("box-1", program(800.0, 600.0))
        await rig.do("door-1", "open_door")
        await rig.carry("box-1-1", "xrd-1")
        await rig.do("diffractometer", "load_sample", position=1, tag="x")
        return await rig.do("diffractometer", "scan", **SCAN, tag="x")

    rig = rig_with(melt_through_per_firing=1.0)
    pattern = rig.run(melt)
    assert rig.acts("melted through")[0]["facts"]["container"] == "crucible-000001"
    assert rig.lab.room.powder("crucible-000001").portions == ()
    assert np.max(pattern.counts) < 3.0 * np.median(pattern.counts)


def test_a_dropped_crucible_lies_on_the_floor_until_somebody_sweeps():
    async def drop(rig):
        rig.conjure("home-01", {"anatase": 100.0})
        with pytest.raises(DeviceFault, match="see where the sample is"):
            await rig.carry("home-01", "mill")
        assert (await rig.look())["floor"] == ["crucible-000001"]
        assert await rig.person("clear floor") == "1 swept up"

    rig = rig_with(dropped_per_transfer=1.0)
    rig.run(drop)
    assert rig.state.get("container/crucible-000001")["at"] == "away"
    assert rig.check() == []


def test_a_gripper_misses():
    async def miss(rig):
        rig.conjure("home-01")
        with pytest.raises(DeviceFault, match="not_gripped"):
            await rig.carry("home-01", "mill")

    rig = rig_with(not_gripped_per_transfer=1.0)
    rig.run(miss)
    assert rig.state.get("container/crucible-000001")["at"] == "home-01" and not rig.acts("placed")[1:]


def test_what_stands_askew_cannot_be_gripped_before_a_person_straightens_it():
    async def askew(rig):
        rig.conjure("home-01")
        await rig.carry("home-01", "mill")
        assert (await rig.look())["askew"] == ["crucible-000001"]
        for _ in range(2):
            with pytest.raises(DeviceFault, match="not_gripped"):
                await rig.carry("mill", "home-01")
        await rig.person("straighten mill")
        await rig.carry("mill", "home-01")

    rig = rig_with(misplaced_per_transfer=1.0)
    rig.run(askew)
    assert rig.state.get("container/crucible-000001")["at"] == "home-01"


def test_a_furnace_door_jams_and_is_freed():
    async def jam(rig):
        with pytest.raises(DeviceFault, match="jammed"):
            await rig.do("door-3", "open_door")
        assert (await rig.look())["jammed"] == ["door-3"]
        await rig.person("free door-3")
        assert (await rig.look())["jammed"] == []

    rig_with(jammed_per_travel=1.0).run(jam)


async def measured(rig):
    rig.conjure("xrd-1", {"anatase": 400.0})
    await rig.do("diffractometer", "load_sample", position=1, tag="x")
    return await rig.do("diffractometer", "scan", **SCAN, tag="x")


@pytest.mark.parametrize("fault", ["solid_solution_per_phase", "height_error_mm"])
def test_lines_are_elsewhere_than_they_should_be(fault):
    shifted, right = rig_with(**{fault: 1.0}).run(measured), Rig().run(measured)
    at_deg = [one.two_theta_deg[np.argmax(one.counts)] for one in (shifted, right)]
    assert at_deg[1] == pytest.approx(25.3, abs=0.1) and abs(at_deg[0] - at_deg[1]) > 0.04


def test_what_happens_does_not_depend_on_when_anybody_looks():
    async def work(rig):
        await rig.fetch()
        return await heated(rig, hold_s=600.0)

    async def watched(rig):
        async def nosy():
            while True:
                await rig.clock.sleep(61.7)
                await rig.look()
                await (await rig.driver("box-1")).read_temperature()

        task = asyncio.ensure_future(nosy())
        try:
            return await work(rig)
        finally:
            task.cancel()

    faults = {"dosing_error": 0.01, "overshoot_per_run": 1.0, "swapped_vial_per_dose": 0.3}
    often, once = rig_with(**faults), rig_with(**faults)
    assert often.run(watched) == once.run(work)
    for number in (1, 2):
        key = f"powder/crucible-{number:06d}"
        assert often.truth()[key] == once.truth()[key]
    assert hot_minutes(often, 0.0) == hot_minutes(once, 0.0)


def test_a_transfer_whose_start_was_not_answered_is_settled_by_its_tag():
    way = {"source": "home-01", "destination": "mill", "tag": "t1"}

    async def cut(rig):
        rig.conjure("home-01")
        wire = FaultyWire(rig.lab.instruments["arm-1"])
        arm = RobotArmDriver(memory_link(wire, rig.clock, name="arm-1"), rig.clock)
        await arm.connect()
        wire.arm([*[None] * 6, Strike(fault=Fault.DROP_REPLY)])  # that of "play"
        with pytest.raises(Ambiguous):
            await arm.transfer(**way)
        assert await arm.has_transferred(**way)
        await arm.transfer(**way)
        await arm.close()

    rig = Rig()
    rig.run(cut)
    assert [row["facts"]["tag"] for row in rig.acts("transfer") if row["once"]] == ["t1"]

"""The driver of a motor record, in virtual time."""

import asyncio
import math

import pytest

from drivers.capabilities import AxisPosition, capabilities_of
from drivers.clock import VirtualClock, VirtualLoop, run_virtual
from drivers.errors import Ambiguous, DeviceFault, NotConnected, OutOfLimits, Rejected, Unreadable
from drivers.instruments.epics_motor import EpicsMotorDriver
from drivers.links.channels import ChannelValue
from drivers.links.opening import memory_link
from drivers.links.tap import Tap
from simulators.conformance import check_driver
from simulators.faults import Fault, Strike
from simulators.faulty_channels import FaultyChannels
from simulators.instruments.epics_motor import EpicsMotor
from simulators.world import WorldFile


class Rig:
    """A connected driver, the wire in between, and the device."""

    def __init__(self, clock, options, cached=False):
        self.clock = clock
        self.state = WorldFile(":memory:")
        self.world = EpicsMotor(state=self.state, clock=clock, seed=1, options=options)
        self.device = self.world.instruments["motor"]
        self.wire = FaultyChannels(self.device, cached=cached)
        self.link = memory_link(self.wire, clock, name="sim:epics-motor/motor")
        self.link.tap = self.tap = Tap(clock, keep=10_000)
        self.driver = EpicsMotorDriver(self.link, clock)

    def written(self):
        return [passed.data.decode() for passed in self.tap if passed.direction == ">"]

    def acts(self):
        return [self.state.get(key)["what"] for key in self.state.keys("act/")]


def using(use, *, cached=False, **options):
    loop = VirtualLoop()
    clock = VirtualClock(loop)

    async def main():
        rig = Rig(clock, options, cached)
        await rig.driver.connect()
        await use(rig)
        await rig.driver.close()

    run_virtual(main(), loop=loop)


def test_it_is_movable_homeable_and_stoppable():
    assert {"Device", "Movable", "Homeable", "Stoppable"} <= set(capabilities_of(EpicsMotorDriver))


def test_the_conformance_suite_finds_nothing():
    report = check_driver(EpicsMotorDriver, world=EpicsMotor)
    assert [result for result in report.results if result.problems] == []
    assert len(report.results) > 400


def test_a_move_writes_val_once_and_arrives():
    async def use(rig):
        identity = await rig.driver.identify()
        assert (identity.model, identity.serial) == ("simulated stage", "SIM:M1")
        began_s = rig.clock.now_s()
        await rig.driver.move(position_mm=12.5)
        assert rig.clock.now_s() - began_s == pytest.approx(1.64, abs=0.1)
        assert rig.device.position_mm() == 12.5
        assert await rig.driver.locate() == AxisPosition(position=12.5, target=12.5, is_moving=False)
        await rig.driver.move(position_mm=12.5)
        assert rig.written() == ["VAL 12.5"]

    using(use)


def test_a_move_under_way_is_joined_and_another_refused():
    async def use(rig):
        first = asyncio.ensure_future(rig.driver.move(position_mm=40.0))
        await rig.clock.sleep(1.0)
        with pytest.raises(Rejected, match="on its way to 40 mm"):
            await rig.driver.move(position_mm=10.0)
        with pytest.raises(Rejected, match="on its way to 40 mm"):
            await rig.driver.home()
        await rig.driver.move(position_mm=40.0)
        await first
        assert rig.acts() == ["move"]

    using(use)


def test_stop_works_while_a_move_is_in_flight():
    async def use(rig):
        move = asyncio.ensure_future(rig.driver.move(position_mm=60.0))
        await rig.clock.sleep(1.0)
        began_s = rig.clock.now_s()
        await rig.driver.stop()
        assert rig.clock.now_s() - began_s < 0.5
        with pytest.raises(DeviceFault, match="stopped or sent elsewhere at .* on its way to 60 mm"):
            await move
        assert not (await rig.driver.locate()).is_moving
        assert not await rig.driver.is_at(position_mm=60.0)

    using(use)


def test_the_records_own_limits_refuse_before_anything_is_written():
    async def use(rig):
        for target in (75.1, -25.1):
            with pytest.raises(OutOfLimits, match=r"soft limits \[-25, 75\] mm; nothing was sent") as caught:
                await rig.driver.move(position_mm=target)
            assert (caught.value.low, caught.value.high, caught.value.unit) == (-25.0, 75.0, "mm")
        with pytest.raises(OutOfLimits):
            await rig.driver.move(position_mm=1001.0)
        assert rig.written() == []

    using(use)


def test_what_the_record_refuses_for_its_backlash_is_rejected():
    async def use(rig):
        with pytest.raises(Rejected, match="LVIO"):
            await rig.driver.move(position_mm=-24.95)
        assert (rig.device.position_mm(), rig.acts()) == (0.0, [])

    using(use)


@pytest.mark.parametrize(("mode", "said"), [(0, "Stop"), (1, "Pause")])
def test_a_record_that_somebody_paused_is_not_moved(mode, said):
    async def use(rig):
        rig.device.put("SPMG", mode, lambda: None)
        for moving in (rig.driver.move(position_mm=5.0), rig.driver.home()):
            with pytest.raises(Rejected, match=said):
                await moving
        assert rig.written() == []

    using(use)


def test_a_way_that_would_take_too_long_is_refused():
    async def use(rig):
        await rig.driver.set_speed(speed_mm_s=0.05)
        with pytest.raises(Rejected, match="takes longer than 300 s"):
            await rig.driver.move(position_mm=50.0)
        assert rig.written() == ["VELO 0.05"]

    using(use)


def test_homing_ends_at_the_switch():
    async def use(rig):
        await rig.driver.move(position_mm=10.0)
        await rig.driver.home()
        assert (rig.device.position_mm(), rig.acts()) == (0.0, ["move", "home"])

    using(use)


def test_homing_that_is_stopped_is_not_homed():
    async def use(rig):
        await rig.driver.move(position_mm=20.0)
        homing = asyncio.ensure_future(rig.driver.home())
        await rig.clock.sleep(0.5)
        await rig.driver.stop()
        with pytest.raises(DeviceFault, match="not at its home switch"):
            await homing

    using(use)


def test_a_limit_switch_on_the_way_calls_a_person():
    async def use(rig):
        with pytest.raises(DeviceFault, match="plus limit switch at 30 mm") as caught:
            await rig.driver.move(position_mm=50.0)
        assert caught.value.needs_operator
        assert not await rig.driver.is_at(position_mm=50.0)
        await rig.driver.move(position_mm=10.0)

    using(use, plus_switch_at_mm=30.0)


def test_a_stalled_motor_is_not_moved_again():
    async def use(rig):
        with pytest.raises(DeviceFault, match="slip or stall"):
            await rig.driver.move(position_mm=50.0)
        n_written = len(rig.written())
        with pytest.raises(DeviceFault, match="slip or stall"):
            await rig.driver.move(position_mm=0.0)
        assert len(rig.written()) == n_written

    using(use, obstacle_at_mm=30.0)


def test_a_lost_controller_leaves_the_move_unknown_and_later_ones_unsent():
    async def use(rig):
        with pytest.raises(Ambiguous, match="invalid"):
            await rig.driver.move(position_mm=70.0)
        with pytest.raises(Unreadable, match="invalid"):
            await rig.driver.move(position_mm=10.0)
        assert rig.written() == ["VAL 70.0"]

    using(use, controller_off_at_s=3.0)


def test_another_unit_is_never_a_position():
    async def use(rig):
        rig.device.change_unit()
        with pytest.raises(Unreadable, match="'um' and not 'mm'"):
            await rig.driver.locate()
        with pytest.raises(Unreadable, match="'um' and not 'mm'"):
            await rig.driver.move(position_mm=5.0)
        assert rig.written() == []

    using(use)


def test_a_unit_that_changes_on_the_way_calls_a_person():
    async def use(rig):
        move = asyncio.ensure_future(rig.driver.move(position_mm=40.0))
        await rig.clock.sleep(1.0)
        rig.device.change_unit()
        with pytest.raises(DeviceFault, match="changed the unit") as caught:
            await move
        assert caught.value.needs_operator

    using(use)


@pytest.mark.parametrize("value", [math.nan, math.inf, "12.5"], ids=str)
def test_no_number_is_no_position(value):
    async def use(rig):
        rig.device.read = lambda channel, read=rig.device.read: value if channel == "RBV" else read(channel)
        with pytest.raises(Unreadable, match="RBV = .* is no number"):
            await rig.driver.locate()

    using(use)


def test_half_a_flag_is_no_status():
    async def use(rig):
        half = ChannelValue(value=0.5)
        rig.device.value = lambda channel, value=rig.device.value: half if channel == "DMOV" else value(channel)
        with pytest.raises(Unreadable, match="no whole number"):
            await rig.driver.locate()

    using(use)


def test_a_restart_of_the_ioc_on_the_way_ends_well():
    async def use(rig):
        move = asyncio.ensure_future(rig.driver.move(position_mm=40.0))
        await rig.clock.sleep(1.0)
        rig.wire.arm([Strike(fault=Fault.RESTART)])
        with pytest.raises(Ambiguous):
            await move
        await rig.clock.sleep(5.0)
        assert await rig.driver.is_at(position_mm=40.0)

    using(use)


def test_a_device_that_is_gone_behind_its_ioc_is_never_a_success():
    async def use(rig):
        await rig.driver.locate()
        rig.wire.arm([None] * 13 + [Strike(fault=Fault.HANG)])
        with pytest.raises((Ambiguous, Unreadable)):
            await rig.driver.move(position_mm=40.0)
        assert not await rig.driver.is_at(position_mm=40.0)
        rig.wire.revive()

    using(use, cached=True)


def test_a_record_that_does_not_exist_is_not_connected():
    loop = VirtualLoop()
    clock = VirtualClock(loop)

    class Nothing:
        wire = "ca"

        def get(self, channel, answer):
            raise KeyError(channel)

    async def main():
        with pytest.raises(NotConnected, match="check the prefix"):
            await EpicsMotorDriver(memory_link(Nothing(), clock, name="nothing"), clock).connect()

    run_virtual(main(), loop=loop)

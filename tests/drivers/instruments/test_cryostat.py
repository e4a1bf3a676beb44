"""The driver of a Lake Shore 336 behind its IOC, in virtual time."""

import pytest

from drivers.capabilities import capabilities_of
from drivers.clock import VirtualClock, VirtualLoop, run_virtual
from drivers.errors import Ambiguous, DeviceFault, OutOfLimits, Unreadable
from drivers.instruments.cryostat import CryostatDriver
from drivers.links.opening import memory_link
from drivers.links.tap import Tap
from simulators.conformance import check_driver
from simulators.faults import Fault, Strike
from simulators.faulty_channels import FaultyChannels
from simulators.instruments.cryostat import Cryostat
from simulators.world import WorldFile

COLD = {"target_c": -250.0, "rate_k_per_min": 6.0}


class Rig:
    """A connected driver, the wire in between, and the device."""

    def __init__(self, clock, options, cached=False):
        self.clock = clock
        self.state = WorldFile(":memory:")
        self.world = Cryostat(state=self.state, clock=clock, seed=1, options=options)
        self.device = self.world.instruments["cryostat"]
        self.wire = FaultyChannels(self.device, cached=cached)
        self.link = memory_link(self.wire, clock, name="sim:cryostat/cryostat")
        self.link.tap = self.tap = Tap(clock, keep=10_000)
        self.driver = CryostatDriver(self.link, clock)

    def written(self):
        return [passed.data.decode() for passed in self.tap if passed.direction == ">"]


def using(use, *, cached=False, **options):
    loop = VirtualLoop()
    clock = VirtualClock(loop)

    async def main():
        rig = Rig(clock, options, cached)
        await rig.driver.connect()
        await use(rig)
        await rig.driver.close()

    run_virtual(main(), loop=loop)


def test_it_is_a_heater_that_can_be_stopped():
    assert {"Device", "Heater", "Stoppable"} <= set(capabilities_of(CryostatDriver))


def test_the_conformance_suite_finds_nothing():
    report = check_driver(CryostatDriver, world=Cryostat)
    assert [result for result in report.results if result.problems] == []
    assert len(report.results) > 250


def test_it_ramps_to_its_target_and_holds_it():
    async def use(rig):
        assert (await rig.driver.identify()).model == "MODEL336"
        await rig.driver.set_temperature(**COLD)
        assert rig.written() == ["RAMP_S1 6.0", "RAMPST_S1 1", "SETP_S1 23.15", "RANGE_S1 3"]
        assert await rig.driver.read_setpoint() == pytest.approx(-250.0)
        assert await rig.driver.is_set(**COLD)
        await rig.clock.sleep(600.0)
        assert await rig.driver.read_temperature() == pytest.approx(-250.0, abs=0.02)
        assert rig.device.true_temperature_k() == pytest.approx(23.15, abs=0.01)
        assert await rig.driver.read_power() == pytest.approx(100 * 13.15 * 0.15 / 50.0, abs=0.1)
        assert await rig.driver.is_set(**COLD)
        assert not await rig.driver.is_set(target_c=-251.0, rate_k_per_min=6.0)
        assert not await rig.driver.is_set(target_c=-250.0, rate_k_per_min=5.0)

    using(use)


def test_stop_switches_the_heater_off():
    async def use(rig):
        await rig.driver.set_temperature(**COLD)
        await rig.driver.stop()
        await rig.driver.stop()
        assert rig.device.read("RANGE1") == 0
        assert not await rig.driver.is_set(**COLD)

    using(use)


def test_the_limits_of_the_ioc_refuse_before_anything_is_written():
    async def use(rig):
        with pytest.raises(OutOfLimits, match=r"333.15 K is outside the IOC's limits \[4, 325\] K; nothing was sent"):
            await rig.driver.set_temperature(target_c=60.0, rate_k_per_min=5.0)
        with pytest.raises(OutOfLimits):
            await rig.driver.set_temperature(target_c=76.0, rate_k_per_min=5.0)
        assert rig.written() == []

    using(use)


def test_a_set_point_that_was_clamped_silently_is_noticed_before_the_heater_is_on():
    async def use(rig):
        with pytest.raises(DeviceFault, match="the IOC made 20 K of 23.15 K") as caught:
            await rig.driver.set_temperature(**COLD)
        assert caught.value.code == "clamped"
        assert "RANGE_S1 3" not in rig.written()
        assert not await rig.driver.is_set(**COLD)

    using(use, clamp_k=20.0)


def test_an_open_heater_calls_a_person():
    async def use(rig):
        await rig.clock.sleep(1.0)
        with pytest.raises(DeviceFault, match="open load") as caught:
            await rig.driver.set_temperature(**COLD)
        assert caught.value.needs_operator
        with pytest.raises(DeviceFault, match="open load"):
            await rig.driver.read_power()

    using(use, heater_burnt_out_at_s=0.5)


def test_a_heater_that_burns_out_during_the_ramp_shows():
    async def use(rig):
        await rig.driver.set_temperature(**COLD)
        await rig.clock.sleep(60.0)
        assert not await rig.driver.is_set(**COLD)
        with pytest.raises(DeviceFault, match="open load"):
            await rig.driver.read_power()

    using(use, heater_burnt_out_at_s=30.0)


def test_a_broken_sensor_calls_a_person():
    async def use(rig):
        await rig.clock.sleep(1.0)
        with pytest.raises(DeviceFault, match="sensor units over range"):
            await rig.driver.read_temperature()

    using(use, sensor_open_at_s=0.5)


def test_celsius_on_the_wire_is_no_temperature():
    async def use(rig):
        rig.device.change_unit()
        for reading in (rig.driver.read_temperature(), rig.driver.read_setpoint()):
            with pytest.raises(Unreadable, match="'C' and not 'K'"):
                await reading
        with pytest.raises(Unreadable, match="'C' and not 'K'"):
            await rig.driver.set_temperature(**COLD)
        assert rig.written() == []

    using(use)


def test_what_somebody_types_at_the_controller_shows_although_the_ioc_knows_nothing():
    async def use(rig):
        await rig.driver.set_temperature(**COLD)
        await rig.clock.sleep(600.0)
        assert await rig.driver.is_set(**COLD)
        rig.device.front_panel()
        assert not await rig.driver.is_set(**COLD)

    using(use)


def test_a_restart_of_the_ioc_in_a_ramp_shows_and_is_put_right():
    async def use(rig):
        await rig.driver.set_temperature(**COLD)
        rig.device.restart()
        assert not await rig.driver.is_set(**COLD)
        await rig.driver.set_temperature(**COLD)
        assert await rig.driver.is_set(**COLD)

    using(use)


@pytest.mark.parametrize("at", [8, 9, 10, 11])
def test_a_write_that_is_lost_and_one_that_lands_unseen_settle_by_reading_back(at):
    async def use(rig):
        for fault in (Fault.DROP_REQUEST, Fault.DROP_REPLY):
            rig.wire.arm([None] * at + [Strike(fault=fault)])
            with pytest.raises((Ambiguous, Unreadable)):
                await rig.driver.set_temperature(**COLD)
            if not await rig.driver.is_set(**COLD):
                await rig.driver.set_temperature(**COLD)
            assert await rig.driver.is_set(**COLD)
            await rig.driver.stop()

    using(use)


def test_a_temperature_that_the_ioc_no_longer_updates_is_none():
    async def use(rig):
        before = await rig.driver.read_temperature()
        await rig.driver.read_temperature()
        rig.wire.arm([Strike(fault=Fault.HANG)])
        await rig.clock.sleep(3.0)
        assert await rig.driver.read_temperature() == before
        await rig.clock.sleep(3.0)
        with pytest.raises(Unreadable, match="has not updated KRDG0 for 5 s"):
            await rig.driver.read_temperature()
        rig.wire.revive()
        assert await rig.driver.read_temperature() == pytest.approx(before, abs=0.1)

    using(use, cached=True)


def test_a_temperature_that_stood_still_before_it_was_first_read_is_none():
    async def use(rig):
        await rig.link.get("KRDG0")
        await rig.link.get("RDGST0")
        await rig.link.get("KRDG0.EGU")
        rig.wire.arm([Strike(fault=Fault.HANG)])
        with pytest.raises(Unreadable, match="has not updated"):
            await rig.driver.read_temperature()

    using(use, cached=True)


def test_clocks_that_disagree_by_hours_do_not_matter():
    async def use(rig):
        ahead = rig.device.stamp_s
        rig.device.stamp_s = lambda channel: ahead(channel) + 7200.0
        for _ in range(3):
            assert await rig.driver.read_temperature() == pytest.approx(-263.15, abs=0.1)
            await rig.clock.sleep(100.0)

    using(use)

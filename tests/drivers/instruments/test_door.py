import asyncio
import contextlib
import re
from dataclasses import dataclass, field
from typing import Any

import pytest

from drivers.capabilities import capabilities_of
from drivers.clock import VirtualClock, VirtualLoop, run_virtual
from drivers.errors import Ambiguous, DeviceFault, NotSent, Rejected, Unreadable
from drivers.instruments.door import DoorDriver
from drivers.links.opening import memory_link
from drivers.links.tap import Direction, Tap
from drivers.manifest import missing_facts
from simulators.faults import Fault, FaultyWire, Strike
from simulators.instruments.door import DoorStation
from simulators.world import WorldFile


@dataclass
class Bench:
    options: dict[str, Any] = field(default_factory=dict)
    state: WorldFile = field(default_factory=lambda: WorldFile(":memory:"))

    def __post_init__(self):
        self.loop = VirtualLoop()
        self.clock = VirtualClock(self.loop)
        self.world = DoorStation(state=self.state, clock=self.clock, seed=5, options=self.options)
        self.wire = FaultyWire(self.world.instruments["door"], seed=3)
        link = memory_link(self.wire, self.clock, name="sim:door/door")
        link.tap = Tap(self.clock, keep=4000)
        self.door = DoorDriver(link, self.clock, name="door")

    def run(self, main):
        async def whole():
            await self.door.connect()
            await main()

        run_virtual(whole(), loop=self.loop)

    def did(self):
        return [self.state.get(key)["facts"]["target"] for key in self.state.keys("act/")]


def test_it_has_its_capabilities():
    assert {"Door", "Homeable", "Stoppable"} <= set(capabilities_of(DoorDriver))
    assert missing_facts(DoorDriver.manifest) == []


def test_it_opens_and_closes():
    bench = Bench()

    async def main():
        assert (await bench.door.identify()).serial == "D0017"
        assert await bench.door.door_state() == "closed"
        opening = asyncio.ensure_future(bench.door.open_door())
        await bench.clock.sleep(2.0)
        assert await bench.door.door_state() == "moving"
        await opening
        assert bench.clock.now_s() == pytest.approx(4.0, abs=0.06)
        assert await bench.door.door_state() == "open"
        await bench.door.open_door()
        await bench.door.close_door()
        assert await bench.door.door_state() == "closed"

    bench.run(main)
    assert bench.did() == ["open", "closed"]


def test_exact_request():
    bench = Bench()

    async def main():
        await bench.door.stop()
        sent = [row.data for row in bench.door._link.tap if row.direction is Direction.SENT]
        # RFC 9112, 3 (request line) and RFC 9110, 9.3.4 (PUT), 8.6 (Content-Length)
        assert sent[-1] == (
            b"PUT /door HTTP/1.1\r\nHost: simulator\r\nAccept: application/json\r\nConnection: close\r\n"
            b'Content-Type: application/json\r\nContent-Length: 18\r\n\r\n{"target": "hold"}'
        )

    bench.run(main)


def test_a_way_that_is_under_way_is_joined():
    bench = Bench()

    async def main():
        first = asyncio.ensure_future(bench.door.open_door())
        await bench.clock.sleep(1.0)
        await bench.door.open_door()
        assert bench.clock.now_s() == pytest.approx(4.0, abs=0.06)
        await first

    bench.run(main)
    assert bench.did() == ["open"]


def test_a_hot_furnace_keeps_it_closed():
    bench = Bench({"furnace_hot_until_s": 100.0})

    async def main():
        (cold, free) = await bench.door.interlocks()
        assert (cold.name, cold.holds, cold.reason) == ("furnace_cold", False, "800 Cel is above 60 Cel")
        assert (free.name, free.holds) == ("nobody_in_the_way", True)
        with pytest.raises(Rejected, match="409: interlock furnace_cold: 800 Cel"):
            await bench.door.open_door()
        await bench.clock.sleep(100.0)
        await bench.door.open_door()

    bench.run(main)
    assert bench.did() == ["open"]


def test_a_person_in_the_way_keeps_it_open():
    bench = Bench({"person_comes_at_s": 5.0, "person_goes_at_s": 50.0})

    async def main():
        await bench.door.open_door()
        await bench.clock.sleep(2.0)
        with pytest.raises(Rejected, match="somebody stands in the door"):
            await bench.door.close_door()
        await bench.clock.sleep(50.0)
        await bench.door.close_door()

    bench.run(main)


def test_a_person_who_comes_stops_it():
    bench = Bench({"person_comes_at_s": 6.0, "person_goes_at_s": 50.0})

    async def main():
        await bench.door.open_door()
        with pytest.raises(DeviceFault, match="obstructed") as fault:
            await bench.door.close_door()
        assert fault.value.code == "obstructed"
        assert await bench.door.door_state() == "stopped"
        assert bench.world.door.position(bench.clock.now_s()) == pytest.approx(0.5, abs=0.02)

    bench.run(main)


def test_a_jam_needs_a_person():
    bench = Bench({"jam_probability": 1.0})

    async def main():
        for _ in range(2):
            with pytest.raises(DeviceFault, match="jammed") as fault:
                await bench.door.open_door()
            assert fault.value.needs_operator
        assert await bench.door.door_state() == "jammed"

    bench.run(main)
    assert bench.did() == ["open"]


def test_stop_holds_it_where_it_is():
    bench = Bench()

    async def main():
        opening = asyncio.ensure_future(bench.door.open_door())
        await bench.clock.sleep(1.0)
        await bench.door.stop()
        await bench.door.stop()
        with pytest.raises(DeviceFault, match="stopped on its way to open") as fault:
            await opening
        assert fault.value.code == "stopped"
        assert bench.world.door.position(99.0) == pytest.approx(0.25, abs=0.01)
        await bench.door.open_door()

    bench.run(main)


def test_a_stop_that_overtakes_a_start_still_stops_it():
    bench = Bench()

    async def main():
        bench.wire.arm([Strike(fault=Fault.LATE, late_s=0.3)] * 2)
        reading = asyncio.ensure_future(bench.door.interlocks())
        await bench.clock.sleep(0.01)
        opening = asyncio.ensure_future(bench.door.open_door())
        await bench.clock.sleep(0.35)
        other = asyncio.ensure_future(bench.door.interlocks())
        await bench.clock.sleep(0.01)
        await bench.door.stop()
        for task in (reading, other):
            await task
        with pytest.raises(DeviceFault, match="stopped"):
            await opening
        await bench.clock.sleep(10.0)
        assert bench.world.door.position(bench.clock.now_s()) < 0.2

    bench.run(main)


def test_after_a_loss_of_power_it_is_homed_first():
    bench = Bench()

    async def main():
        opening = asyncio.ensure_future(bench.door.open_door())
        await bench.clock.sleep(2.0)
        bench.world.door.restart()
        with pytest.raises(DeviceFault, match="unknown on its way"):
            await opening
        assert await bench.door.door_state() == "unknown"
        with pytest.raises(Rejected, match="home"):
            await bench.door.open_door()
        began_s = bench.clock.now_s()
        await bench.door.home()
        # half of the way, at half the speed
        assert bench.clock.now_s() - began_s == pytest.approx(4.0, abs=0.06)
        assert await bench.door.door_state() == "closed"
        await bench.door.open_door()

    bench.run(main)


def test_a_door_that_stands_at_its_end_is_homed_at_once():
    bench = Bench()

    async def main():
        bench.world.door.restart()
        assert await bench.door.door_state() == "unknown"
        await bench.door.home()
        assert await bench.door.door_state() == "closed"

    bench.run(main)


def test_a_dead_sensor_is_no_reading_and_its_interlocks_do_not_hold():
    bench = Bench({"sensor_dies_at_s": 1.0})

    async def main():
        await bench.clock.sleep(2.9)
        assert all(lock.holds for lock in await bench.door.interlocks())
        await bench.clock.sleep(1.0)
        with pytest.raises(Unreadable, match="the sensor is dead"):
            await bench.door.door_state()
        with pytest.raises(Unreadable, match="the sensor is dead"):
            await bench.door.open_door()
        locks = await bench.door.interlocks()
        assert not any(lock.holds for lock in locks)
        assert re.match(r"not looked at for 3.\d s; it was: 25 Cel is below 60 Cel", locks[0].reason)

    bench.run(main)
    assert bench.did() == []


def test_a_sensor_that_dies_on_the_way_leaves_the_outcome_open():
    bench = Bench({"sensor_dies_at_s": 0.5})

    async def main():
        await bench.clock.sleep(0.2)
        with pytest.raises(Ambiguous, match="the command had begun before"):
            await bench.door.open_door()

    bench.run(main)


@pytest.mark.parametrize("fault", list(Fault), ids=lambda fault: fault.value)
@pytest.mark.parametrize("at", [0, 1, 2])
def test_sent_again_it_ends_up_open(at, fault):
    bench = Bench()

    async def main():
        bench.wire.arm([None] * at + [Strike(fault=fault, late_s=2.3 if fault is Fault.TOO_LATE else 0.1)])
        for _ in range(6):
            try:
                await bench.door.open_door()
                break
            except DeviceFault:
                assert fault in (Fault.RESTART, Fault.FRONT_PANEL)
            except Rejected:
                assert fault in (Fault.BUSY, Fault.RESTART)
            except (NotSent, Unreadable, Ambiguous) as error:
                assert (error.device, error.command) == ("door", "open_door")
                assert at < 2 or not isinstance(error, Unreadable)
            bench.wire.revive()
            await bench.clock.sleep(1.0)
            await bench.door.close()
            await bench.door.connect()
            if await bench.door.door_state() == "unknown":
                await bench.door.home()
        else:
            pytest.fail("it did not settle")
        assert bench.world.door.position(bench.clock.now_s()) == 1.0

    bench.run(main)


@pytest.mark.parametrize("fault", [Fault.CUT, Fault.GARBLE, Fault.DROP_REPLY, Fault.SPLIT, Fault.SLOW], ids=str)
def test_a_reading_is_the_true_one_or_none(fault):
    bench = Bench()

    async def main():
        for _ in range(10):
            bench.wire.arm([Strike(fault=fault)])
            with contextlib.suppress(Unreadable):
                assert await bench.door.door_state() == "closed"

    bench.run(main)
    assert bench.wire.struck == 10

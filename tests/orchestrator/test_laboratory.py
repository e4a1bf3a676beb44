import asyncio

import pytest

from drivers.capabilities import Identity
from drivers.clock import VirtualClock, VirtualLoop, run_virtual
from drivers.errors import DeviceFault, NotConnected
from orchestrator.errors import LabRefused
from orchestrator.laboratory import CONNECT_S, STOP_S, Laboratory, station


class Device:
    name = "device"

    def __init__(self, connects=None, stops=None):
        self.connects, self.stops = connects, stops
        self.closed = 0
        self.serial = "S1"

    async def connect(self):
        await self._do(self.connects)
        return Identity(maker="m", model="o", serial=self.serial, firmware="1")

    async def stop(self):
        await self._do(self.stops)

    async def close(self):
        self.closed += 1
        await self._do(self.connects)

    async def _do(self, what):
        if isinstance(what, Exception):
            raise what
        if what == "hang":
            await asyncio.sleep(1e7)
        await asyncio.sleep(1.0)


def run(use, **devices):
    loop = VirtualLoop()

    async def main():
        stations = {name: station(name, device, url=f"sim:x/{name}", capacity=1) for name, device in devices.items()}
        await use(Laboratory(stations, VirtualClock(loop)))
        return loop.time()

    return run_virtual(main(), loop=loop)


def test_a_device_that_hangs_or_breaks_while_connecting_is_named_and_the_others_are_closed():
    good, hung, absent = Device(), Device("hang"), Device(NotConnected("no such port"))
    broken = Device(KeyError("a defect"))

    async def use(laboratory):
        with pytest.raises(LabRefused) as caught:
            await laboratory.connect()
        assert str(caught.value).splitlines() == [
            "these devices did not connect; nothing was started:",
            f"  hung (sim:x/hung): hung.connect: no outcome within {CONNECT_S:g} s",
            "  absent (sim:x/absent): no such port",
            "  broken (sim:x/broken): broken.connect: the driver failed with KeyError: 'a defect'",
        ]

    ended_s = run(use, good=good, hung=hung, absent=absent, broken=broken)
    assert [device.closed for device in (good, hung, absent, broken)] == [1, 1, 1, 1]
    assert ended_s < CONNECT_S + 60.0


def test_all_are_stopped_side_by_side_and_what_could_not_be_is_said():
    devices = {"good": Device(), "hung": Device(stops="hang"), "broken": Device(stops=ValueError("a defect"))}

    async def use(laboratory):
        assert await laboratory.stop_all() == {
            "hung": f"hung.stop: no outcome within {STOP_S:g} s",
            "broken": "broken.stop: the driver failed with ValueError: a defect",
        }
        assert laboratory.stoppable == ["good", "hung", "broken"]

    assert run(use, **devices) == STOP_S


def test_another_device_at_the_same_port_is_a_fault():
    device = Device()

    async def use(laboratory):
        await laboratory.connect()
        await laboratory.reconnect("one")
        device.serial = "S2"
        with pytest.raises(DeviceFault, match="serial number S2 answers where S1 was"):
            await laboratory.reconnect("one")

    run(use, one=device)


def test_another_device_than_the_lab_file_names_is_refused():
    device = Device()
    loop = VirtualLoop()

    async def main():
        one = station("oven", device, url="sim:x/oven", capacity=1, serial="another")
        with pytest.raises(LabRefused, match="answers where another was; plug that in"):
            await Laboratory({"oven": one}, VirtualClock(loop)).connect()

    run_virtual(main(), loop=loop)
    assert device.closed == 1

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymodbus.client import AsyncModbusSerialClient
from pymodbus.framer import FramerRTU

from drivers.capabilities import capabilities_of
from drivers.clock import RealClock, VirtualClock, VirtualLoop, run_virtual
from drivers.command import command_specs
from drivers.errors import Ambiguous, DeviceFault, NotSent, OutOfLimits, Rejected, Unreadable
from drivers.instruments.gripper import GripperDriver
from drivers.links.opening import memory_link, open_link
from drivers.links.tap import Direction, Tap
from simulators.faults import Fault, FaultyWire, Strike
from simulators.instruments.gripper import Gripper
from simulators.ports import opened
from simulators.world import WorldFile


@dataclass
class Rig:
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        self.loop = VirtualLoop()
        self.clock = VirtualClock(self.loop)
        self.state = WorldFile(":memory:")
        self.world = Gripper(state=self.state, clock=self.clock, seed=5, options=self.options)
        self.wire = FaultyWire(self.world.instruments["rtu"])
        self.gripper = GripperDriver(memory_link(self.wire, self.clock, name="sim:gripper/rtu"), self.clock)

    def run(self, main):
        async def whole():
            await self.gripper.connect()
            await main()

        run_virtual(whole(), loop=self.loop)

    def acts(self):
        return [self.state.get(key)["what"] for key in self.state.keys("act/")]


@pytest.fixture
def rig():
    return Rig()


def test_what_it_can_do():
    assert {"Device", "Gripper", "Homeable", "Stoppable"} <= set(capabilities_of(GripperDriver))


class Scripted:
    """A gripper that answers with frames of the manual."""

    wire, unit = "modbus+rtu", 1

    def __init__(self, replies):
        self.send = self.hang_up = None
        self.replies, self.heard = replies, []

    def receive(self, data):
        self.heard.append(data)
        reply = self.replies.get(data)
        if reply is not None:
            self.send(reply)


# PGE-2 Gripper User Manual V1.0, sections 3.3.4.1, 3.3.4.3, 3.3.4.5 and 3.3.4.6
INITIALISE = bytes.fromhex("01 06 01 00 00 01 49 F6")
HALF_WAY = bytes.fromhex("01 06 01 03 01 F4 78 21")
CAUGHT = bytes.fromhex("01 03 02 00 02 39 85")


def test_the_frames_of_the_manual_reach_the_simulator_and_come_back(rig):
    sent = []

    async def main():
        await rig.gripper.home()
        rig.world.place_object(0.0)
        port = rig.world.instruments["rtu"]
        port.send = sent.append
        for request in (INITIALISE, bytes.fromhex("01 03 02 00 00 01 85 B2")):
            port.receive(request)
        await rig.clock.sleep(2.0)
        port.receive(HALF_WAY)
        port.receive(bytes.fromhex("01 03 01 03 00 01 75 F6"))
        port.receive(bytes.fromhex("01 06 01 01 00 1E 59 FE"))
        rig.world.place_object(5.0)
        await rig.clock.sleep(1.0)
        port.receive(bytes.fromhex("01 06 01 03 00 00 78 36"))
        await rig.clock.sleep(1.0)
        port.receive(bytes.fromhex("01 03 02 01 00 01 D4 72"))

    rig.run(main)
    assert sent[0] == INITIALISE and sent[1] == bytes.fromhex("01 03 02 00 02 39 85")
    assert sent[2] == HALF_WAY and sent[3] == bytes.fromhex("01 03 02 01 F4 B8 53")
    assert sent[4] == bytes.fromhex("01 06 01 01 00 1E 59 FE")
    assert sent[-1] == CAUGHT


def test_the_driver_sends_the_frames_of_the_manual(rig):
    async def main():
        await rig.gripper.home()
        await rig.gripper.open_to(width_mm=13.0)

    rig.gripper._link.tap = Tap(rig.clock)
    rig.run(main)
    sent = [entry.data for entry in rig.gripper._link.tap if entry.direction is Direction.SENT]
    assert INITIALISE in sent and HALF_WAY in sent


def test_it_says_who_it_is(rig):
    async def main():
        identity = await rig.gripper.identify()
        assert (identity.maker, identity.model, identity.serial) == ("DH-Robotics", "PGE-15", "none (address 1)")

    rig.run(main)


def test_it_grips_holds_and_lets_go(rig):
    async def main():
        gripper = rig.gripper
        assert (await gripper.grip_state()).state == "unknown"
        await gripper.home()
        assert (await gripper.grip_state()).state == "open"
        began_s = rig.clock.now_s()
        await gripper.grip(force_n=10.5)
        assert 0.25 < rig.clock.now_s() - began_s < 0.45  # 14 of 26 mm at 0.5 s for the whole way, and a poll
        state = await gripper.grip_state()
        assert state.state == "holding" and state.width_mm == pytest.approx(12.0, abs=0.02)
        assert rig.state.get("gripper")["memory"]["257"] == 60  # half-way from 6 to 15 N is half-way from 20 to 100 %
        assert rig.world.device.is_holding and await gripper.has_closed(force_n=10.5)
        assert not await gripper.has_closed(force_n=8.0) and not await gripper.is_open()
        await gripper.release()
        assert (await gripper.grip_state()).state == "open" and await gripper.is_open()
        assert rig.world.device.object_mm == 12.0

    rig.run(main)


@pytest.mark.parametrize("options", [{"object_mm": 0.0}, {"misses": 1.0}], ids=["nothing there", "missed"])
def test_closing_on_nothing_is_seen(options):
    rig = Rig(options)

    async def main():
        await rig.gripper.home()
        await rig.gripper.grip(force_n=8.0)
        state = await rig.gripper.grip_state()
        assert (state.state, state.width_mm) == ("closed_empty", 0.0)
        assert not await rig.gripper.has_dropped()

    rig.run(main)


def test_a_sample_that_falls_is_seen():
    rig = Rig({"slips": 1.0, "slips_after_s": 5.0})

    async def main():
        await rig.gripper.home()
        await rig.gripper.grip(force_n=8.0)
        assert (await rig.gripper.grip_state()).state == "holding"
        await rig.clock.sleep(4.0)
        assert rig.world.device.is_holding
        await rig.clock.sleep(1.1)
        assert (await rig.gripper.grip_state()).state == "moving"
        await rig.clock.sleep(1.0)
        assert (await rig.gripper.grip_state()).state == "closed_empty"
        assert await rig.gripper.has_dropped() and rig.world.device.object_mm == 0.0
        await rig.gripper.release()
        assert not await rig.gripper.has_dropped() and rig.world.device.object_mm == 0.0

    rig.run(main)


def test_what_it_refuses(rig):
    async def main():
        gripper = rig.gripper
        for work in (gripper.grip(force_n=8.0), gripper.release(), gripper.open_to(width_mm=5.0)):
            with pytest.raises(Rejected, match="not initialised; home it first"):
                await work
        await gripper.home()
        exchanges = rig.wire.exchanges
        for work in (gripper.grip(force_n=5.9), gripper.grip(force_n=15.1), gripper.open_to(width_mm=26.1)):
            with pytest.raises(OutOfLimits):
                await work
        assert rig.wire.exchanges == exchanges
        grip = asyncio.ensure_future(gripper.grip(force_n=8.0))
        await rig.clock.sleep(0.05)
        with pytest.raises(Rejected, match="are moving"):
            await gripper.release()
        await grip
        for work in (gripper.open_to(width_mm=20.0), gripper.home()):
            with pytest.raises(Rejected, match="holds something"):
                await work
        assert rig.world.device.is_holding

    rig.run(main)


def test_something_in_the_way_of_a_width(rig):
    async def main():
        await rig.gripper.home()
        with pytest.raises(DeviceFault, match=r"stand at 12\.0 mm, not at 5\.0 mm") as caught:
            await rig.gripper.open_to(width_mm=5.0)
        assert caught.value.code == "blocked" and caught.value.needs_operator

    rig.run(main)


def test_a_stop_stops_the_fingers_and_the_command_says_so(rig):
    async def main():
        rig.world.place_object(0.0)
        await rig.gripper.home()
        grip = asyncio.ensure_future(rig.gripper.grip(force_n=8.0))
        await rig.clock.sleep(0.2)
        await rig.gripper.stop()
        with pytest.raises(DeviceFault, match="was stopped on its way") as caught:
            await grip
        assert caught.value.code == "stopped"
        state = await rig.gripper.grip_state()
        assert state.state == "open" and 14.0 < state.width_mm < 17.0
        assert not await rig.gripper.has_closed(force_n=8.0)

    rig.run(main)


def test_a_stop_never_drops_what_is_held(rig):
    async def main():
        await rig.gripper.home()
        await rig.gripper.grip(force_n=8.0)
        acts = rig.acts()
        await rig.gripper.stop()
        assert rig.acts() == acts and rig.world.device.is_holding

    rig.run(main)


def test_after_a_restart_it_must_be_initialised_again_and_the_fingers_stay(rig):
    async def main():
        await rig.gripper.home()
        await rig.gripper.grip(force_n=8.0)
        rig.world.instruments["rtu"].restart()
        assert (await rig.gripper.grip_state()).state == "unknown"
        assert not await rig.gripper.has_closed(force_n=8.0)
        with pytest.raises(Rejected, match="home it first"):
            await rig.gripper.release()
        assert rig.world.device.object_mm == 12.0

    rig.run(main)


@pytest.mark.parametrize(
    ("words", "match"),
    [([3, 1, 500], "no state"), ([1, 4, 500], "no state"), ([1, 1, 1021], "no state"), ([1, 1], "2 registers came")],
    ids=["readiness", "state", "position", "two of three"],
)
def test_replies_that_are_none(words, match):
    clock_loop = VirtualLoop()
    clock = VirtualClock(clock_loop)
    body = bytes([1, 3, 2 * len(words)]) + b"".join(word.to_bytes(2, "big") for word in words)
    reply = body + FramerRTU.compute_CRC(body).to_bytes(2, "big")
    peer = Scripted({bytes.fromhex("01 03 02 00 00 03 04 73"): reply})
    gripper = GripperDriver(memory_link(peer, clock, name="scripted"), clock)

    async def main():
        await gripper._link.open()
        with pytest.raises(Unreadable, match=match):
            await gripper.grip_state()

    run_virtual(main(), loop=clock_loop)
    assert peer.heard == [bytes.fromhex("01 03 02 00 00 03 04 73")]


@pytest.mark.parametrize("end", range(1, 7))
def test_a_reply_that_breaks_off_is_no_position(end):
    loop = VirtualLoop()
    clock = VirtualClock(loop)
    peer = Scripted({bytes.fromhex("01 03 03 02 00 01 24 4E"): bytes.fromhex("01 03 02 00 01 79 84")[:end]})
    gripper = GripperDriver(memory_link(peer, clock, name="scripted"), clock)

    async def main():
        await gripper._link.open()
        with pytest.raises(Unreadable):
            await gripper.identify()

    run_virtual(main(), loop=loop)
    assert len(peer.heard) == 1


LOSSES = [
    Fault.DROP_REQUEST, Fault.DROP_REPLY, Fault.CUT, Fault.GARBLE, Fault.TOO_LATE, Fault.DUPLICATE, Fault.UNSOLICITED,
    Fault.BUSY,
]  # fmt: skip


async def settled(rig, name, **arguments):
    """Carry a command out as recovery would: by its effect, until it has landed."""
    spec = command_specs(GripperDriver)[name]
    for _ in range(40):
        try:
            return await getattr(rig.gripper, name)(**arguments)
        except (NotSent, Unreadable, Rejected):
            await rig.clock.sleep(1.0)
        except Ambiguous:
            await rig.clock.sleep(spec.late_max_s)
            if spec.verify and await settled(rig, spec.verify, **arguments):
                return None
    pytest.fail(f"{name} did not settle")


@given(plan=st.lists(st.sampled_from([None, None, *LOSSES]), max_size=20))
@settings(max_examples=60, deadline=None)
def test_it_ends_up_holding_whatever_the_wire_does(plan):
    rig = Rig()

    async def main():
        await rig.gripper.home()
        rig.wire.arm([None if fault is None else Strike(fault=fault, late_s=1.2) for fault in plan])
        await settled(rig, "grip", force_n=8.0)
        assert rig.world.device.is_holding
        await settled(rig, "release")
        assert not rig.world.device.is_holding and rig.world.device.read_register(0x0202) == 1000

    rig.run(main)


def test_a_client_that_is_not_ours_on_a_real_port(tmp_path):
    async def main():
        state = WorldFile(tmp_path / "world.sqlite")
        clock = RealClock()
        world = Gripper(state=state, clock=clock, seed=5, options={})
        world.device._initialise(1)
        world.device._change(ready_s=clock.now_s())
        async with opened(world.instruments) as urls:
            path = urls["rtu"].removeprefix("modbus+rtu://").partition("?")[0]
            client = AsyncModbusSerialClient(path, baudrate=115200, timeout=2, retries=0)
            assert await client.connect()
            assert (await client.read_holding_registers(0x0200, count=1, device_id=1)).registers == [1]
            assert not (await client.write_register(0x0101, 40, device_id=1)).isError()
            assert (await client.read_holding_registers(0x0101, count=1, device_id=1)).registers == [40]
            assert (await client.write_register(0x0101, 19, device_id=1)).exception_code == 3
            assert (await client.read_holding_registers(0x0999, count=1, device_id=1)).exception_code == 2
            client.close()
            gripper = GripperDriver(open_link(urls["rtu"], clock), clock)
            assert (await gripper.connect()).serial == "none (address 1)"
            assert (await gripper.grip_state()).state in ("open", "moving")
            await gripper.close()
        world.close()

    asyncio.run(main())

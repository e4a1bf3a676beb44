import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from drivers.capabilities import capabilities_of
from drivers.clock import VirtualClock, VirtualLoop, run_virtual
from drivers.command import command_specs
from drivers.errors import Ambiguous, DeviceFault, DriverError, NotSent, OutOfLimits, Rejected, Unreadable
from drivers.instruments.liquid_dispenser import LiquidDispenserDriver
from drivers.instruments.oem_block import Answer, Command, OemBlock
from drivers.links.framing import BadFrame
from drivers.links.opening import memory_link
from drivers.links.tap import Direction, Tap
from drivers.manifest import missing_facts
from simulators.faults import Fault, FaultyWire, Strike
from simulators.instruments.liquid_dispenser import LiquidDispenserWorld
from simulators.world import WorldFile

ORDER = {"material": "ethanol", "volume_ml": 2.0, "tag": "t-1"}


@dataclass
class Bench:
    options: dict[str, Any] = field(default_factory=dict)
    state: WorldFile = field(default_factory=lambda: WorldFile(":memory:"))

    def __post_init__(self):
        self.loop = VirtualLoop()
        self.clock = VirtualClock(self.loop)
        self.world = LiquidDispenserWorld(state=self.state, clock=self.clock, seed=5, options=self.options)
        self.wire = FaultyWire(self.world.instruments["pump"], seed=3)
        link = memory_link(self.wire, self.clock, name="sim:liquid-dispenser/pump")
        link.tap = Tap(self.clock, keep=4000)
        self.pump = LiquidDispenserDriver(link, self.clock, name="pump")

    def run(self, main):
        async def whole():
            await self.pump.connect()
            await main()

        run_virtual(whole(), loop=self.loop)

    def did(self, what):
        self.world.dispenser.settle()
        rows = [self.state.get(key) for key in self.state.keys("act/")]
        return [row["facts"] for row in rows if row["what"] == what]

    def mark(self):
        return self.world.dispenser._all["mark"]

    def sent(self):
        return [row.data for row in self.pump._link.tap if row.direction is Direction.SENT]


async def settled(driver, name, **arguments):
    spec = command_specs(type(driver))[name]
    for _ in range(20):
        try:
            return await getattr(driver, name)(**arguments)
        except (NotSent, Unreadable):
            continue
        except Ambiguous:
            await driver._clock.sleep(spec.late_max_s)
            if spec.verify is not None and await settled(driver, spec.verify, **arguments):
                return None
    pytest.fail(f"{name} did not settle")


def test_it_has_its_capabilities():
    assert {"Dispenser", "Homeable", "Stoppable"} <= set(capabilities_of(LiquidDispenserDriver))
    assert missing_facts(LiquidDispenserDriver.manifest) == []


def test_blocks_are_as_the_manual_builds_them():
    # XLP 6000 manual 734237-C, 3.2.1: STX, address 31h, 0011 REP SQ2..SQ0, data, ETX, exclusive or of all
    command = Command(address=b"1", number=1, is_repeated=False, data=b"ZR")
    assert OemBlock().wrap(command.message()) == b"\x02\x31\x31ZR\x03\x09"
    again = Command(address=b"1", number=1, is_repeated=True, data=b"ZR")
    assert OemBlock().wrap(again.message()) == b"\x02\x31\x39ZR\x03\x01"
    # 3.6: bit 5 of the status byte is 1 when ready; table 3-9: 40h busy, 60h ready, 69h plunger overload
    assert OemBlock().wrap(Answer(is_ready=False, error=0).message()) == b"\x02\x30\x40\x03\x71"
    assert Answer.read(b"0\x60") == Answer(is_ready=True, error=0)
    assert Answer.read(b"0\x49") == Answer(is_ready=False, error=9)
    assert Answer.read(b"0\x69") == Answer(is_ready=True, error=9)


@pytest.mark.parametrize(
    "damaged", [b"\x02\x30\x40\x03\x70", b"\x30\x40\x03\x71", b"\x02" + b"1" * 301], ids=["sum", "no STX", "endless"]
)
def test_a_damaged_block_is_none(damaged):
    with pytest.raises(BadFrame):
        OemBlock().take(damaged)


def test_half_a_block_is_waited_for_and_line_sync_is_skipped():
    whole = b"\xff\xff\x02\x30\x60123\x03\x61"
    assert all(OemBlock().take(whole[:cut]) is None for cut in range(len(whole)))
    assert OemBlock().take(whole) == (b"0\x60123", len(whole))


@pytest.mark.parametrize("message", [b"", b"0", b"1\x60", b"0\xe0", b"0\x20"], ids=repr)
def test_what_is_no_answer(message):
    with pytest.raises(ValueError, match="no answer"):
        Answer.read(message)


def test_it_identifies_itself():
    bench = Bench()

    async def main():
        identity = await bench.pump.identify()
        assert (identity.maker, identity.model, identity.serial) == ("labpilot", "LD-9", "D0031")
        assert identity.firmware == "1.2; pump XLP 6000 SIM 1.0"
        assert await bench.pump.reagents() == {"water": 1, "ethanol": 2, "acid": 3, "base": 4}
        assert await bench.pump.remaining_ml(material="water") == pytest.approx(250.0, abs=1.0)

    bench.run(main)


def test_an_order_is_drawn_and_given():
    bench = Bench()

    async def main():
        await bench.pump.home()
        given = await bench.pump.dispense(**ORDER)
        assert (given.material, given.amount, given.requested, given.tag) == ("ethanol", 2.0, 2.0, "t-1")
        assert await bench.pump.is_dispensed(**ORDER)
        assert not await bench.pump.is_dispensed(**ORDER | {"tag": "t-2"})
        assert await bench.pump.remaining_ml(material="ethanol") == pytest.approx(248.0, abs=1.0)

    bench.run(main)
    (row,) = bench.did("dispense")
    assert row["reagent"] == "ethanol"
    assert row["ml"] == pytest.approx(2.0, rel=0.012)
    assert bench.did("aspirate") == [{"reagent": "ethanol", "ml": 2.0, "air_ml": 0.0}]
    programs = [data[3:-2] for data in bench.sent() if data[3:-2].endswith(b"R")]
    assert programs == [b"ZR", b"V1400I2A2400R", b"V1400O8A0R"]


def test_an_order_of_the_same_tag_is_not_given_again():
    bench = Bench()

    async def main():
        await bench.pump.home()
        assert await bench.pump.dispense(**ORDER) == await bench.pump.dispense(**ORDER)
        with pytest.raises(Rejected, match="tag of its own"):
            await bench.pump.dispense(**ORDER | {"volume_ml": 1.0})
        await bench.pump.dispense(**ORDER | {"tag": "t-2"})

    bench.run(main)
    assert len(bench.did("dispense")) == 2


@pytest.mark.parametrize(
    ("options", "change", "why"),
    [
        ({}, {"material": "mercury"}, "no reagent 'mercury'; the station has water, ethanol"),
        ({"filled_ml": 3.0}, {}, "of ethanol are left"),
        ({}, {"tag": "a b"}, "no tag"),
        ({"syringe_ml": 1.0}, {}, "no stroke of a syringe of 1 mL"),
    ],
    ids=["unknown", "too little", "tag", "too much"],
)
def test_an_order_that_is_refused_moves_nothing(options, change, why):
    bench = Bench(options)

    async def main():
        await bench.pump.home()
        with pytest.raises(Rejected, match=why):
            await bench.pump.dispense(**ORDER | change)

    bench.run(main)
    assert bench.did("aspirate") == []
    assert bench.mark() == "0,0,0,-"


def test_a_volume_beyond_the_syringe_is_refused_before_the_wire():
    bench = Bench()

    async def main():
        sent = len(bench.sent())
        with pytest.raises(OutOfLimits):
            await bench.pump.dispense(**ORDER | {"volume_ml": 5.5})
        assert len(bench.sent()) == sent

    bench.run(main)


def test_a_pump_that_was_not_initialised_refuses():
    bench = Bench()

    async def main():
        assert not await bench.pump.is_ready()
        with pytest.raises(Rejected, match="not initialised; home"):
            await bench.pump.dispense(**ORDER)
        await bench.pump.home()
        assert await bench.pump.is_ready()

    bench.run(main)


def test_a_busy_pump_refuses_another_order():
    bench = Bench()

    async def main():
        await bench.pump.home()
        first = asyncio.ensure_future(bench.pump.dispense(**ORDER))
        await bench.clock.sleep(1.0)
        with pytest.raises(Rejected, match="busy with order 't-1'"):
            await bench.pump.dispense(**ORDER | {"tag": "t-2"})
        await first

    bench.run(main)
    assert len(bench.did("dispense")) == 1


@pytest.mark.parametrize("after_s", [1.0, 2.9], ids=["drawing", "giving"])
def test_a_stop_breaks_an_order_off_and_the_same_order_completes_it(after_s):
    bench = Bench()

    async def main():
        await bench.pump.home()
        order = asyncio.ensure_future(bench.pump.dispense(**ORDER))
        await bench.clock.sleep(after_s)
        began_s = bench.clock.now_s()
        await bench.pump.stop()
        assert bench.clock.now_s() - began_s < 0.5
        with pytest.raises(DeviceFault, match="stopped") as fault:
            await order
        assert fault.value.code == "stopped"
        assert not await bench.pump.is_dispensed(**ORDER)
        with pytest.raises(Rejected, match="still in the syringe"):
            await bench.pump.dispense(**ORDER | {"tag": "t-2"})
        await bench.pump.dispense(**ORDER)
        assert await bench.pump.is_dispensed(**ORDER)

    bench.run(main)
    assert sum(row["ml"] for row in bench.did("dispense")) == pytest.approx(2.0, rel=0.012)


def test_a_stop_between_two_moves_lets_no_further_one_begin():
    bench = Bench()

    async def main():
        await bench.pump.home()
        order = asyncio.ensure_future(bench.pump.dispense(**ORDER))
        while bench.mark()[0] != "2":
            await bench.clock.sleep(0.01)
        bench.pump._stops += 1
        with pytest.raises(DeviceFault, match="stopped"):
            await order

    # the mark is written and read within one instant, so the stop is counted by hand, in its middle
    bench.wire.arm([])
    original = bench.pump._set_mark

    async def slow(mark, phase, *rest):
        await original(mark, phase, *rest)
        await bench.clock.sleep(0.05)

    bench.pump._set_mark = slow
    bench.run(main)
    assert bench.did("dispense") == []


def test_home_sends_a_broken_off_order_to_waste_and_says_so():
    bench = Bench()

    async def main():
        await bench.pump.home()
        order = asyncio.ensure_future(bench.pump.dispense(**ORDER))
        await bench.clock.sleep(2.9)
        await bench.pump.stop()
        with pytest.raises(DeviceFault):
            await order
        await bench.pump.home()
        for again in (bench.pump.dispense, bench.pump.is_dispensed):
            with pytest.raises(DeviceFault, match="went to waste") as fault:
                await again(**ORDER)
            assert fault.value.needs_operator
        await bench.pump.dispense(**ORDER | {"tag": "t-2"})

    bench.run(main)
    assert bench.did("empty")[0]["port"] == 9


def test_a_loss_of_power_while_giving_needs_a_person():
    bench = Bench()

    async def main():
        await bench.pump.home()
        order = asyncio.ensure_future(bench.pump.dispense(**ORDER))
        await bench.clock.sleep(2.9)
        bench.world.dispenser.restart()
        with pytest.raises(DeviceFault, match="lost power") as fault:
            await order
        assert fault.value.needs_operator
        with pytest.raises(DeviceFault, match="lost power"):
            await bench.pump.is_dispensed(**ORDER)
        await bench.pump.home()
        with pytest.raises(DeviceFault, match="went to waste"):
            await bench.pump.dispense(**ORDER)

    bench.run(main)


def test_another_process_takes_an_order_over():
    bench = Bench()

    async def main():
        await bench.pump.home()
        order = asyncio.ensure_future(bench.pump.dispense(**ORDER))
        await bench.clock.sleep(1.0)
        order.cancel()
        heir = LiquidDispenserDriver(bench.pump._link, bench.clock, name="pump")
        assert not await heir.is_dispensed(**ORDER)
        await heir.dispense(**ORDER)

    bench.run(main)
    assert len(bench.did("dispense")) == 1


def test_a_clogged_tip_is_a_fault_until_a_person_came():
    bench = Bench({"clogs_after_ml": 1.0})

    async def main():
        await bench.pump.home()
        with pytest.raises(DeviceFault, match="plunger overload") as fault:
            await bench.pump.dispense(**ORDER)
        assert (fault.value.code, fault.value.needs_operator) == ("9", True)
        for again in (bench.pump.dispense, bench.pump.is_dispensed):
            with pytest.raises(DeviceFault, match="initialisation failed"):
                await again(**ORDER)
        await bench.pump.home()
        assert await bench.pump.is_ready()

    bench.run(main)
    assert sum(row["ml"] for row in bench.did("dispense")) == pytest.approx(1.0, rel=0.02)


def test_a_station_that_shows_microlitres_is_not_believed():
    bench = Bench()

    async def main():
        await bench.pump.home()
        bench.world.dispenser.change_unit()
        with pytest.raises(Unreadable, match="'uL' and not mL"):
            await bench.pump.remaining_ml(material="water")
        with pytest.raises(Unreadable, match="'uL' and not mL"):
            await bench.pump.dispense(**ORDER)

    bench.run(main)
    assert bench.did("aspirate") == []


def test_a_lost_answer_is_asked_for_under_the_same_number():
    bench = Bench()

    async def main():
        bench.wire.arm([None, None, Strike(fault=Fault.DROP_REPLY)])
        await bench.pump.home()

    bench.run(main)
    assert len(bench.did("initialise")) == 1
    blocks = [data for data in bench.sent() if data[3:-2] == b"ZR"]
    assert [block[2] & 0x0F for block in blocks] == [blocks[0][2] & 7, blocks[0][2] & 7 | 8]


LOSSES = [
    Fault.DROP_REQUEST,
    Fault.DROP_REPLY,
    Fault.CUT,
    Fault.BAD_CHECKSUM,
    Fault.SPLIT,
    Fault.DUPLICATE,
    Fault.UNSOLICITED,
    Fault.LATE,
    Fault.BUSY,
    Fault.SLOW,
    Fault.ECHO,
]


@pytest.mark.parametrize("fault", LOSSES, ids=lambda fault: fault.value)
def test_an_order_is_given_exactly_once_whatever_is_lost(fault):
    for at in range(0, 36, 2):
        bench = Bench()

        async def main(bench=bench, at=at):
            await bench.pump.home()
            bench.wire.arm([None] * at + [Strike(fault=fault)] * 3)
            for _ in range(5):
                try:
                    await settled(bench.pump, "dispense", **ORDER)
                    break
                except Rejected:
                    assert fault is Fault.BUSY
            assert await settled(bench.pump, "is_dispensed", **ORDER)

        bench.run(main)
        assert len(bench.did("dispense")) == 1, at


def test_a_stop_that_overtakes_an_order_still_stops_it():
    bench = Bench()

    async def main():
        await bench.pump.home()
        bench.wire.arm([None] * 12 + [Strike(fault=Fault.LATE, late_s=0.1)] * 4)
        order = asyncio.ensure_future(bench.pump.dispense(**ORDER))
        await bench.clock.sleep(0.15)
        reading = asyncio.ensure_future(bench.pump.remaining_ml(material="acid"))
        await bench.clock.sleep(0.02)
        await bench.pump.stop()
        with pytest.raises(DeviceFault, match="stopped"):
            await order
        await reading
        stopped_s = bench.clock.now_s()
        await bench.clock.sleep(10.0)
        assert not [row for row in bench.pump._link.tap if row.time_s > stopped_s]

    bench.run(main)
    assert bench.did("dispense") == []


@pytest.mark.parametrize("fault", list(Fault), ids=lambda fault: fault.value)
@pytest.mark.parametrize("name", ["identify", "reagents", "remaining_ml", "is_ready", "home", "stop", "is_dispensed"])
def test_only_declared_errors_leave_it(name, fault):
    bench = Bench()
    needs = {"remaining_ml": {"material": "water"}, "is_dispensed": ORDER}

    async def main():
        if fault in (Fault.FRONT_PANEL,):
            return
        bench.wire.arm([Strike(fault=fault, late_s=0.4 if fault is Fault.TOO_LATE else 0.1)] * 2)
        try:
            await getattr(bench.pump, name)(**needs.get(name, {}))
        except DriverError as error:
            assert (error.device, error.command) == ("pump", name)
        bench.wire.revive()
        bench.wire.arm([])
        await bench.clock.sleep(5.0)
        await bench.pump.close()
        assert (await bench.pump.connect()).serial == "D0031"

    bench.run(main)

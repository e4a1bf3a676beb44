import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.capabilities import Dispensed, capabilities_of
from drivers.clock import RealClock, VirtualClock, VirtualLoop, run_virtual
from drivers.command import command_specs
from drivers.errors import Ambiguous, DeviceFault, NotSent, OutOfLimits, Rejected, Unreadable
from drivers.instruments.powder_dispenser import PowderDispenserDriver
from drivers.instruments.reprap import sealed
from drivers.links.opening import memory_link, open_link
from drivers.links.tap import Direction, Tap
from drivers.manifest import missing_facts
from simulators.faults import Fault, FaultyWire, Strike
from simulators.instruments.powder_dispenser import PowderDispenser
from simulators.ports import opened
from simulators.world import WorldFile

ORDER = {"material": "silica", "amount_mg": 250.0, "tolerance_mg": 1.0}


@dataclass
class Bench:
    options: dict[str, Any] = field(default_factory=dict)
    state: WorldFile = field(default_factory=lambda: WorldFile(":memory:"))

    def __post_init__(self):
        self.loop = VirtualLoop()
        self.clock = VirtualClock(self.loop)
        self.world = PowderDispenser(state=self.state, clock=self.clock, seed=5, options=self.options)
        self.wire = FaultyWire(self.world.instruments["doser"], seed=3)
        self.link = memory_link(self.wire, self.clock, name="sim:powder-dispenser/doser")
        self.link.tap = Tap(self.clock, keep=1000)
        self.doser = PowderDispenserDriver(self.link, self.clock)

    def run(self, main):
        async def whole():
            await self.doser.connect()
            await main(self.doser)

        run_virtual(whole(), loop=self.loop)

    def did(self, what="dispense"):
        rows = [self.state.get(key) for key in self.state.keys("act/")]
        return [row["facts"].get("tag") for row in rows if row["what"] == what]

    def said(self, direction):
        return [row.data for row in self.link.tap if row.direction is direction]


@pytest.fixture
def bench():
    return Bench()


async def settled(driver, name, **arguments):
    """Carry a command out as recovery would."""
    spec = command_specs(type(driver))[name]
    for _ in range(30):
        try:
            if not driver._link.is_open:
                await driver.connect()
            return await getattr(driver, name)(**arguments)
        except (NotSent, Unreadable):
            continue
        except Ambiguous:
            await driver._clock.sleep(spec.late_max_s)
            if spec.verify is not None and await settled(driver, spec.verify, **arguments):
                return None
    pytest.fail(f"{name} did not settle")


def test_it_is_a_dispenser():
    assert {"Dispenser", "Stoppable"} <= set(capabilities_of(PowderDispenserDriver))
    assert missing_facts(PowderDispenserDriver.manifest) == []


def test_it_says_who_it_is(bench):
    async def main(doser):
        identity = await doser.identify()
        assert (identity.maker, identity.model, identity.serial) == ("labpilot", "PD-10", "P0007")
        assert identity.firmware == "1.3"

    bench.run(main)


def test_the_bytes_of_a_dose(bench):
    async def main(doser):
        await doser.dispense(**ORDER, tag="trial-7")

    bench.run(main)
    sent, received = bench.said(Direction.SENT), bench.said(Direction.RECEIVED)
    assert sent[0] == b"N1 M115*39\n"
    assert sent[1] == b'N2 M751 T"trial-7"*46\n'
    assert received[1] == b'DOSE:absent T"trial-7"*36\nok N2 P15 B3\n'
    assert sent[2] == b'N3 M750 P"silica" S250.000 D1.000 T"trial-7"*82\n'
    assert received[2] == b"ok N3 P15 B3\n"
    assert received[3].startswith(b"DOSE:feeding ")  # and then it waits as long as the feeder says
    assert received[-1].startswith(b'DOSE:done T"trial-7" P"silica" S250.000 D1.000 A2')


def test_chatter_while_it_is_busy_is_taken(bench):
    async def main(doser):
        dose = asyncio.ensure_future(doser.dispense(**ORDER, tag="t1"))
        await bench.clock.sleep(5.0)
        assert await doser.read_material() == "silica"
        assert bench.said(Direction.RECEIVED)[-1].startswith(b"echo:busy: processing\nHOPPER:")
        await dose

    bench.run(main)


def test_a_dose_is_given_waited_for_and_told(bench):
    async def main(doser):
        assert await doser.dispensed(tag="t1") is None
        assert not await doser.has_dispensed(**ORDER, tag="t1")
        dispensed = await doser.dispense(**ORDER, tag="t1")
        assert dispensed == Dispensed(material="silica", amount=dispensed.amount, requested=250.0, tag="t1")
        assert dispensed.amount == pytest.approx(250.0, abs=1.0)
        assert dispensed.amount == pytest.approx(bench.world.doser.true_mg["t1"], abs=0.1)
        assert 20.0 < bench.clock.now_s() < 60.0
        assert await doser.has_dispensed(**ORDER, tag="t1")
        assert await doser.dispensed(tag="t1") == dispensed
        assert await doser.read_total() == pytest.approx(dispensed.amount, abs=0.1)
        assert await doser.read_left() == pytest.approx(20_000.0 - dispensed.amount, abs=0.1)
        assert await doser.read_material() == "silica"

    bench.run(main)
    assert bench.did() == ["t1"]


def test_a_tag_is_never_given_twice(bench):
    async def main(doser):
        first = await doser.dispense(**ORDER, tag="t1")
        ended_s = bench.clock.now_s()
        assert await doser.dispense(**ORDER, tag="t1") == first
        assert bench.clock.now_s() - ended_s <= 0.05
        with pytest.raises(Rejected, match="used for 250 mg of silica; nothing was dispensed"):
            await doser.dispense(**{**ORDER, "amount_mg": 100.0}, tag="t1")

    bench.run(main)
    assert bench.did() == ["t1"]


def test_a_dose_that_is_under_way_is_joined(bench):
    async def main(doser):
        first = asyncio.ensure_future(doser.dispense(**ORDER, tag="t1"))
        await bench.clock.sleep(5.0)
        with pytest.raises(Rejected, match="busy, dose t1 is feeding"):
            await doser.dispense(**ORDER, tag="t2")
        assert await doser.has_dispensed(**ORDER, tag="t1")
        assert await first == await doser.dispensed(tag="t1")

    bench.run(main)
    assert bench.did() == ["t1"]


def test_a_successor_joins_what_a_dead_controller_began(bench):
    async def main(doser):
        first = asyncio.ensure_future(doser.dispense(**ORDER, tag="t1"))
        await bench.clock.sleep(5.0)
        first.cancel()
        await doser.close()
        successor = PowderDispenserDriver(bench.link, bench.clock)  # counts its lines from 1 again
        await successor.connect()
        assert (await successor.dispense(**ORDER, tag="t1")).amount == pytest.approx(250.0, abs=1.0)

    bench.run(main)
    assert bench.did() == ["t1"]


@pytest.mark.parametrize("tolerance_mg", [0.1, 1.0, 10.0])
def test_the_tolerance_is_kept(bench, tolerance_mg):
    async def main(doser):
        for number in range(5):
            order = {**ORDER, "amount_mg": 40.0, "tolerance_mg": tolerance_mg}
            amount = (await doser.dispense(**order, tag=f"t{number}")).amount
            assert amount == pytest.approx(40.0, abs=tolerance_mg)

    bench.run(main)


def test_a_stop_ends_the_dose_and_says_how_much_came(bench):
    async def main(doser):
        dose = asyncio.ensure_future(doser.dispense(**ORDER, tag="t1"))
        await bench.clock.sleep(5.0)
        began_s = bench.clock.now_s()
        await doser.stop()
        assert bench.clock.now_s() - began_s < 0.1
        with pytest.raises(DeviceFault, match="was stopped; give the rest under another tag") as stopped:
            await dose
        assert stopped.value.code == "stopped" and not stopped.value.needs_operator
        came = await doser.dispensed(tag="t1")
        assert came.amount == pytest.approx(12.0 * 4.7, rel=0.2)
        assert not await doser.has_dispensed(**ORDER, tag="t1")
        await doser.stop()
        with pytest.raises(DeviceFault, match="was stopped"):
            await doser.dispense(**ORDER, tag="t1")

    bench.run(main)
    assert bench.did() == ["t1"]


def test_a_stop_goes_out_while_the_line_is_out_of_step(bench):
    async def main(doser):
        dose = asyncio.ensure_future(doser.dispense(**ORDER, tag="t1"))
        await bench.clock.sleep(5.0)
        bench.wire.arm([Strike(fault=Fault.DROP_REPLY)])
        with pytest.raises(Unreadable):
            await doser.read_left()
        began_s, n_stops = bench.clock.now_s(), len(bench.did("stop"))
        stop = asyncio.ensure_future(doser.stop())
        await bench.clock.sleep(0.01)
        assert len(bench.did("stop")) == n_stops + 1
        assert bench.clock.now_s() - began_s < 0.02
        await stop
        with pytest.raises((DeviceFault, Ambiguous)):
            await dose

    bench.run(main)


def test_another_cartridge_is_refused(bench):
    async def main(doser):
        with pytest.raises(Rejected, match="the cartridge holds silica"):
            await doser.dispense(**{**ORDER, "material": "alumina"}, tag="t1")
        assert await doser.dispensed(tag="t1") is None

    bench.run(main)
    assert bench.did() == []


def test_a_clogged_screw_is_reported_and_blocks_the_next_dose():
    bench = Bench(options={"clog_probability": 1.0})

    async def main(doser):
        with pytest.raises(DeviceFault, match="clogged the screw; clean it") as clogged:
            await doser.dispense(**ORDER, tag="t1")
        assert clogged.value.needs_operator
        assert (await doser.dispensed(tag="t1")).amount < 0.95 * 250.0
        with pytest.raises(Rejected, match="the screw is clogged"):
            await doser.dispense(**ORDER, tag="t2")
        bench.world.refill(20_000.0)
        with pytest.raises(DeviceFault, match="clogged"):
            await doser.dispense(**ORDER, tag="t2")

    bench.run(main)
    assert bench.did() == ["t1", "t2"]


def test_an_empty_cartridge_is_reported():
    bench = Bench(options={"hopper_mg": 100.0})

    async def main(doser):
        with pytest.raises(DeviceFault, match="emptied the cartridge; change it; 100.* of 250 mg came out"):
            await doser.dispense(**ORDER, tag="t1")
        assert await doser.read_left() == 0.0
        bench.world.refill(1000.0)
        assert (await doser.dispense(**ORDER, tag="t2")).amount == pytest.approx(250.0, abs=1.0)

    bench.run(main)


def test_a_restart_of_the_feeder_costs_no_second_dose(bench):
    async def main(doser):
        dose = asyncio.ensure_future(doser.dispense(**ORDER, tag="t1"))
        await bench.clock.sleep(5.0)
        bench.wire.instrument.restart()
        with pytest.raises((DeviceFault, Ambiguous)):
            await dose
        assert not await settled(doser, "has_dispensed", **ORDER, tag="t1")
        with pytest.raises(DeviceFault, match="cut off by a restart") as cut:
            await doser.dispense(**ORDER, tag="t1")
        assert cut.value.needs_operator and cut.value.code == "interrupted"
        assert (await doser.dispensed(tag="t1")).amount == pytest.approx(12.0 * 4.7, rel=0.2)
        assert (await doser.dispense(**ORDER, tag="t2")).amount == pytest.approx(250.0, abs=1.0)

    bench.run(main)
    assert bench.did() == ["t1", "t2"]


def test_a_line_that_comes_late_is_refused_by_its_number(bench):
    async def main(doser):
        late = b'N%d M750 P"silica" S250.000 D1.000 T"ghost"' % doser._number
        assert await doser.read_material() == "silica"  # takes the number
        bench.wire.instrument.receive(sealed(late) + b"\n")
        assert await settled(doser, "dispensed", tag="ghost") is None

    bench.run(main)
    assert bench.did() == []


def test_a_damaged_line_is_sent_again(bench):
    async def main(doser):
        bench.wire.instrument.receive(b"N")  # noise before the next line: its number is no number
        assert await settled(doser, "read_material") == "silica"
        number = doser._number
        doser._number = 99
        assert await doser.read_material() == "silica"
        assert doser._number == number + 1

    bench.run(main)


@pytest.mark.parametrize(
    "wrong",
    [{"amount_mg": 0.9}, {"amount_mg": 5000.1}, {"amount_mg": float("nan")}, {"tolerance_mg": 0.09}],
    ids=str,
)
def test_limits_are_kept_before_the_wire(bench, wrong):
    async def main(doser):
        before = bench.wire.exchanges
        with pytest.raises(OutOfLimits):
            await doser.dispense(**{**ORDER, **wrong}, tag="t1")
        for material, tag in (('x"y', "t1"), ("", "t1"), ("silica", 't"1'), ("silica", "")):
            with pytest.raises(Rejected):
                await doser.dispense(**{**ORDER, "material": material}, tag=tag)
        assert bench.wire.exchanges == before

    bench.run(main)


FAULTS = [fault for fault in Fault if fault not in (Fault.HANG, Fault.RESTART, Fault.FRONT_PANEL)]


@given(plan=st.lists(st.sampled_from([None, None, *FAULTS]), max_size=8), late_s=st.floats(0.1, 1.4))
@settings(max_examples=60, deadline=None)
def test_two_doses_are_two_whatever_the_wire_does(plan, late_s):
    bench = Bench()

    async def main(doser):
        bench.wire.arm([None if fault is None else Strike(fault=fault, late_s=late_s) for fault in plan])
        for tag in ("t1", "t2"):
            await settled(doser, "dispense", **ORDER, tag=tag)
            assert (await settled(doser, "dispensed", tag=tag)).amount == pytest.approx(250.0, abs=1.0)

    bench.run(main)
    assert bench.did() == ["t1", "t2"]


def answering(device_kind, answers, use):
    """Use a feeder that answers each command, whatever its number, with lines and ``ok`` of that number."""
    loop = VirtualLoop()
    clock = VirtualClock(loop)

    def answer(line):
        number, _, text = line.rpartition(b"*")[0].partition(b" ")
        reply = answers.get(text.partition(b" ")[0], b"ok %b P15 B3\n")
        return [(0.0, reply.replace(b"%b", number))]

    async def main():
        doser = PowderDispenserDriver(memory_link(device_kind(answer), clock, name="sim:doser"), clock)
        await doser._link.open()
        await use(doser)

    run_virtual(main(), loop=loop)


DONE = b'DOSE:done T"t1" P"silica" S250.000 D1.000 A%b R0.000000'


@pytest.mark.parametrize(
    ("answer", "error", "match"),
    [
        (b"ok N99 P15 B3\n", Unreadable, "line 99 is answered, not 1"),
        (b"ok P15 B3\n", Unreadable, "line None is answered"),
        (b"ok %b P15 B3\n", Unreadable, "0 lines answer"),
        (b"start\nok %b P15 B3\n", Unreadable, "checksum"),
        (b'DOSE:absent T"t1"*00\nok %b P15 B3\n', Unreadable, "checksum"),
        (sealed(b'DOSE:absent T"t2"') + b"\nok %b P15 B3\n", Unreadable, "is no state of dose 't1'"),
        (sealed(DONE.replace(b"%b", b"25")) + b"\nok %b P15 B3\n", Unreadable, "is no state"),
        (sealed(DONE.replace(b"%b", b"nan")) + b"\nok %b P15 B3\n", Unreadable, "is no state"),
        (
            sealed(DONE.replace(b"done", b"lost").replace(b"%b", b"250.00")) + b"\nok %b P15 B3\n",
            Unreadable,
            "no state",
        ),
        (sealed(DONE.replace(b"%b", b"247.50")) + b"\nok %b P15 B3\n", DeviceFault, "misses its tolerance of 1 mg"),
        (b"Error:checksum mismatch, Last Line: 4\nResend: 5\nok\n", NotSent, "3 times"),
        (b'echo:Unknown command: "M751"\nok %b P15 B3\n', Rejected, "Unknown command"),
    ],
)
def test_answers_that_are_none(device_kind, answer, error, match):
    async def use(doser):
        with pytest.raises(error, match=match):
            await doser.dispense(**ORDER, tag="t1")

    answering(device_kind, {b"M751": answer}, use)


def test_a_dose_that_the_feeder_then_does_not_know_is_ambiguous(device_kind):
    async def use(doser):
        with pytest.raises(Ambiguous, match="does not know the dose"):
            await doser.dispense(**ORDER, tag="t1")

    answering(device_kind, {b"M751": sealed(b'DOSE:absent T"t1"') + b"\nok %b P15 B3\n"}, use)


@pytest.mark.parametrize("answer", [b"ok N4 P15 B3\n", b"Error:no\nok P15 B3\n"])
def test_a_stop_is_answered_by_its_own_ok(device_kind, answer):
    loop = VirtualLoop()
    clock = VirtualClock(loop)
    device = device_kind(lambda line: [(0.0, answer)])

    async def main():
        doser = PowderDispenserDriver(memory_link(device, clock, name="sim:doser"), clock)
        await doser._link.open()
        with pytest.raises(Ambiguous, match="no answer to M410"):
            await doser.stop()

    run_virtual(main(), loop=loop)
    assert set(device.asked) == {b"M410"}


def test_it_doses_over_a_real_port():
    async def main():
        clock = RealClock()
        world = PowderDispenser(
            state=WorldFile(":memory:"), clock=clock, seed=5, options={"material": "sodium-chloride"}
        )
        async with opened(world.instruments) as urls:
            doser = PowderDispenserDriver(open_link(urls["doser"], clock), clock)
            assert (await doser.connect()).model == "PD-10"
            order = {"material": "sodium-chloride", "amount_mg": 2.0, "tolerance_mg": 1.0}
            dispensed = await doser.dispense(**order, tag="t1")
            await doser.stop()
            await doser.close()
        return dispensed.amount

    assert asyncio.run(main()) == pytest.approx(2.0, abs=1.0)

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from drivers.capabilities import capabilities_of
from drivers.clock import RealClock, VirtualClock, VirtualLoop, run_virtual
from drivers.command import command_specs
from drivers.errors import Ambiguous, DeviceFault, NotSent, Rejected, Unreadable
from drivers.instruments.balance import BalanceDriver
from drivers.links.opening import memory_link, open_link
from drivers.links.tap import Direction, Tap
from drivers.manifest import missing_facts
from simulators.faults import Fault, FaultyWire, Strike
from simulators.instruments.balance import Balance
from simulators.ports import opened
from simulators.world import WorldFile


@dataclass
class Bench:
    options: dict[str, Any] = field(default_factory=dict)
    state: WorldFile = field(default_factory=lambda: WorldFile(":memory:"))

    def __post_init__(self):
        self.loop = VirtualLoop()
        self.clock = VirtualClock(self.loop)
        self.world = Balance(state=self.state, clock=self.clock, seed=5, options=self.options)
        self.wire = FaultyWire(self.world.instruments["balance"], seed=3)
        self.link = memory_link(self.wire, self.clock, name="sim:balance/balance")
        self.link.tap = Tap(self.clock, keep=1000)
        self.balance = BalanceDriver(self.link, self.clock)

    def run(self, main):
        async def whole():
            await self.balance.connect()
            await main(self.balance)

        run_virtual(whole(), loop=self.loop)

    async def put(self, mass_g):
        """Put a load on, and give the cell the moment in which it notices."""
        self.world.put(mass_g)
        await self.clock.sleep(0.2)

    def did(self, what):
        return sum(self.state.get(key)["what"] == what for key in self.state.keys("act/"))

    def said(self, direction):
        return [row.data for row in self.link.tap if row.direction is direction]


@pytest.fixture
def bench():
    return Bench()


async def settled(driver, name):
    spec = command_specs(type(driver))[name]
    for _ in range(20):
        try:
            if not driver._link.is_open:
                await driver.connect()
            return await getattr(driver, name)()
        except (NotSent, Unreadable):
            continue
        except Ambiguous:
            await driver._clock.sleep(spec.late_max_s)
            if spec.verify is None or await settled(driver, spec.verify):
                return None
    pytest.fail(f"{name} did not settle")


def scripted(device_kind, replies, use):
    """Use a balance that answers each line with the given reply."""
    loop = VirtualLoop()
    clock = VirtualClock(loop)
    device = device_kind(lambda line: [(0.0, replies.get(line.strip(), b"ES\r\n"))])

    async def main():
        balance = BalanceDriver(memory_link(device, clock, name="sim:balance"), clock)
        await balance._link.open()
        await use(balance)

    run_virtual(main(), loop=loop)
    return device


def test_it_is_a_balance():
    assert "Balance" in capabilities_of(BalanceDriver)
    assert missing_facts(BalanceDriver.manifest) == []


def test_it_says_who_it_is(bench):
    async def main(balance):
        identity = await balance.identify()
        assert (identity.maker, identity.model) == ("Mettler-Toledo", "XPE205 Excellence")
        assert (identity.serial, identity.firmware) == ("B123456789", "2.10 10.28.0.493.142")

    bench.run(main)


def test_frames_are_those_of_the_manual(device_kind):
    # operating instructions New Classic and AT, "S - Send stable weight value"; the padding as KERN's KCP 1.3.8 has it
    replies = {b"S": b"S S     100.00 g\r\n", b"SI": b"S D     129.07 g\r\n", b"TA": b"TA A      10.00 g\r\n"}

    async def use(balance):
        assert await balance.weigh() == 100.0
        assert await balance.weigh_now() == 129.07
        assert await balance.read_tare() == 10.0

    device = scripted(device_kind, replies, use)
    assert device.asked == [b"S\r", b"S\r", b"SI\r", b"SI\r", b"TA\r", b"TA\r"]


def test_the_simulator_says_the_same_bytes(bench):
    async def main(balance):
        bench.world.put(100.0)
        await bench.clock.sleep(40.0)
        await balance.weigh()
        await balance.tare()
        await balance.reset()

    bench.run(main)
    assert bench.said(Direction.SENT)[6:] == [b"S\r\n", b"S\r\n", b"T\r\n", b"@\r\n"]
    weight, again, tare, reset = bench.said(Direction.RECEIVED)[6:]
    assert again.startswith(b"S S   100.00")
    assert weight.startswith(b"S S   100.00") and weight.endswith(b" g\r\n") and len(weight) == 18
    assert tare.startswith(b"T S   100.00") and len(tare) == 18
    assert reset == b'I4 A "B123456789"\r\n'


def test_a_stable_weight_is_waited_for(bench):
    async def main(balance):
        assert await balance.weigh() == pytest.approx(2.5, abs=3e-4)
        began_s = bench.clock.now_s()
        bench.world.put(52.5)
        await bench.clock.sleep(0.2)
        assert 5.0 < await balance.weigh_now() < 50.0
        assert await balance.weigh() == pytest.approx(52.5, abs=6e-4)
        assert 2.0 < bench.clock.now_s() - began_s < 5.0

    bench.run(main)


def test_a_tare_is_taken_read_and_cleared(bench):
    async def main(balance):
        assert not await balance.is_tared()
        await balance.tare()
        assert await balance.is_tared()
        assert await balance.read_tare() == pytest.approx(2.5, abs=3e-4)
        await bench.put(3.75)
        assert await balance.weigh() == pytest.approx(1.25, abs=6e-4)
        assert not await balance.is_tared()
        await balance.clear_tare()
        assert await balance.read_tare() == 0.0
        assert await balance.weigh() == pytest.approx(3.75, abs=6e-4)

    bench.run(main)
    assert bench.did("tare") == 1


def test_zero_clears_the_tare(bench):
    async def main(balance):
        await balance.tare()
        assert not await balance.is_zeroed()
        await balance.zero()
        assert await balance.is_zeroed()
        assert not await balance.is_tared()

    bench.run(main)
    assert bench.did("zero") == 1


def test_a_load_beyond_the_zero_range_is_refused(bench):
    async def main(balance):
        await bench.put(5.0)
        with pytest.raises(Rejected, match="above the range"):
            await balance.zero()
        assert not await balance.is_zeroed()

    bench.run(main)
    assert bench.did("zero") == 0


def test_overload_and_underload_are_faults(bench):
    async def main(balance):
        bench.world.put(230.0)
        await bench.clock.sleep(20.0)
        with pytest.raises(DeviceFault, match="overload; take it off") as overload:
            await balance.weigh()
        assert overload.value.needs_operator and overload.value.code == "overload"
        with pytest.raises(Rejected, match="above the range"):
            await balance.tare()
        bench.world.put(-10.0)
        await bench.clock.sleep(20.0)
        with pytest.raises(DeviceFault, match="underload"):
            await balance.weigh_now()
        with pytest.raises(Rejected, match="below the range"):
            await balance.tare()

    bench.run(main)
    assert bench.did("tare") == 0


def test_a_trembling_table_leaves_nothing_stable():
    bench = Bench(options={"vibration_mg": 1.0})

    async def main(balance):
        with pytest.raises(Rejected, match="did not become stable"):
            await balance.weigh()
        assert bench.clock.now_s() == pytest.approx(10.0, abs=0.06)
        with pytest.raises(Rejected, match="did not become stable"):
            await balance.tare()
        assert await balance.weigh_now() == pytest.approx(2.5, abs=2e-3)

    bench.run(main)
    assert bench.did("tare") == 0


def test_reset_ends_a_wait():
    bench = Bench(options={"vibration_mg": 1.0})

    async def main(balance):
        waiting = asyncio.ensure_future(balance.tare())
        await bench.clock.sleep(1.0)
        # the link belongs to the tare; whoever stands at the balance presses its cancel key
        bench.wire.instrument.receive(b"@\r\n")
        with pytest.raises(Ambiguous, match="no answer to T"):
            await waiting
        assert not await settled(balance, "is_tared")

    bench.run(main)
    assert bench.did("tare") == 0


def test_ounces_are_never_grams(bench):
    async def main(balance):
        bench.wire.arm([Strike(fault=Fault.WRONG_UNIT)])
        for _ in range(2):
            with pytest.raises(Unreadable, match="weighs in 'oz' and not in grams"):
                await balance.weigh()
        with pytest.raises(Unreadable, match="oz"):
            await balance.read_tare()
        await balance.tare()  # what it says of the tare does not matter: it was taken

    bench.run(main)
    assert bench.did("tare") == 1


@pytest.mark.parametrize(
    ("reply", "error", "match"),
    [
        (b"S S      10\r\n", Unreadable, "is no weight"),
        (b"S S     100. g\r\n", Unreadable, "is no weight"),
        (b"S S    100.00 g\r\n", Unreadable, "is no weight"),  # nine characters: one is lost
        (b"S S     1_0.00 g\r\n", Unreadable, "is no weight"),
        (b"S S     100.00 k\r\n", Unreadable, "weighs in 'k'"),
        (b"S D     100.00 g\r\n", Unreadable, "no answer to S"),
        (b"S S   99999.99 g\r\n", Unreadable, "outside the plausible"),
        (b"T S     100.00 g\r\n", Unreadable, "no answer to S"),
        (b"S\r\n", Unreadable, "no answer to S"),
        (b"S S     100.00 g", Unreadable, "nothing was changed"),
        (b"S I\r\n", Rejected, "busy"),
        (b"ES\r\n", Rejected, "does not know S"),
        (b"EL\r\n", Rejected, "does not know S"),
        (b"ET\r\n", NotSent, "damaged on its way"),
        (b"S +\r\n", DeviceFault, "overload"),
        (b"S -\r\n", DeviceFault, "underload"),
    ],
)
def test_replies_that_are_no_stable_weight(device_kind, reply, error, match):
    async def use(balance):
        with pytest.raises(error, match=match):
            await balance.weigh()

    scripted(device_kind, {b"S": reply}, use)


@pytest.mark.parametrize(
    ("command", "request_", "reply", "error", "match"),
    [
        ("tare", b"T", b"T I\r\n", Rejected, "busy"),
        ("tare", b"T", b"T A\r\n", Ambiguous, "no answer to T"),
        ("tare", b"T", b"T S    \r\n", Ambiguous, "no answer to T"),
        ("zero", b"Z", b"Z I\r\n", Rejected, "busy"),
        ("zero", b"Z", b"Z -\r\n", Rejected, "below the range"),
        ("zero", b"Z", b"Z A 1\r\n", Ambiguous, "no answer to Z"),
        ("clear_tare", b"TAC", b"TAC L\r\n", Rejected, "not the parameter"),
        ("clear_tare", b"TAC", b"TAC S\r\n", Ambiguous, "no answer to TAC"),
        ("reset", b"@", b"I4 A B123\r\n", Ambiguous, "is no text"),
        ("reset", b"@", b"@ A\r\n", Ambiguous, "no answer to @"),
        ("identify", b"I2", b'I2 A "XPE205"\r\n', Unreadable, "names no balance"),
        ("identify", b"I2", b"I2 I\r\n", Rejected, "busy"),
        ("weigh_now", b"SI", b"S A\r\n", Unreadable, "no answer to SI"),
    ],
)
def test_replies_that_do_not_say_that_it_is_done(device_kind, command, request_, reply, error, match):
    async def use(balance):
        with pytest.raises(error, match=match):
            await getattr(balance, command)()

    others = {b"I3": b'I3 A "1.0"\r\n', b"I4": b'I4 A "1"\r\n'}
    scripted(device_kind, {**others, request_: reply}, use)


@pytest.mark.parametrize("name", ["tare", "zero"])
@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.HANG], ids=str)
def test_a_fault_settles_and_the_balance_is_right(bench, name, fault):
    async def main(balance):
        late_s = 13.0 if fault is Fault.TOO_LATE else 0.4
        bench.wire.arm([Strike(fault=fault, late_s=late_s)])
        try:
            await settled(balance, name)
        except Rejected:
            assert fault is Fault.BUSY
            await getattr(balance, name)()
        if fault is not Fault.WRONG_UNIT:
            assert await balance.weigh_now() == pytest.approx(0.0, abs=2e-3)
        assert bench.wire.struck == 1
        assert bench.did(name) >= 1

    bench.run(main)


def test_a_restart_forgets_the_tare(bench):
    async def main(balance):
        await balance.tare()
        bench.world.put(20.0)
        await bench.clock.sleep(5.0)
        bench.wire.instrument.restart()
        assert await settled(balance, "read_tare") == 0.0
        assert await balance.weigh() == pytest.approx(20.0, abs=1e-3)  # too much to be taken for zero

    bench.run(main)


def test_it_weighs_over_a_real_port():
    async def main():
        clock = RealClock()
        world = Balance(state=WorldFile(":memory:"), clock=clock, seed=5, options={})
        async with opened(world.instruments) as urls:
            balance = BalanceDriver(open_link(urls["balance"], clock), clock)
            assert (await balance.connect()).serial == "B123456789"
            world.put(12.5)
            await clock.sleep(0.2)
            weight_g = await balance.weigh()  # is waited for: the answer comes seconds after the question
            await balance.close()
        return weight_g

    assert asyncio.run(main()) == pytest.approx(12.5, abs=2e-3)


def test_a_name_is_believed_when_it_is_said_twice(bench):
    async def main(balance):
        for place in range(6):
            bench.wire.arm([None] * place + [Strike(fault=Fault.GARBLE)])
            with pytest.raises(Unreadable):
                await balance.identify()
        await balance.identify()

    bench.run(main)

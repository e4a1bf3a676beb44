"""The menu of faults on channels, fault by fault, between channels in memory and a simulated motor."""

import pytest

from drivers.clock import VirtualClock, VirtualLoop, run_virtual
from drivers.command import Effect
from drivers.errors import Ambiguous, NotConnected, Unreadable
from drivers.links.channels import MemoryChannels
from simulators.faults import Fault, Strike
from simulators.faulty_channels import FaultyChannels
from simulators.instruments.epics_motor import EpicsMotor
from simulators.world import WorldFile


def using(use, **how):
    loop = VirtualLoop()
    clock = VirtualClock(loop)

    async def main():
        world = EpicsMotor(state=WorldFile(":memory:"), clock=clock, seed=1, options={})
        wire = FaultyChannels(world.instruments["motor"], **how)
        link = MemoryChannels(wire, clock, name="motor")
        await link.open()
        await use(link, wire, clock)

    run_virtual(main(), loop=loop)


async def put(link, value=5.0):
    await link.put("VAL", value, effect=Effect.VERIFIABLE, timeout_s=1.0)


@pytest.mark.parametrize(
    ("fault", "error", "lands"),
    [
        (Fault.DROP_REQUEST, Ambiguous, False),
        (Fault.DROP_REPLY, Ambiguous, True),
        (Fault.DISCONNECT_BEFORE, NotConnected, False),
        (Fault.DISCONNECT_AFTER, Ambiguous, True),
        (Fault.RESTART, NotConnected, False),
        (Fault.LATE, None, True),
    ],
    ids=str,
)
def test_a_write(fault, error, lands):
    async def use(link, wire, clock):
        wire.arm([Strike(fault=fault, late_s=0.5)])
        if error is None:
            await put(link)
        else:
            with pytest.raises(error):
                await put(link)
        assert (wire.struck, wire.exchanges) == (1, 1)
        assert (wire.instrument.value("VAL").value == 5.0) == lands

    using(use)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.DROP_REQUEST, Unreadable),
        (Fault.DROP_REPLY, Unreadable),
        (Fault.DISCONNECT_BEFORE, NotConnected),
        (Fault.DISCONNECT_AFTER, Unreadable),
        (Fault.GARBLE, Unreadable),
        (Fault.TOO_LATE, Unreadable),
        (Fault.RESTART, NotConnected),
    ],
    ids=str,
)
def test_a_read(fault, error):
    async def use(link, wire, clock):
        wire.arm([Strike(fault=fault, late_s=1.5)])
        with pytest.raises(error):
            await link.get("RBV", timeout_s=1.0)
        await clock.sleep(2.0)
        assert (await link.get("RBV")).value == 0.0

    using(use)


def test_a_write_that_comes_too_late_lands_late():
    async def use(link, wire, clock):
        wire.arm([Strike(fault=Fault.TOO_LATE, late_s=1.5)])
        with pytest.raises(Ambiguous):
            await put(link)
        assert (await link.get("VAL")).value == 0.0
        await clock.sleep(0.6)
        assert (await link.get("VAL")).value == 5.0

    using(use)


def test_what_was_written_to_a_hung_server_lands_when_it_goes_on():
    async def use(link, wire, clock):
        wire.arm([Strike(fault=Fault.HANG)])
        with pytest.raises(Ambiguous):
            await put(link)
        with pytest.raises(Unreadable, match="no answer for RBV within 1 s"):
            await link.get("RBV", timeout_s=1.0)
        assert wire.instrument.value("VAL").value == 0.0
        wire.revive()
        assert (await link.get("VAL")).value == 5.0

    using(use)


def test_a_cached_server_goes_on_with_its_old_values_and_stamps():
    async def use(link, wire, clock):
        before = await link.get("RBV")
        await put(link, 50.0)
        await clock.sleep(1.0)
        wire.arm([Strike(fault=Fault.HANG)])
        assert await link.get("RBV") == before
        await clock.sleep(60.0)
        assert await link.get("RBV") == before
        with pytest.raises(Unreadable):
            await link.get("DMOV", timeout_s=1.0)

    using(use, cached=True)


def test_somebody_else_and_another_unit():
    async def use(link, wire, clock):
        wire.arm([Strike(fault=Fault.WRONG_UNIT)])
        assert (await link.get("EGU")).value == "um"
        wire.arm([Strike(fault=Fault.FRONT_PANEL)])
        assert (await link.get("VAL")).value == 1000.0
        wire.revive()
        assert [(await link.get(name)).value for name in ("EGU", "VAL")] == ["mm", 1.0]

    using(use)


def test_what_does_not_apply_says_why():
    def check(wire):
        return {fault for fault in Fault if wire.does_not_apply(fault)}

    async def use(link, wire, clock):
        assert check(wire) == {
            Fault.CUT,
            Fault.BAD_CHECKSUM,
            Fault.ECHO,
            Fault.SPLIT,
            Fault.DUPLICATE,
            Fault.UNSOLICITED,
            Fault.SLOW,
            Fault.BUSY,
        }

    using(use)

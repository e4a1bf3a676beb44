"""The diffractometer: messages as alab_control sends them, samples that are where they are said to be, whole files."""

import asyncio
import base64
from dataclasses import dataclass, field
from zlib import crc32

import numpy as np
import pytest

from drivers.capabilities import capabilities_of
from drivers.clock import RealClock, VirtualClock, VirtualLoop, run_virtual
from drivers.errors import Ambiguous, DeviceFault, NotSent, OutOfLimits, Rejected, Unreadable
from drivers.instruments.automation import XrdState, sample_id
from drivers.instruments.diffractometer import DiffractometerDriver
from drivers.links.memory import MemoryLink
from drivers.links.opening import memory_link, open_link
from simulators.faults import Fault, FaultyWire, Strike
from simulators.instruments.diffractometer import Diffractometer
from simulators.instruments.xrdml import Scan, written
from simulators.ports import TcpPort
from simulators.serve import EpochClock
from simulators.world import WorldFile

SCAN = {"start_deg": 24.0, "stop_deg": 27.0, "step_deg": 0.05, "count_time_s": 1.0}
LOADED = {"position": 2, "tag": "s2"}


class Ear(FaultyWire):
    """A wire that remembers what passed."""

    def __init__(self, instrument):
        super().__init__(instrument)
        self.passed = []

    def receive(self, data):
        self.passed.append(data)
        super().receive(data)

    def _say(self, data):
        self.passed.append(data)
        super()._say(data)


@dataclass
class Rig:
    options: dict = field(default_factory=dict)
    state: WorldFile = field(default_factory=lambda: WorldFile(":memory:"))
    start_s: float = 0.0

    def __post_init__(self):
        self.loop = VirtualLoop(self.start_s)
        self.clock = VirtualClock(self.loop)
        self.world = Diffractometer(state=self.state, clock=self.clock, seed=3, options=self.options)
        self.wire = Ear(self.world.instruments["xrd"])
        self.link = memory_link(self.wire, self.clock, name="sim:diffractometer/xrd")
        self.driver = DiffractometerDriver(self.link, self.clock)

    @property
    def cell(self):
        return self.world.instruments["xrd"].cell

    def run(self, main, *, load=False):
        async def whole():
            await self.driver.connect()
            if load:
                await self.driver.load_sample(**LOADED)
            self.wire.passed.clear()
            await main(self.driver)
            await self.driver.close()

        run_virtual(whole(), loop=self.loop)

    def acts(self, what):
        rows = [self.state.get(key) for key in self.state.keys("act/")]
        return [row for row in rows if row["what"] == what]


def test_it_can_do_what_it_says():
    assert {"Device", "Diffractometer", "Stoppable"} <= set(capabilities_of(DiffractometerDriver))


def test_it_says_who_it_is_and_how_it_is():
    rig = Rig()

    async def main(xrd):
        identity = await xrd.identify()
        assert (identity.maker, identity.model, identity.serial) == ("Malvern Panalytical", "Aeris", "990001")
        assert rig.wire.passed[0] == b"@STATUS_REQUEST@SYSTEM@END"
        assert rig.wire.passed[1] == b"@STATUS@TIME_STAMP=1970.01.01 00:00:00@SYSTEM=remote@END"
        assert await xrd.state() == XrdState(is_ready=True, is_remote=True, is_loaded=False, sample=None)
        assert b"@STATUS_REQUEST@UNIT=xrd@END" in rig.wire.passed

    rig.run(main)


def test_a_sample_goes_in_is_measured_and_comes_out():
    rig = Rig()

    async def main(xrd):
        await xrd.load_sample(position=2, tag="lot-1/2")
        assert b"@SAMPLE@ADD@APPLICATION=10-80_0.02_0.1s@SAMPLE_ID=lot-1~2F2@AT=0,2@END" in rig.wire.passed
        assert b"@SAMPLE@MOVE@SAMPLE_ID=lot-1~2F2@AT=0,2@TO=0,0@END" in rig.wire.passed
        assert rig.clock.now_s() == pytest.approx(12.0, abs=0.6)
        assert await xrd.is_loaded(position=2, tag="lot-1/2") and not await xrd.is_loaded(position=2, tag="other")
        began_s = rig.clock.now_s()
        pattern = await xrd.scan(**SCAN, tag="t1")
        assert rig.clock.now_s() - began_s == pytest.approx(61 * 1.0 + 8.0, abs=2.6)
        at = rig.wire.passed.index(b"@SAMPLE@MEASURE@SAMPLE_ID=t1@APPLICATION=24-27_0.05_1s@END")
        assert rig.wire.passed[at + 1] == b"@SAMPLE@MEASURE@SAMPLE_ID=t1@STATUS=normal@END"
        assert pattern.two_theta_deg == pytest.approx(np.linspace(24.0, 27.0, 61))
        assert (pattern.wavelength_angstrom, pattern.count_time_s, pattern.tag) == (1.540598, 1.0, "t1")
        assert pattern.two_theta_deg[pattern.counts.argmax()] == pytest.approx(25.35)
        assert pattern.file.startswith("<?xml") and "xrdMeasurements" in pattern.file
        await xrd.unload_sample(position=2)
        assert b"@SAMPLE@MOVE@SAMPLE_ID@AT=0,0@TO=0,2@END" in rig.wire.passed
        assert await xrd.is_unloaded(position=2) and not await xrd.is_unloaded(position=5)
        await xrd.unload_sample(position=2)

    rig.run(main)
    assert len(rig.acts("move")) == 2 and len(rig.acts("measure")) == 1


def test_a_tag_is_measured_once_and_kept():
    rig = Rig()

    async def main(xrd):
        first = await xrd.scan(**SCAN, tag="t1")
        began_s = rig.clock.now_s()
        again = await xrd.scan(**SCAN, tag="t1")
        assert np.array_equal(first.counts, again.counts) and rig.clock.now_s() == began_s
        with pytest.raises(Rejected, match="use another tag"):
            await xrd.scan(**{**SCAN, "stop_deg": 30.0}, tag="t1")
        other = await xrd.scan(**SCAN, tag="t2")
        assert not np.array_equal(first.counts, other.counts)

    rig.run(main, load=True)
    assert len(rig.acts("measure")) == 2


def test_a_measurement_under_way_is_joined():
    rig = Rig()

    async def main(xrd):
        first = asyncio.ensure_future(xrd.scan(**SCAN, tag="t1"))
        await rig.clock.sleep(20.0)
        assert not (await xrd.state()).is_ready
        second = await xrd.scan(**SCAN, tag="t1")
        assert np.array_equal((await first).counts, second.counts)

    rig.run(main, load=True)
    assert len(rig.acts("measure")) == 1


def test_what_cannot_be_is_refused_and_nothing_moves():
    rig = Rig()

    async def main(xrd):
        with pytest.raises(Rejected, match="call load_sample"):
            await xrd.scan(**SCAN, tag="t1")
        with pytest.raises(Rejected, match="no sample lies at position 5"):
            await xrd.load_sample(position=5, tag="s5")
        with pytest.raises(Rejected, match="no sample is in"):
            await xrd.unload_sample(position=5)
        await xrd.load_sample(**LOADED)
        await xrd.load_sample(**LOADED)
        with pytest.raises(Rejected, match="sample s2 is inside"):
            await xrd.load_sample(position=1, tag="s1")
        with pytest.raises(Rejected, match="position 1 is taken"):
            await xrd.unload_sample(position=1)
        with pytest.raises(Rejected, match="no whole number"):
            await xrd.load_sample(position=1.5, tag="s1")

    rig.run(main)
    assert len(rig.acts("move")) == 1


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"start_deg": 3.0}, OutOfLimits),
        ({"stop_deg": 143.0}, OutOfLimits),
        ({"step_deg": 0.0}, OutOfLimits),
        ({"count_time_s": float("nan")}, OutOfLimits),
        ({"step_deg": 0.07}, Rejected),
        ({"stop_deg": 20.0}, Rejected),
        ({"count_time_s": 900.0}, Rejected),
        ({"tag": "a b"}, Rejected),
    ],
    ids=str,
)
def test_limits_are_kept_before_the_wire(wrong, error):
    rig = Rig()

    async def main(xrd):
        with pytest.raises(error):
            await xrd.scan(**{**SCAN, "tag": "t1", **wrong})
        assert rig.wire.passed == []

    rig.run(main, load=True)


def test_a_busy_device_is_waited_for_and_then_refuses():
    rig = Rig()

    async def main(xrd):
        scan = asyncio.ensure_future(xrd.scan(**{**SCAN, "count_time_s": 30.0}, tag="t1"))
        await rig.clock.sleep(20.0)
        with pytest.raises(Rejected, match="busy"):
            await xrd.scan(**SCAN, tag="t2")
        scan.cancel()

    rig.run(main, load=True)


def test_a_stop_ends_the_measurement_and_it_can_be_made_anew():
    rig = Rig()

    async def main(xrd):
        scan = asyncio.ensure_future(xrd.scan(**SCAN, tag="t1"))
        await rig.clock.sleep(20.0)
        await xrd.stop()
        assert (await xrd.state()).is_ready
        with pytest.raises(DeviceFault, match="stopped") as fault:
            await scan
        assert not fault.value.needs_operator
        await xrd.stop()
        await xrd.scan(**SCAN, tag="t1")

    rig.run(main, load=True)
    assert len(rig.acts("stop")) == 1


def test_an_open_door_ends_a_measurement_and_refuses_one():
    rig = Rig()

    async def main(xrd):
        scan = asyncio.ensure_future(xrd.scan(**SCAN, tag="t1"))
        await rig.clock.sleep(20.0)
        rig.wire.instrument.front_panel()
        with pytest.raises(Rejected, match="interlock open"):
            await xrd.scan(**SCAN, tag="t2")
        with pytest.raises(DeviceFault, match="interlock open"):
            await scan
        await rig.clock.sleep(5.0)
        await xrd.scan(**SCAN, tag="t2")

    rig.run(main, load=True)


@pytest.mark.parametrize("fails_at_s", [20.0, 50.0], ids=["before", "meanwhile"])
def test_a_dead_tube_needs_a_person(fails_at_s):
    rig = Rig(options={"tube_fails_at_s": fails_at_s})

    async def main(xrd):
        await rig.clock.sleep(10.0)
        with pytest.raises(DeviceFault, match="tube failure") as fault:
            await xrd.scan(**SCAN, tag="t1")
        assert fault.value.needs_operator

    rig.run(main, load=True)


def test_a_jammed_changer_needs_a_person():
    rig = Rig(options={"changer_jams_at_s": 1.0})

    async def main(xrd):
        await rig.clock.sleep(2.0)
        with pytest.raises(DeviceFault, match="changer jammed"):
            await xrd.load_sample(**LOADED)

    rig.run(main)


def test_in_local_control_nothing_is_done():
    rig = Rig(options={"is_remote": False})

    async def main(xrd):
        assert not (await xrd.state()).is_remote
        with pytest.raises(Rejected, match="local control"):
            await xrd.load_sample(**LOADED)

    rig.run(main)
    assert not rig.acts("move")


def test_after_a_power_cut_the_measurement_is_lost_and_the_tube_starts():
    rig = Rig()

    async def main(xrd):
        scan = asyncio.ensure_future(xrd.scan(**SCAN, tag="t1"))
        await rig.clock.sleep(20.0)
        rig.wire.instrument.restart()
        assert not (await xrd.state()).is_ready
        with pytest.raises(DeviceFault, match="power lost"):
            await scan
        assert (await xrd.state()).is_loaded
        await xrd.scan(**SCAN, tag="t1")

    rig.run(main, load=True)


def test_a_world_that_is_opened_anew_goes_on():
    first = Rig()

    async def begin(xrd):
        scan = asyncio.ensure_future(xrd.scan(**SCAN, tag="t1"))
        await first.clock.sleep(20.0)
        scan.cancel()

    first.run(begin, load=True)
    second = Rig(state=first.state, start_s=first.clock.now_s())

    async def go_on(xrd):
        pattern = await xrd.scan(**SCAN, tag="t1")
        assert np.array_equal((await xrd.scan(**SCAN, tag="t1")).counts, pattern.counts)

    second.run(go_on)
    assert len(second.acts("measure")) == 1


def sealed(message):
    return message + b"@CRC32=%08X" % crc32(message)


def result(file):
    return sealed(b"@LABPILOT@RESULT@SAMPLE_ID=t1@STATE=done@FILE=" + base64.b64encode(file))


WHOLE = written(Scan(**SCAN), np.full(61, 7), name="t1", began_s=0.0)


@pytest.mark.parametrize(
    ("reply", "match"),
    [
        (result(WHOLE[:-40]), "no whole XML"),
        (result(WHOLE.replace(b'unit="counts"', b'unit="cps"')), "is in 'cps' and not in 'counts'"),
        (result(WHOLE.replace(b'unit="deg"', b'unit="rad"')), "is in 'rad' and not in 'deg'"),
        (result(WHOLE.replace(b"<id>t1<", b"<id>t9<")), "is of 't9', not 't1'"),
        (result(WHOLE.replace(b"<?xml", b"<!DOCTYPE x [<!ENTITY a 'b'>]><?xml")), "document type"),
        (result(WHOLE)[:-1] + b"Z", "no answer to RESULT"),
        (sealed(b"@LABPILOT@RESULT@SAMPLE_ID=t2@STATE=absent"), "no answer to RESULT"),
        (sealed(b"@LABPILOT@RESULT@SAMPLE_ID=t1@STATE=don"), "none of absent"),
        (sealed(b"@LABPILOT@RESULT@SAMPLE_ID=t1@STATE=done@FILE=a"), "no base64"),
    ],
)
def test_half_a_file_is_no_pattern(device_kind, reply, match):
    with pytest.raises((Unreadable, Ambiguous), match=match):
        scripted({b"@LABPILOT@RESULT": reply}, lambda xrd: xrd.scan(**SCAN, tag="t1"))


@pytest.mark.parametrize(
    ("reply", "match"),
    [
        (b"@STATUS@TIME_STAMP=x@UNIT=xrf@READY=yes", "no status of UNIT=xrd"),
        (b"@STATUS@TIME_STAMP=x@UNIT=xrd@READY=ye", "READY='ye', none of yes, no"),
        (b"@SAMPLE@MEASURED@SAMPLE_ID=t7@STATUS=normal", "no status"),
    ],
)
def test_a_status_that_is_none_is_unreadable(reply, match):
    with pytest.raises(Unreadable, match=match):
        place = {b"@STATUS_REQUEST@LOCATION": b"@STATUS@LOCATION=0,0@STATE=free"}
        scripted({**place, b"@STATUS_REQUEST@UNIT": reply}, lambda xrd: xrd.state())


def test_an_answer_to_another_sample_is_not_taken():
    replies = {
        b"@LABPILOT": sealed(b"@LABPILOT@RESULT@SAMPLE_ID=t1@STATE=absent"),
        b"@STATUS_REQUEST@SYSTEM": b"@STATUS@SYSTEM=remote",
        b"@STATUS_REQUEST@UNIT": b"@STATUS@UNIT=xrd@READY=yes",
        b"@STATUS_REQUEST@LOCATION": b"@STATUS@LOCATION=0,0@STATE=occupied",
        b"@SAMPLE@ADD": b"@SAMPLE@ADD@SAMPLE_ID=t8@STATUS=normal",
    }
    with pytest.raises(Ambiguous, match="no answer to ADD of 't1'"):
        scripted(replies, lambda xrd: xrd.scan(**SCAN, tag="t1"))


class Scripted:
    """Answers by the beginning of a message."""

    def __init__(self, replies):
        self.send = self.hang_up = None
        self.replies = replies

    def receive(self, data):
        self.send(next(reply for head, reply in self.replies.items() if data.startswith(head)) + b"@END")


def scripted(replies, use, **options):
    loop = VirtualLoop()
    clock = VirtualClock(loop)

    async def main():
        link = MemoryLink(Scripted(replies), clock, name="sim:test")
        await link.open()
        return await use(DiffractometerDriver(link, clock, **options))

    return run_virtual(main(), loop=loop)


LOSSES = [Fault.DROP_REQUEST, Fault.DROP_REPLY, Fault.CUT, Fault.GARBLE, Fault.TOO_LATE, Fault.DUPLICATE]


async def settled(rig, act, read_back):
    for _ in range(6):
        try:
            return await act()
        except (NotSent, Unreadable):
            continue
        except Ambiguous:
            await rig.clock.sleep(1.0)
            if read_back is not None and await read_back():
                return None
    pytest.fail("it did not settle")


@pytest.mark.parametrize("fault", [*LOSSES, Fault.UNSOLICITED])
@pytest.mark.parametrize("at", range(14))
def test_whatever_the_wire_does_a_sample_is_moved_and_measured_once(fault, at):
    rig = Rig()

    async def main(xrd):
        rig.wire.arm([*([None] * at), Strike(fault=fault, late_s=5.5)])
        await settled(rig, lambda: xrd.load_sample(**LOADED), lambda: xrd.is_loaded(**LOADED))
        rig.wire.arm([*([None] * at), Strike(fault=fault, late_s=5.5)])
        pattern = await settled(rig, lambda: xrd.scan(**SCAN, tag="t1"), None)
        assert np.array_equal(pattern.counts, (await xrd.scan(**SCAN, tag="t1")).counts)

    rig.run(main)
    assert rig.wire.struck >= 1
    assert len(rig.acts("move")) == len(rig.acts("measure")) == 1


def test_names_are_safe_in_messages_and_in_files():
    assert sample_id("t-1_a.b") == "t-1_a.b"
    assert sample_id("../a@b=c~") == "..~2Fa~40b~3Dc~7E"


def test_files_come_from_the_shared_folder_too(tmp_path):
    clock = RealClock()
    world = Diffractometer(state=WorldFile(":memory:"), clock=EpochClock(), seed=3, options={})

    async def main():
        port = await TcpPort.open(world.instruments["xrd"])
        link = open_link(f"tcp://127.0.0.1:{port.port}", clock)
        xrd = DiffractometerDriver(link, clock, results_dir=str(tmp_path))
        try:
            assert (await xrd.connect()).serial == ""
            with pytest.raises(Rejected, match="call load_sample"):
                await xrd.scan(**SCAN, tag="t1")
            (tmp_path / "t1.xrdml").write_bytes(WHOLE)
            assert (await xrd.scan(**SCAN, tag="t1")).counts.tolist() == [7.0] * 61
            (tmp_path / "t1.xrdml").write_bytes(WHOLE[:300])
            with pytest.raises(Ambiguous, match="no whole XML"):
                await xrd.scan(**SCAN, tag="t1")
            with pytest.raises(Rejected, match="has no stop"):
                await xrd.stop()
        finally:
            await xrd.close()
            await port.close()

    asyncio.run(main())

"""The robot arm: frames as Universal Robots documents them, transfers that never happen twice, and what goes wrong."""

import asyncio
from dataclasses import dataclass, field

import pytest

from drivers.capabilities import capabilities_of
from drivers.clock import RealClock, VirtualClock, VirtualLoop, run_virtual
from drivers.errors import Ambiguous, DeviceFault, NotSent, OutOfLimits, Rejected, Unreadable
from drivers.instruments.dashboard import ArmPosition, ArmState
from drivers.instruments.robot_arm import RobotArmDriver
from drivers.links.framing import SealedLine
from drivers.links.opening import memory_link, open_link
from simulators.faults import Fault, FaultyWire, Strike
from simulators.instruments.robot_arm import RobotArm
from simulators.ports import TcpPort
from simulators.serve import EpochClock
from simulators.world import WorldFile

WAY = {"source": "A1", "destination": "furnace"}


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
        self.world = RobotArm(state=self.state, clock=self.clock, seed=3, options=self.options)
        self.wire = Ear(self.world.instruments["arm"])
        self.driver = RobotArmDriver(memory_link(self.wire, self.clock, name="sim:robot-arm/arm"), self.clock)

    @property
    def arm(self):
        return self.world.instruments["arm"].arm

    def run(self, main, *, power=True):
        async def whole():
            await self.driver.connect()
            if power:
                await self.driver.power_on()
            self.wire.passed.clear()
            await main(self.driver)
            await self.driver.close()

        run_virtual(whole(), loop=self.loop)

    def acts(self, what):
        rows = [self.state.get(key) for key in self.state.keys("act/")]
        return [row for row in rows if row["what"] == what]


def sealed(text):
    return SealedLine(b"\n").wrap(text)


def test_it_can_do_what_it_says():
    found = capabilities_of(RobotArmDriver)
    assert {"Device", "Movable", "Homeable", "SampleTransfer", "Stoppable"} <= set(found)


def test_it_says_who_it_is_in_the_words_of_the_dashboard():
    rig = Rig()

    async def main(arm):
        identity = await arm.identify()
        assert (identity.maker, identity.model, identity.serial) == ("Universal Robots", "UR5", "20990500001")
        assert identity.firmware.startswith("URSoftware 5.11")
        assert rig.wire.passed[:2] == [b"get robot model\n", b"UR5\n"]
        assert b"get serial number\n" in rig.wire.passed and b"PolyscopeVersion\n" in rig.wire.passed

    rig.run(main, power=False)


def test_powering_on_goes_through_the_documented_modes():
    rig = Rig()

    async def main(arm):
        assert (await arm.state()).mode == "POWER_OFF"
        rig.wire.passed.clear()
        await arm.power_on()
        passed = rig.wire.passed
        assert passed[:4] == [b"robotmode\n", b"Robotmode: POWER_OFF\n", b"power on\n", b"Powering on\n"]
        assert passed[passed.index(b"brake release\n") + 1] == b"Brake releasing\n"
        assert passed[-1] == b"Robotmode: RUNNING\n"
        assert rig.clock.now_s() == pytest.approx(9.0, abs=0.6)
        await arm.power_on()
        state = ArmState(mode="RUNNING", safety="NORMAL", program="", program_state="STOPPED", is_remote=True)
        assert await arm.state() == state

    rig.run(main, power=False)
    assert len(rig.acts("power on")) == len(rig.acts("brake release")) == 1


def test_a_move_loads_and_plays_a_program_and_waits():
    rig = Rig()

    async def main(arm):
        began_s = rig.clock.now_s()
        await arm.move(position="furnace")
        # the base turns by 95 deg: 95/60.16 s at speed, and 0.75 s for speeding up and braking
        assert rig.clock.now_s() - began_s == pytest.approx(95 / 60.16 + 0.75 + 0.1, abs=0.26)
        start = rig.wire.passed.index(b"load move_furnace.urp\n")
        assert rig.wire.passed[start + 1] == b"Loading program: move_furnace.urp\n"
        assert rig.wire.passed[start + 2 : start + 4] == [b"play\n", b"Starting program\n"]
        assert b"Program running: true\n" in rig.wire.passed
        assert await arm.is_at(position="furnace") and not await arm.is_at(position="home")
        assert await arm.locate() == ArmPosition(position="furnace", is_moving=False, programs=1)
        await arm.home()
        assert (await arm.locate()).position == "home"

    rig.run(main)


def test_a_move_under_way_is_joined_and_another_is_refused():
    rig = Rig()

    async def main(arm):
        move = asyncio.ensure_future(arm.move(position="xrd"))
        await rig.clock.sleep(0.5)
        assert (await arm.locate()).is_moving and (await arm.locate()).position == ""
        with pytest.raises(Rejected, match="another program"):
            await arm.move(position="A1")
        assert await arm.is_at(position="A1") is False
        assert await arm.is_at(position="xrd")
        await move

    rig.run(main)
    assert len(rig.acts("move")) == 1


@pytest.mark.parametrize("position", ["", "../etc", "a b", "A1;stop", "x" * 41])
def test_a_name_that_is_none_is_refused_before_the_wire(position):
    rig = Rig()

    async def main(arm):
        with pytest.raises(Rejected, match="nothing was sent"):
            await arm.transfer(source=position, destination="A2", tag="t1")
        assert not any(b"load" in data for data in rig.wire.passed)

    rig.run(main)


def test_what_the_controller_refuses_is_rejected_in_its_words():
    rig = Rig()

    async def main(arm):
        with pytest.raises(Rejected, match="POWER_OFF"):
            await arm.move(position="A1")
        await arm.power_on()
        with pytest.raises(Rejected, match="File not found: move_moon.urp"):
            await arm.move(position="moon")
        with pytest.raises(Rejected, match="source and destination"):
            await arm.transfer(source="A1", destination="A1", tag="t1")

    rig.run(main, power=False)


def test_in_local_control_nothing_is_done():
    rig = Rig(options={"is_remote": False})

    async def main(arm):
        assert not (await arm.state()).is_remote
        with pytest.raises(Rejected, match="switch robot to Remote Control mode"):
            await arm.power_on()

    rig.run(main, power=False)
    assert not rig.acts("power on")


def test_a_transfer_carries_the_sample_once():
    rig = Rig()

    async def main(arm):
        assert await arm.is_holding() is False
        await arm.transfer(**WAY, tag="t/1#a")
        assert await arm.has_transferred(**WAY, tag="t/1#a")
        assert rig.arm.row["places"] == {"A2": "sample-A2", "furnace": "sample-A1"}
        n = len(rig.wire.passed)
        await arm.transfer(**WAY, tag="t/1#a")
        assert b"play\n" not in rig.wire.passed[n:]
        assert not await arm.has_transferred(**WAY, tag="t2")
        with pytest.raises(Rejected, match="was used for transfer_A1_furnace.urp"):
            await arm.transfer(source="A2", destination="xrd", tag="t/1#a")

    rig.run(main)
    assert [act["facts"]["tag"] for act in rig.acts("transfer")] == ["t/1#a"]


def test_the_lines_of_the_relay_are_sealed():
    rig = Rig()

    async def main(arm):
        await arm.transfer(**WAY, tag="t1")
        order = b"labpilot order t1 transfer_A1_furnace.urp"
        at = rig.wire.passed.index(sealed(order))
        assert rig.wire.passed[at + 1] == sealed(order + b" accepted")
        assert sealed(b"labpilot result t1 transfer_A1_furnace.urp done") in rig.wire.passed

    rig.run(main)
    assert sealed(b"labpilot status") == b"labpilot status*35\n"


def test_a_transfer_is_seen_while_it_happens():
    rig = Rig()

    async def main(arm):
        transfer = asyncio.ensure_future(arm.transfer(**WAY, tag="t1"))
        held = set()
        while not transfer.done():
            await rig.clock.sleep(0.2)
            held.add(await arm.is_holding())
        assert held == {False, None, True}
        assert (await arm.locate()).position == "home"

    rig.run(main)


@pytest.mark.parametrize(
    ("samples", "way", "why"),
    [
        ("A1,A2", {"source": "B1", "destination": "furnace"}, "source_empty"),
        ("A1,furnace", WAY, "destination_occupied"),
    ],
    ids=["empty source", "occupied destination"],
)
def test_a_program_that_refuses_moves_nothing(samples, way, why):
    rig = Rig(options={"samples": samples})

    async def main(arm):
        before = rig.arm.row["motions"]
        with pytest.raises(Rejected, match=why):
            await arm.transfer(**way, tag="t1")
        assert rig.arm.row["motions"] == before
        assert not await arm.has_transferred(**way, tag="t1")

    rig.run(main)


@pytest.mark.parametrize("what", ["not_gripped", "dropped"])
def test_a_lost_sample_needs_a_person(what):
    rig = Rig(options={f"{what}_probability": 1.0})

    async def main(arm):
        with pytest.raises(DeviceFault, match="see where the sample is") as fault:
            await arm.transfer(**WAY, tag="t1")
        assert fault.value.needs_operator and fault.value.code == what
        assert not await arm.has_transferred(**WAY, tag="t1")

    rig.run(main)
    assert rig.arm.row["floor"] == (["sample-A1"] if what == "dropped" else [])


def test_a_misplaced_sample_goes_unnoticed():
    rig = Rig(options={"misplaced_probability": 1.0})
    rig.run(lambda arm: arm.transfer(**WAY, tag="t1"))
    assert rig.arm.row["misplaced"] == ["sample-A1"]


def test_a_protective_stop_waits_for_a_person_and_for_five_seconds():
    rig = Rig(options={"protective_stop_at_motion": 4})

    async def main(arm):
        with pytest.raises(DeviceFault, match="PROTECTIVE_STOP") as fault:
            await arm.transfer(**WAY, tag="t1")
        assert fault.value.needs_operator
        state = await arm.state()
        assert (state.safety, state.program_state) == ("PROTECTIVE_STOP", "PAUSED")
        assert (await arm.locate()).position == "" and await arm.is_holding()
        with pytest.raises(Rejected, match="Cannot unlock protective stop until 5s after occurrence"):
            await arm.unlock_protective_stop()
        with pytest.raises(DeviceFault, match="PROTECTIVE_STOP"):
            await arm.move(position="home")
        await rig.clock.sleep(5.0)
        assert not await arm.is_unlocked()
        await arm.unlock_protective_stop()
        assert rig.wire.passed[-4:-2] == [b"unlock protective stop\n", b"Protective stop releasing\n"]
        assert await arm.is_unlocked()
        await arm.move(position="home")
        with pytest.raises(Rejected, match="gripper_not_open"):
            await arm.transfer(**WAY, tag="t1")

    rig.run(main)
    assert len(rig.acts("transfer")) == 1


def test_a_stop_ends_a_transfer_half_way():
    rig = Rig()

    async def main(arm):
        transfer = asyncio.ensure_future(arm.transfer(**WAY, tag="t1"))
        await rig.clock.sleep(6.0)
        began_s = rig.clock.now_s()
        await arm.stop()
        assert rig.clock.now_s() - began_s < 0.5
        with pytest.raises(DeviceFault, match="'stopped' with the gripper holding"):
            await transfer
        assert (await arm.locate()).position == ""
        assert not await arm.has_transferred(**WAY, tag="t1")
        await arm.stop()
        assert rig.wire.passed[-4:] == [
            b"stop\n", b"Failed to execute: stop\n", b"running\n", b"Program running: false\n",
        ]  # fmt: skip

    rig.run(main)
    assert len(rig.acts("stop")) == 1


def test_the_slider_slows_the_arm():
    rig = Rig()

    async def main(arm):
        with pytest.raises(OutOfLimits):
            await arm.set_speed(fraction=0.04)
        await arm.set_speed(fraction=0.25)
        assert await arm.speed() == 0.25
        began_s = rig.clock.now_s()
        await arm.move(position="furnace")
        assert rig.clock.now_s() - began_s == pytest.approx(4 * (95 / 60.16 + 0.75), abs=0.5)
        rig.wire.instrument.front_panel()
        assert await arm.speed() == 0.3

    rig.run(main)


def test_after_a_power_cut_the_arm_is_off_where_it_stood():
    rig = Rig()

    async def main(arm):
        transfer = asyncio.ensure_future(arm.transfer(**WAY, tag="t1"))
        await rig.clock.sleep(6.0)
        rig.wire.instrument.restart()
        with pytest.raises(DeviceFault, match="stopped"):
            await transfer
        state = await arm.state()
        assert (state.mode, state.program) == ("POWER_OFF", "")
        assert await arm.is_holding() and (await arm.locate()).position == ""

    rig.run(main)


def test_a_world_that_is_opened_anew_goes_on():
    first = Rig()

    async def begin(arm):
        transfer = asyncio.ensure_future(arm.transfer(**WAY, tag="t1"))
        await first.clock.sleep(3.0)
        transfer.cancel()

    first.run(begin)
    second = Rig(state=first.state, start_s=first.clock.now_s())

    async def go_on(arm):
        assert await arm.has_transferred(**WAY, tag="t1")

    second.run(go_on, power=False)
    assert second.arm.row["places"]["furnace"] == "sample-A1"


@pytest.mark.parametrize(
    ("command", "arguments", "answers", "error", "match"),
    [
        ("state", {}, {b"programState": b"PLOYING x.urp"}, Unreadable, "no program state"),
        ("state", {}, {b"robotmode": b"Robotmode: RUNNIN"}, Unreadable, "no answer to 'robotmode'"),
        ("is_unlocked", {}, {b"safetystatus": b"Safetymode: NORMAL"}, Unreadable, "no answer"),
        ("identify", {}, {b"get robot model": b"VAL3"}, Unreadable, "no answer"),
        ("is_holding", {}, {b"labpilot": b"labpilot status seq=1 at=home gripper=op speed=1"}, Unreadable, "no status"),
        ("speed", {}, {b"labpilot": b"labpilot status seq=1 at=home gripper=open speed=nan"}, Unreadable, "no status"),
        ("speed", {}, {b"labpilot": b"labpilot status seq=1 at=home gripper=open speed=50"}, Unreadable, "plausible"),
        ("set_speed", {"fraction": 0.5}, {b"labpilot": b"labpilot speed 0.05"}, Ambiguous, "no answer to speed 0.5"),
        ("set_speed", {"fraction": 0.5}, {b"labpilot": b"labpilot error checksum"}, NotSent, "relay did nothing"),
        ("has_transferred", {**WAY, "tag": "t1"}, {b"labpilot": b"labpilot result t2 - done"}, Unreadable, "no result"),
        ("power_on", {}, {b"robotmode": b"Robotmode: NO_CONTROLLER"}, DeviceFault, "look at the pendant"),
        ("stop", {}, {b"stop": b"could not understand: 'stop'"}, Ambiguous, "no answer to 'stop'"),
        ("stop", {}, {b"stop": b"Stopped", b"running": b"Program running: true"}, Rejected, "goes on"),
    ],
)
def test_replies_that_cannot_be_trusted(device_kind, using_memory, command, arguments, answers, error, match):
    whole = {b"robotmode": b"Robotmode: IDLE", b"programState": b"STOPPED a.urp", **answers}

    def answer(line):
        for head, reply in whole.items():
            if line.startswith(head):
                return [(0.0, sealed(reply) if head == b"labpilot" else reply + b"\n")]
        return [(0.0, b"true\n")]

    async def use(link, clock):
        with pytest.raises(error, match=match):
            await getattr(RobotArmDriver(link, clock), command)(**arguments)

    using_memory(device_kind(answer), use)


@pytest.fixture
def using_memory():
    from drivers.links.memory import MemoryLink

    def use_it(device, use):
        loop = VirtualLoop()
        clock = VirtualClock(loop)

        async def main():
            link = MemoryLink(device, clock, name="sim:test")
            await link.open()
            await use(link, clock)

        run_virtual(main(), loop=loop)

    return use_it


LOSSES = [Fault.DROP_REQUEST, Fault.DROP_REPLY, Fault.CUT, Fault.GARBLE, Fault.TOO_LATE, Fault.DUPLICATE, Fault.ECHO]


@pytest.mark.parametrize("fault", LOSSES)
@pytest.mark.parametrize("at", range(11))
def test_whatever_the_wire_does_a_sample_is_carried_once(fault, at):
    rig = Rig()

    async def main(arm):
        rig.wire.arm([*([None] * at), Strike(fault=fault, late_s=2.5)])
        for _ in range(5):
            try:
                await arm.transfer(**WAY, tag="t1")
                break
            except (NotSent, Unreadable):
                continue
            except Ambiguous:
                await rig.clock.sleep(1.0)
                if await arm.has_transferred(**WAY, tag="t1"):
                    break
        assert await arm.has_transferred(**WAY, tag="t1")

    rig.run(main)
    assert rig.wire.struck == 1
    assert len(rig.acts("transfer")) == 1
    assert rig.arm.row["places"] == {"A2": "sample-A2", "furnace": "sample-A1"}


def test_the_driver_reads_the_greeting_on_a_real_port():
    clock = RealClock()
    world = RobotArm(state=WorldFile(":memory:"), clock=EpochClock(), seed=3, options={})

    async def main():
        port = await TcpPort.open(world.instruments["arm"])
        arm = RobotArmDriver(open_link(f"tcp://127.0.0.1:{port.port}", clock), clock)
        try:
            identity = await arm.connect()
            assert identity.model == "UR5"
            assert (await arm.state()).mode == "POWER_OFF"
            with pytest.raises(Rejected, match="POWER_OFF"):
                await arm.transfer(**WAY, tag="t1")
        finally:
            await arm.close()
            await port.close()

    asyncio.run(main())

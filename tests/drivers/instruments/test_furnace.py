import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.framer import FramerRTU

from drivers.capabilities import Segment, capabilities_of
from drivers.clock import RealClock, VirtualClock, VirtualLoop, run_virtual
from drivers.command import Effect, command_specs
from drivers.errors import Ambiguous, DeviceFault, NotSent, OutOfLimits, Rejected, Unreadable
from drivers.instruments.furnace import FurnaceDriver
from drivers.instruments.furnace_program import (
    address,
    float_of,
    long_of,
    mark_of,
    signed,
    words_of_float,
    words_of_long,
)
from drivers.links.opening import memory_link, open_link
from drivers.links.tap import Direction, Tap
from simulators.faults import Fault, FaultyWire, Strike
from simulators.instruments.furnace import Furnace
from simulators.instruments.modbus import ModbusInstrument
from simulators.ports import opened
from simulators.world import WorldFile

PROFILE = [
    Segment(target_c=80.0, rate_k_per_min=10.0, hold_s=300.0),
    Segment(target_c=60.0, rate_k_per_min=2.0, hold_s=0.0),
]


@dataclass
class Rig:
    options: dict[str, Any] = field(default_factory=dict)
    port: str = "rtu"

    def __post_init__(self):
        self.loop = VirtualLoop()
        self.clock = VirtualClock(self.loop)
        self.state = WorldFile(":memory:")
        self.world = Furnace(state=self.state, clock=self.clock, seed=5, options=self.options)
        self.wire = FaultyWire(self.world.instruments[self.port])
        self.furnace = FurnaceDriver(memory_link(self.wire, self.clock, name=f"sim:furnace/{self.port}"), self.clock)

    def run(self, main):
        async def whole():
            await self.furnace.connect()
            await main()

        run_virtual(whole(), loop=self.loop)

    def acts(self, what):
        rows = [self.state.get(key) for key in self.state.keys("act/")]
        return [row["facts"] for row in rows if row["what"] == what]


@pytest.fixture(params=["rtu", "tcp"])
def rig(request):
    return Rig(port=request.param)


def test_what_it_can_do():
    assert {"Device", "Heater", "ProfileHeater", "Stoppable"} <= set(capabilities_of(FurnaceDriver))


def sealed(text):
    body = bytes.fromhex(text)
    return body + FramerRTU.compute_CRC(body).to_bytes(2, "big")


# What a real 2416 answers, in github.com/ukos-git/arduino-eurotherm2416: 122 holds 9312 (hex 2460), 121 holds 500
IDENT_REQUEST, IDENT_REPLY = bytes.fromhex("01 03 00 7A 00 01 A5 D3"), sealed("01 03 02 24 60")
MAKER_REQUEST, MAKER_REPLY = bytes.fromhex("01 03 00 79 00 01 55 D3"), bytes.fromhex("01 03 02 01 F4 B8 53")
# As HA026230 is remembered for functions 3 and 6 at device address 2: read PV and target, write a target of 25.0
READ_TWO, WRITE_TARGET = bytes.fromhex("02 03 00 01 00 02 95 F8"), bytes.fromhex("02 06 00 02 00 FA A8 7A")


def test_public_frames_reach_the_simulator():
    rig, sent = Rig({"noise_k": 0.0}), []
    rig.world.instruments["rtu"].send = sent.append
    for request in (IDENT_REQUEST, MAKER_REQUEST):
        rig.world.instruments["rtu"].receive(request)
    assert sent == [sealed("01 03 02 24 80"), MAKER_REPLY]  # ours is a 2408
    port = ModbusInstrument(rig.world.controller, wire="modbus+rtu", unit=2, state=rig.state, clock=rig.clock)
    port.send = sent.append
    port.receive(WRITE_TARGET)
    port.receive(READ_TWO)
    assert sent[2:] == [WRITE_TARGET, sealed("02 03 04 00 DC 00 FA")]  # 22.0 and 25.0 degC
    rig.loop.close()


class Scripted:
    wire, unit = "modbus+rtu", 1

    def __init__(self, replies):
        self.send = self.hang_up = None
        self.replies, self.heard = replies, []

    def receive(self, data):
        self.heard.append(data)
        if data in self.replies:
            self.send(self.replies[data])


def scripted(replies, use):
    loop = VirtualLoop()
    clock = VirtualClock(loop)
    peer = Scripted(replies)
    furnace = FurnaceDriver(memory_link(peer, clock, name="scripted"), clock)

    async def main():
        await furnace._link.open()
        await use(furnace)

    run_virtual(main(), loop=loop)
    return peer.heard


def test_a_real_2416_is_known_by_its_frames():
    replies = {
        IDENT_REQUEST: IDENT_REPLY,
        sealed("01 03 00 6B 00 01"): sealed("01 03 02 04 61"),
        sealed("01 03 02 75 00 01"): sealed("01 03 02 00 00"),
    }

    async def use(furnace):
        identity = await furnace.identify()
        assert (identity.maker, identity.model, identity.firmware) == ("Eurotherm", "2416", "4.61")
        assert identity.serial == "none (2416 at scripted)"

    assert scripted(replies, use)[0] == IDENT_REQUEST


def test_something_else_at_the_address_is_noticed():
    async def use(furnace):
        with pytest.raises(DeviceFault, match="type 3200") as caught:
            await furnace.identify()
        assert caught.value.code == "identity"

    scripted({IDENT_REQUEST: sealed("01 03 02 32 00")}, use)


@pytest.mark.parametrize("end", range(1, 7))
def test_half_a_number_is_none(end):
    async def use(furnace):
        with pytest.raises(Unreadable):
            await furnace.read_temperature()

    assert len(scripted({sealed("01 03 00 01 00 01"): sealed("01 03 02 0B B8")[:end]}, use)) == 1


@given(value=st.floats(-1000.0, 1000.0, width=32))
def test_wide_registers_there_and_back(value):
    assert float_of(words_of_float(value)) == value
    assert long_of(words_of_long(round(value * 1e6))) == round(value * 1e6)
    assert signed(round(value) & 0xFFFF) == round(value)


def test_it_says_who_it_is(rig):
    async def main():
        identity = await rig.furnace.identify()
        assert (identity.maker, identity.model, identity.serial, identity.firmware) == (
            "Eurotherm",
            "2408",
            "customer-id-1207",
            "4.61",
        )

    rig.run(main)


def test_it_heats_at_the_rate_that_was_asked_for(rig):
    async def main():
        furnace = rig.furnace
        await furnace.set_temperature(target_c=200.0, rate_k_per_min=5.0)
        assert await furnace.is_set_to(target_c=200.0, rate_k_per_min=5.0)
        await rig.clock.sleep(1200.0)
        assert await furnace.read_setpoint() == pytest.approx(22.0 + 100.0, abs=0.2)
        assert await furnace.read_temperature() == pytest.approx(121.0, abs=3.0)
        assert 10.0 < await furnace.read_output() < 60.0
        await rig.clock.sleep(3000.0)
        assert await furnace.read_setpoint() == 200.0
        assert await furnace.read_temperature() == pytest.approx(200.0, abs=1.0)

    rig.run(main)


@pytest.mark.parametrize(
    ("options", "expected", "within"),
    [({}, -5.3, 0.6), ({"decimals": 0}, -5.0, 1.0), ({"is_integer": True}, -5.0, 1.0)],
    ids=["a tenth", "no decimals", "integer comms"],
)
def test_below_zero_and_at_each_resolution(options, expected, within):
    rig = Rig({"start_c": -5.3, **options})

    async def main():
        value = await rig.furnace.read_temperature()
        assert value < 0.0 and value == pytest.approx(expected, abs=within)
        assert value == round(value, 1) and (not options or value == round(value))
        await rig.furnace.set_temperature(target_c=100.4, rate_k_per_min=2.5)
        assert rig.state.get("furnace")["setpoint_c"] == pytest.approx(100.0 if options else 100.4)
        assert await rig.furnace.is_set_to(target_c=100.4, rate_k_per_min=2.5)

    rig.run(main)


def test_two_decimals_are_refused():
    rig = Rig({"decimals": 2})

    async def main():
        with pytest.raises(DeviceFault, match="2 decimals; configure 0 or 1"):
            await rig.furnace.read_temperature()

    rig.run(main)


def test_limits_of_the_driver_stay_off_the_wire_and_those_of_the_controller_are_read():
    rig = Rig({"setpoint_high_c": 900.0})

    async def main():
        furnace, exchanges = rig.furnace, rig.wire.exchanges
        hot = [Segment(target_c=1300.0, rate_k_per_min=5.0, hold_s=0.0)]
        for work in (
            furnace.set_temperature(target_c=1200.1, rate_k_per_min=5.0),
            furnace.set_temperature(target_c=100.0, rate_k_per_min=51.0),
            furnace.run_profile(segments=hot, tag="t"),
            furnace.run_profile(segments=[{**PROFILE_ROW, "hold_s": -1.0}], tag="t"),
            furnace.run_profile(segments=[{**PROFILE_ROW, "rate_k_per_min": float("nan")}], tag="t"),
        ):
            with pytest.raises(OutOfLimits):
                await work
        with pytest.raises(Rejected, match="no segments"):
            await furnace.run_profile(segments=[{"target": 5}], tag="t")
        with pytest.raises(Rejected, match="at least one"):
            await furnace.run_profile(segments=[], tag="t")
        with pytest.raises(Rejected, match="takes 17 segments of the controller, which has 16"):
            await furnace.run_profile(segments=[Segment(**PROFILE_ROW)] * 8, tag="t")
        assert rig.wire.exchanges == exchanges
        with pytest.raises(OutOfLimits, match="controller's own limits, 0 to 900 degC") as caught:
            await furnace.set_temperature(target_c=950.0, rate_k_per_min=5.0)
        assert caught.value.high == 900.0
        with pytest.raises(OutOfLimits, match="own limits"):
            await furnace.run_profile(segments=[{**PROFILE_ROW, "target_c": 950.0}], tag="t")
        assert not list(rig.state.keys("act/"))

    rig.run(main)


PROFILE_ROW = {"target_c": 80.0, "rate_k_per_min": 10.0, "hold_s": 60.0}


def test_a_profile_runs_by_itself_and_is_never_started_twice(rig):
    async def main():
        furnace = rig.furnace
        assert await furnace.program_state() == "reset" and await furnace.remaining_s() == 0.0
        await furnace.run_profile(segments=PROFILE, tag="run-1")
        assert await furnace.program_state() == "run"
        # 58 K at 10 K/min, 5 min, 20 K at 2 K/min
        assert await furnace.remaining_s() == pytest.approx(348.0 + 300.0 + 600.0, abs=3.0)
        await furnace.close()
        await rig.clock.sleep(500.0)
        await furnace.connect()
        assert await furnace.read_temperature() == pytest.approx(85.0, abs=4.0)  # an overshoot
        await furnace.run_profile(segments=PROFILE, tag="run-1")
        with pytest.raises(Rejected, match="in state run; stop it first"):
            await furnace.run_profile(segments=PROFILE, tag="run-2")
        with pytest.raises(Rejected, match="stop it first"):
            await furnace.set_temperature(target_c=50.0, rate_k_per_min=5.0)
        await rig.clock.sleep(800.0)
        assert await furnace.program_state() == "complete" and await furnace.remaining_s() == 0.0
        assert await furnace.read_setpoint() == 60.0
        assert await furnace.has_started(segments=PROFILE, tag="run-1")
        assert not await furnace.has_started(segments=PROFILE, tag="run-2")
        assert not await furnace.has_started(segments=PROFILE[:1], tag="run-1")
        await furnace.run_profile(segments=PROFILE, tag="run-1")
        assert rig.acts("program") == [{"mark": mark_of("run-1")}]
        await furnace.run_profile(segments=PROFILE, tag="run-2")
        assert len(rig.acts("program")) == 2 and await furnace.program_state() == "run"

    rig.run(main)


def test_the_program_that_is_written():
    rig = Rig()
    rig.furnace._link.tap = Tap(rig.clock)

    async def main():
        await rig.furnace.run_profile(segments=PROFILE, tag="run-1")

    rig.run(main)
    sent = [entry.data for entry in rig.furnace._link.tap if entry.direction is Direction.SENT]
    assert address(0) == 8336
    assert sealed("01 10 20 90 00 02 04 00 01 03 20") in sent  # segment 1: ramp, to 80.0
    assert sealed("01 10 C1 24 00 02 04 41 20 00 00") in sent  # at 10.0 a minute
    assert sealed("01 10 20 98 00 01 02 00 03") in sent  # segment 2: dwell
    assert sealed("01 10 C1 34 00 02 04 00 04 93 E0") in sent  # for 300,000 ms
    assert sent[-2] == sealed("01 06 00 17 00 02")  # run, and read the status
    assert sent[-1] == sealed("01 03 00 17 00 01")


def test_stop_cuts_the_heating_at_once(rig):
    async def main():
        furnace = rig.furnace
        await furnace.run_profile(segments=[Segment(target_c=400.0, rate_k_per_min=10.0, hold_s=3600.0)], tag="t")
        await rig.clock.sleep(1200.0)
        assert await furnace.read_output() > 20.0
        await furnace.stop()
        await rig.clock.sleep(2.0)
        assert await furnace.read_output() == 0.0 and await furnace.program_state() == "reset"
        assert await furnace.read_setpoint() == 20.0
        assert not await furnace.has_started(segments=[{**PROFILE_ROW}], tag="t")
        await furnace.stop()
        await furnace.set_temperature(target_c=100.0, rate_k_per_min=5.0)
        assert await furnace.is_set_to(target_c=100.0, rate_k_per_min=5.0)

    rig.run(main)


@pytest.mark.parametrize("at", range(0, 30, 3))
def test_a_stop_while_a_profile_is_loaded_keeps_it_from_starting(at):
    rig = Rig()

    async def main():
        rig.wire.arm([Strike(fault=Fault.LATE, late_s=0.1)] * 60)  # each exchange takes 0.1 s
        run = asyncio.ensure_future(rig.furnace.run_profile(segments=PROFILE, tag="t"))
        await rig.clock.sleep(0.05 + 0.1 * at)
        assert not run.done()
        await rig.furnace.stop()
        with pytest.raises(Rejected, match="stopped before it began"):
            await run
        assert rig.acts("program") == [] and await rig.furnace.program_state() == "reset"

    rig.run(main)


def test_stop_minds_the_controllers_low_limit_and_takes_it_out_of_manual():
    rig = Rig({"setpoint_low_c": 50.0})

    async def main():
        rig.world.controller.write_register(273, 1)
        with pytest.raises(Rejected, match="in manual; switch it to auto"):
            await rig.furnace.set_temperature(target_c=100.0, rate_k_per_min=5.0)
        await rig.furnace.stop()
        kept = rig.state.get("furnace")
        assert kept["setpoint_c"] == 50.0 and not kept["is_manual"]

    rig.run(main)


def test_a_broken_thermocouple_gives_no_reading_and_no_heat():
    rig = Rig({"sensor_break_at_s": 600.0})

    async def main():
        furnace = rig.furnace
        await furnace.run_profile(segments=[Segment(target_c=400.0, rate_k_per_min=10.0, hold_s=60.0)], tag="t")
        await rig.clock.sleep(599.0)
        assert await furnace.read_temperature() > 80.0
        await rig.clock.sleep(2.0)
        with pytest.raises(DeviceFault, match="thermocouple is broken") as caught:
            await furnace.read_temperature()
        assert caught.value.code == "sensor-break" and caught.value.needs_operator
        assert await furnace.read_output() == 0.0 and await furnace.program_state() == "hold"
        assert (await furnace.read_alarms()).sensor_break
        await furnace.stop()
        for work in (
            furnace.set_temperature(target_c=100.0, rate_k_per_min=5.0),
            furnace.run_profile(segments=PROFILE, tag="u"),
        ):
            with pytest.raises(DeviceFault, match="broken; nothing was set"):
                await work

    rig.run(main)


def test_an_over_temperature_alarm_latches_until_it_is_acknowledged_below():
    rig = Rig({"over_temperature_c": 101.0})

    async def main():
        furnace = rig.furnace
        await furnace.set_temperature(target_c=100.0, rate_k_per_min=10.0)
        await rig.clock.sleep(460.0)
        assert not (await furnace.read_alarms()).over_temperature
        await rig.clock.sleep(60.0)  # the overshoot trips it
        assert (await furnace.read_alarms()).over_temperature and rig.world.controller.true_c > 100.9
        await furnace.acknowledge_alarm()
        assert (await furnace.read_alarms()).over_temperature
        await rig.clock.sleep(1800.0)
        assert await furnace.read_temperature() < 95.0  # cut off, it cools
        assert (await furnace.read_alarms()).over_temperature
        await furnace.acknowledge_alarm()
        assert not (await furnace.read_alarms()).over_temperature

    rig.run(main)


def test_a_burnt_out_element_is_a_loop_break():
    rig = Rig({"heater_burnt_out_at_s": 1200.0})

    async def main():
        furnace = rig.furnace
        await furnace.set_temperature(target_c=300.0, rate_k_per_min=10.0)
        await rig.clock.sleep(1200.0)
        assert not (await furnace.read_alarms()).loop_break
        await rig.clock.sleep(1200.0)
        assert await furnace.read_output() == 100.0 and (await furnace.read_alarms()).loop_break
        assert await furnace.read_temperature() < 210.0

    rig.run(main)


def test_another_unit_is_no_reading_and_never_converted(rig):
    async def main():
        furnace = rig.furnace
        await furnace.set_temperature(target_c=100.0, rate_k_per_min=5.0)
        rig.world.instruments["rtu"].change_unit()
        for work in (
            furnace.read_temperature(),
            furnace.read_setpoint(),
            furnace.set_temperature(target_c=50.0, rate_k_per_min=5.0),
            furnace.run_profile(segments=PROFILE, tag="t"),
        ):
            with pytest.raises(Unreadable, match="degF and not degC"):
                await work
        assert not await furnace.is_set_to(target_c=100.0, rate_k_per_min=5.0)
        assert rig.state.get("furnace")["setpoint_c"] == 100.0
        await furnace.stop()
        assert rig.state.get("furnace")["setpoint_c"] == pytest.approx(20.0)

    rig.run(main)


@pytest.mark.parametrize("at", range(4))
def test_a_unit_that_changes_within_a_reading_spoils_it(at):
    rig = Rig({"start_c": 500.0})

    async def main():
        rig.wire.arm([*([None] * at), Strike(fault=Fault.WRONG_UNIT)])
        try:
            value = await rig.furnace.read_temperature()
        except Unreadable:
            value = None
        assert value is None or value == pytest.approx(500.0, abs=5.0)
        assert rig.wire.struck == 1 and (value is None or at > 2)

    rig.run(main)


def test_a_restart_resets_the_program_and_keeps_the_set_point(rig):
    async def main():
        furnace = rig.furnace
        await furnace.set_temperature(target_c=90.0, rate_k_per_min=5.0)
        await furnace.run_profile(segments=PROFILE, tag="t")
        await rig.clock.sleep(300.0)
        rig.world.instruments["rtu"].restart()
        assert await furnace.program_state() == "reset"
        assert not await furnace.has_started(segments=PROFILE, tag="t")
        assert await furnace.is_set_to(target_c=90.0, rate_k_per_min=5.0)
        assert await furnace.read_setpoint() == pytest.approx(await furnace.read_temperature(), abs=1.0)

    rig.run(main)


def test_what_somebody_does_at_the_panel_is_seen(rig):
    async def main():
        await rig.furnace.set_temperature(target_c=90.0, rate_k_per_min=5.0)
        rig.world.instruments["rtu"].front_panel()
        assert not await rig.furnace.is_set_to(target_c=90.0, rate_k_per_min=5.0)
        rig.wire.arm([*([None] * 11), Strike(fault=Fault.FRONT_PANEL)])  # before the read-back
        with pytest.raises(Ambiguous, match="reads back another"):
            await rig.furnace.set_temperature(target_c=70.0, rate_k_per_min=5.0)

    rig.run(main)


LOSSES = [
    Fault.DROP_REQUEST, Fault.DROP_REPLY, Fault.CUT, Fault.GARBLE, Fault.BAD_CHECKSUM, Fault.TOO_LATE, Fault.DUPLICATE,
    Fault.ECHO, Fault.BUSY,
]  # fmt: skip


async def settled(rig, name, **arguments):
    """Carry a command out as recovery would: by its effect, until it has landed."""
    spec = command_specs(FurnaceDriver)[name]
    for _ in range(60):
        try:
            return await getattr(rig.furnace, name)(**arguments)
        except (NotSent, Unreadable, Rejected):
            await rig.clock.sleep(1.0)
        except Ambiguous:
            assert spec.effect is not Effect.READ
            await rig.clock.sleep(spec.late_max_s)
            if spec.verify and await settled(rig, spec.verify, **arguments):
                return None
    pytest.fail(f"{name} did not settle")


@given(plan=st.lists(st.sampled_from([None, None, None, *LOSSES]), max_size=70), port=st.sampled_from(["rtu", "tcp"]))
@settings(max_examples=40, deadline=None)
def test_a_profile_is_started_exactly_once_whatever_the_wire_does(plan, port):
    rig = Rig(port=port)

    async def main():
        rig.wire.arm([None if fault is None else Strike(fault=fault, late_s=1.2) for fault in plan])
        await settled(rig, "set_temperature", target_c=70.0, rate_k_per_min=3.0)
        kept = rig.state.get("furnace")
        assert (kept["setpoint_c"], kept["rate_k_min"]) == (70.0, 3.0)
        await settled(rig, "run_profile", segments=PROFILE, tag="t")
        assert len(rig.acts("program")) == 1
        assert await settled(rig, "program_state") == "run"
        await settled(rig, "stop")
        assert rig.state.get("furnace")["setpoint_c"] == 20.0

    rig.run(main)


def test_twelve_hours_polled_every_half_minute_take_well_under_a_second():
    rig = Rig()
    program = [
        Segment(target_c=900.0, rate_k_per_min=5.0, hold_s=6 * 3600.0),
        Segment(target_c=100.0, rate_k_per_min=5.0, hold_s=0.0),
    ]

    async def main():
        await rig.furnace.run_profile(segments=program, tag="t")
        while await rig.furnace.program_state() == "run":
            await rig.furnace.read_temperature()
            await rig.clock.sleep(30.0)
        assert rig.clock.now_s() > 11 * 3600.0

    began_s = time.process_time()
    rig.run(main)
    assert time.process_time() - began_s < 5.0  # about 1 s here, the driver and the wire included


def test_clients_that_are_not_ours_on_real_ports(tmp_path):
    async def main():
        clock = RealClock()
        world = Furnace(
            state=WorldFile(tmp_path / "w"), clock=clock, seed=5, options={"start_c": 300.0, "noise_k": 0.0}
        )
        async with opened(world.instruments) as urls:
            host, _, port = urls["tcp"].removeprefix("modbus+tcp://").partition("/")[0].partition(":")
            path = urls["rtu"].removeprefix("modbus+rtu://").partition("?")[0]
            for client in (
                AsyncModbusTcpClient(host, port=int(port), timeout=2, retries=0),
                AsyncModbusSerialClient(path, baudrate=115200, timeout=2, retries=0),
            ):
                assert await client.connect()
                counts = (await client.read_holding_registers(1, count=1, device_id=1)).registers[0]
                assert 2980 <= counts <= 3000
                wide = (await client.read_holding_registers(0x8002, count=2, device_id=1)).registers
                assert float_of(wide) == pytest.approx(counts / 10, abs=0.5)
                assert (await client.read_holding_registers(122, count=1, device_id=1)).registers == [0x2480]
                assert not (await client.write_register(24, 2505, device_id=1)).isError()
                assert (await client.read_holding_registers(24, count=1, device_id=1)).registers == [2505]
                assert (await client.write_register(24, 12001, device_id=1)).exception_code == 3
                assert (await client.write_register(1, 5, device_id=1)).exception_code == 2
                assert (await client.read_holding_registers(9999, count=1, device_id=1)).exception_code == 2
                client.close()
            for name in ("tcp", "rtu"):
                furnace = FurnaceDriver(open_link(urls[name], clock), clock)
                assert (await furnace.connect()).serial == "customer-id-1207"
                await furnace.set_temperature(target_c=200.0, rate_k_per_min=5.0)
                assert 290.0 < await furnace.read_temperature() < 301.0
                await furnace.close()
        world.close()

    asyncio.run(main())

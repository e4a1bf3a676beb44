import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from drivers.capabilities import capabilities_of
from drivers.clock import VirtualClock, VirtualLoop, run_virtual
from drivers.errors import Ambiguous, DeviceFault, DriverError, NotSent, OutOfLimits, Rejected, Unreadable
from drivers.instruments.gas_flow import GasFlowDriver
from drivers.links.http import HttpBus
from drivers.links.memory import MemoryLink
from drivers.links.opening import memory_link
from drivers.links.tap import Direction, Tap
from drivers.manifest import missing_facts
from simulators.faults import Fault, FaultyWire, Strike
from simulators.instruments.gas_flow import GasFlow
from simulators.world import WorldFile


@dataclass
class Bench:
    options: dict[str, Any] = field(default_factory=dict)
    state: WorldFile = field(default_factory=lambda: WorldFile(":memory:"))

    def __post_init__(self):
        self.loop = VirtualLoop()
        self.clock = VirtualClock(self.loop)
        self.world = GasFlow(state=self.state, clock=self.clock, seed=5, options=self.options)
        self.wire = FaultyWire(self.world.instruments["flow"], seed=3)
        link = memory_link(self.wire, self.clock, name="sim:gas-flow/flow")
        link.tap = Tap(self.clock, keep=4000)
        self.gas = GasFlowDriver(link, self.clock, name="gas")

    def run(self, main):
        async def whole():
            await self.gas.connect()
            await main()

        run_virtual(whole(), loop=self.loop)

    def sent(self):
        return [row.data for row in self.gas._link.tap if row.direction is Direction.SENT]

    def did(self):
        return [self.state.get(key)["facts"] for key in self.state.keys("act/")]


class Canned:
    """A station that answers whatever it is told to."""

    wire = "http"

    def __init__(self, *bodies, status=200):
        self.bodies = list(bodies)
        self.status = status
        self.send = self.hang_up = None
        self.asked = []

    def receive(self, data):
        self.asked.append(data)
        body = self.bodies.pop(0) if len(self.bodies) > 1 else self.bodies[0]
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        head = f"HTTP/1.1 {self.status} X\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n"
        self.send(head.encode() + text)


def asking(station, use):
    loop = VirtualLoop()
    clock = VirtualClock(loop)

    async def main():
        link = MemoryLink(station, clock, name="sim:gas")
        gas = GasFlowDriver(HttpBus(link, host="gas.lab"), clock, name="gas")
        await link.open()
        await use(gas)

    run_virtual(main(), loop=loop)


STATE = {
    "gas": "argon",
    "flow": 49.8,
    "setpoint": 50.0,
    "unit": "mL/min",
    "valve": "open",
    "supply_bar": 3.0,
    "alarm": "",
    "age_s": 0.3,
}


def test_it_has_its_capabilities():
    assert {"FlowController", "Switchable", "Stoppable"} <= set(capabilities_of(GasFlowDriver))
    assert missing_facts(GasFlowDriver.manifest) == []


def test_a_name_that_cannot_stand_in_a_path():
    with pytest.raises(ValueError, match="no gas"):
        GasFlowDriver(None, None, gas="../door")


def test_exact_requests():
    # RFC 9112, 3 and 6.2 (request line, Content-Length) and RFC 9110, 9.3.4 (PUT)
    station = Canned({"gas": "argon", "flow": 50.0, "unit": "mL/min"})

    async def use(gas):
        await gas.set_flow(flow_ml_per_min=50.0)
        assert station.asked == [
            b"PUT /gas/argon/setpoint HTTP/1.1\r\nHost: gas.lab\r\nAccept: application/json\r\nConnection: close\r\n"
            b"Content-Type: application/json\r\nContent-Length: 32\r\n\r\n"
            b'{"flow": 50.0, "unit": "mL/min"}'
        ]

    asking(station, use)
    station = Canned(STATE)

    async def read(gas):
        assert await gas.read_flow() == 49.8
        assert station.asked == [
            b"GET /gas/argon HTTP/1.1\r\nHost: gas.lab\r\nAccept: application/json\r\nConnection: close\r\n\r\n"
        ]

    asking(station, read)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"unit": "L/min"}, "unit is 'L/min'"),
        ({"unit": None}, "unit is None"),
        ({"gas": "oxygen"}, "gas is 'oxygen'"),
        ({"flow": "49.8"}, "no number"),
        ({"flow": True}, "no number"),
        ({"flow": 1e9}, "outside the plausible"),
        ({"age_s": 2.5}, "2.5 s old"),
        ({"age_s": -1.0}, "old"),
        ({"alarm": 7}, "alarm is 7"),
    ],
    ids=["unit", "no unit", "another gas", "text", "true", "implausible", "stale", "from the future", "alarm"],
)
def test_a_reading_that_is_none(change, why):
    async def use(gas):
        with pytest.raises(Unreadable, match=why):
            await gas.read_flow()

    asking(Canned({**STATE, **change}), use)


@pytest.mark.parametrize("body", [b'{"gas": "argon", "flow": 49', b"[]", b'{"flow": NaN}', b"\xff"], ids=repr)
def test_half_a_body_is_no_reading(body):
    async def use(gas):
        with pytest.raises(Unreadable):
            await gas.read_flow()

    asking(Canned(body), use)


@pytest.mark.parametrize(
    "echo",
    [
        {"gas": "argon", "flow": 5.0, "unit": "mL/min"},
        {"gas": "argon", "flow": 50.0, "unit": "L/min"},
        {"gas": "oxygen", "flow": 50.0, "unit": "mL/min"},
        {},
    ],
    ids=["flow", "unit", "gas", "nothing"],
)
def test_a_setting_that_is_not_echoed_is_not_taken_for_set(echo):
    async def use(gas):
        with pytest.raises(Ambiguous):
            await gas.set_flow(flow_ml_per_min=50.0)

    asking(Canned(echo), use)


@pytest.mark.parametrize(
    ("status", "error"), [(422, Rejected), (423, Rejected), (503, Rejected), (500, DeviceFault)], ids=str
)
def test_what_a_status_means(status, error):
    async def use(gas):
        with pytest.raises(error, match=str(status)):
            await gas.set_flow(flow_ml_per_min=50.0)

    asking(Canned({"error": "no"}, status=status), use)


def test_a_flow_is_set_and_reached():
    bench = Bench()

    async def main():
        assert (await bench.gas.identify()).model == "GF-4"
        await bench.gas.set_flow(flow_ml_per_min=50.0)
        assert not await bench.gas.is_on()
        assert await bench.gas.read_flow() == pytest.approx(0.0, abs=0.5)
        await bench.gas.switch_on()
        assert await bench.gas.is_on()
        assert not await bench.gas.is_settled()
        await bench.clock.sleep(8.0)
        assert await bench.gas.is_settled()
        assert await bench.gas.read_flow() == pytest.approx(50.0, abs=0.5)
        assert await bench.gas.read_setpoint() == 50.0
        assert await bench.gas.read_supply() == 3.0
        await bench.gas.switch_off()
        await bench.clock.sleep(2.0)
        assert await bench.gas.read_flow() == pytest.approx(0.0, abs=0.5)
        assert await bench.gas.read_setpoint() == 50.0

    bench.run(main)
    assert bench.did()[0] == {"gas": "argon", "setpoint": 50.0}


@pytest.mark.parametrize("flow", [-1.0, 501.0, float("nan")], ids=str)
def test_a_flow_beyond_the_limits_is_refused_before_the_wire(flow):
    bench = Bench()

    async def main():
        sent = len(bench.sent())
        with pytest.raises(OutOfLimits):
            await bench.gas.set_flow(flow_ml_per_min=flow)
        assert len(bench.sent()) == sent

    bench.run(main)


def test_a_gas_that_the_station_lacks():
    bench = Bench()

    async def main():
        helium = GasFlowDriver(bench.gas._link, bench.clock, name="he", gas="helium")
        with pytest.raises(Rejected, match="404"):
            await helium.set_flow(flow_ml_per_min=1.0)

    bench.run(main)


def test_stop_closes_the_valve_and_sets_nought_also_while_another_command_waits():
    bench = Bench()

    async def main():
        await bench.gas.set_flow(flow_ml_per_min=50.0)
        await bench.gas.switch_on()
        bench.wire.arm([Strike(fault=Fault.LATE, late_s=0.5)])
        reading = asyncio.ensure_future(bench.gas.read_flow())
        await bench.clock.sleep(0.1)
        began_s = bench.clock.now_s()
        await bench.gas.stop()
        await bench.gas.stop()
        assert bench.clock.now_s() - began_s < 1.0
        await reading
        assert not await bench.gas.is_on()
        assert await bench.gas.read_setpoint() == 0.0

    bench.run(main)


def test_a_station_that_was_switched_to_litres_is_not_believed():
    bench = Bench()

    async def main():
        await bench.gas.set_flow(flow_ml_per_min=50.0)
        bench.world.station.change_unit()
        for read in (bench.gas.read_flow, bench.gas.read_setpoint, bench.gas.is_on):
            with pytest.raises(Unreadable, match="'L/min'"):
                await read()
        with pytest.raises(Rejected, match="422"):
            await bench.gas.set_flow(flow_ml_per_min=60.0)

    bench.run(main)
    assert len(bench.did()) == 1


def test_low_supply_is_a_fault_that_needs_a_person():
    bench = Bench({"supply_fails_at_s": 1.0})

    async def main():
        await bench.clock.sleep(60.0)
        with pytest.raises(DeviceFault, match="supply pressure low") as fault:
            await bench.gas.read_flow()
        assert fault.value.needs_operator
        await bench.gas.stop()

    bench.run(main)


def test_a_dead_sensor_is_no_reading():
    bench = Bench({"sensor_dies_at_s": 5.0})

    async def main():
        await bench.clock.sleep(6.0)
        await bench.gas.read_flow()
        await bench.clock.sleep(3.0)
        with pytest.raises(Unreadable, match="the sensor is dead"):
            await bench.gas.read_flow()
        with pytest.raises(Unreadable, match="the sensor is dead"):
            await bench.gas.is_settled()

    bench.run(main)


def test_a_restart_closes_the_valve_and_is_seen():
    bench = Bench()

    async def main():
        await bench.gas.set_flow(flow_ml_per_min=50.0)
        await bench.gas.switch_on()
        bench.world.station.restart()
        assert not await bench.gas.is_on()
        assert await bench.gas.read_setpoint() == 0.0

    bench.run(main)


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.MISREAD], ids=str)
@pytest.mark.parametrize("name", ["read_flow", "is_on", "set_flow", "switch_on", "stop"])
def test_settled_by_effect_it_ends_up_as_asked(name, fault):
    bench = Bench()
    arguments = {"flow_ml_per_min": 20.0} if name == "set_flow" else {}

    async def main():
        bench.wire.arm([Strike(fault=fault, late_s=2.3 if fault is Fault.TOO_LATE else 0.1)])
        for _ in range(6):
            try:
                await getattr(bench.gas, name)(**arguments)
                break
            except (NotSent, Unreadable, Ambiguous, Rejected) as error:
                assert (error.device, error.command) == ("gas", name)
                assert isinstance(error, NotSent | Rejected | Unreadable | Ambiguous)
                bench.wire.revive()
                if fault is Fault.WRONG_UNIT:
                    bench.world.station.change_unit()
                await bench.clock.sleep(1.0)
                await bench.gas.close()
                await bench.gas.connect()
        else:
            pytest.fail("it did not settle")

    bench.run(main)
    state = bench.state.get("gas/argon", {"setpoint": 0.0, "valve": "closed"})
    if name == "set_flow" and fault is not Fault.WRONG_UNIT:
        assert state["setpoint"] == 20.0
    if name in ("switch_on", "stop"):
        assert state["valve"] == {"switch_on": "open", "stop": "closed"}[name]


def test_errors_name_their_command():
    bench = Bench()

    async def main():
        bench.wire.arm([Strike(fault=Fault.DROP_REPLY)])
        with pytest.raises(DriverError) as error:
            await bench.gas.switch_on()
        assert isinstance(error.value, Ambiguous)
        assert error.value.command == "switch_on"

    bench.run(main)

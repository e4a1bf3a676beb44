import asyncio
import http.client
import json
import math

import numpy as np
import pytest

from simulators.instruments.gas_flow import GasFlow
from simulators.ports import opened
from simulators.world import WorldFile


class Station:
    def __init__(self, desk, **options):
        self.desk = desk
        self.world = GasFlow(state=desk.state, clock=desk, seed=5, options=options)
        self.gas = self.world.station

    def ask(self, method, path, body=None):
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n\r\n".encode()
        reply = self.desk.ask(self.gas, head + content)
        head, _, found = reply.partition(b"\r\n\r\n")
        return int(head.split(b" ")[1]), json.loads(found)

    def run(self, flow, gas="argon"):
        assert self.ask("PUT", f"/gas/{gas}/setpoint", {"flow": flow, "unit": "mL/min"})[0] == 200
        assert self.ask("PUT", f"/gas/{gas}/valve", {"state": "open"})[0] == 200

    def flow(self, gas="argon"):
        return self.ask("GET", f"/gas/{gas}")[1]["flow"]


@pytest.fixture
def station(desk):
    return Station(desk)


def test_exact_exchange(desk, station):
    body = b'{"flow": 50, "unit": "mL/min"}'
    request = b"PUT /gas/argon/setpoint HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    assert desk.ask(station.gas, request) == (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 48\r\nConnection: close\r\n\r\n"
        b'{"gas": "argon", "flow": 50.0, "unit": "mL/min"}'
    )


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/gas/argon/setpoint", {"flow": 50, "unit": "sccm"}, 422),
        ("PUT", "/gas/argon/setpoint", {"flow": 501, "unit": "mL/min"}, 422),
        ("PUT", "/gas/argon/setpoint", {"flow": -1, "unit": "mL/min"}, 422),
        ("PUT", "/gas/argon/setpoint", {"flow": "50", "unit": "mL/min"}, 422),
        ("PUT", "/gas/argon/setpoint", {"flow": True, "unit": "mL/min"}, 422),
        ("PUT", "/gas/argon/valve", {"state": "ajar"}, 422),
        ("PUT", "/gas/argon", {}, 405),
        ("GET", "/gas/argon/valve", None, 405),
        ("PUT", "/identity", {}, 405),
        ("GET", "/gas/helium", None, 404),
        ("GET", "/", None, 404),
        ("PUT", "/gas/argon/setpoint", [], 400),
    ],
    ids=lambda value: str(value)[:24],
)
def test_what_it_refuses(desk, station, method, path, body, status):
    found = station.ask(method, path, body)
    assert found[0] == status
    assert found[1]["error"]
    assert list(desk.state.keys("act/")) == []


def test_a_flow_overshoots_once_by_four_percent_and_settles(desk, station):
    station.run(100.0)
    flows = np.array([station.gas.true_flow("argon", time_s) for time_s in np.arange(0.0, 12.0, 0.01)])
    assert flows[0] == 0.0
    # exp(-pi / (tau w)), reached after half a period, pi / w
    assert flows.max() == pytest.approx(100.0 * (1 + math.exp(-math.pi / (0.8 * 1.25))), abs=0.01)
    assert flows.argmax() * 0.01 == pytest.approx(math.pi / 1.25, abs=0.02)
    assert flows[-1] == pytest.approx(100.0, abs=0.01)


def test_a_change_on_the_way_starts_from_where_it_is(desk, station):
    station.run(100.0)
    desk.time_s = 1.0
    there = station.gas.true_flow("argon", 1.0)
    assert 20.0 < there < 90.0
    station.run(20.0)
    assert station.gas.true_flow("argon", 1.0) == pytest.approx(there)
    assert station.gas.true_flow("argon", 20.0) == pytest.approx(20.0, abs=0.01)


def test_the_sensor_looks_twice_a_second_and_is_noisy(desk, station):
    station.run(50.0)
    readings = []
    for tick in range(400):
        desk.time_s = 20.0 + 0.5 * tick + 0.2
        found = station.ask("GET", "/gas/argon")[1]
        assert found["age_s"] == pytest.approx(0.2)
        readings.append(found["flow"])
    assert np.std(readings) == pytest.approx(0.1, rel=0.15)
    assert np.mean(readings) == pytest.approx(50.0, abs=0.03)
    assert station.flow() == readings[-1]


def test_the_zero_drifts(desk):
    station = Station(desk, zero_drift_ml_per_min_per_h=2.0)
    desk.time_s = 3 * 3600.0
    assert station.flow() == pytest.approx(6.0, abs=0.5)
    assert station.gas.true_flow("argon", desk.time_s) == 0.0


def test_low_supply_pressure_limits_the_flow_and_raises_an_alarm(desk):
    station = Station(desk, supply_fails_at_s=10.0)
    station.run(400.0)
    desk.time_s = 10.0
    assert station.flow() == pytest.approx(400.0, abs=1.0)
    desk.time_s = 10.0 + 44.0  # 0.05 bar/s from 3 bar: 0.8 bar, which is 40 % of the range
    found = station.ask("GET", "/gas/argon")[1]
    assert found["supply_bar"] == pytest.approx(0.8)
    assert found["alarm"] == "supply pressure low"
    assert found["flow"] == pytest.approx(200.0, abs=1.0)


def test_a_closed_valve_lets_nothing_through(desk, station):
    station.run(100.0)
    desk.time_s = 10.0
    station.ask("PUT", "/gas/argon/valve", {"state": "closed"})
    assert station.gas.true_flow("argon", 10.1) == pytest.approx(100.0 / math.e, rel=0.01)
    assert station.gas.true_flow("argon", 12.0) < 1e-3


def test_gases_do_not_meddle(desk, station):
    station.run(100.0, "oxygen")
    desk.time_s = 10.0
    assert station.flow("oxygen") == pytest.approx(100.0, abs=1.0)
    assert station.flow("argon") == pytest.approx(0.0, abs=0.5)


def test_a_restart_forgets_and_closes(desk, station):
    station.run(100.0)
    desk.time_s = 10.0
    station.gas.restart()
    found = station.ask("GET", "/gas/argon")[1]
    assert (found["setpoint"], found["valve"]) == (0.0, "closed")


def test_it_survives_the_death_of_its_process(tmp_path, desk):
    desk.state = WorldFile(tmp_path / "world.db")
    station = Station(desk)
    station.run(100.0)
    station.gas.change_unit()
    desk.time_s = 1.0
    flow = station.gas.true_flow("argon", 1.0)
    station.world.close()
    desk.state = WorldFile(tmp_path / "world.db")
    station = Station(desk)
    assert station.gas.true_flow("argon", 1.0) == flow
    assert station.ask("GET", "/gas/argon")[1]["unit"] == "L/min"
    desk.state.close()


def test_the_same_put_twice_acts_once(desk, station):
    station.run(100.0)
    station.run(100.0)
    assert len(list(desk.state.keys("act/"))) == 2


def test_the_standard_library_talks_to_it_on_a_real_port():
    world = GasFlow(state=WorldFile(":memory:"), clock=_Still(), seed=1, options={})

    def talk(host):
        found = []
        for method, path, body in [
            ("PUT", "/gas/argon/setpoint", '{"flow": 50, "unit": "mL/min"}'),
            ("GET", "/gas/argon", None),
            ("GET", "/nowhere", None),
        ]:
            client = http.client.HTTPConnection(host, timeout=5.0)
            client.request(method, path, body)
            reply = client.getresponse()
            found.append((reply.status, json.loads(reply.read())))
            client.close()
        return found

    async def main():
        async with opened(world.instruments) as urls:
            host = urls["flow"].removeprefix("http://")
            put, got, lost = await asyncio.get_running_loop().run_in_executor(None, talk, host)
        assert put == (200, {"gas": "argon", "flow": 50.0, "unit": "mL/min"})
        assert (got[0], got[1]["setpoint"]) == (200, 50.0)
        assert lost[0] == 404

    asyncio.run(main())


class _Still:
    def now_s(self):
        return 0.0

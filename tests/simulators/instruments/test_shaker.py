import asyncio

import numpy as np
import pytest
import serial

from simulators.instruments.shaker import Shaker
from simulators.ports import opened
from simulators.world import WorldFile


class Platform:
    """The world on the test's desk, asked line by line."""

    def __init__(self, desk, **options):
        self.desk = desk
        self.world = Shaker(state=desk.state, clock=desk, seed=5, options=options)
        self.shaker = self.world.shaker

    def ask(self, *commands):
        return self.desk.ask(self.shaker, b"".join(command.encode() + b" \r\n" for command in commands)).decode()

    def speed(self, time_s):
        self.desk.time_s = time_s
        self.ask("STATUS")
        return self.shaker.speed_rpm(time_s)

    def did(self, what):
        rows = [self.desk.state.get(key) for key in self.desk.state.keys("act/")]
        return [row for row in rows if row["what"] == what]


@pytest.fixture
def platform(desk):
    return Platform(desk)


def test_a_conversation(platform):
    assert platform.ask("IN_TYPE") == "KS4000 ic\r\n"
    assert platform.ask("IN_NAME") == "KS4000 ic\r\n"
    assert platform.ask("IN_SOFTWARE") == "25 10.11.2011 1.04\r\n"
    assert platform.ask("STATUS", "IN_SP_4", "IN_PV_4") == "S0\r\n0.0 4\r\n0.0 4\r\n"
    assert platform.ask("OUT_SP_4 300") == ""
    assert platform.ask("IN_SP_4") == "300.0 4\r\n"
    assert platform.ask("START_4") == ""
    assert platform.ask("STATUS") == "S1\r\n"
    platform.desk.time_s = 10.0
    reply = platform.ask("IN_PV_4")
    assert reply.endswith(" 4\r\n") and float(reply.split()[0]) == pytest.approx(300.0, abs=2.0)
    assert platform.ask("OUT_WD1@30") == "30\r\n"
    assert platform.ask("OUT_WD2@0") == "0\r\n"
    assert platform.ask("STOP_4") == ""
    assert platform.ask("STATUS", "IN_SP_4") == "S2\r\n300.0 4\r\n"  # what was set is kept
    assert platform.ask("OUT_NAME SHAKER-7", "IN_NAME") == "SHAKER-7\r\n"
    assert platform.ask("RESET", "STATUS") == "S0\r\n"


@pytest.mark.parametrize(
    "command",
    ["OUT_SP_4 9", "OUT_SP_4 501", "OUT_SP_4 nan", "OUT_SP_4 -5", "OUT_NAME ELEVENCHARS", "OUT_WD1@19", "OUT_WD1@1501"],
)
def test_what_is_out_of_range_is_ignored(platform, command):
    before = platform.shaker._shaker
    assert platform.ask(command) == ""
    assert platform.shaker._shaker == before


def test_commands_are_taken_with_and_without_the_blank(platform):
    assert platform.desk.ask(platform.shaker, b"OUT_SP_4 120\r\nIN_SP_4\r\n") == b"120.0 4\r\n"


def test_a_start_takes_a_speed_and_happens_once(platform):
    platform.ask("START_4")
    assert platform.ask("STATUS") == "S2\r\n"  # no speed is set
    platform.ask("OUT_SP_4 300", "START_4", "START_4")
    assert len(platform.did("start")) == 1
    assert platform.did("start")[0]["once"]


def test_the_platform_speeds_up_by_its_load_and_brakes(platform):
    platform.ask("OUT_SP_4 300", "START_4")
    rate = 120.0 / (1.0 + 2.0 / 5.0)
    assert platform.speed(1.0) == pytest.approx(rate)
    assert platform.speed(3.0) == pytest.approx(3.0 * rate)
    assert platform.speed(3.6) == 300.0
    platform.ask("OUT_SP_4 100")
    assert platform.speed(4.1) == pytest.approx(200.0)
    assert platform.speed(10.0) == 100.0
    platform.ask("STOP_4")
    assert platform.speed(10.25) == pytest.approx(50.0)
    assert platform.speed(10.5) == 0.0


def test_trembling_dies_away_within_three_seconds(platform):
    platform.ask("OUT_SP_4 500", "START_4")
    platform.desk.time_s = 20.0
    assert platform.shaker.vibration(20.0) == 1.0
    platform.ask("STOP_4")
    trembling = np.array([platform.shaker.vibration(20.0 + since_s) for since_s in (0.0, 1.0, 2.0, 2.99, 3.0, 4.0)])
    assert trembling == pytest.approx([1.0, 2 / 3, 1 / 3, 0.01 / 3, 0.0, 0.0], abs=1e-9)


def test_the_watchdog_stops_a_shaker_that_nobody_speaks_to(platform):
    platform.ask("OUT_SP_4 300", "OUT_WD1@30", "START_4")
    platform.desk.time_s = 29.9
    assert platform.ask("STATUS") == "S1\r\n"  # other commands do not count
    platform.desk.time_s = 31.0
    assert platform.ask("STATUS") == "-2\r\n"
    assert platform.did("trip")[0]["facts"] == {"error": "-2"}
    assert platform.shaker.speed_rpm(30.0 + 0.5) == pytest.approx(200.0)  # it braked from the instant of the trip
    platform.ask("START_4")
    assert platform.ask("STATUS") == "-2\r\n"
    platform.ask("RESET", "START_4")
    assert platform.ask("STATUS") == "S1\r\n"
    platform.desk.time_s = 500.0
    assert platform.ask("STATUS") == "S1\r\n"  # nobody armed it again


def test_a_watchdog_that_is_fed_does_not_bite(platform):
    platform.ask("OUT_SP_4 300", "OUT_WD1@30", "START_4")
    for time_s in range(25, 200, 25):
        platform.desk.time_s = float(time_s)
        assert platform.ask("OUT_WD1@30", "STATUS") == "30\r\nS1\r\n"


@pytest.mark.parametrize(
    ("options", "trip_s", "speed_rpm"),
    [({"is_jammed": True}, 2.0, 0.0), ({"load_kg": 30.0}, 5.0, 5.0 * 120.0 / 7.0)],
)
def test_the_motor_protects_itself(desk, options, trip_s, speed_rpm):
    platform = Platform(desk, **options)
    platform.ask("OUT_SP_4 300", "START_4")
    assert platform.speed(trip_s - 0.01) == pytest.approx(speed_rpm, abs=1.0)
    assert platform.ask("STATUS") == "S1\r\n"
    desk.time_s = trip_s
    assert platform.ask("STATUS") == "-4\r\n"


def test_too_much_load_costs_speed(desk):
    platform = Platform(desk, load_kg=22.0)
    platform.ask("OUT_SP_4 300", "START_4")
    assert platform.speed(60.0) == pytest.approx(270.0)


def test_an_open_hood_keeps_it_still(desk):
    platform = Platform(desk, is_hood_open=True)
    platform.ask("OUT_SP_4 300", "START_4")
    assert platform.ask("STATUS") == "S2\r\n"
    assert platform.did("start") == []


def test_a_restart_keeps_the_name_only(platform):
    platform.ask("OUT_NAME R123456789", "OUT_SP_4 300", "OUT_WD1@30", "START_4")
    platform.desk.time_s = 10.0
    platform.shaker.restart()
    assert platform.ask("STATUS", "IN_SP_4", "IN_NAME") == "S0\r\n0.0 4\r\nR123456789\r\n"
    platform.desk.time_s = 100.0
    assert platform.ask("STATUS", "IN_PV_4") == "S0\r\n0.0 4\r\n"


def test_the_process_may_die_while_it_shakes(platform):
    platform.ask("OUT_SP_4 300", "START_4")
    platform.desk.time_s = 2.0
    again = Platform(platform.desk)
    assert again.shaker.speed_rpm(2.0) == platform.shaker.speed_rpm(2.0) > 100.0
    assert again.ask("STATUS") == "S1\r\n"


def test_pyserial_shakes_on_a_real_port(desk):
    world = Shaker(state=WorldFile(":memory:"), clock=desk, seed=5, options={})

    def talk(path):
        with serial.Serial(path, 9600, timeout=5) as port:
            port.write(b"OUT_SP_4 300 \r\nIN_SP_4 \r\nSTART_4 \r\nSTATUS \r\n")
            return [port.readline(), port.readline()]

    async def main():
        async with opened(world.instruments) as urls:
            path = urls["shaker"].removeprefix("serial://").partition("?")[0]
            return await asyncio.to_thread(talk, path)

    assert asyncio.run(main()) == [b"300.0 4\r\n", b"S1\r\n"]

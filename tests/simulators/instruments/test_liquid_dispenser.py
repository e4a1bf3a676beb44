import asyncio

import numpy as np
import pytest
import serial

from drivers.instruments.oem_block import Answer, Command, OemBlock
from simulators.instruments.liquid_dispenser import LiquidDispenserWorld
from simulators.instruments.syringe_pump import Syringe, plunger_s, valve_s
from simulators.ports import opened
from simulators.world import WorldFile


class Station:
    """The world on a test's desk, asked with bare blocks."""

    def __init__(self, desk, **options):
        self.desk = desk
        self.number = 0
        self.world = LiquidDispenserWorld(state=desk.state, clock=desk, seed=5, options=options)
        self.line = self.world.instruments["pump"]

    def ask(self, text, address=b"1", *, number=None, repeated=False):
        self.number = self.number % 7 + 1 if number is None else number
        command = Command(address=address, number=self.number, is_repeated=repeated, data=text.encode())
        reply = self.desk.ask(self.line, OemBlock().wrap(command.message()))
        return Answer.read(OemBlock().take(reply)[0]) if reply else None

    def run(self, text):
        answer = self.ask(text)
        assert answer.error == 0
        while not answer.is_ready:
            self.desk.time_s += 0.05
            answer = self.ask("Q")
        return answer

    def did(self, what):
        rows = [self.desk.state.get(key) for key in self.desk.state.keys("act/")]
        return [row["facts"] for row in rows if row["what"] == what]


@pytest.fixture
def station(desk):
    return Station(desk)


def test_exact_blocks(desk, station):
    # Cavro XLP 6000 manual 734237-C, 3.2.1 and table 3-9: not initialised (67h), then busy (40h), then ready (60h)
    query = b"\x02\x31\x31Q\x03\x50"
    assert desk.ask(station.line, query) == b"\x02\x30\x67\x03\x56"
    assert desk.ask(station.line, b"\x02\x31\x32ZR\x03\x0a") == b"\x02\x30\x40\x03\x71"
    desk.time_s += 4.0
    assert desk.ask(station.line, query) == b"\x02\x30\x60\x03\x51"


def test_bad_checksums_other_addresses_and_no_commands_are_not_answered(desk, station):
    assert desk.ask(station.line, b"\x02\x31\x31Q\x03\x51") == b""
    assert desk.ask(station.line, OemBlock().wrap(b"\x33\x31Q")) == b""
    assert desk.ask(station.line, OemBlock().wrap(b"\x31\x51Q")) == b""


def test_a_repeated_block_is_answered_and_not_carried_out(station):
    station.run("ZR")
    station.run("I1P600R")
    # scenario 1 of 3.2.1: the same number with the repeat flag
    assert station.ask("P600R", number=station.number).error == 0
    station.desk.time_s += 10.0
    assert station.ask("P600R", number=station.number, repeated=True).error == 0
    station.desk.time_s += 10.0
    assert station.ask("?").data == b"1200"
    # scenario 2: repeated, but the number is not the last one: it never arrived, and is carried out
    assert station.ask("P600R", number=station.number % 7 + 1, repeated=True).error == 0
    station.desk.time_s += 10.0
    assert station.ask("?").data == b"1800"


@pytest.mark.parametrize(
    ("text", "error"),
    [("E5R", 2), ("A6001R", 3), ("I10R", 3), ("V4R", 3), ("D1R", 3), ("A1;R", 2)],
    ids=["letter", "plunger", "port", "speed", "below zero", "sign"],
)
def test_what_it_refuses(station, text, error):
    station.run("ZR")
    assert station.ask(text).error == error
    assert station.ask("Q") == Answer(is_ready=True, error=0)


def test_a_busy_pump_overflows_and_still_reports(station):
    station.run("ZR")
    station.ask("I1A6000R")
    assert station.ask("A0R") == Answer(is_ready=False, error=15)
    station.desk.time_s += 3.0
    assert 0 < int(station.ask("?").data) < 6000
    assert station.ask("Q") == Answer(is_ready=False, error=0)


def test_without_r_a_program_waits_for_one(station):
    station.run("ZR")
    assert station.ask("I1A600") == Answer(is_ready=True, error=0)
    assert station.ask("?").data == b"0"
    station.run("R")
    assert station.ask("?").data == b"600"


def test_moves_take_their_time(desk, station):
    assert plunger_s(3000, 1400.0) == pytest.approx(3000 / 1400 + 1400 / 17500)
    assert plunger_s(0, 1400.0) == valve_s(0) == 0.0
    assert [valve_s(1), valve_s(-4)] == pytest.approx([0.25, 0.55])
    station.run("ZR")
    station.ask("V1400I1A3000R")
    # from port 9, where initialising leaves it, to 1: seven further ports
    busy_s = valve_s(8) + plunger_s(3000, 1400.0)
    desk.time_s += busy_s - 0.01
    assert not station.ask("Q").is_ready
    desk.time_s += 0.02
    assert station.ask("Q").is_ready


def test_volumes_scatter_by_three_parts_in_a_thousand(desk):
    station = Station(desk, filled_ml=5000.0)
    station.run("ZR")
    for _ in range(60):
        station.run("V6000I2A6000R")
        station.run("O8A0R")
    given = np.array([row["ml"] for row in station.did("dispense")])
    assert given.std(ddof=1) / given.mean() == pytest.approx(0.003, rel=0.35)
    # the backlash that the pump does not make up for: 2 of 6000 increments of 5 mL
    assert given.mean() == pytest.approx(5.0 - 2 / 6000 * 5.0, abs=0.006)
    assert {row["reagent"] for row in station.did("dispense")} == {"ethanol"}


def test_a_dry_bottle_gives_air_and_its_stuck_sensor_does_not_tell(desk):
    station = Station(desk, filled_ml=3.0, is_level_stuck=True)
    station.run("ZR")
    station.run("I1A6000R")
    station.run("O8A0R")
    assert station.did("aspirate") == [{"reagent": "water", "ml": 3.0, "air_ml": 2.0}]
    (given,) = station.did("dispense")
    assert given["ml"] == pytest.approx(3.0, rel=0.012)
    assert given["air_ml"] == pytest.approx(2.0)
    assert float(station.ask("L1", b"2").data.split(b",")[1]) == pytest.approx(3.0, abs=1.0)


def test_a_sound_level_sensor_follows(desk):
    station = Station(desk, filled_ml=20.0)
    station.run("ZR")
    station.run("I1A6000R")
    name, ml, unit = station.ask("L1", b"2").data.split(b",")
    assert (name, unit) == (b"water", b"mL")
    assert float(ml) == pytest.approx(15.0, abs=0.8)
    assert station.ask("L7", b"2").data == b"-,0.000,mL"
    station.line.change_unit()
    assert float(station.ask("L1", b"2").data.split(b",")[1]) == pytest.approx(1000 * float(ml))
    assert station.ask("L1", b"2").data.endswith(b",uL")


def test_a_clogged_tip_blocks_the_plunger_until_it_is_initialised(desk):
    station = Station(desk, clogs_after_ml=1.0)
    station.run("ZR")
    station.run("I1A2400R")
    station.ask("O8A0R")
    desk.time_s += 20.0
    assert station.ask("Q") == Answer(is_ready=True, error=9)
    assert station.ask("?").data == b"1200"
    # manual 3.6, overload errors: asking clears the error, an initialisation error stays, and so does the overload
    assert station.ask("Q").error == 1
    assert station.ask("A0R").error == 9
    station.run("ZR")
    assert station.did("empty")[0]["ml"] == pytest.approx(1.0, rel=0.02)


def test_terminate_stops_the_plunger_where_it_is(desk, station):
    station.run("ZR")
    station.run("I1A6000R")
    station.ask("V1000O8A0R")
    desk.time_s += valve_s(7) + 2.0
    station.ask("T")
    where = int(station.ask("?4").data)
    assert where == pytest.approx(4030, abs=60)
    desk.time_s += 10.0
    assert int(station.ask("?").data) == where
    (given,) = station.did("dispense")
    assert given["ml"] == pytest.approx((6000 - where) / 6000 * 5.0, rel=0.012)


def test_terminate_lets_the_valve_finish(desk, station):
    station.run("ZR")
    station.ask("I1A6000R")
    station.ask("T")
    assert not station.ask("Q").is_ready
    desk.time_s += 2.0
    assert station.ask("?6").data == b"1"
    assert station.ask("?").data == b"0"


def test_a_loss_of_power_forgets_where_the_plunger_is_and_keeps_the_mark(desk, station):
    station.run("ZR")
    assert station.ask("J2,1,600,t-1", b"2").data == b"2,1,600,t-1"
    station.ask("I1A6000R")
    desk.time_s += 1.5
    station.line.restart()
    assert station.ask("Q").error == 7
    assert station.ask("A0R").error == 7
    assert station.ask("J", b"2").data == b"2,1,600,t-1"
    assert station.ask("?2").data == b"900"


def test_it_survives_the_death_of_its_process_in_the_middle_of_a_move(tmp_path, desk):
    desk.state = WorldFile(tmp_path / "world.db")
    station = Station(desk)
    station.run("ZR")
    station.ask("I1A6000R")
    desk.time_s += 2.0
    station.world.close()
    desk.state = WorldFile(tmp_path / "world.db")
    station = Station(desk)
    assert not station.ask("Q").is_ready
    desk.time_s += 10.0
    assert station.ask("?").data == b"6000"
    desk.state.close()


@pytest.mark.parametrize("text", ["J5,1,1,t", "J1,0,1,t", "J1,1,1,a b", "L0", "X"], ids=repr)
def test_what_the_station_refuses(station, text):
    assert station.ask(text, b"2").error == 2
    assert station.ask("J", b"2").data == b"0,0,0,-"


@pytest.mark.parametrize("reagents", ["a,a", "a,,b", "a,b,c,d,e,f,g,h", "a b"], ids=repr)
def test_reagents_that_cannot_be(reagents):
    assert "different words" in LiquidDispenserWorld.check({"reagents": reagents})[0]


def test_pyserial_talks_to_it_on_a_real_port():
    world = LiquidDispenserWorld(state=WorldFile(":memory:"), clock=_Still(), seed=1, options={})

    def talk(path):
        with serial.Serial(path, 115200, timeout=5.0) as port:
            port.write(b"\x02\x31\x31Q\x03\x50")
            status = port.read(5)
            port.write(OemBlock().wrap(b"12?23"))
            return status, port.read_until(b"\x03") + port.read(1)

    async def main():
        async with opened(world.instruments) as urls:
            path = urls["pump"].removeprefix("serial://").partition("?")[0]
            status, firmware = await asyncio.get_running_loop().run_in_executor(None, talk, path)
            assert status == b"\x02\x30\x67\x03\x56"
            assert firmware[:3] == b"\x02\x30\x67"
            assert firmware[3:-2] == b"XLP 6000 SIM 1.0"

    asyncio.run(main())


class _Still:
    def now_s(self):
        return 0.0


def test_a_fresh_syringe_is_empty():
    state = Syringe.fresh(volume_ml=5.0, reagents=["water"], filled_ml=1.0, clogs_after_ml=0.0)
    assert (state["plunger"], state["liquid_ml"], state["reservoirs"]) == (0, 0.0, {"1": ["water", 1.0]})

import asyncio
from functools import reduce
from operator import xor

import pytest
import serial

from simulators.instruments.powder_dispenser import PowderDispenser
from simulators.ports import opened
from simulators.world import WorldFile

BEGIN = 'M750 P"silica" S250.000 D1.000 T"t1"'


def numbered(number, text):
    """Number and seal a line, by the recipe of the RepRap wiki and none of our code."""
    line = f"N{number} {text}".encode()
    return line + b"*%d\n" % reduce(xor, line)


class Feeder:
    """The world on the test's desk, asked with numbered lines."""

    def __init__(self, desk, **options):
        self.desk = desk
        self.options = options
        self.number = 0
        self.world = PowderDispenser(state=desk.state, clock=desk, seed=5, options=options)
        self.doser = self.world.doser

    def ask(self, text):
        self.number += 1
        *lines, last = self.raw(numbered(self.number, text)).splitlines()
        assert last == b"ok N%d P15 B3" % self.number
        return [line.rpartition(b"*")[0].decode() or line.decode() for line in lines]

    def raw(self, line):
        return self.desk.ask(self.doser, line)

    def did(self, what="dispense"):
        rows = [self.desk.state.get(key) for key in self.desk.state.keys("act/")]
        return [row for row in rows if row["what"] == what]


@pytest.fixture
def feeder(desk):
    return Feeder(desk)


def test_a_conversation(feeder):
    assert feeder.ask("M115") == [
        "FIRMWARE_NAME:labpilot 1.3 PROTOCOL_VERSION:1.0 MACHINE_TYPE:PD-10 EXTRUDER_COUNT:1 UUID:P0007"
    ]
    assert feeder.ask("M752") == ['HOPPER:P"silica" A20000.00 TOTAL:0.00 COUNT:0']
    assert feeder.ask('M751 T"t1"') == ['DOSE:absent T"t1"']
    assert feeder.ask(BEGIN) == []
    (line,) = feeder.ask('M751 T"t1"')
    assert line.startswith('DOSE:feeding T"t1" P"silica" S250.000 D1.000 A0.0')
    feeder.desk.time_s = 100.0
    (line,) = feeder.ask('M751 T"t1"')
    assert line.startswith('DOSE:done T"t1" P"silica" S250.000 D1.000 A2') and line.endswith(" R0.000000")
    (line,) = feeder.ask("M752")
    assert line.startswith('HOPPER:P"silica" A197') and line.endswith("COUNT:1")
    assert feeder.ask("M999") == ['echo:Unknown command: "M999"']


def test_lines_out_of_order_or_damaged_are_not_carried_out(feeder):
    feeder.ask("M115")
    order = b"Error:Line Number is not Last Line Number+1, Last Line: 1\nResend: 2\nok\n"
    for number in (0, 1, 3, 99):
        assert feeder.raw(numbered(number, BEGIN)) == order
    assert feeder.raw(numbered(2, BEGIN).replace(b"250", b"350")) == (
        b"Error:checksum mismatch, Last Line: 1\nResend: 2\nok\n"
    )
    assert feeder.raw(b"N2 " + BEGIN.encode() + b"\n") == (
        b"Error:No Checksum with line number, Last Line: 1\nResend: 2\nok\n"
    )
    assert feeder.raw(BEGIN.encode() + b"\n").startswith(b"echo:Unknown command")
    assert feeder.did() == []
    assert feeder.raw(numbered(2, BEGIN)) == b"ok N2 P15 B3\n"
    assert len(feeder.did()) == 1


def test_m110_sets_the_number(feeder):
    assert feeder.raw(numbered(7, "M110 N500")) == b"ok N7 P15 B3\n"
    assert feeder.raw(numbered(501, "M752")).endswith(b"ok N501 P15 B3\n")
    assert feeder.raw(numbered(0, "M110 N0")) == b"ok N0 P15 B3\n"
    assert feeder.raw(numbered(1, "M752")).endswith(b"ok N1 P15 B3\n")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (BEGIN.replace("silica", "alumina"), "Error:the cartridge holds silica"),
        (BEGIN.replace("250.000", "0.5"), "Error:S0.5 is outside 1..5000 mg"),
        (BEGIN.replace("250.000", "5000.1"), "Error:S5000.1 is outside 1..5000 mg"),
        (BEGIN.replace("D1.000", "D0.01"), "Error:D0.01 is outside 0.1..100 mg"),
        (BEGIN.replace("S250.000", "Snan"), 'echo:Unknown command: "M750 P"silica" Snan D1.000 T"t1""'),
        (BEGIN.replace("S250.000", "S-5"), 'echo:Unknown command: "M750 P"silica" S-5 D1.000 T"t1""'),
    ],
)
def test_refusals(feeder, text, error):
    assert feeder.ask(text) == [error]
    assert feeder.did() == []


def test_one_dose_at_a_time_and_each_tag_once(feeder):
    feeder.ask(BEGIN)
    assert feeder.ask(BEGIN.replace("t1", "t2")) == ["Error:busy, dose t1 is feeding"]
    feeder.desk.time_s = 100.0
    assert feeder.ask(BEGIN) == ["Error:dose t1 was given"]
    assert len(feeder.did()) == 1
    assert feeder.did()[0]["facts"] == {"material": "silica", "target_mg": 250.0, "tag": "t1"}
    assert feeder.did()[0]["once"]


def test_busy_is_said_every_two_seconds(feeder):
    feeder.ask(BEGIN)
    said = []
    for tick in range(1, 81):
        feeder.desk.time_s = 0.1 * tick
        said.append("echo:busy: processing" in feeder.ask('M751 T"t1"'))
    assert sum(said) == 4
    assert said.index(True) == 19


def test_a_stop_needs_no_number(feeder):
    feeder.ask(BEGIN)
    feeder.desk.time_s = 5.3
    assert feeder.raw(b"M410\n") == b"ok P15 B3\n"
    (line,) = feeder.ask('M751 T"t1"')[-1:]
    assert line.startswith('DOSE:stopped T"t1"')
    stopped_mg = feeder.doser.true_mg["t1"]
    assert stopped_mg == pytest.approx(60.0, rel=0.08)
    feeder.desk.time_s = 50.0
    assert feeder.doser.true_mg["t1"] == stopped_mg
    assert feeder.ask("M752") == [f'HOPPER:P"silica" A{20_000.0 - stopped_mg:.2f} TOTAL:{stopped_mg:.2f} COUNT:1']


def test_a_restart_forgets_the_number_and_keeps_the_tag(feeder):
    feeder.ask(BEGIN)
    feeder.desk.time_s = 5.3
    heard = []
    feeder.doser.send = heard.append
    feeder.doser.restart()
    assert heard == [b"start\necho: External Reset\n"]
    feeder.number = 0
    (line,) = feeder.ask('M751 T"t1"')
    assert line.startswith('DOSE:interrupted T"t1" P"silica" S250.000 D1.000 A')
    assert feeder.ask(BEGIN) == ["Error:dose t1 was given"]


def test_the_process_may_die_in_the_middle_of_a_dose(feeder):
    feeder.ask(BEGIN)
    feeder.desk.time_s = 5.3
    mass_mg = feeder.doser.true_mg["t1"]
    again = Feeder(feeder.desk)
    again.number = feeder.number
    assert again.doser.true_mg["t1"] == mass_mg
    feeder.desk.time_s = 100.0
    assert again.ask('M751 T"t1"')[0].startswith("DOSE:done")
    assert len(again.did()) == 1


def test_the_key_at_the_feeder_stops_it(feeder):
    feeder.ask(BEGIN)
    feeder.desk.time_s = 5.3
    feeder.doser.front_panel()
    assert feeder.ask('M751 T"t1"')[-1].startswith("DOSE:stopped")


def test_clogging_is_seeded(desk):
    outcomes = []
    for seed in range(40):
        state = WorldFile(":memory:")
        world = PowderDispenser(state=state, clock=desk, seed=seed, options={"clog_probability": 0.25})
        desk.ask(world.doser, numbered(1, BEGIN))
        outcomes.append(state.get("doser")["doses"][0]["feed"]["outcome"])
    assert 4 <= outcomes.count("clogged") <= 18
    assert set(outcomes) == {"clogged", "done"}


def test_the_log_holds_64_doses(feeder):
    for number in range(65):
        feeder.ask(f'M750 P"silica" S1.000 D1.000 T"d{number}"')
        feeder.desk.time_s += 60.0
    assert feeder.ask('M751 T"d0"') == ['DOSE:absent T"d0"']
    assert feeder.ask('M751 T"d1"')[0].startswith("DOSE:done")


def test_pyserial_doses_on_a_real_port(desk):
    world = PowderDispenser(state=WorldFile(":memory:"), clock=desk, seed=5, options={})

    def talk(path):
        with serial.Serial(path, 115_200, timeout=5) as port:
            port.write(numbered(1, BEGIN) + numbered(2, 'M751 T"t1"'))
            return [port.readline() for _ in range(3)]

    async def main():
        async with opened(world.instruments) as urls:
            path = urls["doser"].removeprefix("serial://").partition("?")[0]
            return await asyncio.to_thread(talk, path)

    begun, dose, ok = asyncio.run(main())
    assert (begun, ok) == (b"ok N1 P15 B3\n", b"ok N2 P15 B3\n")
    assert dose.startswith(b'DOSE:feeding T"t1" P"silica" S250.000 D1.000 A')

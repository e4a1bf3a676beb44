import struct
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.links.framing import Block
from simulators.instruments.spectrometer import Spectrometer
from simulators.world import WorldFile


class Wall:
    """Counts that say where and when they were taken."""

    wavelength_nm = np.array([400.0, 500.0, 600.0])
    saturation_counts = 64_000.0
    place = 1

    def here(self):
        return {"place": self.place}

    def counts(self, here, *, began_s, exposure_s, averages, tag):
        return np.array([here["place"], began_s, exposure_s * averages])


@pytest.fixture
def wall():
    return Wall()


@pytest.fixture
def spectrometer(desk, wall):
    return Spectrometer(wall, state=desk.state, clock=desk)


START = b'SENS:EXP 0.05;:SENS:AVER 4;:ACQ:STAR "a";:ACQ:STAT? "a"\n'


def counts(reply, tag):
    data, _ = Block().take(reply)
    assert struct.unpack_from("<I", data, len(data) - 4) == (crc32(data[:-4], crc32(tag)),)
    return np.frombuffer(data, "<f4", 3).tolist(), struct.unpack_from("<dI", data, 12)


def test_a_conversation(desk, wall, spectrometer):
    assert desk.ask(spectrometer, b"*IDN?\n") == b"labpilot,RS-1200,R0113,3.0\n"
    assert desk.ask(spectrometer, b"SENS:EXP?;:SENS:AVER?;:SENS:SAT?\n") == b"0.1;1;64000.0\n"
    assert desk.ask(spectrometer, b"SENS:EXP 0.05\n") == b""
    desk.time_s = 7.0
    assert desk.ask(spectrometer, START) == b'"a",RUN,0.220000\n'
    assert desk.ask(spectrometer, b'READ? "a"\n') == b""
    wall.place = 2
    desk.time_s = 7.22
    assert desk.ask(spectrometer, b'SYST:ERR?;:ACQ:STAT? "a"\n') == b'-230,"Data corrupt or stale";"a",DONE,0.000000\n'
    values, settings = counts(desk.ask(spectrometer, b'READ? "a"\n'), b"a")
    assert values == pytest.approx([1.0, 7.0, 0.2])
    assert settings == (0.05, 4)


def test_the_axis_is_a_block(desk, spectrometer):
    data, _ = Block().take(desk.ask(spectrometer, b"SENS:WAV?\n"))
    assert np.frombuffer(data, "<f8").tolist() == [400.0, 500.0, 600.0]


def test_a_known_tag_is_not_exposed_again(desk, wall, spectrometer):
    desk.ask(spectrometer, START)
    frame = desk.state.get("spectrometer/frame/a")
    desk.time_s, wall.place = 100.0, 2
    assert desk.ask(spectrometer, START) == b'"a",DONE,0.000000\n'
    assert desk.state.get("spectrometer/frame/a") == frame


def test_one_exposure_at_a_time(desk, spectrometer):
    desk.ask(spectrometer, START)
    assert desk.ask(spectrometer, b'ACQ:STAR "b";:ACQ:STAT? "b"\n') == b'"b",NONE,0.000000\n'
    assert desk.ask(spectrometer, b"SYST:ERR?\n") == b'-213,"Init ignored, an exposure is running"\n'


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (b"SENS:EXP 11\n", b"-222"),
        (b"SENS:EXP nan\n", b"-222"),
        (b"SENS:EXP long\n", b"-104"),
        (b"SENS:AVER 1.5\n", b"-104"),
        (b"SENS:GAIN 3\n", b"-113"),
        (b"SENS:GAIN?\n", b"-113"),
        (b'ACQ:STOP "a"\n', b"-113"),
        (b"?!\n", b"-102"),
        (b'READ? "a"\n', b"-230"),
    ],
)
def test_what_was_wrong_waits_in_the_error_queue(desk, spectrometer, request_, error):
    assert desk.ask(spectrometer, request_) == b""
    assert desk.ask(spectrometer, b"SYST:ERR?\n").startswith(error)
    assert desk.ask(spectrometer, b"SYST:ERR?\n") == b'0,"No error"\n'
    assert list(desk.state.keys()) == []


def test_a_semicolon_in_a_tag_is_no_separator(desk, spectrometer):
    assert desk.ask(spectrometer, b'ACQ:STAR "a;b";:ACQ:STAT? "a;b"\n') == b'"a;b",RUN,0.120000\n'


def test_a_restored_spectrometer_finishes_its_exposure(desk, wall, spectrometer):
    desk.ask(spectrometer, START)
    wall.place, desk.time_s = 2, 0.1
    again = Spectrometer(wall, state=desk.state, clock=desk)
    assert desk.ask(again, b'SENS:EXP?;:ACQ:STAT? "a"\n') == b'0.05;"a",RUN,0.120000\n'
    desk.time_s = 0.22
    assert counts(desk.ask(again, b'READ? "a"\n'), b"a")[0][0] == 1.0


@given(line=st.binary(max_size=80))
def test_nothing_that_is_sent_breaks_it(line):
    class Desk:
        def now_s(self):
            return 0.0

    spectrometer = Spectrometer(Wall(), state=WorldFile(":memory:"), clock=Desk())
    heard = []
    spectrometer.send = heard.append
    spectrometer.receive(line + b"\n")
    heard.clear()
    spectrometer.receive(b"*IDN?\n")
    assert heard == [b"labpilot,RS-1200,R0113,3.0\n"]

import asyncio
import socket
import struct
from zlib import crc32

import numpy as np
import pytest

from drivers.links.framing import Block
from simulators.instruments.free_running import BIAS, COLD_SHARE, PIXELS, READOUT_S
from simulators.instruments.optical_spectrometer import HEADER, OpticalSpectrometerWorld
from simulators.ports import opened
from simulators.world import WorldFile


class Station:
    def __init__(self, desk, **options):
        self.desk = desk
        self.world = OpticalSpectrometerWorld(state=desk.state, clock=desk, seed=5, options=options)
        self.spectrometer = self.world.spectrometer

    def ask(self, line):
        return self.desk.ask(self.spectrometer, line.encode() + b"\n")

    def text(self, line):
        return self.ask(line).decode().strip()

    def fetch(self):
        data, _ = Block().take(self.ask("FETC?"))
        assert crc32(data[:-4]) == struct.unpack("<I", data[-4:])[0]
        number, flags, exposure_s, start_s, detector_c, pixels = HEADER.unpack_from(data)
        assert pixels == PIXELS
        counts = np.frombuffer(data, dtype="<u2", count=PIXELS, offset=HEADER.size).astype(float)
        return number, flags, exposure_s, start_s, detector_c, counts

    def expected(self, number):
        return self.spectrometer.light.expected(self.spectrometer.frames.frame(number))


@pytest.fixture
def station(desk):
    return Station(desk)


def test_exact_exchanges(station):
    # IEEE 488.2, 10.14 (*IDN?: four fields), 10.19 (*OPC?), 11.5.1.1 (bits of *ESR?); SCPI-1999, 21.8.1 and 21.8.8
    assert station.ask("*IDN?") == b"labpilot,OS-1024,S0091,1.7\n"
    assert station.ask("*OPC?") == b"1\n"
    assert station.ask("SYST:ERR?") == b'0,"No error"\n'
    assert station.ask("*ESR?") == b"128\n"
    assert station.ask("*ESR?") == b"0\n"
    assert station.ask("SENS:NOTHING?") == b""
    assert station.ask("*ESR?;:SYST:ERR?;:SYST:ERR?") == b'32;-113,"Undefined header";0,"No error"\n'
    assert station.ask("SENS:EXP 0.05;:SENS:EXP?;:SENS:FRAM?") == b"0.05;1,0.1,0.110000\n"


@pytest.mark.parametrize("line", ["SENSe:EXPosure?", "sens:exp?", ":SENS:EXP?", "SENSE:EXPOSURE?"])
def test_headers_may_be_long_or_short_in_any_case(station, line):
    assert station.ask(line) == b"0.1\n"


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("SENS:EXP 11", '-222,"Data out of range"'),
        ("SENS:EXP 0", '-222,"Data out of range"'),
        ("SENS:EXP nan", '-222,"Data out of range"'),
        ("SENS:EXP soon", '-104,"Data type error"'),
        ("SENS:EXP", '-109,"Missing parameter"'),
        ("INP:SHUT AJAR", '-224,"Illegal parameter value"'),
        ("OUTP:LAMP 2", '-224,"Illegal parameter value"'),
        ("ABOR NOW", '-108,"Parameter not allowed"'),
        ("NONSENSE 1", '-113,"Undefined header"'),
        ("1+1", '-102,"Syntax error"'),
    ],
    ids=lambda value: str(value)[:24],
)
def test_what_it_refuses(desk, station, line, error):
    assert station.ask(line) == b""
    assert station.text("SYST:ERR?") == error
    assert list(desk.state.keys("act/")) == []
    station.ask("NONSENSE;*CLS")
    assert station.text("SYST:ERR?") == '0,"No error"'


def test_a_new_exposure_comes_after_the_two_frames_in_the_pipeline(desk, station):
    desk.time_s = 5 * 0.11 + 0.05
    assert station.text("SENS:FRAM?").startswith("6,0.1,")
    station.ask("SENS:EXP 0.5")
    seen = {}
    while len(seen) < 6:
        number, _, exposure_s, start_s, _, _ = station.fetch()
        seen[number] = (exposure_s, round(start_s, 6))
        desk.time_s += 0.05
    assert [seen[number][0] for number in sorted(seen)] == [0.1, 0.1, 0.1, 0.5, 0.5, 0.5]
    assert sorted(seen) == [5, 6, 7, 8, 9, 10]
    # without a gap: each begins when the one before has been read out
    assert seen[8][1] == pytest.approx(7 * 0.11)
    assert seen[9][1] == pytest.approx(7 * 0.11 + 0.5 + READOUT_S)


def test_two_changes_of_exposure_in_one_frame_leave_the_last(desk, station):
    desk.time_s = 0.05
    station.ask("SENS:EXP 0.5;:SENS:EXP 0.2")
    desk.time_s = 2 * 0.11 + 0.21 + 0.001
    assert station.fetch()[:3:2] == (3, 0.2)


def test_before_the_first_frame_there_is_none(station):
    assert station.ask("FETC?") == b""
    assert station.text("SYST:ERR?") == '-230,"Data corrupt or stale"'


def test_the_same_frame_reads_the_same_and_another_does_not(desk, station):
    desk.time_s = 1.0
    assert station.ask("FETC?") == station.ask("FETC?")
    first = station.fetch()
    desk.time_s += 0.11
    assert not np.array_equal(first[5], station.fetch()[5])


def test_aborted_it_takes_no_more(desk, station):
    desk.time_s = 1.0
    station.ask("ABOR")
    assert station.text("INIT:CONT?") == "0"
    number = station.fetch()[0]
    desk.time_s = 9.0
    assert station.text("SENS:FRAM?").endswith(",IDLE")
    assert station.fetch()[0] == number
    station.ask("INIT:CONT ON")
    desk.time_s += 0.12
    assert station.fetch()[0] == number + 1
    assert station.fetch()[3] == pytest.approx(9.0)


def test_dark_counts_double_every_seven_kelvin(desk):
    means = []
    for detector_c in (25.0, 32.0, 39.0):
        desk.state, desk.time_s = WorldFile(":memory:"), 0.0
        station = Station(desk, detector_c=detector_c)
        station.ask("SENS:EXP 10")
        desk.time_s = 30.0
        number, flags, exposure_s, _, shown_c, counts = station.fetch()
        assert (flags, exposure_s, shown_c) == (1, 10.0, detector_c)
        means.append(counts.mean() - BIAS)
    assert means == pytest.approx([2000.0, 4000.0, 8000.0], rel=0.02)


def test_noise_is_of_reading_and_of_counting(desk, station):
    desk.time_s = 1.0
    number, *_, dark = station.fetch()
    expected = station.expected(number)
    assert (dark - expected).std() == pytest.approx(np.sqrt(8.0**2 + 20.0 + 1 / 12), rel=0.1)
    station.ask("OUTP:LAMP ON")
    desk.time_s = 600.0
    number, *_, bright = station.fetch()
    expected = station.expected(number)
    peak = expected > 30_000
    pull = (bright - expected)[peak] / np.sqrt(expected[peak] - BIAS)
    assert pull.std() == pytest.approx(1.0, rel=0.1)


def test_too_much_light_saturates_at_sixteen_bits(desk, station):
    station.ask("OUTP:LAMP ON;:SENS:EXP 1.0")
    desk.time_s = 600.0
    counts = station.fetch()[5]
    assert counts.max() == 65_535
    assert (counts == 65_535).sum() > 100
    assert station.text("SENS:SAT?") == "65535"


def test_the_lamp_warms_up_over_minutes(desk, station):
    light = station.spectrometer.light
    station.ask("OUTP:LAMP ON")
    outputs = [light.lamp(light.now, time_s) for time_s in (0.0, 120.0, 1200.0)]
    assert outputs == pytest.approx([1 - COLD_SHARE, 1 - COLD_SHARE / np.e, 1.0], abs=0.001)
    desk.time_s = 30.0
    assert station.text("OUTP:LAMP:STAT?") == "ON,30.000"
    station.ask("OUTP:LAMP OFF")
    assert light.lamp(light.now, 30.0) == 0.0
    assert station.text("OUTP:LAMP:STAT?") == "OFF,0"


def test_an_old_lamp_gives_half(desk):
    station = Station(desk, lamp_age_h=1000.0)
    station.ask("OUTP:LAMP ON")
    light = station.spectrometer.light
    assert light.lamp(light.now, 1200.0) == pytest.approx(0.5, rel=0.002)


def test_a_failing_lamp_flickers_and_goes_out_for_good(desk):
    station = Station(desk, lamp_fails_after_s=1000.0)
    station.ask("OUTP:LAMP ON")
    light = station.spectrometer.light
    steady = [light.lamp(light.now, time_s) for time_s in (700.0, 710.0, 720.0)]
    flicker = [light.lamp(light.now, time_s) for time_s in np.arange(945.0, 995.0, 1.0)]
    assert np.ptp(steady) < 0.001
    assert min(flicker) < 0.65 < 0.9 < max(flicker)
    desk.time_s = 1000.0
    assert light.lamp(light.now, 1000.0) == 0.0
    assert station.text("OUTP:LAMP:STAT?") == "FAIL,0"
    station.ask("OUTP:LAMP OFF;:OUTP:LAMP ON")
    assert station.text("OUTP:LAMP:STAT?") == "FAIL,0"


def test_a_frame_sees_the_light_that_there_was(desk, station):
    station.ask("OUTP:LAMP ON;:SENS:EXP 1.0")
    desk.time_s = 600.0
    frame = station.spectrometer.frames.at(desk.time_s)
    desk.time_s = frame.start_s + 0.25
    station.ask("INP:SHUT CLOS")
    desk.time_s = frame.end_s + 0.001
    number, flags, *_ = station.fetch()
    assert (number, flags) == (frame.number, 2 | 4)
    light, shutter, is_lit = station.spectrometer.light.during(frame)
    assert shutter == "moved" and is_lit
    assert light.max() == pytest.approx(0.25, rel=0.01)
    desk.time_s += 1.011
    number, flags, *_, counts = station.fetch()
    assert flags == 4
    assert counts.mean() == pytest.approx(BIAS + 200.0, abs=5.0)


def test_stray_light_reaches_where_the_lamp_does_not(desk, station):
    station.ask("OUTP:LAMP ON")
    desk.time_s = 600.0
    frame = station.spectrometer.frames.frame(station.fetch()[0])
    light, _, _ = station.spectrometer.light.during(frame)
    signal = station.expected(frame.number) - BIAS - 20.0
    assert light[0] < 0.07
    dimmest = light.argmin()
    assert signal[dimmest] == pytest.approx(4.0e4 * (light[dimmest] + 0.005 * light.mean()), abs=10.0)


def test_samples_differ(desk, station):
    light = station.spectrometer.light
    assert light.reflectance("white").min() == 1.0
    assert light.reflectance("none").max() == 0.01
    film = light.reflectance("film")
    assert 0.1 < film.min() < film.max() < 0.6
    station.spectrometer.place("film")
    assert light.now["sample"] == "film"
    assert "sample is one of" in OpticalSpectrometerWorld.check({"sample": "gold"})[0]


def test_a_loss_of_power_puts_it_out(desk, station):
    station.ask("OUTP:LAMP ON;:SENS:EXP 1.0")
    desk.time_s = 10.0
    station.spectrometer.restart()
    assert station.text("OUTP:LAMP?;:INP:SHUT?;:SENS:EXP?;:SENS:FRAM?") == "0;CLOS;0.1;1,0.1,0.110000"


def test_it_survives_the_death_of_its_process(tmp_path, desk):
    desk.state = WorldFile(tmp_path / "world.db")
    station = Station(desk)
    station.ask("OUTP:LAMP ON;:SENS:EXP 0.5")
    desk.time_s = 100.0
    before = station.ask("FETC?")
    station.world.close()
    desk.state = WorldFile(tmp_path / "world.db")
    station = Station(desk)
    assert station.ask("FETC?") == before
    desk.state.close()


def test_only_what_changes_counts_as_an_action(desk, station):
    for line in ("OUTP:LAMP ON", "OUTP:LAMP 1", "INP:SHUT OPEN", "INP:SHUT CLOS"):
        station.ask(line)
    rows = [desk.state.get(key) for key in desk.state.keys("act/")]
    assert [(row["what"], row["facts"]) for row in rows] == [
        ("lamp", {"is_lamp_on": True}),
        ("shutter", {"is_open": False}),
    ]


def test_a_plain_socket_talks_to_it_on_a_real_port():
    world = OpticalSpectrometerWorld(state=WorldFile(":memory:"), clock=_Still(), seed=1, options={})

    def talk(host, port):
        with socket.create_connection((host, port), timeout=5.0) as port, port.makefile("rwb") as file:
            file.write(b"*IDN?\nSENS:WAV?\n")
            file.flush()
            identity = file.readline()
            head = file.read(6)
            return identity, head, file.read(int(head[2:6]) + 1)

    async def main():
        async with opened(world.instruments) as urls:
            host, _, port = urls["spectrometer"].removeprefix("tcp://").partition(":")
            identity, head, data = await asyncio.get_running_loop().run_in_executor(None, talk, host, int(port))
        assert identity == b"labpilot,OS-1024,S0091,1.7\n"
        assert head == b"#48192"
        assert data[-1:] == b"\n"
        wavelength_nm = np.frombuffer(data[:-1], dtype="<f8")
        assert (wavelength_nm[0], wavelength_nm[-1], len(wavelength_nm)) == (350.0, 1000.0, 1024)

    asyncio.run(main())


class _Still:
    def now_s(self):
        return 0.0

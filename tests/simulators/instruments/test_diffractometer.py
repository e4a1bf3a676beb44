"""The simulated diffractometer: its messages on a raw socket, its changer, its counting, its failures."""

import asyncio
import base64
import math
import socket
from xml.etree import ElementTree
from zlib import crc32

import numpy as np
import pytest

from simulators.instruments.diffractometer import Diffractometer
from simulators.instruments.xrd_cell import TUBE_START_S, WARM_UP_LOSS, WARM_UP_S, Refused, scan_of
from simulators.instruments.xrdml import Scan, written
from simulators.ports import TcpPort

APPLICATION = "20-60_0.02_1s"


class Screen:
    """A diffractometer on a desk, spoken to in messages."""

    def __init__(self, desk, seed=1, **options):
        self.desk = desk
        self.world = Diffractometer(state=desk.state, clock=desk, seed=seed, options=options)
        self.port = self.world.instruments["xrd"]
        self.cell = self.port.cell

    def ask(self, text):
        return self.desk.ask(self.port, f"{text}@END".encode()).decode().removesuffix("@END")

    def wait(self, seconds):
        self.desk.time_s += seconds

    def ready(self):
        return self.ask("@STATUS_REQUEST@UNIT=xrd").endswith("READY=yes")

    def state(self, place):
        return self.ask(f"@STATUS_REQUEST@LOCATION=0,{place}").partition("@STATE=")[2]

    def load(self, place=1):
        assert self.ask(f"@SAMPLE@MOVE@SAMPLE_ID@AT=0,{place}@TO=0,0").endswith("STATUS=normal")
        self.wait(12.0)
        assert self.ask("@SAMPLE@ADD@APPLICATION=10-80_0.02_1s@SAMPLE_ID=t1@AT=0,0").endswith("STATUS=normal")
        return self

    def measure(self, name="t1", application=APPLICATION):
        return self.ask(f"@SAMPLE@MEASURE@SAMPLE_ID={name}@APPLICATION={application}")

    def result(self, name="t1"):
        body, _, seal = self.ask(f"@LABPILOT@RESULT@SAMPLE_ID={name}").rpartition("@CRC32=")
        assert int(seal, 16) == crc32(body.encode())
        return body.partition("@STATE=")[2]

    def counts(self, name="t1"):
        root = ElementTree.fromstring(base64.b64decode(self.result(name).partition("@FILE=")[2]))
        return np.array([float(word) for word in root.find(".//{*}intensities").text.split()])


def test_a_raw_socket_is_answered_in_messages(desk):
    world = Diffractometer(state=desk.state, clock=desk, seed=1, options={})

    def talk(port, request):
        """One connection for each message, as alab_control makes it."""
        with socket.create_connection(("127.0.0.1", port), timeout=5.0) as line:
            line.sendall(request)
            return line.recv(1024)

    async def main():
        port = await TcpPort.open(world.instruments["xrd"])
        requests = (b"@STATUS_REQUEST@SYSTEM@END", b"@STATUS_REQUEST@UNIT=xrd@END", b"@STATUS_REQUEST@LOCATION=0,1@END")
        try:
            return [await asyncio.to_thread(talk, port.port, request) for request in requests]
        finally:
            await port.close()

    system, unit, place = asyncio.run(main())
    assert b"SYSTEM=remote" in system and b"READY=yes" in unit and b"STATE=occupied" in place.split(b"@")
    assert all(reply.startswith(b"@STATUS@TIME_STAMP=") and reply.endswith(b"@END") for reply in (system, unit, place))


def test_the_changer_takes_its_time_and_minds_what_lies_where(desk):
    xrd = Screen(desk)
    assert [xrd.state(place) for place in range(7)] == ["free"] + ["occupied"] * 3 + ["free"] * 3
    assert "fatal@ERROR=no sample" in xrd.ask("@SAMPLE@MOVE@SAMPLE_ID@AT=0,5@TO=0,0")
    assert "fatal@ERROR=the location is occupied" in xrd.ask("@SAMPLE@MOVE@SAMPLE_ID@AT=0,1@TO=0,2")
    assert xrd.ask("@SAMPLE@MOVE@SAMPLE_ID@AT=0,1@TO=0,5").endswith("STATUS=normal")
    assert not xrd.ready() and "fatal@ERROR=busy" in xrd.ask("@SAMPLE@MOVE@SAMPLE_ID@AT=0,2@TO=0,0")
    xrd.wait(11.9)
    assert xrd.state(5) == "free"
    xrd.wait(0.1)
    assert xrd.state(5) == "occupied" and xrd.ready() and xrd.cell.places["1"] == "5"


def test_names_come_and_go(desk):
    xrd = Screen(desk)
    assert "unknown application" in xrd.ask("@SAMPLE@ADD@APPLICATION=quick@SAMPLE_ID=a@AT=0,1")
    added = xrd.ask(f"@SAMPLE@ADD@APPLICATION={APPLICATION}@SAMPLE_ID=a@AT=0,1")
    assert added == "@SAMPLE@ADD@SAMPLE_ID=a@STATUS=normal"
    assert xrd.state(1) == "occupied@SAMPLE_ID=a"
    assert "in use" in xrd.ask(f"@SAMPLE@ADD@APPLICATION={APPLICATION}@SAMPLE_ID=a@AT=0,2")
    assert "unknown sample" in xrd.measure("a")
    assert xrd.ask("@SAMPLE@REMOVE@SAMPLE_ID@AT=0,1").endswith("STATUS=normal")
    assert "fatal" in xrd.ask("@SAMPLE@REMOVE@SAMPLE_ID=a") and xrd.state(1) == "occupied"
    assert all("fatal" in xrd.ask(what) for what in ("@COFFEE", "@SAMPLE@COOK", "@STATUS_REQUEST@X"))


@pytest.mark.parametrize("name", ["10-80", "80-10_0.02_1s", "1-80_0.02_1s", "10-80_0_1s", "10-80_0.0001_1s", "x"])
def test_applications_that_are_none(name):
    with pytest.raises(Refused, match="unknown application"):
        scan_of(name)


def test_a_measurement_lasts_points_times_count_time(desk):
    xrd = Screen(desk).load()
    assert xrd.result() == "absent"
    assert xrd.measure() == "@SAMPLE@MEASURE@SAMPLE_ID=t1@STATUS=normal"
    xrd.wait(2001 * 1.0 + 7.9)
    assert xrd.result() == "measuring" and not xrd.ready()
    xrd.wait(0.1)
    assert xrd.result().startswith("done@FILE=") and xrd.ready()


def test_counts_are_poisson_about_the_truth_and_the_same_each_time(desk):
    xrd = Screen(desk, zero_shift_deg=0.0).load()
    xrd.measure()
    xrd.wait(3000.0)
    counts = xrd.counts()
    row = desk.state.get("result/t1")
    truth = xrd.cell.rate_cps(scan_of(APPLICATION), row["sample"], row["began_s"], None)
    chi = (counts - truth) / np.sqrt(truth)
    assert chi.mean() == pytest.approx(0.0, abs=0.1) and chi.std() == pytest.approx(1.0, abs=0.06)
    assert np.array_equal(counts, xrd.counts())
    xrd.measure()
    xrd.wait(3000.0)
    assert not np.array_equal(counts, xrd.counts())


def test_a_worn_tube_and_a_cold_one_give_less(desk):
    xrd = Screen(desk, tube_intensity=0.5)
    scan = Scan(start_deg=30.0, stop_deg=31.0, step_deg=0.5, count_time_s=1.0)
    warm = xrd.cell.rate_cps(scan, "1", 0.0, None)
    cold = xrd.cell.rate_cps(scan, "1", WARM_UP_S - 8.0, 0.0)
    assert cold / warm == pytest.approx(1.0 - WARM_UP_LOSS * math.exp(-1.0), rel=1e-3)
    full = Screen(type(desk)()).cell.rate_cps(scan, "1", 0.0, None)
    assert warm == pytest.approx(0.5 * full)


def test_a_door_a_stop_and_a_tube_end_a_measurement(desk):
    xrd = Screen(desk, tube_fails_at_s=1000.0).load()
    xrd.measure()
    xrd.port.front_panel()
    assert xrd.result() == "failed@REASON=interlock open"
    assert "fatal@ERROR=interlock open" in xrd.measure()
    xrd.wait(5.0)
    assert xrd.measure().endswith("STATUS=normal")
    assert xrd.ask("@LABPILOT@STOP").startswith("@LABPILOT@STOP@CRC32=")
    assert xrd.result() == "failed@REASON=stopped"
    xrd.measure()
    xrd.wait(990.0)
    assert xrd.result() == "failed@REASON=tube failure"
    assert "fatal@ERROR=tube failure" in xrd.measure()


def test_after_a_power_cut_the_tube_starts_and_names_are_forgotten(desk):
    xrd = Screen(desk).load()
    xrd.measure()
    xrd.port.restart()
    assert xrd.result() == "failed@REASON=power lost"
    assert not xrd.ready() and xrd.state(0) == "occupied"
    xrd.wait(TUBE_START_S)
    assert xrd.ready() and "unknown sample" in xrd.measure()


def test_in_local_control_it_tells_and_does_nothing(desk):
    xrd = Screen(desk, is_remote=False)
    assert xrd.ask("@STATUS_REQUEST@SYSTEM").endswith("SYSTEM=local")
    assert "fatal@ERROR=local control" in xrd.ask("@SAMPLE@MOVE@SAMPLE_ID@AT=0,1@TO=0,0")


def test_a_file_says_what_was_measured():
    scan = Scan(start_deg=10.0, stop_deg=10.4, step_deg=0.1, count_time_s=2.0)
    root = ElementTree.fromstring(written(scan, np.arange(5), name="t1", began_s=0.0))
    assert root.tag == "{http://www.xrdml.com/XRDMeasurement/1.5}xrdMeasurements"
    assert root.find("{*}sample/{*}id").text == "t1"
    assert root.find(".//{*}positions").attrib == {"axis": "2Theta", "unit": "deg"}
    assert root.find(".//{*}intensities").text == "0 1 2 3 4"
    assert float(root.find(".//{*}commonCountingTime").text) == 2.0


def test_options_that_cannot_be_are_named():
    assert Diffractometer.check({}) == []
    assert Diffractometer.check({"samples": {"1": {"gold": 0.2, "corundum": 0.8}}}) == []
    for samples in ({"9": {"anatase": 1.0}}, {"1": {"anatase": 0.5}}, {"1": {"gilt": 1.0}}, {"1": {"anatase": "x"}}):
        assert len(Diffractometer.check({"samples": samples})) == 1


def test_a_sample_may_be_any_mixture_of_shipped_structures(desk):
    xrd = Screen(desk, samples={"1": {"silicon": 0.6, "magnetite": 0.3, "amorphous": 0.1}}, zero_shift_deg=0.0)
    rate = xrd.cell.rate_cps(
        scan := Scan(start_deg=20.0, stop_deg=60.0, step_deg=0.02, count_time_s=1.0), "1", 0.0, None
    )
    assert scan.two_theta_deg[np.argmax(rate)] == pytest.approx(28.44, abs=0.03)
    assert np.array_equal(rate, xrd.cell.rate_cps(scan, "1", 0.0, None))

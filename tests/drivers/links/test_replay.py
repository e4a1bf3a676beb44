"""Transcripts of real exchanges, played back to the drivers that made them."""

import asyncio

import pytest

from drivers.clock import RealClock, VirtualClock, VirtualLoop, run_virtual
from drivers.command import Effect
from drivers.errors import Ambiguous, DriverError, Rejected
from drivers.instruments.camera import CameraDriver
from drivers.instruments.laser_annealer import LaserAnnealerDriver
from drivers.instruments.reflectance_spectrometer import ReflectanceSpectrometerDriver
from drivers.instruments.xy_stage import XYStageDriver
from drivers.links.framing import Line
from drivers.links.memory import MemoryLink
from drivers.links.opening import memory_link, open_link
from drivers.links.replay import Mismatch, Recorded, ReplayPeer, read_tap, recorded
from drivers.links.tap import Direction, Passed, Tap
from simulators.film_station import FilmStation
from simulators.instruments.http import HttpInstrument
from simulators.instruments.modbus import ModbusInstrument
from simulators.ports import PtyPort
from simulators.serve import EpochClock
from simulators.world import WorldFile


def passed(*items):
    ways = {">": Direction.SENT, "<": Direction.RECEIVED, "x": Direction.DISCARDED}
    return [Passed(time_s=float(n), direction=ways[way], data=data) for n, (way, data) in enumerate(items)]


async def use_laser(laser):
    found = [await laser.connect()]
    await laser.anneal(peak_temperature_c=900.0, dwell_us=1000.0, tag="a1")
    found.append(await laser.last_shot())
    await laser.close_shutter()
    with pytest.raises(Rejected):
        await laser.anneal(peak_temperature_c=900.0, dwell_us=1000.0, tag="a2")
    await laser.stop()
    await laser.close()
    return found


async def use_stage(stage):
    found = [await stage.connect()]
    await stage.move(x_mm=4.0, y_mm=2.0)
    found.append(await stage.locate())
    await stage.home()
    found.append(await stage.is_at(x_mm=0.0, y_mm=0.0))
    await stage.close()
    return found


async def use_spectrometer(spectrometer):
    found = [await spectrometer.connect()]
    spectrum = await spectrometer.acquire(exposure_s=0.05, averages=2, tag="s1")
    await spectrometer.close()
    return [*found, spectrum.counts.tobytes(), spectrum.wavelength_nm.tobytes()]


async def use_camera(camera):
    found = [await camera.connect(), (await camera.capture(tag="c1")).pixels.tobytes()]
    await camera.close()
    return found


DRIVERS = {
    "laser": (LaserAnnealerDriver, use_laser),
    "stage": (XYStageDriver, use_stage),
    "spectrometer": (ReflectanceSpectrometerDriver, use_spectrometer),
    "camera": (CameraDriver, use_camera),
}


def in_virtual_time(use):
    loop = VirtualLoop()
    clock = VirtualClock(loop)
    seen = []

    async def main():
        seen.append(await use(clock))

    run_virtual(main(), loop=loop)
    return seen[0]


@pytest.mark.parametrize("name", DRIVERS)
def test_a_recorded_session_can_be_replayed(lab_kind, tmp_path, name):
    kind, use = DRIVERS[name]
    lab = lab_kind(options={"drift": False})
    seen = []

    async def main():
        driver = lab.driver(kind, name)
        driver._link.tap = Tap(lab.clock, path=tmp_path / "wire.jsonl")
        seen.append(await use(driver))
        driver._link.tap.close()

    lab.run(main)
    peer = ReplayPeer(read_tap(tmp_path / "wire.jsonl"))
    assert len(peer.leftovers) > 1
    again = in_virtual_time(lambda clock: use(kind(MemoryLink(peer, clock, name="replay"), clock, name=name)))
    assert again == seen[0]
    assert peer.problems() == []


def test_a_session_recorded_on_a_real_port_can_be_replayed_in_virtual_time(tmp_path):
    clock = RealClock()
    world = FilmStation(state=WorldFile(":memory:"), clock=EpochClock(), seed=5, options={"drift": False})

    async def really():
        port = PtyPort(world.instruments["camera"], asyncio.get_running_loop())
        tap = Tap(clock, path=tmp_path / "wire.jsonl")
        link = open_link(f"serial://{port.path}", clock, tap=tap)
        try:
            return await use_camera(CameraDriver(link, clock))
        finally:
            await link.close()
            tap.close()
            port.close()

    seen = asyncio.run(really())
    peer = ReplayPeer(read_tap(tmp_path / "wire.jsonl"))
    assert (
        in_virtual_time(lambda clock: use_camera(CameraDriver(MemoryLink(peer, clock, name="replay"), clock))) == seen
    )
    assert peer.problems() == []


def test_a_fault_that_was_recorded_happens_again(device_kind):
    """A reply that was lost, and one that came late and was thrown away."""
    answers = [[], [(0.5, b"<late>\n")], [(0.0, b"<c"), (0.1, b">\n")]]

    async def use(link, clock):
        await link.open()
        outcomes = []
        for text in (b"a\n", b"b\n", b"c\n"):
            try:
                outcomes.append(
                    await link.exchange(text, framing=Line(), timeout_s=0.3, effect=Effect.OPERATOR, late_max_s=0.4)
                )
            except Ambiguous as error:
                outcomes.append(str(error))
        return outcomes

    todo = iter(answers)
    device = device_kind(lambda line: next(todo))
    taps = []

    async def record(clock):
        taps.append(Tap(clock))
        return await use(MemoryLink(device, clock, name="x", tap=taps[0]), clock)

    first = in_virtual_time(record)
    peer = ReplayPeer(taps[0])
    assert in_virtual_time(lambda clock: use(MemoryLink(peer, clock, name="x"), clock)) == first
    assert peer.problems() == []
    assert first[2] == b"<c>" and "no reply" in first[0]


class Registers:
    has_front_panel = has_units = False

    def read_register(self, address):
        return 100 + address

    def write_register(self, address, value): ...

    read_coil = write_coil = restart = None


class Door(HttpInstrument):
    def carry_out(self, method, path, body):
        return {"path": path}


async def use_modbus(bus):
    await bus.open()
    found = [await bus.read_holding(3, 2), await bus.write_register(3, 5, effect=Effect.IDEMPOTENT)]
    await bus.close()
    return found


async def use_http(bus):
    await bus.open()
    found = [await bus.get("/door"), await bus.put("/door", {"is_open": True}, effect=Effect.IDEMPOTENT)]
    await bus.close()
    return found


@pytest.mark.parametrize("wire", ["modbus+rtu", "modbus+tcp", "http"])
def test_buses_can_be_replayed(wire):
    taps = []
    use = use_http if wire == "http" else use_modbus

    async def record(clock):
        state = WorldFile(":memory:")
        instrument = (
            Door(state=state, clock=clock)
            if wire == "http"
            else ModbusInstrument(Registers(), wire=wire, unit=9, state=state, clock=clock)
        )
        bus = memory_link(instrument, clock, name="x")
        bus.tap = Tap(clock)
        taps.append(bus.tap)
        return await use(bus)

    first = in_virtual_time(record)
    peer = ReplayPeer(taps[0], wire=wire, unit=9)
    assert in_virtual_time(lambda clock: use(memory_link(peer, clock, name="x"))) == first
    assert peer.problems() == []


def test_another_request_than_the_recorded_one_is_a_mismatch():
    peer = ReplayPeer(passed((">", b"get\n"), ("<", b"1\n"), (">", b"set 5\n"), ("<", b"ok\n")))
    heard = []
    peer.send = heard.append
    peer.receive(b"get\n")
    with pytest.raises(Mismatch, match=r"'set 6\\n' was asked where 'set 5\\n' was recorded"):
        peer.receive(b"set 6\n")
    assert heard == [b"1\n"]
    assert [str(mismatch) for mismatch in peer.mismatches] == peer.problems()[:1]
    assert peer.problems()[1] == r"recorded at 2 s and never asked: 'set 5\n'"
    peer.receive(b"set 5\n")
    assert peer.leftovers == []
    with pytest.raises(Mismatch, match="where nothing more was recorded"):
        peer.receive(b"set 5\n")
    assert len(peer.problems()) == 2


def test_a_driver_makes_an_error_of_its_own_of_a_mismatch_and_the_peer_keeps_it(lab_kind):
    lab = lab_kind()
    tapped = []

    async def main():
        laser = lab.driver(LaserAnnealerDriver, "laser")
        laser._link.tap = Tap(lab.clock)
        tapped.append(laser._link.tap)
        await laser.connect()
        await laser.anneal(peak_temperature_c=900.0, dwell_us=1000.0, tag="a1")

    lab.run(main)
    peer = ReplayPeer(tapped[0])

    async def hotter(clock):
        laser = LaserAnnealerDriver(MemoryLink(peer, clock, name="replay"), clock)
        await laser.connect()
        with pytest.raises(DriverError, match="950"):
            await laser.anneal(peak_temperature_c=950.0, dwell_us=1000.0, tag="a1")

    in_virtual_time(hotter)
    assert len(peer.mismatches) == 1
    assert "SET,950.0" in peer.problems()[0] and "SET,900.0" in peer.problems()[0]


def test_what_was_recorded_and_never_asked_is_left_over():
    peer = ReplayPeer(passed((">", b"a\n"), ("<", b"1\n")))
    assert peer.leftovers == [Recorded(time_s=0.0, request=b"a\n", replies=(b"1\n",))]
    assert peer.problems() == [r"recorded at 0 s and never asked: 'a\n'"]


def test_exchanges_are_told_apart_and_what_no_driver_saw_is_left_out():
    transcript = passed(
        ("<", b"hello\n"), (">", b"a\n"), ("<", b"1"), ("x", b"noise"), ("<", b"2\n"), (">", b"STOP\n"), (">", b"b\n")
    )
    assert recorded(transcript) == [
        Recorded(time_s=1.0, request=b"a\n", replies=(b"1", b"2\n")),
        Recorded(time_s=5.0, request=b"STOP\n"),
        Recorded(time_s=6.0, request=b"b\n"),
    ]

"""The same driver code against the same instruments: in memory in virtual time, and on a pty in wall time."""

import asyncio

import numpy as np
import pytest

from drivers.clock import RealClock
from drivers.errors import DeviceFault
from drivers.instruments.camera import CameraDriver
from drivers.instruments.laser_annealer import LaserAnnealerDriver
from drivers.instruments.reflectance_spectrometer import ReflectanceSpectrometerDriver
from drivers.instruments.xy_stage import XYStageDriver
from drivers.links.opening import open_link
from simulators.film_station import FilmStation
from simulators.ports import PtyPort
from simulators.serve import EpochClock
from simulators.world import WorldFile

DRIVERS = {
    "stage": XYStageDriver,
    "laser": LaserAnnealerDriver,
    "spectrometer": ReflectanceSpectrometerDriver,
    "camera": CameraDriver,
}


async def work(drivers, clock):
    """Do a bit of everything and return what was seen."""
    stage, laser, spectrometer, camera = (drivers[name] for name in DRIVERS)
    identities = [await driver.connect() for driver in drivers.values()]
    await stage.move(x_mm=4.0, y_mm=2.0)
    await laser.anneal(peak_temperature_c=900.0, dwell_us=1000.0, tag="a1")
    picture = await camera.capture(tag="c1")
    spectrum = await spectrometer.acquire(exposure_s=0.05, averages=2, tag="s1")
    move = asyncio.ensure_future(stage.move(x_mm=60.0, y_mm=2.0))
    await clock.sleep(0.3)
    await stage.stop()
    with pytest.raises(DeviceFault, match="stopped"):
        await move
    again = await spectrometer.acquire(exposure_s=0.05, averages=2, tag="s1")
    assert np.array_equal(again.counts, spectrum.counts)
    shot = await laser.last_shot()
    for driver in drivers.values():
        await driver.close()
    return identities, picture.pixels.tobytes(), spectrum.counts.tobytes(), shot


def in_virtual_time(lab_kind):
    lab = lab_kind(options={"drift": False})
    seen = []

    async def main():
        drivers = {name: lab.driver(kind, name) for name, kind in DRIVERS.items()}
        seen.append(await work(drivers, lab.clock))

    lab.run(main)
    return seen[0], lab.clock.now_s()


def in_wall_time():
    clock = RealClock()
    world = FilmStation(state=WorldFile(":memory:"), clock=EpochClock(), seed=5, options={"drift": False})

    async def main():
        ports = {name: PtyPort(world.instruments[name], asyncio.get_running_loop()) for name in DRIVERS}
        links = {name: open_link(f"serial://{port.path}?baud=115200", clock) for name, port in ports.items()}
        try:
            return await work({name: kind(links[name], clock, name=name) for name, kind in DRIVERS.items()}, clock)
        finally:
            for name, port in ports.items():
                await links[name].close()
                port.close()

    began_s = clock.now_s()
    return asyncio.run(main()), clock.now_s() - began_s


def test_both_ways_see_the_same(lab_kind):
    virtually, virtual_s = in_virtual_time(lab_kind)
    really, wall_s = in_wall_time()
    assert really == virtually
    assert virtual_s - 0.5 < wall_s < virtual_s + 20.0

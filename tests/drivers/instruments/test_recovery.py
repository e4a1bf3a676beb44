"""A controller that dies at any moment: its successor joins what is under way, and time goes on as if nothing had been.

The world is restored from its own file, as after a power cut at the controller; nothing but that file survives.
"""

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from drivers.instruments.camera import CameraDriver
from drivers.instruments.laser_annealer import LaserAnnealerDriver
from drivers.instruments.reflectance_spectrometer import ReflectanceSpectrometerDriver
from drivers.instruments.xy_stage import XYStageDriver
from simulators.world import WorldFile

DRIVERS = {
    "stage": XYStageDriver,
    "laser": LaserAnnealerDriver,
    "spectrometer": ReflectanceSpectrometerDriver,
    "camera": CameraDriver,
}

SCRIPT = [
    ("stage", "move", {"x_mm": 12.0, "y_mm": 4.0}),
    ("laser", "anneal", {"peak_temperature_c": 937.5, "dwell_us": 3162.27766, "tag": "a1"}),
    ("camera", "capture", {"tag": "c1"}),
    ("stage", "move", {"x_mm": 11.7, "y_mm": 4.0}),
    ("spectrometer", "acquire", {"exposure_s": 0.0333, "averages": 3, "tag": "s1"}),
    ("stage", "move", {"x_mm": 12.3, "y_mm": 4.0}),
    ("spectrometer", "acquire", {"exposure_s": 0.0333, "averages": 3, "tag": "s2"}),
    ("stage", "move", {"x_mm": 16.0, "y_mm": 4.0}),
    ("laser", "anneal", {"peak_temperature_c": 512.5, "dwell_us": 250.0, "tag": "a2"}),
]


class Killed(Exception):
    """The controller died."""


async def carry_out(lab, journal, *, dies_at_s=None):
    """Carry the rest of the script out, noting intents and outcomes, until the end or until death."""
    drivers = {name: lab.driver(kind, name) for name, kind in DRIVERS.items()}
    for driver in drivers.values():
        await driver.connect()
    for name, command, arguments in SCRIPT[len(journal["outcomes"]) :]:
        journal["intents"].append(lab.clock.now_s())
        try:
            async with asyncio.timeout_at(dies_at_s):
                await getattr(drivers[name], command)(**arguments)
        except TimeoutError:
            raise Killed from None
        journal["outcomes"].append(lab.clock.now_s())


def new_journal():
    return {"intents": [], "outcomes": []}


def truth(state):
    return {key: state.get(key) for key in state.keys("") if key != "world" and not key.startswith("act/")}


def undisturbed(lab_kind):
    lab, journal = lab_kind(), new_journal()
    lab.run(lambda: carry_out(lab, journal))
    return journal["outcomes"], truth(lab.state)


@pytest.fixture(scope="module")
def expected(lab_kind):
    return undisturbed(lab_kind)


def test_the_script_takes_its_time(expected):
    assert 7.0 < expected[0][-1] < 12.0


@given(deaths=st.lists(st.floats(0.001, 10.0), min_size=1, max_size=4), waits=st.floats(0.0, 1.0))
@example(deaths=[4.125], waits=1.0)
@settings(max_examples=40)
def test_killed_anywhere_and_resumed_gives_the_same_times_and_the_same_truth(lab_kind, expected, deaths, waits):
    journal = new_journal()
    start_s = 0.0
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "world.db"
        for death_s in [*sorted(deaths), None]:
            state = WorldFile(path)
            lab = lab_kind(start_s=start_s, state=state)
            dies_at_s = None if death_s is None else max(death_s, start_s)
            try:
                lab.run(lambda lab=lab, at=dies_at_s: carry_out(lab, journal, dies_at_s=at))
            except Killed:
                # the successor's clock goes on at the last intent, or wherever the journal had got to by then
                start_s = journal["intents"][-1] + waits * (lab.clock.now_s() - journal["intents"][-1])
            finally:
                final = truth(state)
                lab.world.close()
            if len(journal["outcomes"]) == len(SCRIPT):
                break
    assert journal["outcomes"] == expected[0]
    assert final == expected[1]


def test_a_stage_killed_in_mid_move_is_where_it_would_have_been(lab_kind, tmp_path):
    lab = lab_kind(state=WorldFile(tmp_path / "world.db"))

    async def begin():
        stage = lab.driver(XYStageDriver, "stage")
        await stage.connect()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await stage.move(x_mm=40.0, y_mm=0.0)

    lab.run(begin)
    lab.world.close()
    later = lab_kind(state=WorldFile(tmp_path / "world.db"), start_s=0.6)

    async def look():
        stage = later.driver(XYStageDriver, "stage")
        await stage.connect()
        located = await stage.locate()
        assert located.is_moving
        assert located.x_mm == pytest.approx(40 * 0.6 - 2.0, abs=0.01)
        assert await stage.is_at(x_mm=40.0, y_mm=0.0)
        assert later.clock.now_s() == pytest.approx(1.2)

    later.run(look)
    later.world.close()


def test_a_shot_that_fired_while_nobody_was_there_is_on_the_wafer(lab_kind, tmp_path):
    lab = lab_kind(state=WorldFile(tmp_path / "world.db"))

    async def begin():
        laser = lab.driver(LaserAnnealerDriver, "laser")
        await laser.connect()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await laser.anneal(peak_temperature_c=900.0, dwell_us=1000.0, tag="a1")

    lab.run(begin)
    assert not list(lab.state.keys("shot/"))
    lab.world.close()
    later = lab_kind(state=WorldFile(tmp_path / "world.db"), start_s=3600.0)
    assert later.state.get("shot/1")["time_s"] == 2.0

    async def look():
        laser = later.driver(LaserAnnealerDriver, "laser")
        await laser.connect()
        assert await laser.has_fired(peak_temperature_c=900.0, dwell_us=1000.0, tag="a1")
        assert later.clock.now_s() == 3600.0

    later.run(look)
    later.world.close()

"""Drivers on a wire that fails: only declared errors leave them, and settling by effect never acts twice.

Every command is settled as recovery does it: after an error that leaves the outcome open, read back; repeat only what
did not land. Then the simulated world is asked what truly happened.
"""

import asyncio

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.command import command_specs
from drivers.errors import Ambiguous, DriverError, NotSent, Unreadable
from drivers.instruments.camera import CameraDriver
from drivers.instruments.laser_annealer import LaserAnnealerDriver
from drivers.instruments.reflectance_spectrometer import ReflectanceSpectrometerDriver
from drivers.instruments.xy_stage import XYStageDriver

RECIPE = {"peak_temperature_c": 937.5, "dwell_us": 1000.0}

LOSSES = ["drop request", "drop reply", "cut reply", "late reply", "twice", "noise before"]


class Wire:
    """An instrument behind a wire on which the next exchanges suffer what the plan says."""

    def __init__(self, instrument, plan):
        self.send = None
        self.plan = list(plan)
        self.fault = ("well", 0)
        self.instrument = instrument
        instrument.send = self._answered

    def receive(self, data):
        self.fault = self.plan.pop(0) if self.plan else ("well", 0)
        kind, at = self.fault
        if kind == "noise before":
            self._say(b"\x00#1x@01 STAT")
        if kind == "flip request":
            data = flipped(data, at)
        if kind != "drop request":
            self.instrument.receive(data)

    def _answered(self, reply):
        kind, at = self.fault
        match kind:
            case "drop reply":
                return
            case "cut reply":
                self._say(reply[: at % len(reply)])
            case "flip reply":
                self._say(flipped(reply, at))
            case "late reply":
                asyncio.get_running_loop().call_later(1.2 if at % 2 else 0.7, self._say, reply)
            case "twice":
                self._say(reply + reply)
            case _:
                self._say(reply)

    def _say(self, data):
        if self.send is not None and data:
            self.send(data)


def flipped(data, at):
    at %= 8 * len(data)
    damaged = bytearray(data)
    damaged[at // 8] ^= 1 << at % 8
    return bytes(damaged)


def plans(*more):
    kinds = st.sampled_from(["well", "well", *LOSSES, *more])
    return st.lists(st.tuples(kinds, st.integers(0, 1 << 20)), max_size=14)


async def settled(driver, name, **arguments):
    """Carry a command out as recovery would: by its effect, until it has landed."""
    spec = command_specs(type(driver))[name]
    for _ in range(40):
        try:
            return await getattr(driver, name)(**arguments)
        except (NotSent, Unreadable):
            continue
        except Ambiguous:
            await driver._clock.sleep(spec.late_max_s)
            if spec.verify is not None and await read_back(driver, spec.verify, arguments):
                return None
    pytest.fail(f"{name} did not settle in 40 attempts")


async def read_back(driver, name, arguments):
    for _ in range(40):
        try:
            return await getattr(driver, name)(**arguments)
        except (NotSent, Unreadable):
            continue
    pytest.fail(f"{name} gave no answer in 40 attempts")


def on_bad_wire(lab, instrument, kind, plan):
    driver = lab.driver(kind, instrument)
    wire = Wire(lab.world.instruments[instrument], plan)
    driver._link._peer = wire
    return driver


@given(plan=plans("flip request", "flip reply"))
def test_a_shot_is_fired_exactly_once_whatever_the_wire_does(lab_kind, plan):
    lab = lab_kind()
    laser = on_bad_wire(lab, "laser", LaserAnnealerDriver, plan)

    async def main():
        await laser._link.open()
        for tag in ("t1", "t2"):
            await settled(laser, "anneal", **RECIPE, tag=tag)

    lab.run(main)
    shots = [lab.state.get(key) for key in lab.state.keys("shot/")]
    assert [shot["tag"] for shot in shots] == ["t1", "t2"]
    assert {(shot["peak_temperature_c"], shot["dwell_us"]) for shot in shots} == {(937.5, 1000.0)}


@given(plan=plans())
def test_the_stage_arrives_whatever_is_lost(lab_kind, plan):
    lab = lab_kind()
    stage = on_bad_wire(lab, "stage", XYStageDriver, plan)

    async def main():
        await stage._link.open()
        for x_mm in (12.5, -3.0):
            await settled(stage, "move", x_mm=x_mm, y_mm=1.0)
            assert lab.world._stage.position_um(lab.clock.now_s()) == (round(1000 * x_mm), 1000)

    lab.run(main)


@given(plan=plans("flip reply"))
@settings(max_examples=30)
def test_a_spectrum_is_the_true_one_whatever_the_wire_does(lab_kind, plan):
    lab = lab_kind()
    spectrometer = on_bad_wire(lab, "spectrometer", ReflectanceSpectrometerDriver, [])

    async def main():
        await spectrometer.connect()
        undisturbed = await spectrometer.acquire(exposure_s=0.05, averages=1, tag="t1")
        spectrometer._link._peer.plan = list(plan)
        again = await settled(spectrometer, "acquire", exposure_s=0.05, averages=1, tag="t1")
        assert np.array_equal(again.counts, undisturbed.counts)
        await settled(spectrometer, "acquire", exposure_s=0.1, averages=2, tag="t2")

    lab.run(main)
    assert len(list(lab.state.keys("spectrometer/frame/"))) == 2


@given(plan=plans("flip request", "flip reply"))
@settings(max_examples=20)
def test_a_picture_is_the_true_one_whatever_the_wire_does(lab_kind, plan):
    lab = lab_kind()
    camera = on_bad_wire(lab, "camera", CameraDriver, [])

    async def main():
        await camera.connect()
        undisturbed = await camera.capture(tag="t1")
        camera._link._peer.plan = list(plan)
        again = await settled(camera, "capture", tag="t1")
        assert np.array_equal(again.pixels, undisturbed.pixels)

    lab.run(main)
    assert len(list(lab.state.keys("camera/frame/"))) == 1


COMMANDS = [
    (XYStageDriver, "stage", "identify", {}),
    (XYStageDriver, "stage", "locate", {}),
    (XYStageDriver, "stage", "move", {"x_mm": 1.0, "y_mm": 1.0}),
    (XYStageDriver, "stage", "stop", {}),
    (XYStageDriver, "stage", "home", {}),
    (LaserAnnealerDriver, "laser", "identify", {}),
    (LaserAnnealerDriver, "laser", "anneal", {**RECIPE, "tag": "t1"}),
    (LaserAnnealerDriver, "laser", "last_shot", {}),
    (LaserAnnealerDriver, "laser", "close_shutter", {}),
    (LaserAnnealerDriver, "laser", "stop", {}),
    (ReflectanceSpectrometerDriver, "spectrometer", "identify", {}),
    (ReflectanceSpectrometerDriver, "spectrometer", "acquire", {"exposure_s": 0.1, "averages": 1, "tag": "t1"}),
    (CameraDriver, "camera", "identify", {}),
    (CameraDriver, "camera", "capture", {"tag": "t1"}),
]


@pytest.mark.parametrize(
    ("kind", "instrument", "name", "arguments"), COMMANDS, ids=[f"{c[1]}.{c[2]}" for c in COMMANDS]
)
@given(plan=plans("flip request", "flip reply"), garbage=st.lists(st.binary(max_size=60), max_size=4))
@settings(max_examples=15)
def test_only_declared_errors_leave_a_driver(lab_kind, kind, instrument, name, arguments, plan, garbage):
    lab = lab_kind()
    driver = on_bad_wire(lab, instrument, kind, plan)
    endings = iter(garbage)

    async def main():
        await driver._link.open()
        for _ in range(4):
            try:
                await getattr(driver, name)(**arguments)
            except DriverError as error:
                assert (error.device, error.command) == (instrument, name)
            driver._link._peer._say(next(endings, b""))
        await lab.clock.sleep(60.0)
        driver._link._peer.plan.clear()
        assert (await driver.identify()).maker == "labpilot"

    lab.run(main)

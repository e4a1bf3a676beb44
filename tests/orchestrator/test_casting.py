"""Casting: which device plays which part, for the drivers that ship and for one of your own."""

from __future__ import annotations

import pytest

from orchestrator.casting import Casting, CastingError
from orchestrator.fields import Declared
from orchestrator.lab import Lab
from orchestrator.recipe import Anneal, Command, Perform, Photograph, Scan

FURNACE = '''
from typing import Annotated
from drivers.command import Effect, Quantity, command

class MyFurnace:
    """A furnace of my own."""

    def __init__(self, link, clock, *, name):
        self.name = name

    async def connect(self): ...
    async def identify(self): ...
    async def close(self): ...

    @command(Effect.IDEMPOTENT)
    async def hold(self, *, target_c: Annotated[float, Quantity("Cel", 20, 1100)], mode: str, ramps: int = 1):
        """Hold a temperature."""
'''

DECLARED = {
    "temperature": Declared("continuous", "K"),
    "gas": Declared("categorical", "1", ("Ar",)),
    "time": Declared("continuous", "s"),
}


def _lab(**devices):
    devices = devices or {
        "laser": "laser-annealer",
        "stage": "xy-stage",
        "spectrometer": "reflectance-spectrometer",
        "camera": "camera",
    }
    return Lab.from_data(
        {
            "labpilot": 1,
            "name": "here",
            "devices": {
                name: {"driver": driver, "url": f"sim:film-station/{name}"} for name, driver in devices.items()
            },
        }
    )


def _anneal(**more):
    return Anneal.model_validate({"peak_temperature": "400 degC", "dwell": "1 ms", **more})


@pytest.fixture
def furnace(tmp_path):
    (tmp_path / "my_furnace.py").write_text(FURNACE)
    return Casting.of(_lab(oven="./my_furnace.py:MyFurnace"), base=tmp_path)


def test_the_only_device_that_can_is_cast():
    casting = Casting.of(_lab())
    assert casting.devices(_anneal()) == {"LaserAnnealer": "laser", "Movable": "stage"}
    assert casting.devices(Photograph()) == {"Camera": "camera", "Movable": "stage"}
    scan = Scan.model_validate({"start": "0 mm", "stop": "1 mm", "points": 2, "exposure": "1 s"})
    assert casting.devices(scan) == {"Spectrometer": "spectrometer", "Movable": "stage"}


def test_a_named_device_is_cast():
    casting = Casting.of(_lab(a="laser-annealer", b="laser-annealer", stage="xy-stage"))
    assert casting.devices(_anneal(device="b"))["LaserAnnealer"] == "b"


@pytest.mark.parametrize(
    ("devices", "step", "message", "inner"),
    [
        ({"stage": "xy-stage"}, _anneal(), "needs a LaserAnnealer, and no device of the lab 'here' is one", ()),
        (
            {"a": "laser-annealer", "b": "laser-annealer", "stage": "xy-stage"},
            _anneal(),
            "a and b could each be its LaserAnnealer; add 'device: a'",
            (),
        ),
        (
            {"laser": "laser-annealer", "stage": "xy-stage"},
            _anneal(device="stage"),
            "device 'stage' is no LaserAnnealer; laser could",
            ("device",),
        ),
        (
            {"laser": "laser-annealer"},
            _anneal(device="lasr"),
            "the lab has no device 'lasr'; did you mean 'laser'?",
            ("device",),
        ),
        ({"laser": "laser-annealer"}, Perform(), "needs a Bench, and no device of the lab 'here' is one", ()),
    ],
)
def test_what_cannot_be_cast_is_said(devices, step, message, inner):
    with pytest.raises(CastingError) as caught:
        Casting.of(_lab(**devices)).devices(step)
    assert (str(caught.value), caught.value.inner) == (message, inner)


def test_an_unknown_driver_is_said():
    with pytest.raises(CastingError, match="no driver is called 'lasr-annealer'"):
        Casting.of(_lab(laser="lasr-annealer"))


def test_a_driver_of_ones_own_takes_part(furnace):
    step = Command.model_validate(
        {"device": "oven", "command": "hold", "arguments": {"target": "$temperature", "mode": "$gas"}}
    )
    arguments = furnace.arguments(step, DECLARED)
    trial = {"temperature": 673.15, "gas": "Ar"}
    assert {name: value.at(trial) for name, value in arguments.items()} == {
        "target_c": pytest.approx(400.0),
        "mode": "Ar",
    }


def test_plain_and_fixed_arguments_are_kept(furnace):
    step = Command.model_validate(
        {"device": "oven", "command": "hold", "arguments": {"target_c": "673.15 K", "mode": "soak", "ramps": 2}}
    )
    arguments = furnace.arguments(step, DECLARED)
    assert arguments["target_c"].at({}) == pytest.approx(400.0)
    assert (arguments["mode"], arguments["ramps"]) == ("soak", 2)


@pytest.mark.parametrize(
    ("command", "arguments", "message", "inner"),
    [
        ("hodl", {}, "device 'oven' has no command 'hodl'; did you mean 'hold'?", ("command",)),
        ("hold", {"target": "400 degC"}, "oven.hold needs mode", ("arguments",)),
        ("hold", {"targt": 1}, "oven.hold has no argument 'targt'; did you mean 'target_c'?", ("arguments", "targt")),
        (
            "hold",
            {"target": "5 s", "mode": "x"},
            "'5 s' is a time, but a temperature in 'degC' is needed here",
            ("arguments", "target"),
        ),
        (
            "hold",
            {"target": 5, "mode": "x"},
            "needs a unit, such as '5 degC'",
            ("arguments", "target"),
        ),
        (
            "hold",
            {"target": "$time", "mode": "x"},
            "parameter 'time' is a time in 's', but a temperature in 'degC' is needed here",
            ("arguments", "target"),
        ),
        (
            "hold",
            {"target": "5 degC", "mode": "$gsa"},
            "no parameter 'gsa'; did you mean 'gas'?",
            ("arguments", "mode"),
        ),
    ],
)
def test_arguments_that_do_not_fit_are_said(furnace, command, arguments, message, inner):
    step = Command.model_validate({"device": "oven", "command": command, "arguments": arguments})
    with pytest.raises(CastingError) as caught:
        furnace.arguments(step, DECLARED)
    assert (str(caught.value), caught.value.inner) == (message, inner)


def test_site_limits_arrive_in_the_drivers_unit(furnace):
    lab = Lab.from_data({**_lab(oven="x").data(), "limits": {"oven.hold": {"target": {"high": "1173.15 K"}}}})
    found = furnace.limits("oven.hold", lab.limits["oven.hold"])
    assert found["target_c"].unit == "Cel"
    assert (found["target_c"].low, found["target_c"].high) == (None, pytest.approx(900.0))


@pytest.mark.parametrize(
    ("key", "limits", "message", "inner"),
    [
        ("ovn.hold", {"target": {"high": "1 K"}}, "the lab has no device 'ovn'; did you mean 'oven'?", ("device",)),
        ("oven.hodl", {"target": {"high": "1 K"}}, "device 'oven' has no command 'hodl'; did you mean 'hold'?", ()),
        ("oven.hold", {"targt": {"high": "1 K"}}, "oven.hold limits no 'targt'; did you mean 'target_c'?", ("targt",)),
        (
            "oven.hold",
            {"target": {"high": 900}},
            "'900' is a plain number, but a temperature in 'degC' is needed here",
            ("target", "high"),
        ),
    ],
)
def test_limits_that_do_not_fit_are_said(furnace, key, limits, message, inner):
    lab = Lab.from_data({**_lab(oven="x").data(), "limits": {key: limits}})
    with pytest.raises(CastingError) as caught:
        furnace.limits(key, lab.limits[key])
    assert (str(caught.value), caught.value.inner) == (message, inner)

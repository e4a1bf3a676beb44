"""`labpilot devices`: installed drivers and drivers of one's own."""

from __future__ import annotations

import json

import pytest

from orchestrator.cli.main import supervise

OVEN = '''
from typing import Annotated
from drivers.command import Effect, Quantity, command

class Oven:
    """An oven of my own."""

    def __init__(self, link, clock, *, name):
        self.name = name

    async def connect(self): ...
    async def identify(self): ...
    async def close(self): ...

    async def is_at(self, *, target_c: float) -> bool: ...

    @command(Effect.VERIFIABLE, timeout_s=30, verify="is_at", late_max_s=2)
    async def hold(self, *, target_c: Annotated[float, Quantity("Cel", 20)]):
        """Hold a temperature."""
'''


def test_installed_drivers_are_listed_with_capabilities(capsys):
    assert supervise(["devices", "list"]) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert lines["xy-stage"] == "Device, Stoppable, Movable, Homeable"
    assert {"bench", "camera", "laser-annealer", "reflectance-spectrometer"} <= lines.keys()


def test_the_list_as_json(capsys):
    assert supervise(["devices", "list", "--json"]) == 0
    found = {item["name"]: item for item in json.loads(capsys.readouterr().out)}
    assert found["camera"]["capabilities"] == ["Device", "Camera"]
    assert all(item["problem"] is None for item in found.values())


def test_a_driver_of_ones_own_is_described(tmp_path, monkeypatch, capsys):
    (tmp_path / "oven.py").write_text(OVEN)
    monkeypatch.chdir(tmp_path)
    assert supervise(["devices", "describe", "./oven.py:Oven"]) == 0
    assert capsys.readouterr().out.splitlines()[-3:] == [
        "  hold: Hold a temperature.",
        "      verifiable by is_at; answers within 30 s, effects up to 2 s late",
        "      target_c: 20 to inf Cel",
    ]


def test_a_description_as_json(capsys):
    assert supervise(["devices", "describe", "laser-annealer", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    anneal = next(item for item in found["commands"] if item["name"] == "anneal")
    limits = {"unit": "Cel", "low": 200.0, "high": 1400.0, "tolerance": 0.0}
    assert anneal["arguments"]["peak_temperature_c"] == limits
    assert anneal["example"] == {"peak_temperature_c": 300.0, "dwell_us": 1000.0}
    assert found["manifest"]["simulator"] == "film-station/laser"
    assert anneal["effect"] == "verifiable"


@pytest.mark.parametrize("name", ["camra", "./missing.py:Oven"])
def test_an_unknown_driver_ends_with_2(name, capsys):
    assert supervise(["devices", "describe", name]) == 2
    assert name in capsys.readouterr().err

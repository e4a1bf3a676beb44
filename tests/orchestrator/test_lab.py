"""Lab files: devices, wafer sites, limits, and mistakes word for word."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import NewerVersion
from orchestrator.lab import Lab
from orchestrator.samples import NoSamples, Wafer
from orchestrator.yaml_source import InvalidSource, parse_source, read_source

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
STATION = (EXAMPLES / "sara" / "lab.yaml").read_text()


def _mistakes(text):
    with pytest.raises(InvalidSource) as caught:
        Lab.from_source(parse_source(text, "lab.yaml"))
    return [str(mistake) for mistake in caught.value.mistakes]


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*/lab.yaml")), ids=lambda path: path.parent.name)
def test_examples_are_read_and_written_back(path):
    lab = Lab.from_source(read_source(path))
    assert Lab.from_data(lab.data()) == lab


def test_a_lab_without_samples_has_none():
    lab = Lab.from_source(parse_source("labpilot: 1\nname: x\ndevices: {a: {driver: b, url: 'sim:c/d'}}", "lab.yaml"))
    assert isinstance(lab.samples, NoSamples)
    assert lab.devices["a"].capacity == 1


MISTAKES = [
    ("misspelt key", ("driver: camera", "drivr: camera"), [
        "lab.yaml:15:5: devices.camera.driver: missing key: an installed driver, or ./file.py:Class",
        "lab.yaml:15:5: devices.camera.drivr: unknown key; did you mean 'driver'?",
    ]),
    ("capacity", ("url: sim:film-station/laser", "url: sim:film-station/laser\n    capacity: 0"), [
        "lab.yaml:8:15: devices.laser.capacity: must be at least 1, got 0",
    ]),
    ("kind of samples", ("kind: wafer", "kind: waver"), [
        "lab.yaml:19:9: samples.kind: must be wafer, racks or none, got text 'waver'",
    ]),
    (
        "no kind of samples",
        ("  kind: wafer\n", ""),
        ["lab.yaml:19:3: samples.kind: missing key: wafer, racks or none"],
    ),
    ("samples are text", ("samples:\n  kind: wafer", "samples: wafer\nother:\n  kind: wafer"), [
        "lab.yaml:18:10: samples: must be a mapping with 'kind: wafer', 'kind: racks' or 'kind: none', "
        "got text 'wafer'",
        "lab.yaml:19:1: other: unknown key; known: labpilot, name, description, devices, samples, stock, costs, "
        "limits, approvals, guard, closed, people, simulation, mixed",
    ]),
    ("diameter of time", ("140 mm", "140 s"), [
        "lab.yaml:21:13: samples.diameter: '140 s' is a time, but a length in 'mm' is needed here",
    ]),
    ("wafer without room", ("140 mm", "3 mm"), ["lab.yaml:21:13: samples.diameter: 3 mm hold no site of 4 x 2 mm"]),
    ("too many sites", ("[4 mm, 2 mm]", "[4 mm, 2 um]"), [
        "lab.yaml:22:10: samples.pitch: gives over 70000 sites across a wafer of 140 mm",
    ]),
    ("pitch of one number", ("[4 mm, 2 mm]", "[4 mm]"), ["lab.yaml:22:10: samples.pitch.1: missing key"]),
    ("reference", ("mirror: [", "miror: ["), [
        "lab.yaml:24:5: samples.references.miror: must be mirror or blank, got text 'miror'; did you mean 'mirror'?",
    ]),
    ("limit without unit of temperature", ("{high: 1350 degC}", "{hihg: 1350 degC}"), [
        "lab.yaml:29:24: limits.laser.anneal.peak_temperature.hihg: unknown key; did you mean 'high'?",
    ]),
    ("device with a dot", ("  camera:\n", "  cam.era:\n"), [
        "lab.yaml:14:3: devices.cam.era: a device's name has no dot and does not begin with $",
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("change", "expected"), [case[1:] for case in MISTAKES], ids=[case[0] for case in MISTAKES])
def test_mistakes_word_for_word(change, expected):
    assert change[0] in STATION
    assert _mistakes(STATION.replace(*change, 1)) == expected


def test_mixed_labs_are_fine_when_meant():
    text = STATION.replace("sim:film-station/laser", "serial:///dev/ttyUSB0") + "mixed: true\n"
    assert Lab.from_source(parse_source(text, "lab.yaml")).mixed


def test_a_later_format_is_refused():
    with pytest.raises(NewerVersion, match="written for format 9"):
        Lab.from_source(parse_source(STATION.replace("labpilot: 1", "labpilot: 9"), "lab.yaml"))


def test_sites_of_a_small_wafer():
    wafer = Wafer(kind="wafer", stage="stage", diameter="10 mm", pitch=["4 mm", "2 mm"])  # type: ignore[call-arg]
    assert wafer.sites() == ((0.0, -2.0), (0.0, 0.0), (0.0, 2.0))


@given(st.floats(5, 200), st.floats(0.5, 20), st.floats(0.5, 20))
def test_every_site_lies_whole_on_the_wafer_and_no_two_overlap(diameter, dx, dy):
    try:
        wafer = Wafer.model_validate(
            {"kind": "wafer", "stage": "s", "diameter": f"{diameter} mm", "pitch": [f"{dx} mm", f"{dy} mm"]}
        )
    except ValueError as error:
        assert math.hypot(dx, dy) > diameter * 0.999, error
        return
    sites = wafer.sites()
    corners = [math.hypot(abs(x) + dx / 2, abs(y) + dy / 2) for x, y in sites]
    assert max(corners) <= diameter / 2 * (1 + 1e-9)
    assert len(set(sites)) == len(sites)
    assert (0.0, 0.0) in sites
    cells = {(round(x / dx), round(y / dy)) for x, y in sites}
    assert len(cells) == len(sites)

"""`labpilot driver check`: what cannot be checked is refused, and what was found is told."""

import json

import pytest

from orchestrator.cli.main import supervise


def test_a_driver_in_the_box_passes_and_says_how_much_was_tried(capsys):
    assert supervise(["driver", "check", "reflectance-spectrometer", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["passed"] and found["cases"] > 100 and found["failures"] == 0
    assert found["settling_commands"] == 1.0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["camra"], "did you mean 'camera'"),
        (["camera", "--only", "capture"], "--only is for a device at --url"),
        (["camera", "--url", "serial:///dev/ttyX9", "--only", "nonsense"], "no such command"),
        (["laser-annealer", "--url", "serial:///dev/ttyX9", "--only", "anneal"], "add --allow-actuation"),
        (["camera", "--allow-actuation"], "for a device at --url"),
        (["camera", "--url", "tcp://127.0.0.1:1"], "gives tcp, but CameraDriver speaks serial"),
        (["camera", "--url", "sim:film-station/camera"], "labpilot simulator serve"),
        (["camera", "--read-only", "--allow-actuation", "--url", "x"], "exclude each other"),
    ],
)
def test_what_cannot_be_checked_is_refused(capsys, arguments, told):
    assert supervise(["driver", "check", *arguments]) == 2
    assert told in capsys.readouterr().err


def test_an_absent_port_is_a_failure_and_not_a_crash(capsys):
    assert supervise(["driver", "check", "camera", "--url", "serial:///dev/ttyX9"]) == 3
    assert "check the cable" in capsys.readouterr().out.replace("\n", " ")

"""The example of a new instrument is as small as its page says, and conforms."""

from pathlib import Path

from drivers.registry import class_at, driver_class
from simulators.conformance import check_driver

FOLDER = Path(__file__).parents[2] / "examples" / "new_instrument" / "acme_hotplate"


def test_the_hot_plate_conforms():
    driver = driver_class("./driver.py:AcmeHotplate", base=FOLDER)
    report = check_driver(driver, name="acme-hotplate", world=class_at("./simulator.py:AcmeHotplateWorld", base=FOLDER))
    assert [(result.command, result.fault, result.problems) for result in report.failures] == []
    assert report.n_cases > 200 and report.settling_share() == 1.0


def test_its_driver_has_at_most_sixty_lines():
    lines = (FOLDER / "driver.py").read_text(encoding="utf-8").splitlines()
    assert sum(bool(line.strip()) for line in lines) <= 60

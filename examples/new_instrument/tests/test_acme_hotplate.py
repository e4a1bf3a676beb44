"""The driver against its simulator."""

from acme_hotplate.driver import AcmeHotplate
from acme_hotplate.simulator import AcmeHotplateWorld

from simulators.conformance import check_driver


def test_it_conforms():
    report = check_driver(AcmeHotplate, name="acme-hotplate", world=AcmeHotplateWorld)
    assert report.n_cases > 50
    assert [(result.command, result.fault, result.problems) for result in report.failures] == []


def test_every_outcome_settles_itself():
    report = check_driver(AcmeHotplate, name="acme-hotplate", world=AcmeHotplateWorld)
    assert report.settling_share() == 1.0

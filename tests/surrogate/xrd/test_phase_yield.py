import numpy as np
import pytest

from simulators.materials.powder.levels import LEVELS
from simulators.materials.powder.library import structures
from simulators.materials.powder.pattern import Scan, simulate
from simulators.materials.powder.specimen import Mixture, Share
from surrogate import ANALYSES, MeasurementData

PHASES = ["BaTiO3-tetragonal", "witherite", "rutile", "anatase"]
OPTIONS = {"target": "BaTiO3-tetragonal", "phases": PHASES, "parameters": {"t": 900.0}}


def diffractogram(weights, *, seed=3):
    rng = np.random.default_rng(seed)
    settings = LEVELS["L1"]
    shares = tuple(Share(structure=structures()[name], weight=weight) for name, weight in weights.items())
    made = simulate(
        Mixture(shares=shares), scan=Scan(), sample=settings.sample, instrument=settings.instrument(rng), rng=rng
    )
    arrays = {"two_theta_deg": made.two_theta_deg, "counts": made.counts.astype(float)}
    return MeasurementData(kind="diffractogram", arrays=arrays, metadata={"wavelength_angstrom": 1.540598})


def analysed(*measurements, **options):
    return ANALYSES["phase_yield"](measurements, options={**OPTIONS, **options})


def test_the_yield_is_the_weight_fraction_of_the_target():
    found = analysed(diffractogram({"BaTiO3-tetragonal": 0.7, "witherite": 0.2, "rutile": 0.1}))
    assert found.values["yield"] == pytest.approx(0.7, abs=0.06)
    assert 0.0 < found.findings[0].sd["yield"] < 0.2
    assert found.findings[0].parameters == {"t": 900.0}
    assert set(found.details["phases"]) == {"BaTiO3-tetragonal", "witherite", "rutile"}


def test_every_phase_is_told_with_its_amount_and_how_sure_it_is():
    finding = analysed(diffractogram({"BaTiO3-tetragonal": 0.7, "witherite": 0.2, "rutile": 0.1})).findings[0]
    assert finding.values["phase:witherite"] == pytest.approx(0.2, abs=0.06)
    assert 0.5 < finding.values["probability:witherite"] <= 1.0
    assert set(finding.sd) == {"yield"}


def test_the_details_say_what_a_claim_needs():
    details = analysed(diffractogram({"BaTiO3-tetragonal": 0.7, "witherite": 0.3})).details
    low, high = details["weight_intervals"]["BaTiO3-tetragonal"]
    assert low <= details["phases"]["BaTiO3-tetragonal"] <= high
    assert details["failed_gates"] == []
    strange = analysed(diffractogram({"BaTiO3-tetragonal": 0.5, "halite": 0.5})).details
    assert strange["failed_gates"]


def test_without_the_target_the_yield_is_zero():
    found = analysed(diffractogram({"witherite": 0.6, "rutile": 0.4}))
    assert found.values["yield"] == 0.0
    assert found.findings[0].sd["yield"] > 0.0


def test_a_phase_that_the_library_lacks_tells_nothing():
    found = analysed(diffractogram({"BaTiO3-tetragonal": 0.5, "halite": 0.5}), may_lack=0.5)
    assert found.cannot_tell is not None and "lacks" in found.cannot_tell
    assert found.findings == ()


def test_the_last_diffractogram_counts():
    raw = diffractogram({"witherite": 0.6, "rutile": 0.4})
    fired = diffractogram({"BaTiO3-tetragonal": 1.0})
    assert analysed(raw, fired).values["yield"] == pytest.approx(1.0, abs=0.02)


def test_a_trial_without_a_diffractogram_tells_nothing():
    assert analysed().cannot_tell == "the trial has no diffractogram"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "unobtainium", "phases": None}, "the library has no phase 'unobtainium'"),
        ({"target": None}, "needs a target"),
        ({"phases": "rutile"}, "are a list of names"),
        ({"phases": ["rutile"]}, "is not among the phases"),
        ({"may_lack": 0}, "may_lack is a probability above 0"),
        ({"targte": "rutile"}, "did you mean 'target'"),
    ],
)
def test_options_that_are_wrong_are_told(options, message):
    with pytest.raises(ValueError, match=message):
        analysed(**options)

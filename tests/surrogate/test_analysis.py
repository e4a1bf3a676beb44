import subprocess
import sys
from dataclasses import FrozenInstanceError

import pytest

from surrogate.analysis import ANALYSES, AnalysisResult, Finding, MeasurementData

NEEDED = {
    "peaks": {"fwhm": 4.0, "peaks": {"silicon": {"near": 520.7, "within": 5.0, "take": "position"}}},
    "phase_yield": {"target": "rutile"},
}


def test_every_analysis_is_known_by_its_own_name_and_can_be_asked():
    assert set(ANALYSES) == {"stripe_gradient", "reading", "peaks", "phase_yield", "fingerprint"}
    for name, analysis in ANALYSES.items():
        assert analysis.name == name
        assert analysis.version
        needed = NEEDED.get(name, {})
        assert analysis.problems(needed) == []
        problems = analysis.problems({**needed, "no such option": 1})
        assert len(problems) == 1
        assert name in problems[0]
        assert "'no such option'" in problems[0]


@pytest.mark.parametrize("name", sorted(ANALYSES))
def test_an_unknown_option_is_refused_when_called(name):
    with pytest.raises(ValueError, match="'colour'"):
        ANALYSES[name]([], options={"colour": "red", "parameters": {"peak_temperature": 900.0, "dwell": 500.0}})


@pytest.mark.parametrize("name", sorted(ANALYSES))
def test_no_measurement_gives_a_reason_instead_of_findings(name):
    options = {"parameters": {"peak_temperature": 900.0, "dwell": 500.0}, **NEEDED.get(name, {})}
    result = ANALYSES[name]([], options=options)
    assert result.findings == ()
    assert result.cannot_tell


def test_modules_are_imported_when_first_called():
    code = """
import sys
from surrogate.analysis import ANALYSES
assert "surrogate.spectra.stripe_gradient" not in sys.modules
ANALYSES["reading"].problems({})
assert "surrogate.reading" in sys.modules
assert "surrogate.spectra.stripe_gradient" not in sys.modules
ANALYSES["stripe_gradient"].problems({})
assert "surrogate.spectra.stripe_gradient" in sys.modules
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize(
    "value",
    [MeasurementData(kind="result"), Finding(parameters={}, values={"y": 1.0}), AnalysisResult(cannot_tell="dark")],
    ids=lambda value: type(value).__name__,
)
def test_what_passes_between_rooms_is_frozen(value):
    with pytest.raises(FrozenInstanceError):
        setattr(value, next(iter(value.__slots__)), None)

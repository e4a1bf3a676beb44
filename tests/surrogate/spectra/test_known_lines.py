from dataclasses import dataclass

import numpy as np
import pytest

from surrogate.spectra.errors import CannotTell
from surrogate.spectra.known_lines import KNOWN_LINES, check_lines
from surrogate.spectra.line_shapes import line
from surrogate.spectra.peaks import Estimate, PeakOptions, find_peaks


@dataclass(frozen=True)
class At:
    position: Estimate


def at(*positions, sd=0.05):
    return [At(Estimate(value=position, sd=sd)) for position in positions]


def test_silicon_tells_the_offset_of_a_raman_axis():
    x = np.arange(480.0, 560.0, 0.5)
    y = line(x, np.array([[523.1, 400.0, 4.0, 0.8]]))[:, 0] + np.random.default_rng(0).standard_normal(len(x))
    check = check_lines(find_peaks(x, y, options=PeakOptions(fwhm=4.0)), KNOWN_LINES["silicon"], within=6.0)
    assert check.offset == pytest.approx(2.4, abs=0.05)
    assert check.offset_sd == pytest.approx(0.3, abs=0.02)
    assert not check.is_within_error and check.missing == ()


def test_holmium_tells_the_offset_of_a_spectrometer_and_what_is_missing():
    holmium = KNOWN_LINES["holmium oxide"]
    check = check_lines(at(361.4, 536.2), holmium, within=3.0, span=(350.0, 900.0))
    assert check.offset == pytest.approx(0.3)
    assert check.offset_sd == pytest.approx(0.5 / np.sqrt(2), abs=0.01)
    assert check.is_within_error and check.is_consistent
    assert check.missing == (418.0,)
    assert check_lines(at(418.1), holmium, within=3.0, span=(400.0, 500.0)).missing == ()


def test_lines_that_disagree_enlarge_the_sd_and_say_so():
    check = check_lines(at(358.5, 418.0, 538.5), KNOWN_LINES["holmium oxide"], within=3.0)
    assert not check.is_consistent
    assert check.offset_sd > 1.0
    assert check.deviations[0][:2] == (361.0, pytest.approx(-2.5))


def test_the_nearest_peak_counts():
    assert check_lines(at(519.0, 521.0, 522.4), KNOWN_LINES["silicon"], within=3.0).offset == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("peaks", "within", "span", "reason"),
    [
        ([], 3.0, None, r"no peak lies within 3 nm of a known line \(361, 418, 536\)"),
        (at(500.0), 3.0, (600.0, 700.0), "none in range"),
        (at(361.0), 30.0, None, "57 nm apart: a search within 30 nm confuses them"),
    ],
    ids=["none", "range", "too wide"],
)
def test_what_cannot_be_compared_has_a_reason(peaks, within, span, reason):
    with pytest.raises(CannotTell, match=reason):
        check_lines(peaks, KNOWN_LINES["holmium oxide"], within=within, span=span)

"""Powder patterns: lines where crystallography has them, as strong as it says, as broad as crystallites are small."""

import math

import numpy as np
import pytest
from pymatgen.analysis.diffraction.xrd import XRDCalculator
from pymatgen.core import Lattice, Structure

from simulators.instruments.powder import (
    ANATASE,
    FWHM_DEG,
    K_ALPHA_1,
    PHASES,
    RUTILE,
    Powder,
    angle_deg,
    lorentz_polarisation,
    rate_cps,
)

Z, X = 0.2081, 0.3047
"""Of oxygen, in anatase and rutile (Howard, Sabine and Dickson 1991)."""


def structure(phase):
    lattice = Lattice.tetragonal(phase.a_angstrom, phase.c_angstrom)
    if phase is RUTILE:
        return Structure.from_spacegroup("P4_2/mnm", lattice, ["Ti", "O"], [[0, 0, 0], [X, X, 0]])
    titanium = [[0, 0, 0], [0.5, 0.5, 0.5], [0, 0.5, 0.25], [0.5, 0, 0.75]]
    oxygen = [[x, y, z + sign * Z] for x, y, z in titanium for sign in (1, -1)]
    return Structure(lattice, ["Ti"] * 4 + ["O"] * 8, titanium + oxygen)


@pytest.mark.parametrize("name", PHASES)
def test_angles_and_strengths_are_those_of_an_independent_calculation(name):
    phase = PHASES[name]
    found = XRDCalculator(wavelength=K_ALPHA_1).get_pattern(structure(phase), scaled=False, two_theta_range=(10, 110))
    told = {peak[0]["hkl"]: (x, y) for x, y, peak in zip(found.x, found.y, found.hkls, strict=True)}
    for h, k, l, weight in phase.lines:  # noqa: E741
        x, y = next(value for hkl, value in told.items() if sorted(hkl[:2]) == sorted((h, k)) and hkl[2] == l)
        assert angle_deg(phase, h, k, l) == pytest.approx(x, abs=0.002)
        assert weight * lorentz_polarisation(x) == pytest.approx(y, rel=0.01)
    listed = [angle_deg(phase, *line[:3]) for line in phase.lines]
    left_out = [y for x, y in told.values() if min(abs(x - at) for at in listed) > 0.01]
    assert left_out and max(left_out) < 0.04 * max(y for _, y in told.values())


def test_the_cells_have_the_densities_of_titania():
    grams = 79.866 / 6.02214076e23
    assert pytest.approx(4 * grams / (ANATASE.volume_angstrom3 * 1e-24), rel=1e-3) == ANATASE.density_g_cm3
    assert pytest.approx(2 * grams / (RUTILE.volume_angstrom3 * 1e-24), rel=1e-3) == RUTILE.density_g_cm3


def area(powder, low_deg, high_deg):
    angles = np.linspace(low_deg, high_deg, 4001)
    rate = rate_cps(angles, powder) - rate_cps(angles, Powder(crystallite_nm=powder.crystallite_nm))
    return np.trapezoid(rate, angles)


@pytest.mark.parametrize("rutile", [0.1, 0.3, 0.5, 0.8])
def test_spurr_and_myers_find_the_fraction_of_rutile(rutile):
    """doi:10.1021/ac60125a006: f = 1 / (1 + 0.79 I_A/I_R), from the strongest lines; good to some per cent."""
    powder = Powder(anatase=1.0 - rutile, rutile=rutile, crystallite_nm=200.0)
    ratio = area(powder, 24.8, 25.9) / area(powder, 26.9, 28.0)
    assert 1.0 / (1.0 + 0.79 * ratio) == pytest.approx(rutile, abs=0.05)


@pytest.mark.parametrize("crystallite_nm", [10.0, 30.0, 100.0])
def test_small_crystallites_broaden_a_line_as_scherrer_says(crystallite_nm):
    angles = np.arange(20.0, 32.0, 0.002)
    rate = rate_cps(angles, Powder(anatase=1.0, crystallite_nm=crystallite_nm))
    rate -= rate_cps(angles, Powder())
    above = angles[rate > rate.max() / 2]
    scherrer_deg = math.degrees(0.9 * 0.1540598 / (crystallite_nm * math.cos(math.radians(25.3 / 2))))
    # the K-alpha 2 line, 0.063 deg off and half as strong, widens it a little
    assert above[-1] - above[0] == pytest.approx(FWHM_DEG + scherrer_deg, abs=0.04)


def test_amorphous_titania_is_a_hump_and_the_background_falls():
    angles = np.array([12.0, 20.0, 25.0, 35.0, 60.0, 100.0])
    empty, hump = rate_cps(angles, Powder()), rate_cps(angles, Powder(amorphous=1.0))
    assert np.all(np.diff(empty) < 0.0)
    assert np.argmax(hump - empty) == 2 and (hump - empty)[-1] < 1e-6


def test_a_zero_shift_moves_the_whole_pattern():
    angles = np.arange(20.0, 60.0, 0.01)
    powder = Powder(anatase=0.5, rutile=0.5)
    assert rate_cps(angles, powder, zero_shift_deg=0.05)[5:] == pytest.approx(rate_cps(angles, powder)[:-5])

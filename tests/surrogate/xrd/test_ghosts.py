import numpy as np
import pytest

from simulators.materials.powder.levels import LEVELS
from simulators.materials.powder.library import structures
from simulators.materials.powder.pattern import Scan, simulate
from simulators.materials.powder.specimen import Mixture, Share
from surrogate.formats.record import Radiation
from surrogate.xrd.ghosts import GHOST_SHARE, GHOSTS_ANGSTROM, ghosts, without_ghosts
from surrogate.xrd.pattern import make_pattern
from surrogate.xrd.residual import leftover
from tests.surrogate.xrd.mixtures import COPPER, gaussians, scan_of

ANGLES = np.arange(20.0, 70.0, 0.02)
PEAKS = {31.5: 20_000.0, 45.2: 8_000.0}
FLAT = np.full_like(ANGLES, 100.0)


def ghost_of(angle_deg, wavelength):
    return 2.0 * np.degrees(np.arcsin(np.sin(np.radians(angle_deg / 2.0)) * wavelength / COPPER.wavelength_angstrom[0]))


def strange(extra):
    """Return the angles of residual peaks that are no ghosts, where these peaks are there beside the model's."""
    mean = gaussians(ANGLES, PEAKS | extra, fwhm_deg=0.15)
    pattern = make_pattern(scan_of(ANGLES, np.random.default_rng(0).poisson(mean)))
    model, flat = (
        np.interp(pattern.two_theta_deg, ANGLES, one) / pattern.scale
        for one in (gaussians(ANGLES, PEAKS, fwhm_deg=0.15), FLAT)
    )
    found = leftover(pattern, model, flat).peaks
    assert found
    return [peak.two_theta_deg for peak in without_ghosts(found, pattern, model, flat)]


@pytest.mark.parametrize("wavelength", GHOSTS_ANGSTROM, ids=["K-beta", "tungsten"])
def test_a_ghost_is_told_from_a_phase_by_its_place_and_height(wavelength):
    place = float(ghost_of(31.5, wavelength))
    assert strange({place: 0.01 * 20_000.0}) == []
    assert strange({place: 0.06 * 20_000.0}) == pytest.approx([place], abs=0.05)
    assert strange({place + 1.0: 0.01 * 20_000.0}) == pytest.approx([place + 1.0], abs=0.05)


def test_ghosts_stand_where_the_tube_puts_them_and_nowhere_for_another():
    noise = np.random.default_rng(1).poisson(FLAT)
    pattern = make_pattern(scan_of(ANGLES, noise))
    peaks = np.exp(-0.5 * ((pattern.two_theta_deg - 40.0) / 0.06) ** 2)
    heights = ghosts(pattern, peaks)
    for wavelength in GHOSTS_ANGSTROM:
        near = np.abs(pattern.two_theta_deg - ghost_of(40.0, wavelength)) < 0.1
        assert heights[near].max() == pytest.approx(GHOST_SHARE, rel=0.05)
    cobalt = Radiation(wavelength_angstrom=(1.78897,), ratio=(1.0,))
    other = make_pattern(scan_of(ANGLES, noise, radiation=cobalt))
    assert not ghosts(other, peaks[: len(other.two_theta_deg)]).any()


def test_a_pure_powder_under_a_real_tube_passes_the_gate_of_the_fit():
    from surrogate.xrd.identify import Identifier
    from surrogate.xrd.library import embedded_library

    rng = np.random.default_rng(5)
    settings = LEVELS["L1"]
    made = simulate(
        Mixture(shares=(Share(structure=structures()["BaTiO3-tetragonal"], weight=1.0),)),
        scan=Scan(), sample=settings.sample, instrument=settings.instrument(rng), rng=rng,
    )  # fmt: skip
    counts, angles = made.counts.astype(float), made.two_theta_deg
    beta = np.interp(angles, [ghost_of(angle, GHOSTS_ANGSTROM[0]) for angle in angles], counts, left=0.0)
    dirty = counts + rng.poisson(0.01 * beta)
    found = Identifier(embedded_library(["BaTiO3-tetragonal", "witherite", "rutile", "BaO"])).identify(
        scan_of(angles, dirty), curves=False
    )
    assert any(abs(peak.two_theta_deg - ghost_of(31.5, GHOSTS_ANGSTROM[0])) < 0.4 for peak in found.unknown_peaks)
    assert next(gate for gate in found.gates if gate.name == "G1").passed, [gate.reason for gate in found.gates]

"""The diffraction fingerprint against pymatgen's pattern, and what must not matter."""

import numpy as np
import pytest
from pymatgen.analysis.diffraction.xrd import XRDCalculator
from pymatgen.core import Lattice, Structure

from surrogate.features.crystals import pymatgen_structure, structure_of
from surrogate.features.diffraction import Q_HIGH, Q_LOW, WAVELENGTH_ANGSTROM, WIDTH, Diffraction
from surrogate.features.errors import BadItem, FeatureError
from surrogate.xrd.library import embedded_library

PHASES = {phase.name: phase for phase in embedded_library().phases}


@pytest.mark.parametrize("name", ["rutile", "anatase", "halite", "corundum", "quartz", "copper"])
def test_lines_are_where_pymatgen_has_them_and_about_as_strong(name):
    found = Diffraction().features([PHASES[name]])[0] ** 2
    pattern = XRDCalculator(WAVELENGTH_ANGSTROM).get_pattern(pymatgen_structure(PHASES[name]), two_theta_range=(5, 100))
    q = 4 * np.pi * np.sin(np.radians(np.asarray(pattern.x) / 2)) / WAVELENGTH_ANGSTROM
    middles = np.linspace(np.log(Q_LOW), np.log(Q_HIGH), 129)
    middles = (middles[1:] + middles[:-1]) / 2
    drawn = np.asarray(pattern.y) @ np.exp(-0.5 * ((middles[None, :] - np.log(q)[:, None]) / WIDTH) ** 2)
    assert np.corrcoef(found, drawn)[0, 1] > 0.98


def test_rows_are_roots_of_parts_of_a_whole():
    found = Diffraction(channels=64).features(list(PHASES.values()))
    assert found.shape == (len(PHASES), 64)
    np.testing.assert_allclose((found**2).sum(axis=1), 1.0)


def test_a_supercell_with_another_origin_is_the_same_and_a_strained_cell_near():
    featurizer, phase = Diffraction(), PHASES["rutile"]
    other = pymatgen_structure(phase).make_supercell([2, 1, 1], in_place=False)
    other.translate_sites(range(len(other)), [0.2, 0.1, 0.3])
    strained = pymatgen_structure(phase)
    strained.scale_lattice(strained.volume * 1.01)
    structures = [phase, structure_of(other, "other"), structure_of(strained, "strained"), PHASES["anatase"]]
    one, same, near, far = featurizer.features(structures)
    np.testing.assert_allclose(same, one, atol=1e-4)
    assert 0.01 < np.linalg.norm(near - one) < 0.35 < np.linalg.norm(far - one)


def test_alloys_have_patterns():
    alloy = structure_of(Structure(Lattice.cubic(3.6), [{"Cu": 0.5, "Au": 0.5}], [[0, 0, 0]]), "alloy")
    assert Diffraction().features([alloy]).max() > 0.1


def test_what_cannot_be_told_is_refused_by_name():
    huge = structure_of(Structure(Lattice.cubic(95.0), ["Cu"], [[0, 0, 0]]), "huge")
    with pytest.raises(BadItem, match="the cell of huge .* is too large"):
        Diffraction().features([PHASES["copper"], huge])
    with pytest.raises(FeatureError, match="channels is a whole number from 8 to 1024, not 4"):
        Diffraction(channels=4)

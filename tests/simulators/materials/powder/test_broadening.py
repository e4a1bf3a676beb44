"""Sizes, strains and faults, against closed forms."""

import numpy as np
import pytest

from simulators.materials.powder import broadening
from simulators.materials.powder.broadening import Crystallites, Faults, Widths
from simulators.materials.powder.reflections import reflections

SPACING_NM = np.array([0.3])


def widths(size_nm=20.0, strain=0.0):
    return Widths(
        size_nm=np.array([size_nm]), strain=np.array([strain]), decay_per_nm=np.zeros(1), turn_per_nm=np.zeros(1)
    )


@pytest.mark.parametrize("spread", [0.0, 0.2, 0.5])
def test_the_integral_breadth_is_that_of_the_volume_weighted_diameter(spread):
    """Of spheres, 4/(3 D); the area under A(L), both signs of L, is one over the breadth."""
    length = np.linspace(0.0, 120.0, 20001)[None, :]
    values = broadening.transform(length, SPACING_NM, widths(20.0), Crystallites(size_nm=20.0, spread=spread))
    assert values[0, 0] == pytest.approx(1.0)
    assert 2.0 * np.trapezoid(values[0].real, length[0]) == pytest.approx(0.75 * 20.0, rel=5e-3)


def test_strain_damps_the_more_the_longer_and_the_closer_the_planes():
    crystallites = Crystallites(size_nm=1e4, microstrain=0.002)
    length = np.array([[0.0, 20.0, 40.0]])
    values = broadening.transform(length, SPACING_NM, widths(1e4, 0.002), crystallites).real[0]
    expected = np.exp(-2.0 * (np.pi * 0.002 / 0.3) ** 2 * length[0] * (length[0] + broadening.ROUGH_NM))
    assert values == pytest.approx(expected, rel=0.01)


def test_a_gradient_pulls_the_mean_to_one_side():
    crystallites = Crystallites(size_nm=1e4, gradient_share=0.3, gradient_strain=0.004)
    value = broadening.transform(np.array([[1e-3]]), SPACING_NM, widths(1e4), crystallites)[0, 0]
    assert np.angle(value) == pytest.approx(2.0 * np.pi * 0.3 * 0.004 / 0.3 * 1e-3, rel=1e-3)


def test_platelets_are_thin_along_their_axis():
    cosine = np.array([[1.0], [0.0]])
    along, across = broadening.size_nm(cosine, Crystallites(size_nm=30.0, aspect=0.25))
    assert along / across == pytest.approx(0.25) and along * across**2 == pytest.approx(30.0**3)


def test_strain_follows_the_cubic_invariant(silicon):
    crystallites = Crystallites(size_nm=30.0, axis=(1, 0, 0), microstrain=0.001, strain_anisotropy=0.5)
    table = reflections(silicon, 1.0)
    cosine = broadening.cosines(table.equivalents, crystallites.axis, silicon.cell.reciprocal_metric)
    found = broadening.strain(cosine, crystallites) ** 2
    h2 = table.hkl.astype(float) ** 2
    invariant = (h2[:, 0] * h2[:, 1] + h2[:, 1] * h2[:, 2] + h2[:, 0] * h2[:, 2]) / h2.sum(axis=1) ** 2
    assert found == pytest.approx(1e-6 * (1.0 + 0.5 * (5.0 * (1.0 - 2.0 * invariant) / 3.0 - 1.0)))


@pytest.mark.parametrize(
    ("hkl", "shift"), [((1, 1, 1), 0.25), ((2, 2, 0), 0.25), ((4, 0, 0), 0.25), ((3, 1, 1), -1 / 11)]
)
def test_deformation_faults_shift_lines_as_warren_says(silicon, hkl, shift):
    """Warren 1969, table 13.2: by ``90 sqrt(3) p tan(theta) / pi^2`` times a number of the line, in degrees."""
    faults = Faults(probability=0.01, normal=(1, 1, 1), displacement=(-1 / 6, -1 / 6, 1 / 3), layers=1)
    images = np.einsum("i,gij->gj", np.array(hkl), silicon.symmetry.rotations)[None]
    decay, turn = broadening.fault_rates(images, faults, silicon.cell.reciprocal_metric)
    spacing_nm = 0.1 * silicon.cell.a / np.sqrt(np.dot(hkl, hkl))
    found_deg = np.degrees(2.0 * spacing_nm * turn.mean() / (2.0 * np.pi))
    assert found_deg == pytest.approx(90.0 * np.sqrt(3.0) * 0.01 / np.pi**2 * shift, rel=0.01, abs=1e-6)
    assert np.all(decay >= 0.0)

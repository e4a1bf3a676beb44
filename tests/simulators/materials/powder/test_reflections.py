"""Structure factors and multiplicities, against gemmi's own and pymatgen's."""

import gemmi
import numpy as np
import pytest
from pymatgen.analysis.diffraction.xrd import XRDCalculator
from pymatgen.core import Lattice
from pymatgen.core import Structure as OtherStructure

from simulators.materials.powder import scattering
from simulators.materials.powder.lines import lorentz_polarisation
from simulators.materials.powder.reflections import d_min_angstrom, reflections

B = 0.6


def other_squares(structure, hkl):
    """By gemmi's calculator, the mean over Friedel mates."""
    small = gemmi.SmallStructure()
    small.cell = gemmi.UnitCell(*structure.cell.parameters)
    small.spacegroup = structure.symmetry.group
    for site in structure.sites:
        atom = gemmi.SmallStructure.Site()
        atom.element, atom.fract = gemmi.Element(site.element), gemmi.Fractional(*site.xyz)
        atom.occ, atom.u_iso = site.occupancy, B / (8.0 * np.pi**2)
        small.add_site(atom)
    small.setup_cell_images()
    small.change_occupancies_to_crystallographic()
    calculator = gemmi.StructureFactorCalculatorX(small.cell)
    for element in structure.composition:
        calculator.addends.set(gemmi.Element(element), scattering.dispersion(element).real)
    return np.array([abs(calculator.calculate_sf_from_small_structure(small, [int(i) for i in h])) ** 2 for h in hkl])


def test_structure_factors_are_those_of_an_independent_calculation(structure):
    table = reflections(structure, 1.1)
    real = np.abs((table.real * np.exp(-np.outer(table.stol2, np.full(len(structure.sites), B)))).sum(1)) ** 2
    assert real == pytest.approx(other_squares(structure, table.hkl), rel=1e-3, abs=1e-3 * real.max())


def test_powder_lines_are_those_of_an_independent_calculation(structure, monkeypatch):
    """pymatgen has other form factors and no dispersion."""
    monkeypatch.setattr(scattering, "dispersion", lambda element: 0j)
    table = reflections.__wrapped__(structure, 1.0)
    ours = table.multiplicity * table.squared(np.full(len(structure.sites), B))
    angles = np.degrees(2.0 * np.arcsin(0.5 * 1.5406 / table.spacing_angstrom(structure.cell)))
    ours = ours * lorentz_polarisation(angles, 0.0)
    atoms = [(s.element, xyz) for s, orbit in zip(structure.sites, structure.orbits, strict=True) for xyz in orbit]
    lattice = Lattice.from_parameters(*structure.cell.parameters)
    other = OtherStructure(lattice, [element for element, _ in atoms], [xyz for _, xyz in atoms])
    calculator = XRDCalculator(wavelength=1.5406, debye_waller_factors=dict.fromkeys(structure.composition, B))
    found = calculator.get_pattern(other, scaled=False, two_theta_range=(10, 90))
    grid = np.arange(10.0, 90.0, 0.05)

    def smooth(at, strength):
        return (strength * np.exp(-0.5 * ((grid[:, None] - at) / 0.1) ** 2)).sum(axis=1)

    assert smooth(angles, ours) == pytest.approx(smooth(found.x, found.y), rel=0.04, abs=0.004 * found.y.max())


def test_multiplicities_are_those_of_the_laue_class(silicon):
    table = reflections(silicon, 1.2)
    told = dict(zip(map(tuple, np.sort(np.abs(table.hkl), axis=1)), table.multiplicity, strict=True))
    assert told == {(1, 1, 1): 8, (0, 2, 2): 12, (1, 1, 3): 24, (2, 2, 2): 8, (0, 0, 4): 6, (1, 3, 3): 24}


def test_the_table_reaches_as_far_as_the_angle():
    assert d_min_angstrom(90.0, 1.5406) == pytest.approx(1.0)
    assert d_min_angstrom(179.9, 1.5406) == pytest.approx(0.7)

"""The Ewald sum matrix against Madelung's constants and pymatgen's sums, which share nothing with it."""

import warnings

import numpy as np
import pytest
from pymatgen.analysis.ewald import EwaldSummation
from pymatgen.core import Lattice, Structure

from surrogate.features.ewald import ewald_matrix
from surrogate.features.matrices import BOHR_ANGSTROM

HARTREE_EV = 27.211386245981
SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na+", "Cl-"], [[0, 0, 0], [0.5, 0.5, 0.5]])
CAESIUM_CHLORIDE = Structure(Lattice.cubic(4.12), ["Cs+", "Cl-"], [[0, 0, 0], [0.5, 0.5, 0.5]])
RUTILE = Structure.from_spacegroup(
    "P4_2/mnm", Lattice.tetragonal(4.594, 2.959), ["Ti4+", "O2-"], [[0, 0, 0], [0.3048, 0.3048, 0]]
)
SKEW = Structure(
    Lattice.from_parameters(4.1, 5.7, 8.3, 75.0, 98.0, 112.0),
    ["Mg2+", "Al3+", "O2-", "N3-"],
    [[0.1, 0.2, 0.3], [0.6, 0.7, 0.2], [0.4, 0.1, 0.8], [0.9, 0.5, 0.55]],
)
ALL = pytest.mark.parametrize(
    "structure", [SALT, CAESIUM_CHLORIDE, RUTILE, SKEW], ids=["salt", "CsCl", "rutile", "skew"]
)


def charges_of(structure):
    return np.array([float(site.specie.oxi_state) for site in structure])


@pytest.mark.parametrize(
    ("structure", "nearest", "madelung"),
    [(SALT, 5.64 / 2, 1.747564594633182), (CAESIUM_CHLORIDE, 4.12 * 3**0.5 / 2, 1.762674773070991)],
    ids=["salt", "CsCl"],
)
def test_madelung_constants(structure, nearest, madelung):
    energy = ewald_matrix(charges_of(structure), structure.lattice.matrix, structure.frac_coords).sum()
    pairs = len(structure) / 2
    assert -energy / pairs * nearest / BOHR_ANGSTROM == pytest.approx(madelung, rel=1e-8)


@ALL
def test_the_sum_of_all_entries_is_the_energy_that_pymatgen_finds(structure):
    found = ewald_matrix(charges_of(structure), structure.lattice.matrix, structure.frac_coords).sum()
    assert found * HARTREE_EV == pytest.approx(EwaldSummation(structure, acc_factor=12).total_energy, rel=1e-7)


def test_nuclei_in_a_background_have_the_energy_that_pymatgen_finds():
    bare = RUTILE.copy()
    bare.remove_oxidation_states()
    numbers = np.array([float(site.specie.Z) for site in bare])
    bare.add_oxidation_state_by_site(numbers.tolist())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pymatgen warns of the charge of the cell
        wanted = EwaldSummation(bare, acc_factor=12).total_energy
    found = ewald_matrix(numbers, bare.lattice.matrix, bare.frac_coords).sum()
    assert found * HARTREE_EV == pytest.approx(wanted, rel=1e-6)


@ALL
@pytest.mark.parametrize("width", [0.25, 0.6])
def test_where_the_sum_is_split_changes_nothing(structure, width):
    numbers = np.array([float(site.specie.Z) for site in structure])
    one = ewald_matrix(numbers, structure.lattice.matrix, structure.frac_coords)
    other = ewald_matrix(numbers, structure.lattice.matrix, structure.frac_coords, width_per_bohr=width)
    np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-7)


@ALL
def test_the_energy_of_a_supercell_is_that_of_its_cells(structure):
    double = structure.make_supercell([2, 1, 1], in_place=False)
    one, two = (ewald_matrix(charges_of(s), s.lattice.matrix, s.frac_coords).sum() for s in (structure, double))
    assert two == pytest.approx(2 * one, rel=1e-9)

"""Featurizers of molecules and crystals by spectra."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from surrogate.features.crystals import primitive_atoms, pymatgen_structure, structure_of
from surrogate.features.errors import BadItem, FeatureError
from surrogate.features.molecules import Molecule
from surrogate.features.spectra import CoulombMatrix, EwaldMatrix, SineMatrix
from surrogate.xrd.library import embedded_library

PHASES = {phase.name: phase for phase in embedded_library().phases}
SOME = ["halite", "rutile", "anatase", "quartz", "spinel", "calcite", "BaTiO3-tetragonal", "alpha-Bi2O3", "silicon"]
OF_CRYSTALS = pytest.mark.parametrize("featurizer", [SineMatrix(), EwaldMatrix()], ids=["sine", "ewald"])


@OF_CRYSTALS
@pytest.mark.parametrize("name", SOME)
def test_a_supercell_with_another_origin_has_the_spectrum_of_its_primitive_cell(featurizer, name):
    phase = PHASES[name]
    other = pymatgen_structure(phase).make_supercell([1, 2, 1], in_place=False)
    other.translate_sites(range(len(other)), [0.11, 0.23, 0.37])
    again = structure_of(other, "again")
    assert len(again.sites) <= len(other)
    one, two = featurizer.features([phase, again])
    np.testing.assert_allclose(two, one, rtol=2e-4, atol=1e-3)


@OF_CRYSTALS
def test_salt_has_two_eigenvalues_and_other_salts_others(featurizer):
    found = featurizer.features([PHASES["halite"], PHASES["sylvite"], PHASES["LiF"]])
    assert found.shape == (3, len(featurizer.columns)) == (3, 200)
    assert (np.count_nonzero(found, axis=1) == 2).all()
    assert len(np.unique(np.round(found[:, 0], 3))) == 3


def test_the_sine_spectrum_of_salt_by_hand():
    # the primitive cell of rock salt has its two atoms half of each edge apart: the sum of the edges is (a, a, a)
    a = PHASES["halite"].cell[0] / 0.529177210544
    matrix = np.array([[0.5 * 11**2.4, 11 * 17 / (a * 3**0.5)], [11 * 17 / (a * 3**0.5), 0.5 * 17**2.4]])
    found = SineMatrix(size=2).features([PHASES["halite"]])
    np.testing.assert_allclose(found[0], np.linalg.eigvalsh(matrix)[::-1], rtol=1e-9)


def test_shared_places_are_refused_by_name():
    mixed = structure_of(Structure(Lattice.cubic(3.6), [{"Cu": 0.5, "Au": 0.5}], [[0, 0, 0]]), "alloy")
    with pytest.raises(BadItem, match="alloy: some places are shared"):
        SineMatrix().features([PHASES["copper"], mixed])


def test_too_many_atoms_are_refused_with_the_number_that_is_needed():
    n = len(primitive_atoms(PHASES["spinel"]).numbers)
    assert n == 14
    with pytest.raises(BadItem, match="spinel has 14 atoms, and ewald_matrix has room for 13; .* size: 14 or more"):
        EwaldMatrix(size=13).features([PHASES["spinel"]])
    assert np.count_nonzero(EwaldMatrix(size=14).features([PHASES["spinel"]])) == 14


@pytest.mark.parametrize("size", [0, 3000, 2.5, True, "many"])
def test_a_size_that_is_none_is_refused(size):
    with pytest.raises(FeatureError, match="size is a whole number of atoms from 1 to 2000"):
        CoulombMatrix(size=size)


def test_molecules():
    hydrogen = Molecule(name="h2", elements=("H", "H"), positions_angstrom=((0.0, 0.0, 0.0), (0.0, 0.0, 0.74)))
    [found] = CoulombMatrix(size=3).features([hydrogen])
    r = 0.74 / 0.529177210544
    np.testing.assert_allclose(found, [0.5 + 1 / r, 0.5 - 1 / r, 0.0])

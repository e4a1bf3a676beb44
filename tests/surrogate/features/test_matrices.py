"""Coulomb and sine matrices: cases by hand, and what must not matter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from surrogate.features.ewald import ewald_matrix
from surrogate.features.matrices import BOHR_ANGSTROM, coulomb_matrix, sine_matrix, spectrum

WATER = np.array([8.0, 1.0, 1.0])
WATER_ANGSTROM = np.array([[0.0, 0.0, 0.0], [0.958, 0.0, 0.0], [-0.24, 0.927, 0.0]])


def test_a_molecule_of_hydrogen_by_hand():
    found = coulomb_matrix(np.ones(2), np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.4 * BOHR_ANGSTROM]]))
    np.testing.assert_allclose(found, [[0.5, 1 / 1.4], [1 / 1.4, 0.5]], rtol=1e-12)
    np.testing.assert_allclose(spectrum(found, 3), [0.5 + 1 / 1.4, 0.5 - 1 / 1.4, 0.0], rtol=1e-12)


def test_caesium_chloride_by_hand():
    # the atoms are half of each edge apart, where every sine is 1: the distance is the body's diagonal
    edge = 4.12
    found = sine_matrix(np.array([55.0, 17.0]), edge * np.eye(3), np.array([[0.0, 0, 0], [0.5, 0.5, 0.5]]))
    np.testing.assert_allclose(np.diag(found), [0.5 * 55**2.4, 0.5 * 17**2.4])
    assert found[0, 1] == pytest.approx(55 * 17 / (edge * 3**0.5 / BOHR_ANGSTROM))


def test_a_quarter_of_an_edge_by_hand():
    # sin^2 of 45 degrees is one half
    found = sine_matrix(np.array([2.0, 3.0]), np.diag([4.0, 9.0, 9.0]), np.array([[0.0, 0, 0], [0.25, 0, 0]]))
    assert found[0, 1] == pytest.approx(6 / (2.0 / BOHR_ANGSTROM))


@given(
    turn=st.lists(st.floats(-3.0, 3.0), min_size=3, max_size=3),
    move=st.lists(st.floats(-9.0, 9.0), min_size=3, max_size=3),
    order=st.permutations(range(3)),
)
@settings(max_examples=30, deadline=None)
def test_turns_moves_and_the_order_of_atoms_change_no_coulomb_spectrum(turn, move, order):
    moved = (WATER_ANGSTROM @ Rotation.from_rotvec(turn).as_matrix().T + move)[list(order)]
    one = spectrum(coulomb_matrix(WATER, WATER_ANGSTROM), 4)
    np.testing.assert_allclose(spectrum(coulomb_matrix(WATER[list(order)], moved), 4), one, rtol=1e-8)


LATTICE = np.array([[4.1, 0.2, 0.0], [-0.3, 5.2, 0.4], [0.1, 0.0, 6.3]])
NUMBERS = np.array([22.0, 8.0, 8.0])
FRACTIONS = np.array([[0.1, 0.2, 0.3], [0.6, 0.55, 0.8], [0.35, 0.9, 0.05]])


@pytest.mark.parametrize("matrix", [sine_matrix, ewald_matrix], ids=["sine", "ewald"])
@given(
    turn=st.lists(st.floats(-3.0, 3.0), min_size=3, max_size=3),
    move=st.lists(st.floats(-2.0, 2.0), min_size=3, max_size=3),
    cells=st.lists(st.integers(-2, 2), min_size=9, max_size=9),
    order=st.permutations(range(3)),
)
@settings(max_examples=20, deadline=None)
def test_turns_origins_cells_and_the_order_of_atoms_change_no_spectrum_of_a_crystal(matrix, turn, move, cells, order):
    lattice = LATTICE @ Rotation.from_rotvec(turn).as_matrix().T
    fractions = (FRACTIONS + move + np.array(cells).reshape(3, 3))[list(order)]
    one = spectrum(matrix(NUMBERS, LATTICE, FRACTIONS), 5)
    np.testing.assert_allclose(spectrum(matrix(NUMBERS[list(order)], lattice, fractions), 5), one, rtol=1e-7)


def test_a_spectrum_is_sorted_by_magnitude_and_padded():
    found = spectrum(np.diag([1.0, -3.0, 2.0]), 5)
    assert found.tolist() == [-3.0, 2.0, 1.0, 0.0, 0.0]


def test_rounding_does_not_exchange_equal_magnitudes():
    one = spectrum(np.array([[0.0, 2.0], [2.0, 0.0]]), 2)
    other = spectrum(np.array([[0.0, 2.0], [2.0, 0.0]]) + np.diag([1e-13, -2e-13]), 2)
    np.testing.assert_allclose(one, other, atol=1e-10)
    assert one.tolist() == [2.0, -2.0]

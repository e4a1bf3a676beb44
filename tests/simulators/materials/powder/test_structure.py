"""Cells, orbits and strains that keep a symmetry."""

import math

import numpy as np
import pytest

from simulators.materials.powder.library import structures
from simulators.materials.powder.structure import Cell, strained, symmetry


def test_a_cell_has_the_volume_of_its_formula():
    cell = Cell(a=5.0, b=6.0, c=7.0, beta=110.0)
    assert cell.volume_angstrom3 == pytest.approx(210.0 * math.sin(math.radians(110.0)))
    assert cell.metric @ cell.reciprocal_metric == pytest.approx(np.eye(3))


def test_an_unknown_space_group_is_named():
    with pytest.raises(ValueError, match="no space group is named 'P 99'"):
        symmetry("P 99")


def test_a_general_position_has_as_many_images_as_the_group_has_operations():
    assert len(symmetry("F d -3 m:1").orbit((0.11, 0.23, 0.37))) == 192
    assert len(symmetry("F d -3 m:1").orbit((0.0, 0.0, 0.0))) == 8
    assert len(symmetry("P 2_1/c").orbit((0.1, 0.2, 0.3))) == 4


@pytest.mark.parametrize(
    ("name", "free"), [("silicon", 1), ("corundum", 2), ("anatase", 2), ("brookite", 3), ("alpha-Bi2O3", 4)]
)
def test_a_strain_keeps_the_symmetry_and_its_bound(name, free):
    structure, rng = structures()[name], np.random.default_rng(1)
    cells = np.array([strained(structure, 0.01, rng).parameters for _ in range(50)])
    before = np.array(structure.cell.parameters)
    assert np.linalg.matrix_rank(cells - before, tol=1e-6) == free
    assert np.abs(cells[:, :3] / before[:3] - 1.0).max() <= 0.01
    assert np.abs(cells[:, :3] / before[:3] - 1.0).max() > 0.005
    assert np.abs(cells[:, 3:] - before[3:]).max() <= math.degrees(0.01)


def test_rhombohedral_axes_stay_equal():
    structure = structures()["corundum"]
    cell = Cell(a=5.13, b=5.13, c=5.13, alpha=55.3, beta=55.3, gamma=55.3)
    axes = type(structure)(name="x", formula="x", space_group="R -3 c:R", cell=cell, sites=())
    a, b, c, alpha, beta, gamma = strained(axes, 0.02, np.random.default_rng(2)).parameters
    assert a == b == c != 5.13 and alpha == beta == gamma != 55.3

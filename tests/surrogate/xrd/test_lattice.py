from dataclasses import replace

import gemmi
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surrogate.xrd.lattice import (
    canonical_hkl,
    cell_of,
    columns,
    direct_metric,
    reciprocal_metric,
    strain_basis,
    strained_metric,
    system_of,
    volume_angstrom3,
)
from tests.surrogate.xrd.mixtures import OF_EACH_SYSTEM, phase_of, rhombohedral, with_unique_axis

PHASES = {name: phase_of(phase) for name, phase in OF_EACH_SYSTEM.items()}
PHASES |= {"rhombohedral": rhombohedral()}
PHASES |= {f"monoclinic-{axis}": with_unique_axis(axis) for axis in "ac"}
N_FREE = {"cubic": 1, "tetragonal": 2, "hexagonal": 2, "trigonal": 2, "rhombohedral": 2, "orthorhombic": 3}

systems = st.sampled_from(sorted(PHASES))
indices = st.lists(st.tuples(*[st.integers(-6, 6)] * 3).filter(any), min_size=1, max_size=20)
strains = st.lists(st.floats(-0.02, 0.02), min_size=6, max_size=6)


def images(phase, hkl):
    """Return what the rotations of a phase's space group make of a reflection, and the opposites."""
    group = gemmi.find_spacegroup_by_name(phase.space_group)
    rotations = [np.array(op.rot) // gemmi.Op.DEN for op in group.operations().sym_ops]
    found = np.array([hkl @ rotation for rotation in rotations])
    return np.concatenate([found, -found])


@given(systems, indices, strains)
def test_reflections_of_one_family_have_one_spacing_under_every_strain(name, hkl, strain):
    phase, hkl = PHASES[name], np.array(hkl)
    basis, _ = strain_basis(phase)
    metric = strained_metric(phase, np.array(strain[: len(basis)]))
    stands_for = canonical_hkl(phase, hkl)
    of_each = np.einsum("mi,ij,mj->m", hkl, metric, hkl)
    assert np.einsum("mi,ij,mj->m", stands_for, metric, stands_for) == pytest.approx(of_each, rel=1e-9)


@given(systems, indices)
def test_the_one_that_stands_for_a_family_stands_for_itself(name, hkl):
    once = canonical_hkl(PHASES[name], np.array(hkl))
    assert np.array_equal(canonical_hkl(PHASES[name], once), once)


@given(st.sampled_from(sorted(OF_EACH_SYSTEM)), st.tuples(*[st.integers(-6, 6)] * 3).filter(any))
def test_symmetry_equivalent_reflections_are_one_family(name, hkl):
    phase = PHASES[name]
    assert len(np.unique(canonical_hkl(phase, images(phase, np.array(hkl))), axis=0)) == 1


@given(systems, indices)
def test_reflections_of_different_families_move_apart_under_some_strain(name, hkl):
    phase = PHASES[name]
    families = np.unique(canonical_hkl(phase, np.array(hkl)), axis=0)
    q_squared, by_strain = columns(phase, families)
    # accidental equality of the unstrained spacings is allowed (333 and 511), equality under every strain only there
    seen = np.round(np.column_stack([q_squared, by_strain]), 10)
    is_degenerate = system_of(phase) in ("cubic", "hexagonal", "tetragonal", "rhombohedral")
    assert is_degenerate or len(np.unique(seen, axis=0)) == len(families)


@given(systems, indices, strains)
def test_columns_give_the_spacings_of_the_strained_cell(name, hkl, strain):
    phase, hkl = PHASES[name], np.array(hkl)
    plain, by_strain = columns(phase, hkl)
    strain = np.array(strain[: by_strain.shape[1]])
    cell = cell_of(strained_metric(phase, strain))
    spacings = [gemmi.UnitCell(*cell).calculate_1_d2(tuple(int(i) for i in one)) for one in hkl]
    assert plain + by_strain @ strain == pytest.approx(np.array(spacings), rel=1e-7)


@given(systems, strains)
def test_every_strain_keeps_the_crystal_system(name, strain):
    phase = PHASES[name]
    basis, sd = strain_basis(phase)
    assert len(basis) == len(sd) and (sd > 0).all()
    a, b, c, alpha, beta, gamma = cell_of(strained_metric(phase, np.array(strain[: len(basis)])))
    match system_of(phase):
        case "cubic":
            assert (b, c) == pytest.approx((a, a)) and (alpha, beta, gamma) == pytest.approx((90.0,) * 3)
        case "tetragonal":
            assert b == pytest.approx(a) and (alpha, beta, gamma) == pytest.approx((90.0,) * 3)
        case "hexagonal":
            assert b == pytest.approx(a) and (alpha, beta, gamma) == pytest.approx((90.0, 90.0, 120.0))
        case "rhombohedral":
            assert (b, c) == pytest.approx((a, a)) and (beta, gamma) == pytest.approx((alpha, alpha))
        case "orthorhombic":
            assert (alpha, beta, gamma) == pytest.approx((90.0,) * 3)
        case "monoclinic":
            others = [
                angle for axis, angle in zip("abc", (alpha, beta, gamma), strict=True) if axis != phase.unique_axis
            ]
            assert others == pytest.approx([90.0, 90.0])


@pytest.mark.parametrize("name", sorted(PHASES))
def test_there_are_as_many_strains_as_the_system_leaves_free(name):
    expected = N_FREE.get(name, 6 if name == "triclinic" else 4)
    assert len(strain_basis(PHASES[name])[0]) == expected


@pytest.mark.parametrize("name", sorted(PHASES))
def test_a_cell_comes_back_from_its_metric(name):
    phase = PHASES[name]
    metric = reciprocal_metric(phase.cell)
    assert cell_of(metric) == pytest.approx(phase.cell)
    assert metric @ direct_metric(phase.cell) == pytest.approx(np.eye(3), abs=1e-12)
    assert volume_angstrom3(metric) == pytest.approx(phase.volume_angstrom3)


@pytest.mark.parametrize("name", sorted(PHASES))
def test_an_isotropic_change_is_among_the_strains(name):
    phase = PHASES[name]
    _, by_strain = columns(phase, np.array([[1, 0, 0], [1, 1, 0], [1, 1, 1], [2, 0, 1], [0, 1, 2], [1, -1, 3]]))
    plain, _ = columns(phase, np.array([[1, 0, 0], [1, 1, 0], [1, 1, 1], [2, 0, 1], [0, 1, 2], [1, -1, 3]]))
    strain, *_ = np.linalg.lstsq(by_strain, plain, rcond=None)
    assert by_strain @ strain == pytest.approx(plain)


def test_the_rhombohedral_and_the_hexagonal_setting_have_the_same_spacings():
    hexagonal = phase_of("corundum")
    a, c = hexagonal.cell[0], hexagonal.cell[2]
    length = np.sqrt(3.0 * a**2 + c**2) / 3.0
    phase = rhombohedral(length, 2.0 * np.degrees(np.arcsin(1.5 / np.sqrt(3.0 + (c / a) ** 2))))
    h, k, l = 1, 0, -2  # noqa: E741
    obverse = np.array([[h - k, k - l, h + k + l]])
    assert columns(phase, np.array([[h, k, l]]))[0] == pytest.approx(columns(hexagonal, obverse)[0], rel=1e-6)
    assert system_of(phase) == "rhombohedral" and system_of(hexagonal) == "hexagonal"


def test_the_unique_axis_of_a_monoclinic_cell_may_be_any():
    standard = with_unique_axis("b")
    for axis, hkl in {"a": (2, 3, 1), "c": (3, 1, 2)}.items():
        assert columns(with_unique_axis(axis), np.array([hkl]))[0] == pytest.approx(
            columns(standard, np.array([[1, 2, 3]]))[0]
        )
        assert columns(with_unique_axis(axis), np.array([hkl]))[0] != pytest.approx(
            columns(with_unique_axis(axis), np.array([[1, 2, 3]]))[0]
        )


def test_a_shear_is_a_change_of_the_cosine():
    phase = replace(phase_of("kaolinite"), cell=(5.0, 6.0, 7.0, 90.0, 90.0, 90.0))
    metric = strained_metric(phase, np.array([0.0, 0.0, 0.0, 0.01, 0.0, 0.0]))
    assert metric[1, 2] / np.sqrt(metric[1, 1] * metric[2, 2]) == pytest.approx(0.01)
    assert cell_of(metric)[3] == pytest.approx(np.degrees(np.arccos(-0.01)))

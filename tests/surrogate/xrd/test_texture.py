import gemmi
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surrogate.xrd import texture
from surrogate.xrd.lattice import canonical_hkl, direct_metric, reciprocal_metric
from surrogate.xrd.texture import harmonics, prior_sd
from tests.surrogate.xrd.mixtures import OF_EACH_SYSTEM, phase_of, rhombohedral, with_unique_axis

PHASES = {name: phase_of(phase) for name, phase in OF_EACH_SYSTEM.items()}
PHASES |= {"rhombohedral": rhombohedral()} | {f"monoclinic-{axis}": with_unique_axis(axis) for axis in "ac"}


def even_directions(phase, n=4000):
    """Return large indices whose plane normals are spread evenly over the sphere (a Fibonacci lattice)."""
    k = np.arange(n) + 0.5
    z, angle = 1.0 - 2.0 * k / n, np.pi * (1.0 + np.sqrt(5.0)) * k
    normals = np.column_stack([np.sqrt(1.0 - z**2) * np.cos(angle), np.sqrt(1.0 - z**2) * np.sin(angle), z])
    # a direction of components n in cartesian axes has covariant components A n
    upper = np.linalg.cholesky(direct_metric(phase.cell))
    return np.round(1e6 * normals @ upper.T).astype(np.int64)


@pytest.mark.parametrize("name", sorted(PHASES))
def test_harmonics_are_orthonormal_over_the_sphere(name):
    values = harmonics(PHASES[name], even_directions(PHASES[name]))
    assert values.mean(axis=0) == pytest.approx(np.zeros(values.shape[1]), abs=0.01)
    assert values.T @ values / len(values) == pytest.approx(np.eye(values.shape[1]), abs=0.02)


@pytest.mark.parametrize("name", sorted(PHASES))
def test_each_harmonic_has_a_prior(name):
    phase = PHASES[name]
    values = harmonics(phase, np.array([[1, 0, 0], [1, 2, 3]]))
    assert values.shape == (2, len(prior_sd(phase))) and (prior_sd(phase) > 0).all()


@given(st.sampled_from(sorted(PHASES)), st.lists(st.tuples(*[st.integers(-6, 6)] * 3).filter(any), min_size=1))
def test_harmonics_are_the_same_for_all_reflections_of_a_family(name, hkl):
    phase, hkl = PHASES[name], np.array(hkl)
    assert harmonics(phase, hkl) == pytest.approx(harmonics(phase, canonical_hkl(phase, hkl)), abs=1e-9)


@given(st.sampled_from(sorted(OF_EACH_SYSTEM)), st.tuples(*[st.integers(-6, 6)] * 3).filter(any))
def test_harmonics_are_the_same_under_the_symmetry_of_the_crystal(name, hkl):
    phase = PHASES[name]
    rotations = [
        np.array(op.rot) // gemmi.Op.DEN for op in gemmi.find_spacegroup_by_name(phase.space_group).operations().sym_ops
    ]
    values = harmonics(phase, np.array([np.array(hkl) @ rotation for rotation in rotations]))
    assert np.ptp(values, axis=0) == pytest.approx(np.zeros(values.shape[1]), abs=1e-9)


@given(st.sampled_from(sorted(PHASES)), st.tuples(*[st.integers(-4, 4)] * 3).filter(any), st.integers(2, 5))
def test_orders_of_one_plane_have_one_texture(name, hkl, order):
    phase = PHASES[name]
    assert harmonics(phase, np.array([hkl])) == pytest.approx(harmonics(phase, order * np.array([hkl])), abs=1e-9)


def test_a_plate_s_texture_is_met_by_harmonics():
    """March-Dollase of r = 0.8 about c, against the exponential of the best two harmonics."""
    phase = phase_of("zincite")
    hkl = even_directions(phase, 1000)
    metric = reciprocal_metric(phase.cell)
    along = (
        hkl[:, 2]
        * np.sqrt(metric[2, 2])
        / np.sqrt(np.einsum("mi,ij,mj->m", hkl.astype(float), metric, hkl.astype(float)))
    )
    r = 0.8
    march = (r**2 * along**2 + (1.0 - along**2) / r) ** -1.5
    columns = np.column_stack([np.ones(len(hkl)), harmonics(phase, hkl)])
    found, *_ = np.linalg.lstsq(columns, np.log(march), rcond=None)
    assert np.abs(columns @ found - np.log(march)).max() < 0.04
    assert np.abs(found[1:]).max() < 3.0 * texture.SD


def test_the_axis_of_rhombohedral_axes_is_the_body_diagonal():
    phase = rhombohedral()
    along, across = harmonics(phase, np.array([[1, 1, 1], [1, -1, 0]]))
    hexagonal_along, hexagonal_across = harmonics(phase_of("corundum"), np.array([[0, 0, 3], [1, 1, 0]]))
    # the sign of a harmonic is free
    assert np.abs(along) == pytest.approx(np.abs(hexagonal_along))
    assert np.abs(across) == pytest.approx(np.abs(hexagonal_across))

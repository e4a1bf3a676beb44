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


@pytest.mark.parametrize(
    ("name", "axis", "r", "worst"),
    [("zincite", (0, 0, 1), 0.8, 0.01), ("aragonite", (0, 1, 1), 0.5, 0.15), ("rutile", (1, 1, 0), 2.0, 0.15),
     ("silicon", (1, 0, 0), 0.6, 0.05), ("baddeleyite", (1, 1, 0), 0.6, 0.15)],
)  # fmt: skip
def test_a_march_dollase_texture_is_met_by_harmonics(name, axis, r, worst):
    """About axes along which no harmonic points too: the mean over all reflections of a family, over the sphere."""
    phase = phase_of(name)
    hkl = even_directions(phase, 1000)
    metric = reciprocal_metric(phase.cell)
    operations = gemmi.find_spacegroup_by_name(phase.space_group).operations()
    rotations = [np.array(op.rot) // gemmi.Op.DEN for op in operations.sym_ops]
    factors = [march_dollase(hkl @ rotation, np.array(axis), metric, r) for rotation in rotations]
    march = np.mean(factors, axis=0)
    columns = np.column_stack([np.ones(len(hkl)), harmonics(phase, hkl)])
    weights = np.sqrt(march)  # strong reflections tell more
    found, *_ = np.linalg.lstsq(columns * weights[:, None], np.log(march) * weights, rcond=None)
    error = np.abs(np.exp(columns @ found) - march).sum() / march.sum()
    assert error < worst
    assert error < 0.5 * np.abs(march.mean() - march).sum() / march.sum(), "better than without texture"


def march_dollase(hkl, axis, metric, r):
    along = hkl @ metric @ axis / np.sqrt(np.einsum("mi,ij,mj->m", hkl, metric, hkl) * (axis @ metric @ axis))
    return (r**2 * along**2 + (1.0 - along**2) / r) ** -1.5


def test_the_axis_of_rhombohedral_axes_is_the_body_diagonal():
    phase = rhombohedral()
    along, across = harmonics(phase, np.array([[1, 1, 1], [1, -1, 0]]))
    hexagonal_along, hexagonal_across = harmonics(phase_of("corundum"), np.array([[0, 0, 3], [1, 1, 0]]))
    uniaxial, of_hexagonal = [
        [at for at, (_, fold) in enumerate(texture.KINDS[system]) if fold == 0]
        for system in ("rhombohedral", "hexagonal")
    ]
    # the sign of a harmonic is free
    assert np.abs(along[uniaxial]) == pytest.approx(np.abs(hexagonal_along[of_hexagonal]))
    assert np.abs(across[uniaxial]) == pytest.approx(np.abs(hexagonal_across[of_hexagonal]))

import numpy as np
import pytest

from simulators.materials.powder.broadening import cosines
from simulators.materials.powder.library import structures
from simulators.materials.powder.reflections import reflections
from simulators.materials.powder.texture import march_dollase
from surrogate.xrd.lattice import canonical_hkl, reciprocal_metric
from surrogate.xrd.march_dollase import R, kinds_of
from surrogate.xrd.texture import harmonics
from tests.surrogate.xrd.mixtures import OF_EACH_SYSTEM, phase_of, rhombohedral, with_unique_axis
from tests.surrogate.xrd.test_texture import even_directions

PHASES = {name: phase_of(phase) for name, phase in OF_EACH_SYSTEM.items()}
PHASES |= {"rhombohedral": rhombohedral()} | {f"monoclinic-{axis}": with_unique_axis(axis) for axis in "ac"}
WAVELENGTH = 1.540598


@pytest.mark.parametrize("name", sorted(PHASES))
def test_factors_have_mean_one_over_all_directions(name):
    kinds = kinds_of(PHASES[name], even_directions(PHASES[name], 1000), WAVELENGTH)
    assert np.exp(kinds.log_factor).mean(axis=1) == pytest.approx(np.ones(len(kinds.axis)), abs=0.05)


@pytest.mark.parametrize("name", sorted({*OF_EACH_SYSTEM.values(), "calcite", "quartz", "pyrite", "LiCoO2"}))
def test_factors_are_those_of_the_simulator(name):
    """Also where reflections of one spacing differ: of trigonal lattices some are forbidden, of Laue class m-3 weak."""
    phase, structure = phase_of(name), structures()[name]
    table = reflections(structure, 1.2)
    lines, line = np.unique(canonical_hkl(phase, table.equivalents[:, 0].astype(np.int64)), axis=0, return_inverse=True)
    kinds = kinds_of(phase, lines, WAVELENGTH)
    b_angstrom2 = np.array([0.6] * len(structure.sites))
    strength = table.multiplicity * table.squared(b_angstrom2)
    for number in range(1, len(kinds.axis)):
        cosine = cosines(table.equivalents, kinds.axis[number], reciprocal_metric(phase.cell))
        theirs = march_dollase(cosine, float(np.exp(kinds.log_r[number])))
        total = np.bincount(line.ravel(), weights=strength)
        mean = np.bincount(line.ravel(), weights=strength * theirs) / total
        seen = total > 1e-3 * total.max()
        assert np.exp(kinds.log_factor[number])[seen] == pytest.approx(mean[seen], rel=0.02), kinds.axis[number]


@pytest.mark.parametrize(
    ("name", "axes"), [("cubic", 3), ("tetragonal", 5), ("orthorhombic", 7), ("trigonal", 6), ("triclinic", 13)]
)
def test_each_low_index_axis_counts_once(name, axes):
    kinds = kinds_of(PHASES[name], np.array([[1, 1, 1]]), WAVELENGTH)
    assert len(set(kinds.axis)) == 1 + axes and len(kinds.axis) == 1 + len(R) * axes
    assert np.exp(kinds.log_prior[1:]).sum() == pytest.approx(1.0) and kinds.log_prior[0] == 0.0


@pytest.mark.parametrize("name", sorted(PHASES))
def test_weak_distributions_are_nearly_their_harmonics(name):
    phase = PHASES[name]
    hkl = even_directions(phase, 1000)
    kinds = kinds_of(phase, hkl, WAVELENGTH)
    left = (kinds.log_factor - kinds.projected @ harmonics(phase, hkl).T)[1:].std(axis=1)
    part, weak = left / kinds.log_factor[1:].std(axis=1), np.abs(kinds.log_r[1:]) < 0.3
    assert np.median(part[weak]) < 0.35 and part[weak].min() < 0.12

import numpy as np
import pytest

from surrogate.xrd.atlas import make_atlas
from surrogate.xrd.pattern import make_pattern
from surrogate.xrd.screen import make_screen, score
from tests.surrogate.xrd.mixtures import LONE, NAMES, gaussians, phase_of, scan_of, simulated_scan


@pytest.fixture(scope="module")
def screen(atlas):
    return make_screen(atlas)


def scored(screen, scan, **options):
    pattern = make_pattern(scan)
    above = pattern.intensity - pattern.baseline
    return score(screen, pattern, above, height=np.maximum(above, 0.0), **options)


def names_by(gain):
    return [NAMES[i] for i in np.argsort(-gain)]


def drawn(cells_by, *, zero_deg=0.0, name="silicon", seed=0):
    """Return counts of one phase's lines, spacings scaled, on an axis that is off."""
    atlas = make_atlas([phase_of(name)], radiation=LONE, highest_deg=90.0)
    angles = np.arange(20.0, 80.0, 0.02)
    sine = np.sqrt(atlas.q_squared.numpy()) / cells_by * LONE.wavelength_angstrom[0] / 2.0
    at = 2.0 * np.degrees(np.arcsin(sine))
    factor = (1.0 + np.cos(np.radians(at)) ** 2) / (sine**2 * np.sqrt(1.0 - sine**2))
    heights = 5000.0 * atlas.strength.numpy() * factor
    mean = gaussians(angles, dict(zip(at + zero_deg, heights, strict=True)), fwhm_deg=0.12)
    return scan_of(angles, np.random.default_rng(seed).poisson(mean), LONE)


@pytest.mark.parametrize("name", NAMES)
def test_a_pure_phase_comes_near_the_top(screen, name):
    found = [scored(screen, simulated_scan("L1", {name: 1.0}, seed=seed)) for seed in (1, 2)]
    assert max(names_by(one.gain).index(name) for one in found) <= 3
    assert min(names_by(one.gain).index(name) for one in found) <= 1


@pytest.mark.parametrize(
    "parts", [{"rutile": 0.5, "corundum": 0.3, "halite": 0.2}, {"quartz": 0.4, "zincite": 0.6}], ids=["three", "two"]
)
def test_all_phases_of_a_mixture_come_near_the_top(screen, parts):
    found = scored(screen, simulated_scan("L1", parts, seed=2))
    assert set(parts) <= set(names_by(found.gain)[: len(parts) + 2])


@pytest.mark.parametrize("strain", [-0.012, -0.004, 0.0, 0.006, 0.015])
def test_a_strain_is_recovered(screen, strain):
    found = scored(screen, drawn(1.0 + strain), shared=np.zeros(3))
    number = NAMES.index("silicon")
    assert int(found.gain.argmax()) == number
    assert found.strain[number] == pytest.approx(strain, abs=1.5e-3) and not found.zero_deg.any()


@pytest.mark.parametrize("zero_deg", [-0.12, 0.0, 0.12])
def test_an_error_of_the_axis_is_told_from_a_strain(screen, zero_deg):
    found = scored(screen, drawn(1.0, zero_deg=zero_deg))
    number = NAMES.index("silicon")
    assert int(found.gain.argmax()) == number
    assert np.sign(found.zero_deg[number]) == np.sign(zero_deg) and abs(found.strain[number]) < 2.5e-3


def test_what_is_known_of_the_axis_is_taken_off(screen):
    number = NAMES.index("silicon")
    shared = np.array([0.2, 0.0, 0.0])
    aware = scored(screen, drawn(1.0, zero_deg=0.2), shared=shared)
    unaware = scored(screen, drawn(1.0, zero_deg=0.2), shared=np.zeros(3))
    assert aware.gain[number] > unaware.gain[number] and abs(aware.strain[number]) < 1e-3


def test_background_alone_gains_next_to_nothing(screen):
    flat = np.random.default_rng(0).poisson(80.0, 2500).astype(float)
    found = scored(screen, scan_of(20.0 + 0.02 * np.arange(2500), flat))
    present = scored(screen, simulated_scan("L1", {"rutile": 1.0}, seed=1))
    assert found.gain.max() < 0.1 * present.gain.max()


def test_what_is_explained_gains_nothing(screen):
    pattern = make_pattern(simulated_scan("L1", {"rutile": 1.0}, seed=1))
    above = np.maximum(pattern.intensity - pattern.baseline, 0.0)
    found = score(screen, pattern, np.zeros(pattern.grid.n), height=above)
    assert (found.gain <= 0.0).all()


def test_a_gap_is_no_evidence_against_a_phase(screen):
    scan = drawn(1.0)
    angles, counts = scan.axis.values, scan.values
    kept = np.abs(angles - 47.3) > 2.0  # the second line
    found = scored(screen, scan_of(angles[kept], counts[kept], LONE))
    assert names_by(found.gain)[0] == "silicon"


def test_a_phase_is_like_itself_and_polymorphs_are_less_so(screen):
    likeness = screen.likeness
    assert np.diag(likeness) == pytest.approx(np.ones(len(NAMES)), abs=1e-6)
    assert likeness.max() < 1.0 + 1e-6 and likeness[NAMES.index("rutile"), NAMES.index("halite")] < 0.8


def test_isotypes_of_like_cells_are_alike():
    atlas = make_atlas([phase_of(name) for name in ("periclase", "bunsenite", "quartz")], highest_deg=80.0)
    likeness = make_screen(atlas).likeness
    assert likeness[0, 1] > likeness[0, 2] and likeness == pytest.approx(likeness.T, abs=0.02)

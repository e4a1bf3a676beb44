from dataclasses import replace

import numpy as np
import pytest

from simulators.materials.powder.levels import LEVELS
from simulators.materials.powder.library import structures
from simulators.materials.powder.pattern import Scan, simulate
from simulators.materials.powder.specimen import Mixture, Share
from surrogate.xrd.absorption import (
    contrast_reason,
    kept,
    linear_per_cm,
    mass_cm2_g,
    matters,
    powder,
    true_fractions,
    widened,
)
from surrogate.xrd.identify import Identifier
from surrogate.xrd.library import embedded_library
from tests.surrogate.xrd.mixtures import CALIBRATION, phase_of, scan_of

COPPER_ANGSTROM = 1.5406
ERRORS = 0.08**2 * np.eye(2)


def powder_of(*names):
    return powder([phase_of(name) for name in names], COPPER_ANGSTROM)


def interval_of(names, seen, *, half=0.03):
    seen = np.array(seen)
    plain = np.stack([seen - half, seen + half], axis=1)
    return plain, widened(seen, powder_of(*names), ERRORS, plain)


@pytest.mark.parametrize(
    ("element", "cm2_g"),
    [("O", 11.0), ("Al", 49.0), ("Si", 62.0), ("Ti", 204.0), ("Fe", 303.0), ("W", 170.0), ("Pb", 232.0)],
)
def test_mass_absorption_is_that_of_the_tables(element, cm2_g):
    # International Tables C (1992), table 4.2.4.3, and its successors, in round numbers
    assert mass_cm2_g(element, COPPER_ANGSTROM) == pytest.approx(cm2_g, rel=0.09)


def test_an_absorption_edge_is_seen():
    # cobalt's line lies below the K edge of iron, copper's above
    assert mass_cm2_g("Fe", COPPER_ANGSTROM) > 4.0 * mass_cm2_g("Fe", 1.789)


def test_linear_absorption_is_that_of_the_dense_crystal():
    assert linear_per_cm(phase_of("corundum"), COPPER_ANGSTROM) == pytest.approx(125.0, rel=0.06)


def test_what_a_particle_keeps_is_brindley_s_integral():
    contrast = np.array([-0.8, -0.1, 1e-9, 0.3, 2.0])
    c = contrast[[0, 1, 3, 4]]
    closed = 3.0 * (2.0 - np.exp(-c) * (c**2 + 2.0 * c + 2.0)) / c**3
    assert kept(contrast)[[0, 1, 3, 4]] == pytest.approx(closed, rel=1e-9) and kept(contrast)[2] == pytest.approx(1.0)


@pytest.mark.parametrize("names", [("litharge", "periclase"), ("tungsten", "corundum"), ("corundum", "hematite")])
@pytest.mark.parametrize("size_um", [0.0, 1.0, 5.0, 10.0])
def test_weights_that_particles_of_a_size_hide_are_found_again(names, size_um):
    true, of = np.array([0.3, 0.7]), powder_of(*names)
    volume = true / of.density_g_cm3
    shown = true * kept((of.per_cm - volume @ of.per_cm / volume.sum()) * size_um * 1e-4)
    found = true_fractions(shown / shown.sum(), of, np.array([size_um]))
    assert found[0] == pytest.approx(true, abs=2e-3)


def test_the_interval_of_the_strong_absorber_grows_upwards_and_of_the_weak_one_downwards():
    plain, wide = interval_of(("litharge", "periclase"), [0.18, 0.82])
    assert wide[0, 0] == plain[0, 0] and wide[0, 1] > plain[0, 1] + 0.08
    assert wide[1, 1] == plain[1, 1] and wide[1, 0] < plain[1, 0] - 0.08
    assert (wide >= 0.0).all() and (wide <= 1.0).all()


@pytest.mark.parametrize("names", [("quartz", "calcite"), ("rutile", "anatase"), ("halite", "zincite")])
def test_without_contrast_nothing_changes(names):
    plain, same = interval_of(names, [0.3, 0.7])
    assert same is plain
    assert contrast_reason([phase_of(name) for name in names], [0.3, 0.7], COPPER_ANGSTROM) == ""


def test_one_phase_has_no_contrast():
    assert not matters(np.array([1.0]), powder_of("litharge"))


def test_the_reason_names_phases_and_what_coarse_particles_would_mean():
    said = contrast_reason([phase_of("periclase"), phase_of("litharge")], [0.82, 0.18], COPPER_ANGSTROM)
    assert said.startswith("litharge absorbs 19 times as much as periclase")
    # what 5 um particles of 30 wt% show is 18 wt%
    assert "with 5 um litharge would be 30 wt%, not 18" in said


def test_harder_x_rays_make_less_of_iron_in_alumina():
    of = powder([phase_of("hematite"), phase_of("corundum")], 0.7093)
    assert not matters(np.array([0.3, 0.7]), of) and matters(np.array([0.3, 0.7]), powder_of("hematite", "corundum"))


def coarse(parts, size_um, seed):
    rng = np.random.default_rng(seed)
    level = LEVELS["L1"]
    found = simulate(
        Mixture(shares=tuple(Share(structure=structures()[name], weight=weight) for name, weight in parts.items())),
        scan=Scan(start_deg=20.0, stop_deg=70.0, step_deg=0.03),
        sample=replace(level.sample, particle_um=size_um),
        instrument=level.instrument(rng),
        rng=rng,
    )
    return scan_of(found.two_theta_deg, found.counts)


@pytest.mark.parametrize("names", [("litharge", "periclase"), ("tungsten", "corundum"), ("hematite", "corundum")])
def test_intervals_hold_the_truth_of_coarse_powders_and_a_reason_says_why(names):
    identifier = Identifier(embedded_library(names), calibration=CALIBRATION)
    for seed, size_um in enumerate((0.0, 2.0, 5.0)):
        found = identifier.identify(coarse({names[0]: 0.3, names[1]: 0.7}, size_um, seed), curves=False)
        claims = {claim.name: claim.weight_interval for claim in found.phases}
        assert claims[names[0]][0] <= 0.3 <= claims[names[0]][1] and claims[names[1]][0] <= 0.7 <= claims[names[1]][1]
        assert any("times as much as" in reason and "grind finer" in reason for reason in found.reasons)

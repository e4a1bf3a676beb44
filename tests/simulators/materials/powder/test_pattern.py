"""Whole patterns: areas by weight, widths by size, positions by alignment, and a truth that is true."""

import numpy as np
import pytest

from simulators.materials.powder.aberrations import Geometry
from simulators.materials.powder.library import structures
from simulators.materials.powder.lines import crystal, lines
from simulators.materials.powder.pattern import Scan, crystalline, simulate
from simulators.materials.powder.scattering import mixed_absorption_cm2_g
from simulators.materials.powder.settings import Background, Counting, Instrument, Sample
from simulators.materials.powder.specimen import Mixture, Share, draw_optics, draw_phase

SCAN = Scan()
ROUGH = Sample(
    lattice_strain=0.01,
    size_nm=(10.0, 40.0),
    size_spread=(0.3, 0.5),
    aspect=(0.5, 2.0),
    microstrain=(0.001, 0.002),
    strain_anisotropy=(0.0, 0.5),
    fault_chance=1.0,
    fault_probability=(0.01, 0.03),
    gradient_chance=1.0,
    gradient_share=(0.2, 0.3),
    gradient_strain=(0.002, 0.003),
    texture=(0.6, 1.6),
    grains=1e5,
    b_angstrom2=(0.4, 1.2),
    particle_um=1.0,
    hump_height=(0.1, 0.2),
)


def mixture(**weights):
    return Mixture(shares=tuple(Share(structure=structures()[name], weight=w) for name, w in weights.items()))


def pattern(mixed, *, seed=0, scan=SCAN, sample=None, **instrument):
    rng = np.random.default_rng(seed)
    return simulate(mixed, scan=scan, sample=sample or Sample(), instrument=Instrument(**instrument), rng=rng)


def phase(name, sample=None, weight=1.0):
    share = Share(structure=structures()[name], weight=weight)
    return draw_phase(share, sample or Sample(), np.random.default_rng(0))


def optics(**instrument):
    return draw_optics(Instrument(**instrument), np.random.default_rng(0))


def width_deg(angles, values):
    above = np.flatnonzero(values > values.max() / 2.0)
    return angles[above[-1]] - angles[above[0]]


@pytest.mark.parametrize("sample", [Sample(), ROUGH], ids=["plain", "rough"])
def test_the_area_of_a_pattern_is_that_of_its_lines(sample):
    silicon, state = phase("silicon", sample), optics(has_k_alpha_2=False)
    angles = np.arange(24.0, 33.0, 0.01)
    found = lines(crystal(silicon, 96.0, state), "K-alpha 1", state, 10.0, 88.0)
    first = np.abs(found.two_theta_deg - 28.4) < 2.0
    drawn = crystalline((silicon,), angles, state)["silicon"] * mixed_absorption_cm2_g({"Si": 1.0}) / 125.4
    assert np.trapezoid(drawn, angles) == pytest.approx(found.area[first].sum(), rel=0.06)


def test_lines_are_where_bragg_says_and_move_with_the_alignment():
    scan = Scan(start_deg=27.0, stop_deg=30.0, step_deg=0.005)
    still = pattern(mixture(silicon=1.0), scan=scan, has_k_alpha_2=False)
    sine = 1.54059 / (2.0 * structures()["silicon"].cell.a / np.sqrt(3.0))
    top = still.two_theta_deg[np.argmax(still.truth.contributions["silicon"])]
    assert top == pytest.approx(np.degrees(2.0 * np.arcsin(sine)), abs=0.02)
    moved = pattern(mixture(silicon=1.0), scan=scan, has_k_alpha_2=False, zero_deg=0.2, displacement_deg=0.1)
    state = moved.truth.optics
    shift_deg = state.zero_deg - np.degrees(2.0 * state.displacement_mm / 240.0)
    there = moved.two_theta_deg[np.argmax(moved.truth.contributions["silicon"])]
    assert abs(shift_deg) > 0.02 and there - top == pytest.approx(shift_deg, abs=0.01)


def test_k_alpha_2_stands_beside_k_alpha_1_half_as_strong():
    angles = np.arange(92.0, 98.0, 0.005)
    sharp = crystalline((phase("silicon", Sample(size_nm=(500.0, 500.0))),), angles, optics())["silicon"]
    peaks = [i for i in range(1, len(angles) - 1) if sharp[i - 1] < sharp[i] > sharp[i + 1] > sharp.max() / 5.0]
    assert len(peaks) == 2
    assert angles[peaks[1]] - angles[peaks[0]] == pytest.approx(
        np.degrees(2.0 * np.tan(np.radians(47.5)) * 0.00248), rel=0.03
    )
    assert sharp[peaks[1]] / sharp[peaks[0]] == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize("size_nm", [5.0, 10.0, 20.0])
def test_small_crystallites_broaden_lines_as_scherrer_says(size_nm):
    angles = np.arange(20.0, 40.0, 0.01)
    small = crystalline((phase("silicon", Sample(size_nm=(size_nm, size_nm))),), angles, optics())["silicon"]
    scherrer_deg = np.degrees(4.0 / 3.0 * 0.15406 / (size_nm * np.cos(np.radians(14.2))))
    breadth_deg = np.trapezoid(small, angles) / small.max()
    assert breadth_deg == pytest.approx(scherrer_deg, rel=0.12, abs=0.08)


def test_intensities_are_as_weights_and_absorption():
    angles = SCAN.two_theta_deg
    alone = {name: crystalline((phase(name),), angles, optics())[name] for name in ("silicon", "magnetite")}
    both = crystalline((phase("silicon", weight=0.3), phase("magnetite", weight=0.7)), angles, optics())
    mu = {name: mixed_absorption_cm2_g(structures()[name].mass_fractions) for name in alone}
    mean = 0.3 * mu["silicon"] + 0.7 * mu["magnetite"]
    assert both["silicon"].max() / alone["silicon"].max() == pytest.approx(0.3 * mu["silicon"] / mean)
    assert both["magnetite"].max() / alone["magnetite"].max() == pytest.approx(0.7 * mu["magnetite"] / mean)
    coarse = crystalline(
        (phase("silicon", weight=0.3), phase("magnetite", weight=0.7)), angles, optics(), particle_um=5.0
    )
    assert coarse["silicon"].max() > both["silicon"].max() and coarse["magnetite"].max() < both["magnetite"].max()


@pytest.mark.parametrize(
    ("name", "ratio"), [("rutile", 3.6), ("anatase", 5.0), ("zincite", 5.4), ("silicon", 4.7), ("calcite", 3.2)]
)
def test_a_mixture_with_corundum_has_the_reference_intensity_ratio(name, ratio):
    """Strongest lines of equal weights; I/Ic as databases compute them from structures."""
    state = optics(has_k_alpha_2=False)
    strongest = []
    for one in (name, "corundum"):
        found = lines(crystal(phase(one), 88.0, state), "K-alpha 1", state, 10.0, 80.0)
        strongest.append(max(found.area[np.abs(found.two_theta_deg - at) < 0.05].sum() for at in found.two_theta_deg))
    assert strongest[0] / strongest[1] == pytest.approx(ratio, rel=0.09)


def test_the_residue_of_k_beta_and_tungsten_stands_where_it_must():
    angles = SCAN.two_theta_deg
    low = pattern(mixture(silicon=1.0), k_beta=(0.02, 0.02), tungsten=(0.01, 0.01)).truth.contributions["silicon"]
    clean = pattern(mixture(silicon=1.0)).truth.contributions["silicon"]
    beta, main = (angles > 25.0) & (angles < 26.3), (angles > 27.5) & (angles < 30.0)
    extra = np.trapezoid((low - clean)[beta], angles[beta]) / np.trapezoid(clean[main], angles[main])
    assert angles[beta][np.argmax((low - clean)[beta])] == pytest.approx(25.65, abs=0.05)
    assert extra == pytest.approx(0.02 * np.sin(np.radians(14.22)) ** 2 / np.sin(np.radians(12.82)) ** 2, rel=0.08)
    at_tungsten = np.searchsorted(angles, 27.22)
    assert low[at_tungsten] > 3.0 * clean[at_tungsten]


def test_the_strongest_peak_has_the_counts_that_were_asked_for():
    made = pattern(mixture(anatase=0.5, rutile=0.5), counting=Counting(peak_counts=3e3))
    peaks = np.sum(list(made.truth.contributions.values()), axis=0)
    assert peaks.max() == pytest.approx(3e3) and made.counts.dtype == np.int64
    assert made.truth.expected == pytest.approx(peaks + made.truth.background)
    chi = (made.counts - made.truth.expected) / np.sqrt(made.truth.expected)
    assert chi.std() == pytest.approx(1.0, abs=0.05) and chi.mean() == pytest.approx(0.0, abs=0.06)
    assert made.truth.prominence("anatase") == pytest.approx(np.sqrt(3e3), rel=0.1)


def test_a_grid_that_is_not_the_builders_gives_the_same_pattern():
    fine = Scan(start_deg=20.0, stop_deg=40.0, step_deg=0.01)
    odd = Scan(start_deg=20.003, stop_deg=39.9, step_deg=0.0131)
    shapes = [crystalline((phase("silicon"),), scan.two_theta_deg, optics())["silicon"] for scan in (fine, odd)]
    between = np.interp(odd.two_theta_deg, fine.two_theta_deg, shapes[0])
    assert shapes[1] == pytest.approx(between, abs=0.01 * shapes[0].max())


def test_the_same_seed_gives_the_same_pattern_and_another_one_another():
    mixed = mixture(anatase=0.6, hematite=0.4)
    first, same, other = (pattern(mixed, seed=seed, sample=ROUGH) for seed in (1, 1, 2))
    assert np.array_equal(first.counts, same.counts) and not np.array_equal(first.counts, other.counts)
    assert first.truth.cells["anatase"] != other.truth.cells["anatase"]


def test_amorphous_parts_have_the_area_of_their_weight():
    half = Mixture(shares=mixture(anatase=1.0).shares, amorphous=0.5)
    made = pattern(half, background=Background(level=(0.0, 0.0)))
    angles, peaks = made.two_theta_deg, made.truth.contributions["anatase"]
    assert np.trapezoid(made.truth.background, angles) == pytest.approx(np.trapezoid(peaks, angles), rel=0.15)
    assert made.truth.amorphous == pytest.approx(0.5)
    glass = pattern(Mixture(shares=(), amorphous=1.0), background=Background(level=(0.0, 0.0)))
    assert glass.truth.amorphous == 1.0 and glass.counts.max() == pytest.approx(1e5, rel=0.05)


@pytest.mark.parametrize(
    ("weights", "amorphous", "told"),
    [
        ((0.5, 0.4), 0.0, "add up to 0.9"),
        ((1.2, -0.2), 0.0, "positive"),
        ((1.0,), 1.2, "from 0 to 1"),
        ((), 0.5, "amorphous"),
    ],
)
def test_mixtures_that_cannot_be_are_refused(weights, amorphous, told):
    names = ("silicon", "rutile")
    shares = tuple(Share(structure=structures()[n], weight=w) for n, w in zip(names, weights, strict=False))
    with pytest.raises(ValueError, match=told):
        Mixture(shares=shares, amorphous=amorphous)


def test_a_phase_is_named_once_in_a_mixture():
    share = Share(structure=structures()["silicon"], weight=0.5)
    with pytest.raises(ValueError, match="silicon is there twice"):
        Mixture(shares=(share, share))


def test_a_scan_without_a_line_cannot_be_scaled():
    with pytest.raises(ValueError, match="no line of the mixture between 11 and 14 degrees"):
        pattern(mixture(silicon=1.0), scan=Scan(start_deg=11.0, stop_deg=14.0))


def test_sharp_lines_do_not_ring():
    """Fourier series that were cut short would swing below zero beside a line."""
    angles = np.arange(20.0, 120.0, 0.01)
    state = optics(geometry=Geometry(divergence_deg=0.0, soller_rad=0.0, receiving_deg=0.0))
    values = crystalline((phase("silicon", Sample(size_nm=(1000.0, 1000.0))),), angles, state)["silicon"]
    near = np.abs(angles - 28.44) < 0.6
    falling = values[near][np.argmax(values[near]) + 20 :]
    assert np.all(np.diff(falling) < 1e-4 * values.max())


def test_every_switch_changes_the_pattern():
    """Each part of a rough sample, alone, is seen in the noiseless pattern of a phase with layers."""
    plain = pattern(mixture(zincite=1.0)).truth.contributions["zincite"]
    groups = {
        "lattice_strain": ["lattice_strain"],
        "size": ["size_nm"],
        "spread": ["size_spread"],
        "aspect": ["aspect"],
        "strain": ["microstrain"],
        "faults": ["fault_chance", "fault_probability"],
        "gradient": ["gradient_chance", "gradient_share", "gradient_strain"],
        "texture": ["texture"],
        "grains": ["grains"],
        "b": ["b_angstrom2"],
    }
    for name, keys in groups.items():
        sample = Sample(**{key: getattr(ROUGH, key) for key in keys})
        seen = pattern(mixture(zincite=1.0), sample=sample).truth.contributions["zincite"]
        assert np.abs(seen - plain).max() > 0.003 * plain.max(), name

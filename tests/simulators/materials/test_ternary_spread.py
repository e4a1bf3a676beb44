import numpy as np
import pytest

from simulators.materials.ternary_spread import (
    CHANNELS,
    PROPERTY_NOISE,
    Q_RANGE,
    VEGARD,
    SpreadPhase,
    channel_q,
    draw_spread,
    equilibrium,
    simplex_grid,
)


@pytest.fixture(scope="module")
def spread():
    return draw_spread(200)


def phase(stabilities, interactions=(0.0, 0.0, 0.0), expansion=(0.0, 0.0, 0.0), lines=(2.0, 3.0)):
    return SpreadPhase(
        stabilities=np.array(stabilities),
        interactions=np.array(interactions),
        lines=np.array(lines),
        strengths=np.ones(len(lines)),
        expansion=np.array(expansion),
    )


def test_the_grid_covers_the_triangle_in_equal_steps():
    grid = simplex_grid(20)
    assert len(grid) == 231
    assert np.allclose(grid.sum(axis=1), 1.0)
    assert len(np.unique(grid, axis=0)) == 231


@pytest.mark.parametrize("seed", [200, 201, 202])
def test_a_spread_has_four_to_six_regions_of_some_size(seed):
    labels = draw_spread(seed).region_labels
    sizes = np.bincount(labels)
    assert 4 <= len(sizes) <= 6
    assert sizes.min() >= 0.03 * len(labels)


def test_equal_seeds_give_equal_worlds(spread):
    again = draw_spread(200)
    assert np.array_equal(spread.patterns, again.patterns)
    assert np.array_equal(spread.property_true, again.property_true)
    assert not np.array_equal(spread.property_true, draw_spread(201).property_true)


def test_amounts_obey_the_phase_rule_and_the_mass_balance(spread):
    assert np.allclose(spread.shares.sum(axis=1), 1.0)
    assert (spread.shares > 0).sum(axis=1).max() <= 3
    made_of = np.einsum("np,npe->ne", spread.shares, spread.phase_compositions)
    assert np.abs(made_of - spread.compositions).max() < 0.02  # a hull of 40 steps, less the smallest amounts


def test_a_gap_has_the_amounts_of_the_lever_rule():
    """Two phases that hate each other's element: along that edge each keeps its own end, and the rest is a mixture."""
    phases = (phase([0.0, 4.0, 9.0]), phase([4.0, 0.0, 9.0]))
    edge = np.array([[1.0 - t, t, 0.0] for t in (0.25, 0.5, 0.75)])
    shares, inside = equilibrium(phases, edge)
    ends = np.exp(-4.0) / (1.0 + np.exp(-4.0)) * 1.0  # ideal solutions: x / (1 - x) about exp(-4) at the solubility
    assert shares[1] == pytest.approx([0.5, 0.5], abs=0.02)
    assert inside[1, 0, 1] == pytest.approx(ends, abs=0.026)
    assert np.diff(shares[:, 1]) == pytest.approx([0.25 / (1.0 - 2.0 * ends)] * 2, abs=0.03)


def test_a_cell_expands_with_its_composition():
    one = phase([0.0, 0.0, 0.0], expansion=(0.0, 0.01, 0.0), lines=(3.0,))
    plain, large = (channel_q()[np.argmax(one.pattern(np.array(x)))] for x in ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)))
    assert plain / large == pytest.approx(1.01, abs=0.003)
    assert VEGARD == 0.01


def test_counts_scatter_as_counts(spread):
    rng = np.random.default_rng(0)
    drawn = np.array([spread.measure_pattern(5, rng) for _ in range(300)])
    assert drawn.shape == (300, CHANNELS)
    assert np.allclose(drawn.mean(axis=0), spread.patterns[5], rtol=0.05)
    assert np.median(drawn.var(axis=0) / spread.patterns[5]) == pytest.approx(1.0, abs=0.1)


def test_the_property_jumps_at_the_boundary_of_the_best_region_alone(spread):
    assert spread.property_true.min() == 0.0
    assert spread.property_true.max() == 1.0
    best = spread.region_labels[np.argmax(spread.property_true)]
    grid = np.round(spread.compositions * 20)
    beside = np.sum(np.abs(grid[:, None] - grid[None]), axis=2) == 2
    steps = np.abs(spread.property_true[:, None] - spread.property_true[None])
    is_best = spread.region_labels == best
    across = beside & (is_best[:, None] != is_best[None])
    assert np.median(steps[across]) > 2.0 * np.median(steps[beside & ~across])
    rng = np.random.default_rng(1)
    values = [spread.measure_property(3, rng) for _ in range(400)]
    assert np.mean(values) == pytest.approx(spread.property_true[3], abs=0.005)
    assert np.std(values) == pytest.approx(PROPERTY_NOISE, rel=0.15)


def test_channels_are_even_in_the_logarithm_of_q():
    q = channel_q()
    assert q[[0, -1]] == pytest.approx(Q_RANGE)
    assert np.ptp(np.diff(np.log(q))) < 1e-9

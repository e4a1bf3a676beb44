import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.policies.phase_worth import boundary_nearness, most_promising, named, over_regions
from planner.region_gp import fit_region_gp


def jumping(x, region):
    return np.sin(4.0 * x[:, 0]) + 3.0 * region


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    points = rng.random((24, 2))
    regions = (points[:, 0] > 0.5).astype(int)
    return points, regions, jumping(points, regions) + 0.02 * rng.standard_normal(24)


def test_a_jump_at_a_boundary_is_no_slope(data):
    process = fit_region_gp(*data, None, n_regions=2)
    at = np.array([[0.48, 0.5], [0.52, 0.5]])
    mean, sd = process.predict(at, np.array([0, 1]))
    assert (np.abs(mean - jumping(at, np.array([0, 1]))) < 2.5 * sd).all()
    assert mean[1] - mean[0] > 2.0
    assert (sd < 0.5).all()


def test_where_nothing_jumps_regions_learn_from_each_other():
    rng = np.random.default_rng(1)
    points = rng.random((24, 2))
    regions = (points[:, 0] > 0.5).astype(int)
    smooth = np.sin(4.0 * points[:, 0])
    process = fit_region_gp(points, regions, smooth, None, n_regions=3)
    mean, _ = process.predict(np.array([[0.3, 0.5]]), np.array([2]))
    assert mean[0] == pytest.approx(np.sin(1.2), abs=0.3)


def test_told_noise_is_taken_as_it_is(data):
    points, regions, values = data
    exact = fit_region_gp(points, regions, values, np.full(24, 1e-4), n_regions=2)
    rough = fit_region_gp(points, regions, values, np.full(24, 0.5), n_regions=2)
    assert exact.noise_sd < 0.01
    assert rough.noise_sd == pytest.approx(0.5, rel=0.05)
    assert (
        np.abs(exact.predict(points, regions)[0] - values).max()
        < np.abs(rough.predict(points, regions)[0] - values).max()
    )


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=6), st.integers(0, 100))
def test_few_equal_and_huge_values_give_finite_predictions(values, seed):
    points = np.random.default_rng(seed).random((len(values), 3))
    process = fit_region_gp(points, np.zeros(len(values), dtype=int), np.array(values), None, n_regions=1)
    mean, sd = process.predict(np.random.default_rng(seed + 1).random((5, 3)), np.zeros(5, dtype=int))
    assert np.isfinite(mean).all() and np.isfinite(sd).all() and (sd > 0).all()


def test_pending_points_make_their_surroundings_certain(data):
    process = fit_region_gp(*data, None, n_regions=2)
    at, region = np.array([[0.9, 0.02]]), np.array([1])
    before, after = process.predict(at, region), process.with_pending(at, region).predict(at, region)
    assert after[1][0] < before[1][0]
    assert after[0][0] == pytest.approx(before[0][0], abs=0.05)


def test_a_doubtful_region_widens_a_prediction(data):
    process = fit_region_gp(*data, None, n_regions=2)
    at = np.array([[0.5, 0.5]] * 2)
    mean, sd = over_regions(process, at, np.array([[1.0, 0.0], [0.5, 0.5]]))
    assert sd[1] > 1.0 > sd[0]
    assert mean[1] > mean[0] + 1.0


def test_nearness_falls_from_the_boundary():
    x = np.linspace(0.0, 1.0, 11)[:, None]
    near = boundary_nearness(x, x[:, 0] > 0.45)
    assert near[:5].tolist() == [0.0] * 5
    assert near[5] == pytest.approx(1.0)
    assert (np.diff(near[5:]) < 0).all()
    assert not boundary_nearness(x, np.ones(11, dtype=bool)).any()


@pytest.mark.parametrize(("sign", "region"), [(1.0, 1), (-1.0, 0)], ids=["greater", "smaller"])
def test_the_promising_region_has_the_best_bound(data, sign, region):
    process = fit_region_gp(*data, None, n_regions=2)
    places = np.random.default_rng(5).random((40, 2))
    chances = np.where((places[:, [0]] > 0.5) == [False, True], 1.0, 0.0)
    free = np.ones(40, dtype=bool)
    found = most_promising(process, places, chances, free, sign=sign, beta=1.0, boundary=0.0)
    assert found.region == region
    assert np.array_equal(found.is_inside, chances[:, region] > 0.5)
    assert np.allclose(found.worth, sign * found.mean + found.sd)
    bonus = most_promising(process, places, chances, free, sign=sign, beta=1.0, boundary=1.0)
    assert (bonus.worth[bonus.is_inside] > found.worth[found.is_inside]).all()


@pytest.mark.parametrize(("region", "words"), [((), "no phase"), ((0,), "phase 1"), ((0, 2), "phases 1 + 3")])
def test_regions_have_names(region, words):
    assert named(region) == words

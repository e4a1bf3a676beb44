import numpy as np
import pytest

from surrogate.last_layer import FEWEST, fit_leaves


def truth(points):
    return np.where(points[:, 0] > 0.3, 3.0, 0.0) + points[:, 1]


def drawn(n, *, seed=0, width=12, noise=0.3):
    rng = np.random.default_rng(seed)
    points = rng.random((n, width))
    return points, truth(points) + noise * rng.standard_normal(n)


def test_it_finds_the_columns_that_count():
    points, values = drawn(300)
    mean, _ = fit_leaves(points, values).predict(drawn(500, seed=1)[0])
    expected = truth(drawn(500, seed=1)[0])
    assert 1.0 - np.mean((mean - expected) ** 2) / np.var(expected) > 0.85


@pytest.mark.parametrize("n", [30, 100, 400])
def test_intervals_hold_about_what_they_say(n):
    covered = []
    for seed in range(4):
        model = fit_leaves(*drawn(n, seed=seed), seed=seed)
        points, values = drawn(400, seed=100 + seed)
        mean, sd = model.predict(points)
        covered.append(np.mean(np.abs(values - mean) <= 1.645 * np.sqrt(sd**2 + model.noise)))
    assert 0.8 < np.mean(covered) < 0.99


def test_equal_seeds_give_equal_digits_and_others_do_not():
    points, values = drawn(60)
    new = drawn(20, seed=2)[0]
    one, same, other = (fit_leaves(points, values, trees=50, seed=seed).predict(new) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one[0] - other[0]).max() > 1e-6


def test_the_scale_of_a_column_or_of_values_does_not_matter():
    points, values = drawn(80)
    new = drawn(20, seed=2)[0]
    mean, sd = fit_leaves(points, values).predict(new)
    # by powers of two, which round nothing: where two splits are as good, rounding would choose between them
    scaled_mean, scaled_sd = fit_leaves(4.0 * points, 1024.0 * values).predict(4.0 * new)
    np.testing.assert_allclose(scaled_mean, 1024.0 * mean, rtol=1e-9)
    np.testing.assert_allclose(scaled_sd, 1024.0 * sd, rtol=1e-9)


def test_what_is_assumed_of_a_point_is_what_would_follow_from_it():
    points, values = drawn(50)
    model = fit_leaves(points, values)
    new = drawn(30, seed=2)[0]
    leaves = model.leaves_of(new)
    belief = model.belief(leaves)
    np.testing.assert_allclose(belief.mean, model.predict(new)[0])
    np.testing.assert_allclose(np.sqrt(belief.variance), model.predict(new)[1])
    assumed = belief.assuming(3, 4.0).assuming(7, 5.0)
    # the same by conditioning on all results and both values at once, with the covariance of shared leaves
    everything = np.vstack([model.leaves.toarray(), leaves.toarray()])
    covariance = model.scale / model.trees * everything @ everything.T
    seen = [*range(50), 53, 57]
    with_noise = covariance[np.ix_(seen, seen)] + model.noise * np.eye(52)
    cross = covariance[50:][:, seen]
    found = np.concatenate([values, [4.0, 5.0]]) - model.centre
    np.testing.assert_allclose(assumed.mean, model.centre + cross @ np.linalg.solve(with_noise, found), atol=1e-8)
    variance = model.scale - np.sum(cross * np.linalg.solve(with_noise, cross.T).T, axis=1)
    np.testing.assert_allclose(assumed.variance, variance, atol=1e-8)


def test_a_part_of_a_belief_goes_on_alone():
    points, values = drawn(40)
    model = fit_leaves(points, values)
    belief = model.belief(model.leaves_of(drawn(10, seed=2)[0])).assuming(0, 2.0)
    some = np.array([4, 2, 9])
    np.testing.assert_allclose(
        belief.part(some).assuming(1, 3.0).mean, belief.assuming(2, 3.0).part(some).mean, rtol=1e-12
    )


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 2.0, 3.0], [5.0] * 20, [0.0] * 20])
def test_too_few_results_or_equal_ones_give_no_model(values):
    assert fit_leaves(np.random.default_rng(0).random((len(values), 3)), np.array(values)) is None


def test_the_fewest_results_and_repeated_points_are_enough():
    points = np.repeat([[0.0, 1.0]], FEWEST, axis=0)
    mean, sd = fit_leaves(points, np.arange(FEWEST, dtype=float)).predict(points)
    assert mean == pytest.approx(np.full(FEWEST, 1.5), abs=0.2)
    assert (sd > 0).all()


def test_of_very_many_results_the_last_layer_sees_the_late_half_and_others_evenly():
    points, values = drawn(4000, width=3)
    model = fit_leaves(points, values, trees=10)
    assert len(model.weights) == 3000
    mean, _ = model.predict(points)
    assert np.corrcoef(mean, truth(points))[0, 1] > 0.9

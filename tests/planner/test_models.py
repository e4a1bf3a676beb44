import numpy as np
import pytest

from planner import Continuous, NotEnoughData, Observation, SearchSpace
from planner.models import fit_target, target_data

SPACE = SearchSpace([Continuous("x", 0.0, 2.0)])


def observations(x: np.ndarray, y: np.ndarray) -> list[Observation]:
    return [Observation(parameters={"x": float(a)}, values={"y": float(b)}) for a, b in zip(x, y, strict=True)]


def test_predicts_in_the_targets_own_unit() -> None:
    x = np.linspace(0, 2, 25)
    model = fit_target(target_data(SPACE, observations(x, 100 + 30 * np.sin(3 * x)), "y"), "y")
    mean, sd = model.predict(SPACE.encode([{"x": 0.51}]))
    assert mean[0] == pytest.approx(100 + 30 * np.sin(3 * 0.51), abs=1.0)
    assert sd[0] < 2.0
    assert model.scale.knee is None


def test_bends_the_scale_where_data_span_decades() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 2, 50)
    y = np.exp(8 * np.sin(2 * x) - 6) * (1 + 0.1 * rng.standard_normal(50))
    model = fit_target(target_data(SPACE, observations(x, y), "y"), "y")
    assert model.scale.knee is not None
    mean, sd = model.predict(SPACE.encode([{"x": 0.75}, {"x": 0.05}]))
    truth = np.exp(8 * np.sin(2 * np.array([0.75, 0.05])) - 6)
    assert np.all(np.abs(mean - truth) < 3 * sd + 0.05 * truth.max())
    assert sd[1] < sd[0]


@pytest.mark.parametrize("known", [False, True])
def test_of_many_values_some_choose_the_scale_and_all_are_fitted(known: bool) -> None:
    rng = np.random.default_rng(1)
    x = rng.uniform(0, 2, 400)
    y = np.exp(8 * np.sin(2 * x) - 6) * (1 + 0.1 * rng.standard_normal(400))
    told = [
        Observation(
            parameters={"x": float(a)}, values={"y": float(b)}, noise={"y": 0.1 * abs(float(b))} if known else {}
        )
        for a, b in zip(x, y, strict=True)
    ]
    data = target_data(SPACE, told, "y")
    model, few = fit_target(data, "y"), fit_target(data.thinned(80), "y")
    assert model.scale.knee is not None
    assert len(model.gp.y) == 400
    grid = SPACE.encode([{"x": float(at)} for at in np.linspace(0, 2, 30)])
    truth = np.exp(8 * np.sin(2 * np.linspace(0, 2, 30)) - 6)
    errors = [float(np.mean(np.abs(one.predict(grid)[0] - truth))) for one in (model, few)]
    assert errors[0] < errors[1], "the others help"
    assert np.mean(model.predict(grid)[1]) < np.mean(few.predict(grid)[1])


def test_gathers_values_noise_and_only_results() -> None:
    told = [
        Observation(parameters={"x": 0.0}, values={"y": 1.0}, noise={"y": 0.2}),
        Observation(parameters={"x": 1.0}, values={"y": 2.0}),
        Observation(parameters={"x": 2.0}, failure="no film"),
        Observation(parameters={"x": 2.0}, values={"z": 5.0}),
        Observation(parameters={"x": 3.0}, values={"y": 4.0}, noise={"y": 0.4}),
    ]
    data = target_data(SPACE, told, "y")
    assert data.values.tolist() == [1.0, 2.0, 4.0]
    assert data.noise is not None
    assert data.noise.tolist() == pytest.approx([0.2, 0.3, 0.4])
    assert data.codes.ravel().tolist() == [0.0, 0.5, 1.5]
    assert target_data(SPACE, told, "z").noise is None


def test_refuses_to_fit_nothing() -> None:
    with pytest.raises(NotEnoughData, match="nothing was measured of target 'y'"):
        fit_target(target_data(SPACE, [], "y"), "y")


def test_what_is_said_is_wider_than_the_process_believes_while_values_are_few() -> None:
    rng = np.random.default_rng(2)
    wider = []
    for n in (6, 60):
        x = rng.uniform(0, 2, n)
        model = fit_target(target_data(SPACE, observations(x, np.sin(3 * x) - 0.2), "y"), "y")
        codes = SPACE.encode([{"x": 0.4}, {"x": 1.7}])
        mean, sd = model.gp.posterior(codes)
        said_mean, said_sd = model.predict(codes)
        np.testing.assert_allclose(said_mean, model.scale.inverse(mean))
        factor = said_sd / (model.scale.spread * sd)
        assert factor[0] == pytest.approx(factor[1])
        wider.append(factor[0])
    assert wider[0] == pytest.approx((1 + 4 * 4 / 6) ** 0.5) and 1.0 < wider[1] < 1.2


def test_intervals_hold_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(3)
    space = SearchSpace([Continuous(name, 0.0, 1.0) for name in "ab"])
    hits = []
    for _ in range(40):
        weights, slopes, turns = rng.standard_normal(6), rng.uniform(1.0, 6.0, (6, 2)), rng.uniform(0.0, 6.3, 6)

        def truth(points, weights=weights, slopes=slopes, turns=turns):
            at = np.array([[p["a"], p["b"]] for p in points])
            return np.sin(at @ slopes.T + turns) @ weights

        points = space.sample(12, rng)
        values = truth(points) + 0.1 * rng.standard_normal(12)
        told = [Observation(parameters=p, values={"y": float(v)}) for p, v in zip(points, values, strict=True)]
        mean, sd = fit_target(target_data(space, told, "y"), "y").predict(
            space.encode(elsewhere := space.sample(20, rng))
        )
        hits.extend(np.abs(truth(elsewhere) - mean) <= 1.645 * sd)
    assert 0.8 < np.mean(hits) < 0.98

import tracemalloc

import numpy as np
import pytest

from surrogate.input_noise import InputNoise
from surrogate.input_noise_gp import fit_input_noise, mean_slopes
from surrogate.matern_gp import GP, Kernel, fit_gp

SD = 0.04


def step(x: np.ndarray) -> np.ndarray:
    return np.tanh(12 * (x - 0.5))


def told(seed: int, n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Return what was asked for (`n x 1`), and what came back at what was achieved."""
    rng = np.random.default_rng(seed)
    X = rng.random((n, 1))
    return X, step(X[:, 0] + SD * rng.standard_normal(n)) + 0.02 * rng.standard_normal(n)


INPUTS = InputNoise(np.array([SD]), np.zeros(1))


def test_slopes_are_those_of_the_mean() -> None:
    rng = np.random.default_rng(0)
    X = rng.random((30, 3))
    gp = fit_gp(X, np.sin(5 * X[:, 0]) * X[:, 1], None)
    points, h = rng.random((9, 3)), 1e-5
    for column in range(3):
        ahead, behind = points.copy(), points.copy()
        ahead[:, column] += h
        behind[:, column] -= h
        numeric = (gp.posterior(ahead)[0] - gp.posterior(behind)[0]) / (2 * h)
        assert mean_slopes(gp, points)[:, column] == pytest.approx(numeric, abs=1e-6)


def test_slopes_at_many_points_take_the_memory_of_a_covariance() -> None:
    rng = np.random.default_rng(0)
    X = rng.random((200, 12))
    gp = GP(Kernel(np.full(12, 0.5), 1.0), 0.0, X, rng.standard_normal(200), np.full(200, 0.1))
    points = rng.random((1000, 12))
    gp.posterior(points[:1])
    tracemalloc.start()
    try:
        mean_slopes(gp, points)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 8 * 1000 * 200 * 8


def test_results_scatter_most_where_the_function_is_steep() -> None:
    X, y = told(1)
    gp = fit_input_noise(X, y, None, INPUTS)
    steep, flat = gp.noise_at(np.array([[0.5], [0.05]]))
    assert 0.2 < steep**0.5 < 0.8, "12 x 0.04 is 0.48"
    assert flat**0.5 < 0.1
    assert 0.01 < gp.own_noise**0.5 < 0.1
    assert gp.noise[np.argmin(np.abs(X[:, 0] - 0.5))] > 10 * gp.noise[np.argmax(X[:, 0])]


def test_intervals_of_results_hold_where_a_plain_process_is_too_sure_or_too_wide() -> None:
    held: dict[str, list[np.ndarray]] = {"flat": [], "steep": [], "plain flat": [], "plain steep": []}
    scores: list[float] = []
    for seed in range(12):
        X, y = told(seed)
        new, came = told(1000 + seed, 200)
        is_steep = np.abs(new[:, 0] - 0.5) < 0.1
        both = {"": fit_input_noise(X, y, None, INPUTS), "plain ": fit_gp(X, y, None)}
        density = {}
        for name, gp in both.items():
            mean, sd = gp.posterior(new)
            total = np.sqrt(sd**2 + gp.noise_at(new))
            is_held = np.abs(came - mean) <= 1.645 * total
            held[f"{name}flat"].append(is_held[~is_steep])
            held[f"{name}steep"].append(is_held[is_steep])
            density[name] = np.mean(-0.5 * ((came - mean) / total) ** 2 - np.log(total))
        scores.append(float(density[""] - density["plain "]))
    share = {name: float(np.concatenate(each).mean()) for name, each in held.items()}
    assert 0.82 < share["steep"] < 0.97 and share["plain steep"] < share["steep"] - 0.15
    assert share["flat"] > 0.85
    assert np.mean(scores) > 0.3 and min(scores) > 0.0, "nats a result"


def test_exact_inputs_change_nothing() -> None:
    X, y = told(2)
    plain, exact = fit_gp(X, y, None), fit_input_noise(X, y, None, InputNoise(np.zeros(1), np.zeros(1)))
    grid = np.linspace(0, 1, 50)[:, None]
    assert exact.posterior(grid)[0] == pytest.approx(plain.posterior(grid)[0], abs=2e-3)
    assert exact.noise_at(grid) == pytest.approx(plain.noise_at(grid), rel=0.05)


def test_known_noise_of_values_stays_and_that_of_inputs_comes_on_top() -> None:
    X, y = told(3)
    noise = np.full(len(y), 0.02**2)
    gp = fit_input_noise(X, y, noise, INPUTS)
    assert np.all(gp.noise >= noise)
    assert gp.own_noise == pytest.approx(0.02**2)
    assert gp.with_values(np.array([[0.5]]), np.zeros(1)).noise[-1] == pytest.approx(
        float(gp.noise_at(np.array([[0.5]]))[0])
    )

"""Real computing work of a wanted length for `idle_time.py soak`: Gaussian processes fitted and asked."""

from __future__ import annotations

import time
from collections.abc import Generator

import numpy as np

from surrogate.matern_gp import fit_gp
from surrogate.matern_gp_fit import LogPosterior

N_POINTS = 150


def data(n: int = N_POINTS) -> tuple[np.ndarray, np.ndarray]:
    """Return points in four dimensions, ``n x 4``, and their values, ``n``."""
    X = np.random.default_rng(0).random((n, 4))
    return X, np.sin(3 * X.sum(axis=1))


def analyse(n_fits: int) -> dict:
    """Fit small processes, as an analysis of a pattern does."""
    X, y = data(40)
    fitted = [fit_gp(X, y + 1e-3 * number, None) for number in range(n_fits)]
    return {"mean": np.array([one.mean for one in fitted])}


def plan(n_rounds: int) -> dict:
    """Score candidates by their predicted mean and deviation, and return the best."""
    X, y = data()
    gp = fit_gp(X, y, None)
    best, at = -np.inf, np.zeros(4)
    for number in range(n_rounds):
        points = np.random.default_rng(number).random((500, 4))
        mean, sd = gp.posterior(points)
        if (mean + 2 * sd).max() > best:
            best, at = float((mean + 2 * sd).max()), points[(mean + 2 * sd).argmax()]
    return {"at": at, "score": best}


def fit(n_evaluations: int, checkpoint: dict | None = None) -> Generator[dict, None, dict]:
    """Climb a log posterior by its gradient, an evaluation a step."""
    X, y = data()
    posterior = LogPosterior(X, y, None)
    state = checkpoint or {"i": 0, "theta": np.zeros(posterior.size), "value": -np.inf}
    i, theta, value = state["i"], state["theta"], state["value"]
    while i < n_evaluations:
        value, slopes = posterior(theta)
        theta, i = theta + 1e-3 * slopes / (1.0 + np.abs(slopes).max()), i + 1
        yield {"i": i, "theta": theta, "value": value}
    return {"theta": theta, "value": value}


def seconds_each() -> dict[str, float]:
    """Return what one fit, one round and one evaluation take on this machine now."""
    found = {}
    for name, once in (
        ("analyse", lambda: analyse(20)),
        ("plan", lambda: plan(20)),
        ("fit", lambda: all(fit(20))),
    ):
        began_s = time.perf_counter()
        once()
        found[name] = (time.perf_counter() - began_s) / 20
    return found

"""Priors of lengths on random hills: `python benchmarks/hills.py --dimension 6 --seeds 20`.

Each function is the sum of four Gaussian hills with random places, heights and widths (log-normal about 0.45 of the
range in each input), in units of its standard deviation, to be found from ten random points (fewer below four inputs)
with noise of 0.02. `--idle` inputs do nothing. Counts trials to the best 1 % of the box, and regret, with the light and
the heavy prior of `surrogate.length_priors`. The prior was chosen here and on the tuning problems of `planners.py`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.optimize import minimize

import planner.models
from planner import Continuous, Objective, Observation, Planner, SearchSpace
from surrogate.length_priors import HEAVY, LIGHT
from surrogate.matern_gp import fit_gp

N_HILLS, WIDTH, NOISE, BUDGET = 4, 0.45, 0.02, 40
AT = (15, 20, 30, 40)
PRIORS = {"light": LIGHT, "heavy": HEAVY}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dimension", type=int, default=6)
    parser.add_argument("--idle", type=int, default=0, help="how many of the inputs do nothing")
    parser.add_argument("--seeds", type=int, default=20)
    arguments = parser.parse_args()
    print(f"| prior | trials to the top 1 %, geometric mean | regret at {', '.join(map(str, AT))} |\n|---|---|---|")
    for name, prior in PRIORS.items():
        planner.models.fit_gp = partial(fit_gp, prior=prior)  # type: ignore[attr-defined]
        found = np.array([run(seed, arguments.dimension, arguments.idle) for seed in range(arguments.seeds)])
        regrets = ", ".join(f"{one:.3f}" for one in np.median(found[:, 1:], axis=0))
        print(f"| {name} | {np.exp(np.log(found[:, 0]).mean()):.1f} | {regrets} |", flush=True)


def run(seed: int, d: int, idle: int) -> list[float]:
    """Return the trials to the top 1 % and the regrets of one run."""
    rng = np.random.default_rng([seed, d, idle])
    f, top, optimum = hills(rng, d, idle)
    names = [f"x{i}" for i in range(d)]
    mind = Planner(SearchSpace([Continuous(name, 0.0, 1.0) for name in names]), [Objective("y", "minimize")], seed=seed)
    true, observed = [], []
    for n in range(BUDGET):
        if n < min(2 * (d + 1), 10):
            point = dict(zip(names, rng.random(d).tolist(), strict=True))
        else:
            point = mind.ask()[0].parameters
        true.append(float(f(np.array([[point[name] for name in names]], dtype=float))[0]))
        observed.append(true[-1] + NOISE * rng.standard_normal())
        mind.tell([Observation(parameters=point, values={"y": observed[-1]})])
    first = next((n for n, value in enumerate(true, start=1) if value < top), BUDGET)
    return [first, *(true[int(np.argmin(observed[:n]))] - optimum for n in AT)]


def hills(rng: np.random.Generator, d: int, idle: int) -> tuple[Callable[[np.ndarray], np.ndarray], float, float]:
    """Return a function of points (`n x d`), its 1 % quantile, and its least value."""
    centres, heights = rng.random((N_HILLS, d)), rng.uniform(0.6, 1.4, N_HILLS)
    widths = np.exp(rng.normal(np.log(WIDTH), 0.5, (N_HILLS, d)))
    counts = np.arange(d) < d - idle

    def raw(points: np.ndarray) -> np.ndarray:
        apart = (points[:, None, :] - centres) / widths
        return -np.exp(-0.5 * (apart**2 * counts).sum(axis=2)) @ heights

    points = rng.random((100_000, d))
    values = raw(points)
    spread = float(values.std())
    starts = points[np.argsort(values)[:5]]
    least = min(float(minimize(lambda x: raw(x[None])[0], start, bounds=[(0, 1)] * d).fun) for start in starts)
    return lambda some: raw(some) / spread, float(np.quantile(values, 0.01)) / spread, least / spread


if __name__ == "__main__":
    main()

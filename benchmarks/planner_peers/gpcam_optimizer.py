"""gpCAM's GPOptimizer with noisy expected improvement, its default kernel and training, and a trained noise.

Constrained and discrete spaces are handed over as a list of candidates, as its documentation has it. Failed trials are
left out.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

import numpy as np
from gpcam import GPOptimizer
from planner_space import Space, Value

from planner_peers import Trial
from planner_peers.coding import decode, encode

N_CANDIDATES = 2000
LARGEST_LIST = 2000


class GpCam:
    """Values are standardised and negated, since it maximises."""

    def __init__(self, space: Space, seed: int) -> None:
        # gpCAM draws from numpy's global generator
        np.random.seed(seed)  # noqa: NPY002
        self._space = space
        self._rng = np.random.default_rng(seed)
        self._trials: list[Trial] = []

    def tell(self, trials: Sequence[Trial]) -> None:
        """Remember what gave a result."""
        self._trials += [trial for trial in trials if trial[1] is not None]

    def ask(self, n: int) -> list[dict[str, Value]]:
        """Train and ask; random points before two values differ."""
        y = -np.array([value for _, value in self._trials], dtype=float)
        if len(y) < 2 or np.ptp(y) == 0:
            return self._space.sample(n, self._rng)
        x = encode(self._space, [point for point, _ in self._trials])
        optimizer = self._trained(x, (y - y.mean()) / y.std())
        if self._space.is_continuous and not self._space.bounds:
            box = np.tile([0.0, 1.0], (x.shape[1], 1))
            found = optimizer.ask(box, n=n, acquisition_function="noisy expected improvement")["x"]
        else:
            found = optimizer.ask(list(self._candidates()), n=n, acquisition_function="noisy expected improvement")["x"]
        return [decode(self._space, row) for row in np.asarray(found).reshape(-1, x.shape[1])[:n]]

    def _trained(self, x: np.ndarray, y: np.ndarray) -> GPOptimizer:
        d = x.shape[1]
        optimizer = GPOptimizer(
            x,
            y,
            init_hyperparameters=np.array([1.0, *[0.5] * d, 0.05]),
            noise_function=lambda points, h: np.full(len(points), h[d + 1]),
        )
        optimizer.train(hyperparameter_bounds=np.array([[0.01, 10.0], *[[0.01, 10.0]] * d, [1e-6, 1.0]]))
        return optimizer

    def _candidates(self) -> np.ndarray:
        lists = [axis.grid for axis in self._space.axes]
        if all(lists) and math.prod(map(len, lists)) <= LARGEST_LIST:
            names = self._space.names
            return encode(self._space, [dict(zip(names, values, strict=True)) for values in product(*lists)])
        return encode(self._space, self._space.sample(N_CANDIDATES, self._rng))


def open_peer(space: Space, seed: int) -> GpCam:
    """Return the planner."""
    return GpCam(space, seed)

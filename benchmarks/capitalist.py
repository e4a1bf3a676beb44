"""The mobile chemist's own way of choosing batches, after its published configuration: the baseline it was built with.

Burger et al., Nature 583, 237 (2020), doi 10.1038/s41586-020-2442-2: a Gaussian process with a Matern-5/2 kernel, one
length per ingredient and no priors but bounds; random batches first; then every slot of a batch is a market of its own
with an upper confidence bound, mean + kappa sd, whose kappa is drawn from an exponential distribution.

It differs in three ways: the mean is a constant that is fitted and not zero; eight starts of the fit and not a hundred;
and a market's best point is climbed to on the grid from uniform recipes, where theirs was found by SLSQP and rounded.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize

from planner import Observation, SearchSpace
from planner.optimise import best_row
from planner.proposal import Value
from surrogate.matern_gp import GP, Kernel
from surrogate.matern_gp_fit import LogPosterior

RANDOM_BATCHES = 2
MEAN_KAPPA = 2.5
_LENGTHS, _SCALE, _NOISE = (0.1, 1e4), (0.5, 5.0), (0.05, 0.7)
"""Bounds, in the ingredients' units, and of the values' variances."""
_STARTS = 8
_MOST_AT_FIRST = 10.0
"""Length at which a fit may start: beyond it an ingredient does not matter."""
_CANDIDATES = 5000


class _Likelihood(LogPosterior):
    """Without priors."""

    def _prior(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        return 0.0, np.zeros_like(theta)


class Capitalist:
    """Chooses batches as the robot did.

    Args:
        space: The recipes.
        target: What is maximised.
        seed: Of its chance.
    """

    def __init__(self, space: SearchSpace, target: str, seed: int) -> None:
        self._space, self._target = space, target
        self._rng = np.random.default_rng([seed, 1])
        self._steps = np.array([float(np.min(np.diff(grid))) for grid in space.region.grids if grid is not None])
        self._observations: list[Observation] = []
        self._taken: set[bytes] = set()
        self._asks = 0

    def ask(self, n: int) -> list[dict[str, Value]]:
        """Return n recipes, none of which was proposed before."""
        self._asks += 1
        gp = self._fitted() if self._asks > RANDOM_BATCHES else None
        chosen = []
        for kappa in self._rng.exponential(MEAN_KAPPA, n):
            candidates = self._space.sample_rows(1 if gp is None else _CANDIDATES, self._rng)

            def bound(rows: np.ndarray, kappa: float = kappa) -> np.ndarray:
                if gp is None:
                    return np.zeros(len(rows))
                mean, sd = gp.posterior(rows)
                return mean + kappa * sd

            row = best_row(self._space, bound, candidates, self._taken, self._rng)
            if row is not None:
                chosen.append(row)
                self._taken.update(self._space.keys(row[None]))
        return self._space.points(np.array(chosen))

    def tell(self, told: Sequence[Observation]) -> None:
        """Learn from results; what is missing is left out."""
        self._observations += [one for one in told if one.failure is None]

    def believed(self) -> dict[str, Value]:
        """Return the measured recipe with the greatest mean."""
        gp = self._fitted()
        return self._space.points(gp.X[[np.argmax(gp.posterior(gp.X)[0])]])[0]

    def _fitted(self) -> GP:
        rows = self._space.rows([one.parameters for one in self._observations])
        y = np.array([one.values[self._target] for one in self._observations])
        likelihood = _Likelihood(rows, y, None)
        bounds = np.log([*([_LENGTHS] * rows.shape[1]), _SCALE, _NOISE])
        low, high = bounds.T[0], np.minimum(bounds.T[1], np.log(_MOST_AT_FIRST))
        others = self._rng.uniform(low, high, (_STARTS - 1, len(bounds)))
        starts = [np.log([*self._steps, 1.0, 0.1]), *others]

        def downhill(theta: np.ndarray) -> tuple[float, np.ndarray]:
            value, slopes = likelihood(theta)
            return -value, -slopes

        found = [minimize(downhill, np.clip(s, *bounds.T), jac=True, method="L-BFGS-B", bounds=bounds) for s in starts]
        theta = min(found, key=lambda one: one.fun).x
        kernel = Kernel(np.exp(theta[:-2]), float(np.exp(theta[-2])))
        return GP(
            kernel=kernel, mean=likelihood.mean(theta), X=rows, y=y, noise=np.full(len(y), float(np.exp(theta[-1])))
        )

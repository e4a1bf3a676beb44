"""Gaussian processes of results that were measured beside where they were wanted.

To first order, an error e of the inputs moves a result by the slope of the function times e. So the noise of a result
grows by the squared slopes of the posterior mean times the variances of its inputs, and the process is fitted again:
twice, as the slopes follow from it (McHutchon and Rasmussen, Gaussian process training with input noise, NIPS 2011).
Where the function is steep results then count less, and what is foretold there is told to scatter more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surrogate.input_noise import InputNoise
from surrogate.matern_gp import GP, fit_gp
from surrogate.matern_gp_fit import MOST_EVALUATIONS, Hyperparameters

_PASSES = 2
_SQRT5 = 5.0**0.5


@dataclass(frozen=True)
class InputNoiseGP(GP):
    """A process whose inputs are noisy; what is conditioned on it has had its noise widened already."""

    inputs: InputNoise | None = None
    own_noise: float = 0.0
    """Variance of one more measurement whose inputs are exact."""

    def noise_at(self, points: np.ndarray) -> np.ndarray:
        """Return the variance of one more measurement at each of points (`m x d`), that of its inputs included, `m`."""
        return self.own_noise + _widening(self, self.inputs, points)


def fit_input_noise(
    X: np.ndarray,
    y: np.ndarray,
    noise: np.ndarray | None,
    inputs: InputNoise,
    *,
    like: Hyperparameters | None = None,
    evaluations: int = MOST_EVALUATIONS,
) -> InputNoiseGP:
    """Fit a process to results with noisy inputs; arguments are those of `surrogate.matern_gp.fit_gp`.

    inputs: how noisy, in the units of X.
    """
    gp, extra = fit_gp(X, y, noise, like=like, evaluations=evaluations), np.zeros(len(y))
    for _ in range(_PASSES):
        extra = _widening(gp, inputs, X)
        gp = fit_gp(X, y, noise, like=gp.hyperparameters, evaluations=evaluations, extra=extra)
    return InputNoiseGP(
        kernel=gp.kernel,
        mean=gp.mean,
        X=gp.X,
        y=gp.y,
        noise=gp.noise,
        hyperparameters=gp.hyperparameters,
        inputs=inputs,
        own_noise=float(np.median(gp.noise - extra)),
    )


def _widening(gp: GP, inputs: InputNoise | None, points: np.ndarray) -> np.ndarray:
    """Return what noisy inputs add to the variance of a result at points (`m x d`), `m`."""
    if inputs is None:
        return np.zeros(len(points))
    return np.einsum("ij,ij->i", mean_slopes(gp, points) ** 2, inputs.variances(points))


def mean_slopes(gp: GP, points: np.ndarray) -> np.ndarray:
    """Return the slopes of the posterior mean at points (`m x d`), `m x d`."""
    there, known, found = points / gp.kernel.lengths, gp.X / gp.kernel.lengths, np.empty(points.shape)
    squares = np.zeros((len(points), len(gp.X)))
    for column in range(points.shape[1]):  # one after another: all at once would take d times the memory
        squares += (there[:, column, None] - known[:, column]) ** 2
    r = _SQRT5 * np.sqrt(squares)
    steep = -(5.0 / 3.0) * gp.kernel.scale * (1.0 + r) * np.exp(-r) * gp.weights
    for column in range(points.shape[1]):
        off = there[:, column, None] - known[:, column]
        found[:, column] = np.einsum("ij,ij->i", steep, off) / gp.kernel.lengths[column]
    return found

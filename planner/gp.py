"""Exact Gaussian processes at laboratory size (up to some hundred observations), in the unit cube.

Hyperparameters are fitted by BoTorch (`SingleTaskGP`, maximum a posteriori, float64, one thread); predictions and
samples are a few lines of linear algebra on numpy arrays, because at this size the cost of a prediction through an
autograd library is its overhead. The kernel is Matern-5/2 with one length per column, whose prior grows with the
square root of the dimension (Hvarfner et al., ICML 2024, arXiv 2402.02229).
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.linalg import cho_solve, solve_triangular

from surrogate.gp import factor

logger = logging.getLogger(__name__)

_MOST_FITTED = 300
"""Hyperparameters are fitted to at most so many points, spread evenly over the data; predictions use all."""

_FEWEST_FITTED = 4
"""Below this many points hyperparameters stay at their priors' centres."""

_LEAST_NOISE = 1e-6
"""Least variance of a value whose noise is given, in units of the spread of all values."""

_SQRT5 = 5.0**0.5


@dataclass(frozen=True)
class Kernel:
    """`scale * Matern-5/2(|(x - x') / lengths|)`."""

    lengths: np.ndarray
    scale: float

    def __call__(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Return covariances (`n x m`) between points (`n x d`, `m x d`)."""
        a, b = left / self.lengths, right / self.lengths
        squared = np.sum(a * a, axis=1)[:, None] + np.sum(b * b, axis=1)[None, :] - 2.0 * (a @ b.T)
        r = _SQRT5 * np.sqrt(np.maximum(squared, 0.0))
        return self.scale * (1.0 + r + r * r / 3.0) * np.exp(-r)


@dataclass(frozen=True)
class GP:
    """A Gaussian process conditioned on data."""

    kernel: Kernel
    mean: float
    X: np.ndarray
    """Where was measured, `n x d`."""
    y: np.ndarray
    noise: np.ndarray
    """Variance of each measurement, `n`."""

    @cached_property
    def _factor(self) -> np.ndarray:
        return factor(self.kernel(self.X, self.X) + np.diag(self.noise))

    @cached_property
    def _weights(self) -> np.ndarray:
        return cho_solve((self._factor, True), self.y - self.mean)

    def posterior(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation (`m` each) of the noiseless function at points (`m x d`)."""
        cross = self.kernel(points, self.X)
        half = solve_triangular(self._factor, cross.T, lower=True)
        variance = self.kernel.scale - np.sum(half * half, axis=0)
        return self.mean + cross @ self._weights, np.sqrt(np.maximum(variance, 1e-12 * self.kernel.scale))

    def joint(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean (`m`) and covariance (`m x m`) of the noiseless function at points (`m x d`)."""
        return self.posterior(points)[0], self.covariance(points, points)

    def covariance(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Return posterior covariances (`l x r`) of the noiseless function between points (`l x d`, `r x d`)."""
        halves = [solve_triangular(self._factor, self.kernel(self.X, side), lower=True) for side in (left, right)]
        return self.kernel(left, right) - halves[0].T @ halves[1]

    def negated(self) -> GP:
        """Return the process of the same function upside down."""
        return GP(kernel=self.kernel, mean=-self.mean, X=self.X, y=-self.y, noise=self.noise)

    def with_pending(self, points: np.ndarray) -> GP:
        """Return the process as if points (`m x d`) had been measured at their means, with the typical noise."""
        mean, _ = self.posterior(points)
        return GP(
            kernel=self.kernel,
            mean=self.mean,
            X=np.vstack([self.X, points]),
            y=np.concatenate([self.y, mean]),
            noise=np.concatenate([self.noise, np.full(len(points), np.median(self.noise))]),
        )

    @cached_property
    def evidence(self) -> float:
        """Logarithm of the marginal likelihood."""
        half = solve_triangular(self._factor, self.y - self.mean, lower=True)
        n = len(self.y)
        return float(-0.5 * half @ half - np.log(np.diag(self._factor)).sum() - 0.5 * n * np.log(2.0 * np.pi))


def fit_gp(X: np.ndarray, y: np.ndarray, noise: np.ndarray | None) -> GP:
    """Fit a Gaussian process.

    Args:
        X: Where was measured, `n x d`, in or near the unit cube.
        y: What came back, `n`, of mean about 0 and deviation about 1.
        noise: Variance of each value, `n`; None where it is unknown and to be inferred.
    """
    known = None if noise is None else np.maximum(noise, _LEAST_NOISE)
    found = None
    if len(y) >= _FEWEST_FITTED:
        found = _search(_thinned(X), _thinned(y), None if known is None else _thinned(known))
    kernel, mean, inferred = found or (Kernel(np.full(X.shape[1], 0.5 * X.shape[1] ** 0.5), 1.0), 0.0, 0.02)
    return GP(kernel=kernel, mean=mean, X=X, y=y, noise=np.full(len(y), inferred) if known is None else known)


def _search(X: np.ndarray, y: np.ndarray, noise: np.ndarray | None) -> tuple[Kernel, float, float] | None:
    """Return the kernel, the constant mean and the noise variance that are most probable; None if none was found."""
    import torch
    from botorch.exceptions.errors import ModelFittingError
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import SingleTaskGP
    from gpytorch.mlls import ExactMarginalLogLikelihood

    with quiet_torch():
        model = SingleTaskGP(
            torch.as_tensor(X),
            torch.as_tensor(y)[:, None],
            None if noise is None else torch.as_tensor(noise)[:, None],
            likelihood=_likelihood() if noise is None else None,
            covar_module=_covariance(X.shape[1]),
            outcome_transform=None,
        )
        try:
            fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        except ModelFittingError as error:
            logger.warning("gp.fit_failed n=%d d=%d reason=%s; predicting from the prior", *X.shape, error)
            return None
        covariance, likelihood, mean = model.covar_module, model.likelihood, model.mean_module
        with torch.no_grad():
            lengths = covariance.base_kernel.lengthscale.numpy().ravel().copy()  # type: ignore[union-attr]
            kernel = Kernel(lengths, float(covariance.outputscale))  # type: ignore[arg-type]
            return kernel, float(mean.constant), float(likelihood.noise.mean())  # type: ignore[arg-type,union-attr]


def _thinned(data: np.ndarray) -> np.ndarray:
    if len(data) <= _MOST_FITTED:
        return data
    return data[np.linspace(0, len(data) - 1, _MOST_FITTED).round().astype(int)]


@contextmanager
def quiet_torch() -> Iterator[None]:
    """Run torch on one thread, from a fixed state of chance, and leave both as they were found.

    One thread, because sums then have one order and the same data give the same fit on every machine.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.manual_seed(0)
            yield
    finally:
        torch.set_num_threads(threads)


def _covariance(d: int) -> Any:
    from gpytorch.kernels import MaternKernel, ScaleKernel
    from gpytorch.priors import GammaPrior, LogNormalPrior

    base = MaternKernel(
        nu=2.5,
        ard_num_dims=d,
        lengthscale_prior=LogNormalPrior(2.0**0.5 + 0.5 * np.log(d), 3.0**0.5),
        lengthscale_constraint=_positive(1e-4, start=1.0),
    )
    return ScaleKernel(base, outputscale_prior=GammaPrior(2.0, 0.15), outputscale_constraint=_positive(1e-6, start=1.0))


def _likelihood() -> Any:
    from gpytorch.likelihoods import GaussianLikelihood
    from gpytorch.priors import LogNormalPrior

    return GaussianLikelihood(noise_prior=LogNormalPrior(-4.0, 1.0), noise_constraint=_positive(1e-5, start=0.02))


def _positive(least: float, *, start: float) -> Any:
    """Return a bound for a scale that is searched in logarithm: a fifteenth of the steps that a linear search takes."""
    import torch
    from gpytorch.constraints import GreaterThan

    return GreaterThan(least, transform=torch.exp, inv_transform=torch.log, initial_value=start)  # type: ignore[arg-type]

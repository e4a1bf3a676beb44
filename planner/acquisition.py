"""What a point is worth: expected improvement over noisy data, in logarithm.

Noisy expected improvement (Letham et al., Bayesian Analysis 14, 495 (2019), doi 10.1214/18-BA1110, eq. 5) averages
over what the noiseless values at all measured and pending points may be; the best of them is the incumbent of that
draw. Given a draw, the improvement has the closed form of Ament et al., NeurIPS 2023, arXiv 2310.20708, eq. 9, whose
logarithm stays finite where the improvement underflows. A batch is chosen one by one: each choice gets, in every draw,
a value of its own, which is what the joint improvement of a batch asks for.

Several objectives are joined, for each choice anew, by a random augmented Chebyshev scalarisation (ParEGO, Knowles,
IEEE Trans. Evol. Comput. 10, 50 (2006), doi 10.1109/TEVC.2005.851274, eq. 2; with noise as in qNParEGO, Daulton et
al., NeurIPS 2020, arXiv 2006.05078): over many choices the weights sweep the whole trade-off.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from scipy.linalg import cho_solve, solve_triangular
from scipy.special import erfcx, ndtr

from planner.goals import Goal, Upwards
from planner.models import TargetModel
from surrogate.gp import factor
from surrogate.matern_gp import GP

if TYPE_CHECKING:
    from planner.limits import Eligible

_LOG_SQRT_2PI = 0.5 * np.log(2.0 * np.pi)
_HALF_LOG_HALF_PI = 0.5 * np.log(0.5 * np.pi)
_FAR = -1e6
_JITTER = 1e-8
_AUGMENTATION = 0.05
SMOOTHING = 0.02
"""Width of the soft edge of an improvement, in units of the spread of the front; keeps its logarithm finite."""


class Acquisition(Protocol):
    """What points are worth, given those already chosen."""

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Return the score of encoded points (`n x d`), `n`."""
        ...

    def add(self, point: np.ndarray, rng: np.random.Generator) -> None:
        """Take a chosen point (`d`) as pending."""
        ...


class Draws:
    """Draws of a function's noiseless values at measured and pending points, and the posterior given each draw.

    Args:
        gp: What is known.
        points: Every measured point of the process, and pending ones, `m x d`, each once.
        n_draws: How many.
        rng: Where the draws come from.
    """

    def __init__(self, gp: GP, points: np.ndarray, *, n_draws: int, rng: np.random.Generator) -> None:
        self._gp = gp
        self._points = points
        mean, covariance = gp.joint(points)
        root = factor(covariance + np.eye(len(points)) * _JITTER * gp.kernel.scale)
        self.values = mean[:, None] + root @ rng.standard_normal((len(points), n_draws))
        """Drawn values, `m x draws`."""
        self._condition()

    def _condition(self) -> None:
        kernel = self._gp.kernel
        self._factor = factor(kernel(self._points, self._points) + np.eye(len(self._points)) * _JITTER * kernel.scale)
        self._weights = cho_solve((self._factor, True), self.values - self._gp.mean, check_finite=False)
        eye = np.eye(len(self._points))
        self._whitener = solve_triangular(self._factor, eye, lower=True, check_finite=False).T

    def posterior(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean (`n x draws`) and standard deviation (`n`) at points (`n x d`), given each draw."""
        kernel = self._gp.kernel
        cross = kernel(points, self._points)
        half = cross @ self._whitener
        variance = kernel.scale - np.einsum("ij,ij->i", half, half)
        return self._gp.mean + cross @ self._weights, np.sqrt(np.maximum(variance, 1e-10 * kernel.scale))

    def add(self, point: np.ndarray, rng: np.random.Generator) -> None:
        """Draw values at one more point (`d`)."""
        mean, sd = self.posterior(point[None])
        values = mean[0] + sd[0] * rng.standard_normal(mean.shape[1])
        self._points = np.vstack([self._points, point])
        self.values = np.vstack([self.values, values])
        self._condition()


class NoisyLogEI:
    """Logarithm of the noisy expected improvement of a maximum; under limits, times the chance of keeping to them."""

    def __init__(
        self, gp: GP, points: np.ndarray, *, n_draws: int, rng: np.random.Generator, limits: Eligible | None = None
    ) -> None:
        self._draws = Draws(gp, points, n_draws=n_draws, rng=rng)
        self._limits = limits
        self.noise_sd = float(np.sqrt(gp.typical_noise))
        """Of one measurement, in the unit that the score is the logarithm of."""

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Return the score of points (`n x d`), `n`."""
        mean, sd = self._draws.posterior(points)
        scores = log_h((mean - incumbent(self._draws.values, self._limits)) / sd[:, None])
        if self._limits is not None:
            scores = scores + self._limits.log_chance(points)
        return log_mean(scores) + np.log(sd)

    def add(self, point: np.ndarray, rng: np.random.Generator) -> None:
        """Take a chosen point (`d`) as pending: it gets a value in every draw."""
        self._draws.add(point, rng)
        if self._limits is not None:
            self._limits.add(point, rng)


class NoisyLogParEGO:
    """Logarithm of the expected improvement of a random compromise between several goals.

    Args:
        gps: What is known, one for each objective.
        points: Every measured point of every process, and pending ones, `m x d`, each once.
        n_draws: How many draws of the noiseless values the improvement is averaged over.
        rng: Where draws and compromises come from.
        goals: What is wanted of each process; more, where left out.
        limits: What results must keep to besides.
    """

    def __init__(
        self,
        gps: Sequence[GP],
        points: np.ndarray,
        *,
        n_draws: int,
        rng: np.random.Generator,
        goals: Sequence[Goal] | None = None,
        limits: Eligible | None = None,
    ) -> None:
        self._draws = [Draws(gp, points, n_draws=n_draws, rng=rng) for gp in gps]
        self._goals = [Upwards() for _ in gps] if goals is None else goals
        self._limits = limits
        self._choose_compromise(rng)

    def _choose_compromise(self, rng: np.random.Generator) -> None:
        pairs = zip(self._draws, self._goals, strict=True)
        values = np.stack([goal.merit(draws.values) for draws, goal in pairs])
        means = values.mean(axis=2)
        self._low, high = means.min(axis=1), means.max(axis=1)
        self._span = np.where(high > self._low, high - self._low, 1.0)
        self._weights = rng.dirichlet(np.ones(len(self._draws)))
        self._noise = rng.standard_normal(values.shape[::2])
        self._best = incumbent(self._compromise(values), self._limits)

    def _compromise(self, values: np.ndarray) -> np.ndarray:
        """Join values (`objectives x n x draws`) into one (`n x draws`), greater is better."""
        shape = (-1, 1, 1)
        weighted = (values - self._low.reshape(shape)) / self._span.reshape(shape) * self._weights.reshape(shape)
        return weighted.min(axis=0) + _AUGMENTATION * weighted.sum(axis=0)

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Return the score of points (`n x d`), `n`."""
        values = []
        for draws, noise, goal in zip(self._draws, self._noise, self._goals, strict=True):
            mean, sd = draws.posterior(points)
            values.append(goal.merit(mean + sd[:, None] * noise))
        scores = log_gain((self._compromise(np.stack(values)) - self._best) / SMOOTHING)
        if self._limits is not None:
            scores = scores + self._limits.log_chance(points)
        return log_mean(scores)

    def add(self, point: np.ndarray, rng: np.random.Generator) -> None:
        """Take a chosen point (`d`) as pending, and choose the next compromise."""
        for draws in self._draws:
            draws.add(point, rng)
        if self._limits is not None:
            self._limits.add(point, rng)
        self._choose_compromise(rng)


class TotalUncertainty:
    """Logarithm of the standard deviation of targets, each in units of its own average, added up."""

    def __init__(self, models: Sequence[TargetModel], pending: np.ndarray) -> None:
        self._scales = [model.scale for model in models]
        self._gps = [model.gp.with_pending(pending) if len(pending) else model.gp for model in models]

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Return the score of points (`n x d`), `n`."""
        total = np.zeros(len(points))
        for scale, gp in zip(self._scales, self._gps, strict=True):
            _, sd = scale.moments(*gp.posterior(points))
            total += sd / scale.typical
        return np.log(np.maximum(total, 1e-300))

    def add(self, point: np.ndarray, rng: np.random.Generator) -> None:
        """Take a chosen point (`d`) as pending: it will be known as well as any measured one."""
        del rng
        self._gps = [gp.with_pending(point[None]) for gp in self._gps]


class IntegratedVariance:
    """Logarithm of how much variance, summed over the space, a measurement removes (Cohn, NIPS 1993, eq. 12).

    Uncertainty alone sends measurements to the border, where they tell least about the rest.
    """

    def __init__(self, models: Sequence[TargetModel], pending: np.ndarray, everywhere: np.ndarray) -> None:
        self._gps = [model.gp.with_pending(pending) if len(pending) else model.gp for model in models]
        self._everywhere = everywhere
        self._told = [gp.whitened(everywhere) for gp in self._gps]

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Return the score of points (`n x d`), `n`."""
        total = np.zeros(len(points))
        for gp, told in zip(self._gps, self._told, strict=True):
            half = gp.whitened(points)
            shared = gp.kernel(points, self._everywhere) - half.T @ told
            variance = np.maximum(gp.kernel.scale - np.einsum("ij,ij->j", half, half), 1e-12 * gp.kernel.scale)
            total += np.einsum("ij,ij->i", shared, shared) / (variance + gp.noise_at(points))
        return np.log(np.maximum(total / len(self._everywhere), 1e-300))

    def add(self, point: np.ndarray, rng: np.random.Generator) -> None:
        """Take a chosen point (`d`) as pending: it will be known as well as any measured one."""
        del rng
        self._gps = [gp.with_pending(point[None]) for gp in self._gps]
        self._told = [gp.whitened(self._everywhere) for gp in self._gps]


def incumbent(merits: np.ndarray, limits: Eligible | None) -> np.ndarray:
    """Return the greatest merit (`draws`) among points that keep to the limits, of merits `m x draws`.

    Where none does in a draw, the least of all is its incumbent, so that the chance of keeping to the limits leads.
    """
    if limits is None:
        return merits.max(axis=0)
    best = np.where(limits.kept(), merits, -np.inf).max(axis=0)
    return np.where(np.isfinite(best), best, merits.min(axis=0))


def log_gain(gain: np.ndarray) -> np.ndarray:
    """Return log(log(1 + exp(gain))): the logarithm of a gain with a soft edge, in units of that edge."""
    return np.where(
        gain > 0,
        np.log(np.maximum(gain, 0.0) + np.log1p(np.exp(-np.minimum(np.abs(gain), 700.0)))),
        _log_softplus(gain),
    )


def _log_softplus(x: np.ndarray) -> np.ndarray:
    """Return log(log(1 + exp(x))) for x <= 0, where it tends to x."""
    below = np.minimum(x, 0.0)
    return np.where(below < -30.0, below, np.log(np.log1p(np.exp(np.maximum(below, -30.0)))))


def log_h(u: np.ndarray) -> np.ndarray:
    """Return log(phi(u) + u Phi(u)) without underflow; arXiv 2310.20708, eq. 9."""
    found, is_near = np.empty(np.shape(u)), u > -1.0
    near = u[is_near]
    found[is_near] = np.log(np.exp(-0.5 * near * near - _LOG_SQRT_2PI) + near * ndtr(near))
    found[~is_near] = _log_h_below(u[~is_near])
    return found


def _log_h_below(u: np.ndarray) -> np.ndarray:
    far = np.maximum(u, _FAR)
    ratio = np.log(erfcx(-far / 2.0**0.5) * -far) + _HALF_LOG_HALF_PI
    tail = -0.5 * far * far - _LOG_SQRT_2PI + np.log(-np.expm1(np.minimum(ratio, -1e-300)))
    if not np.any(u <= _FAR):
        return tail
    return np.where(u > _FAR, tail, -0.5 * u * u - _LOG_SQRT_2PI - 2.0 * np.log(-u))


def log_mean(scores: np.ndarray) -> np.ndarray:
    """Return the logarithm of the mean of what scores (`n x draws`) are logarithms of, `n`."""
    most = np.max(scores, axis=1, keepdims=True)
    most = np.where(np.isfinite(most), most, 0.0)
    with np.errstate(divide="ignore"):  # all of them may be the logarithm of nothing
        return np.log(np.mean(np.exp(scores - most), axis=1)) + most[:, 0]

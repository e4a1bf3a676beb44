"""The default surrogate of a planner: one Gaussian process per target, on the scale that explains the data best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planner.errors import NotEnoughData
from planner.proposal import Observation
from planner.space import SearchSpace
from planner.transforms import TargetScale, knees_to_try
from surrogate.input_noise import InputNoise
from surrogate.input_noise_gp import fit_input_noise
from surrogate.matern_gp import GP, fit_gp
from surrogate.matern_gp_fit import MOST_EVALUATIONS, Hyperparameters

_MANY, _SOME = 120, 80
"""Of more values than the first so many choose the scale."""
_FEW_EVALUATIONS = 12
"""Of the posterior, for a scale that is compared: on data of tuning problems they tell the best scale as well as a
search to the end, at half of its cost (benchmarks/README.md)."""
_MOST_NOISE = 1e6
"""Spreads of the values: noise beyond it says as little."""
_FARTHEST = 100.0
"""Widths of the space, from which on results are as far away as any."""
_FITTED = 4.0
"""Variance that fitted hyperparameters add to a prediction, times their number over that of the values: fitted to
one-step-ahead errors on tuning problems, where 90 % intervals then hold 90 % (benchmarks/planner_calibration.py)."""


@dataclass(frozen=True, slots=True)
class TargetModel:
    """A Gaussian process of one target, and the scale that it lives on."""

    scale: TargetScale
    gp: GP

    def predict(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation (`n` each) of the noiseless target at encoded points (`n x d`).

        The process takes its hyperparameters for true, and points are chosen where it errs upwards; so what is said is
        wider than what it believes, the more so the fewer values there are for each hyperparameter (`_FITTED`).
        """
        mean, sd = self.gp.posterior(codes)
        return self.scale.moments(mean, sd * np.sqrt(widening(self.gp)))

    def forecast(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation (`n` each) of a value measured once at encoded points, noise included."""
        mean, sd = self.gp.posterior(codes)
        variance = sd**2 * widening(self.gp) + self.gp.noise_at(codes)
        return self.scale.moments(mean, np.sqrt(variance))


def widening(gp: GP) -> float:
    """Return what variances are multiplied by where something is said of them, see `TargetModel.predict`."""
    n, d = gp.fitted_to
    return 1.0 + _FITTED * (d + 3) / n


@dataclass(frozen=True, slots=True)
class TargetData:
    """What is known of one target."""

    codes: np.ndarray
    """Encoded points, `n x d`."""
    values: np.ndarray
    noise: np.ndarray | None
    """Standard deviation of each value, or None where not one is known."""
    inputs: InputNoise | None = None
    """How far what is achieved lies from what is asked for; None where that is exact."""

    def thinned(self, n: int) -> TargetData:
        """Return n of the values, spread evenly over all."""
        return self.only(np.linspace(0, len(self.values) - 1, n).round().astype(int))

    def only(self, some: np.ndarray) -> TargetData:
        """Return the values at places (`m`)."""
        noise = None if self.noise is None else self.noise[some]
        return TargetData(codes=self.codes[some], values=self.values[some], noise=noise, inputs=self.inputs)

    def without(self, some: np.ndarray) -> TargetData:
        """Return the values but for those at places (`m`)."""
        return self.only(np.setdiff1d(np.arange(len(self.values)), some))


def target_data(space: SearchSpace, observations: Sequence[Observation], target: str) -> TargetData:
    """Gather the values of a target.

    Where some values have a known noise and others have none, the others get the median of the known.
    """
    told = [observation for observation in observations if observation.failure is None and target in observation.values]
    noise = np.array([observation.noise.get(target, np.nan) for observation in told])
    known = np.isfinite(noise)
    codes = space.encode([observation.parameters for observation in told]) if told else np.empty((0, space.width))
    return TargetData(
        codes=np.clip(codes, -_FARTHEST, _FARTHEST),
        values=np.array([observation.values[target] for observation in told], dtype=float),
        noise=np.where(known, noise, np.median(noise[known])) if known.any() else None,
        inputs=space.input_noise,
    )


def fit_target(data: TargetData, target: str) -> TargetModel:
    """Fit one target; among scales, the one with the greatest evidence (in the target's own unit) wins.

    Raises:
        NotEnoughData: There is no value.
    """
    if not len(data.values):
        raise NotEnoughData(f"nothing was measured of target {target!r} yet; tell at least one value before predicting")
    knees = knees_to_try(data.values)
    if len(knees) == 1:
        return fit_on(TargetScale.of(data.values, knees[0]), data, None)
    if len(data.values) <= _MANY:
        return _best_of(knees, data)
    # which scale is best, some of the data tell as well as all, at a tenth of the cost
    found = _best_of(knees, data.thinned(_SOME))
    return fit_on(TargetScale.of(data.values, found.scale.knee), data, found.gp.hyperparameters)


def _best_of(knees: Sequence[float | None], data: TargetData) -> TargetModel:
    plain = fit_on(TargetScale.of(data.values, knees[0]), data, None)
    like = plain.gp.hyperparameters  # another scale moves the optimum little
    bent = [fit_on(TargetScale.of(data.values, knee), data, like, _FEW_EVALUATIONS) for knee in knees[1:]]
    best = max([plain, *bent], key=lambda fit: evidence(fit, data))
    return plain if best is plain else fit_on(best.scale, data, best.gp.hyperparameters)


def evidence(fit: TargetModel, data: TargetData) -> float:
    """Return the logarithm of the marginal likelihood in the target's own unit."""
    return fit.gp.evidence + steepness(fit.scale, data)


def steepness(scale: TargetScale, data: TargetData) -> float:
    """Return what makes evidence on a scale one in the target's own unit."""
    return float(np.sum(np.log(np.abs(scale.slope(data.values)))))


def scaled_noise(noise: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """Return variances (`n`) of values on a scale, given standard deviations in their unit, however large these are."""
    with np.errstate(over="ignore"):
        return np.minimum(noise * slopes, _MOST_NOISE) ** 2


def fit_on(
    scale: TargetScale, data: TargetData, like: Hyperparameters | None = None, evaluations: int = MOST_EVALUATIONS
) -> TargetModel:
    """Fit one target on a scale, from hyperparameters like these where some are given."""
    noise = None if data.noise is None else scaled_noise(data.noise, scale.slope(data.values))
    told, how = (data.codes, scale.forward(data.values), noise), {"like": like, "evaluations": evaluations}
    if data.inputs is None:
        return TargetModel(scale, fit_gp(*told, **how))
    return TargetModel(scale, fit_input_noise(*told, data.inputs, **how))

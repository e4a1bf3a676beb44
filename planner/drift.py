"""Slow drift of what measures or makes: a lamp that fades, a reagent that ages.

On the scale of a target's surrogate, a result of batch t reads `z = f(x) + h(x) d(t) + noise`. f is the surrogate's
Gaussian process, d the drift since the first batch and h what one unit of drift is worth at x: d is the logarithm of a
factor that multiplies results, or an offset that is added to them. It is nothing, a random walk, or one step: averaged
by their evidence, so that where nothing drifts (nearly) nothing is corrected. All of it is linear in d and has a closed
form (Rasmussen and Williams, Gaussian Processes for Machine Learning (2006), section 2.7).

Controls, the same recipe in every batch, tell most, for nothing but drift and noise changes them. But two controls of
9 % noise do not show that 15 % of the light is gone within three batches, at an honest rate of false alarms; every
other result, held against what the surrogate knows of its recipe, counts as far as that is known. Where controls by
themselves do not lean the same way there is no alarm.

The alarm tests for a step at any batch: the score of each step is standard normal where nothing drifts, and the p of
the greatest is its tail among draws of all scores together (a change point of unknown time: Hawkins, Qiu and Kang,
J. Qual. Technol. 35, 355 (2003), doi 10.1080/00224065.2003.11980233).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.linalg import cho_solve

from planner.models import TargetModel
from surrogate.gp import factor

Kind = Literal["factor", "offset"]

FEWEST_TIMES = 3
_MOST_TIMES = 100
_WALKS = (0.01, 0.02, 0.04, 0.08)
"""Standard deviations of what a walk adds from one time to the next."""
_STEP = 0.2
"""Standard deviation of a single step."""
_OFFSET = 2.0
"""Unit of an offset, in standard deviations of the results."""
_VAGUE = 100.0
"""Prior variance of the mean, in units of the scale of the process."""
_N_DRAWS = 40_000
_UNREMARKABLE = 2.0
_LEANS = 0.84
"""A score that one series in five has by chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Results have changed: a step, from one time on."""

    since: float
    """The first time after the step."""
    size: float
    """Of the step, in the drift's unit."""
    sd: float
    p: float
    """Probability of as much by chance, at this look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """How far results of each time stand from those of the first."""

    kind: Kind
    times: np.ndarray
    """`t`, rising."""
    mean: np.ndarray
    """Logarithm of the factor, or the offset in the target's unit, `t`; 0 at the first."""
    sd: np.ndarray
    """`t`"""
    alarm: Alarm | None = None

    def at(self, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation (`n` each) at times (`n`); beyond the last they stay what they were."""
        return np.interp(times, self.times, self.mean), np.interp(times, self.times, self.sd)

    def corrected(self, values: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return values (`n`) as the first time would have given them, and the deviations that this adds (`n`)."""
        mean, sd = self.at(times)
        if self.kind == "offset":
            return values - mean, sd
        right = values * np.exp(-mean)
        return right, np.abs(right) * sd

    def sentence(self, time: str) -> str:
        """Say what the alarm is about, as the end of a sentence that begins with the target.

        Args:
            time: What the times are: "batch", say.

        Raises:
            ValueError: There is no alarm.
        """
        alarm = self.alarm
        if alarm is None:
            raise ValueError("there is no alarm to speak of")
        factor = self.kind == "factor"
        size, sd = (
            (float(np.exp(alarm.size)), float(np.exp(alarm.size)) * alarm.sd) if factor else (alarm.size, alarm.sd)
        )
        by = f"is {size:.2f} +- {sd:.2f} times" if factor else f"is shifted by {size:+.3g} +- {sd:.2g} from"
        return f"{by} what it was before {time} {alarm.since:g} (p = {alarm.p:.1g})"


def find_drift(
    model: TargetModel,
    times: np.ndarray,
    *,
    controls: np.ndarray | None = None,
    kind: Kind = "factor",
    false_alarms: float = 0.001,
) -> Drift | None:
    """Estimate the drift of the results that a model was fitted to, and test whether there is any.

    Args:
        model: Fitted to all results, uncorrected.
        times: When each of these was measured, `n`: numbers of batches, or seconds.
        controls: Which of them are controls (`n`, bool); an alarm needs their consent where there are any.
        kind: Whether the drift multiplies results or is added to them.
        false_alarms: p below which a look raises the alarm.

    Returns:
        None where fewer than three different times are told.
    """
    times = _binned(times)
    known = np.unique(times)
    if len(known) < FEWEST_TIMES:
        return None
    unit = 1.0 if kind == "factor" else _OFFSET * model.scale.typical
    design = _effects(model, kind, unit)[:, None] * (times[:, None] == known[None, 1:])
    told, score = _information(model, design, np.ones(len(times), dtype=bool))
    mean, sd = _posterior(told, score, np.diff(known))
    alarm = _test(told, score, known, false_alarms)
    if alarm is not None and controls is not None and not _consent(model, design, controls, known, alarm):
        alarm = None
    if alarm is not None:
        alarm = replace(alarm, size=unit * alarm.size, sd=unit * alarm.sd)
    return Drift(kind=kind, times=known, mean=unit * mean, sd=unit * sd, alarm=alarm)


def _binned(times: np.ndarray) -> np.ndarray:
    """Return times of which at most a hundred are different: neighbours share their median."""
    if len(np.unique(times)) <= _MOST_TIMES:
        return times
    edges = np.unique(np.quantile(times, np.linspace(0.0, 1.0, _MOST_TIMES + 1)[1:-1]))
    bins = np.searchsorted(edges, times, side="right")
    return np.array([np.median(times[bins == one]) for one in bins])


def _effects(model: TargetModel, kind: Kind, unit: float) -> np.ndarray:
    """Return what one unit of drift does to each result on the model's scale, `n`, by its noiseless value."""
    smooth = model.scale.inverse(model.gp.posterior(model.gp.X)[0])
    return model.scale.slope(smooth) * (smooth if kind == "factor" else unit)


def _information(model: TargetModel, design: np.ndarray, used: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what some results (`n`, bool) say of the drift at each time but the first: precision, `m x m`, and score.

    design: what one unit of drift at each time does to each result, `n x m`.
    """
    gp, design = model.gp, design[used]
    X, off = gp.X[used], (gp.y - gp.mean)[used]
    covariance = gp.kernel(X, X) + np.diag(gp.noise[used]) + _VAGUE * gp.kernel.scale
    lower = (factor(covariance), True)
    solved, weights = cho_solve(lower, design), cho_solve(lower, off)
    # a surrogate that is too sure of itself must not raise alarms
    dispersion = max(float(off @ weights) / max(len(off) - 1, 1), 1.0)
    return design.T @ solved / dispersion, design.T @ weights / dispersion


def _consent(model: TargetModel, design: np.ndarray, controls: np.ndarray, known: np.ndarray, alarm: Alarm) -> bool:
    """Say whether controls alone lean the same way; yes where they are silent.

    A surrogate may be wrong about recipes, not about controls.
    """
    if not controls.any():
        return True
    told, score = _information(model, design, controls)
    after = known[1:] >= alarm.since
    precision = after @ told @ after
    return bool(precision <= 0 or np.sign(alarm.size) * (after @ score) >= _LEANS * np.sqrt(precision))


def _posterior(told: np.ndarray, score: np.ndarray, gaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of the drift at every time, averaged over what it may be, by evidence."""
    since = np.cumsum(gaps) / np.median(gaps)
    m = len(score)
    walk = np.minimum(since[:, None], since[None, :])
    after = np.triu(np.ones((m, m)))
    priors = [np.zeros((m, m)), *(step**2 * walk for step in _WALKS), *(_STEP**2 * np.outer(k, k) for k in after)]
    # nothing, a walk and a step are alike before anything was measured
    odds = np.concatenate([[1.0], np.full(len(_WALKS), 1.0 / len(_WALKS)), np.full(m, 1.0 / m)])
    evidence, means, variances = np.log(odds), [], []
    for number, prior in enumerate(priors):
        grown = np.eye(m) + prior @ told
        covariance = np.linalg.solve(grown, prior)
        means.append(covariance @ score)
        variances.append(np.maximum(np.diag(covariance), 0.0))
        evidence[number] += 0.5 * (score @ means[-1] - np.linalg.slogdet(grown)[1])
    weights = np.exp(evidence - evidence.max())
    weights /= weights.sum()
    centre = weights @ np.array(means)
    spread = weights @ (np.array(variances) + (np.array(means) - centre) ** 2)
    return np.concatenate([[0.0], centre]), np.concatenate([[0.0], np.sqrt(spread)])


def _test(told: np.ndarray, score: np.ndarray, known: np.ndarray, false_alarms: float) -> Alarm | None:
    """Test for a step before any time."""
    after = np.triu(np.ones_like(told))
    precision = after @ told @ after.T
    root = np.sqrt(np.maximum(np.diag(precision), 1e-300))
    scores = (after @ score) / root
    worst = int(np.argmax(np.abs(scores)))
    if abs(scores[worst]) < _UNREMARKABLE:
        return None
    lower = factor(precision / np.outer(root, root) + 1e-9 * np.eye(len(root)))
    draws = np.random.default_rng(0).standard_normal((_N_DRAWS, len(root))) @ lower.T
    p = float(np.mean(np.max(np.abs(draws), axis=1) >= abs(scores[worst])) + 1.0 / _N_DRAWS)
    if p >= false_alarms:
        return None
    return Alarm(since=float(known[worst + 1]), size=float(scores[worst] / root[worst]), sd=1.0 / root[worst], p=p)

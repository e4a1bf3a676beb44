"""From evidence to probabilities that are met as often as they say.

Laplace's evidence takes the model for true; it is not, and so it is too sure, the more so the larger the difference
is: what a model leaves out is alike at neighbouring points, and adds up. So sets are compared by a conditional logit
(McFadden, in Frontiers in Econometrics, 1974, p. 105) of three figures of each: the root of how far its evidence falls
behind the best one's, with a weight for each band of signal to noise, as temperatures have (Guo et al., ICML 2017,
arXiv 1706.04599); its number of phases; and the root of how far its phases had to bend, since most bend little and a
few far, which the evidence's normal priors do not know. Each counts otherwise where the model fits badly, for there
further phases are taken, and bent, to mend it; so the weights change with the logarithm of chi squared per step. Chi
squared per step, where it exceeds one, divides evidence before.

The probability that a phase is missing from the library is a logistic regression on what is left unexplained. All is
fitted by ``benchmarks/xrd_calibration.py`` on simulated patterns; a campaign may fit its own with `fitted`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

if TYPE_CHECKING:
    from surrogate.xrd.hypothesis import Hypothesis

Array = NDArray[np.floating[Any]]

BANDS = (75.0, 165.0)
"""Limits between bands, of the highest peak over its standard deviation of counting."""
USUAL = np.array([0.5] * (len(BANDS) + 1) + [0.0, 1.5, 0.5, 0.5, 0.0])
"""Weights of sets that few patterns would not change."""
USUAL_MISFIT = 0.85
"""Chi squared per step of a pattern that the model can describe; below one, since its error term is in there too."""
MISFITS = (0.5, 3.0)
"""What misfits are held between before their logarithm is taken; of a hundred patterns one lies above."""
LEAST_CASES = 30
"""Of a band; with fewer it takes the temperature of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sets:
    """What ``h`` phase sets that were tried come to."""

    log_evidence: Array
    """``h``, with the sets' priors."""
    n_phases: Array
    """``h``."""
    bending: Array
    """``h``: sums of squares of all strains and textures, in sds of their priors."""


def sets_of(hypotheses: Sequence[Hypothesis]) -> Sets:
    """Return what hypotheses come to."""
    return Sets(
        log_evidence=np.array([one.log_evidence for one in hypotheses]),
        n_phases=np.array([len(one.phases) for one in hypotheses], dtype=float),
        bending=np.array([one.bending for one in hypotheses]),
    )


def set_features(sets: Sets, signal_to_noise: float, misfit: float) -> Array:
    """Return ``h x f`` features that sets are compared by."""
    behind = np.sqrt((sets.log_evidence.max() - sets.log_evidence) / max(1.0, misfit))
    badly = float(np.log(np.clip(misfit, *MISFITS) / USUAL_MISFIT))
    bent = np.sqrt(sets.bending)
    by_band = np.zeros((len(behind), len(BANDS) + 1))
    by_band[:, int(np.searchsorted(BANDS, signal_to_noise))] = behind
    others = [behind * badly, sets.n_phases, sets.n_phases * badly, bent, bent * badly]
    return -np.column_stack([by_band, *others])


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How evidence becomes probability."""

    temperatures: tuple[float, ...]
    """What evidence is divided by where two models are compared while counts come in (`surrogate.xrd.adaptive`); one
    for each band, lowest signal to noise first."""
    set_weights: tuple[float, ...]
    """Of the features of a set: the root of its evidence's distance from the best, one weight for each band, and one
    for it times the logarithm of the misfit; its number of phases, and that times the same; the root of how far they
    had to bend, and that times the same."""
    unknown_weights: tuple[float, ...]
    """Of the features of `surrogate.xrd.residual`, after the constant."""
    made_by: Mapping[str, Any]
    """Command, seeds, number of patterns."""

    def temperature(self, signal_to_noise: float, misfit: float) -> float:
        """Return what logarithms of evidence are divided by."""
        band = int(np.searchsorted(BANDS, signal_to_noise))
        return self.temperatures[band] * max(1.0, misfit)

    def set_probabilities(self, sets: Sets, signal_to_noise: float, misfit: float) -> Array:
        """Return the probability of each of ``h`` sets among those that were tried."""
        logit = set_features(sets, signal_to_noise, misfit) @ np.array(self.set_weights)
        weights = np.exp(logit - logit.max())
        return weights / weights.sum()

    def unknown_probability(self, features: Sequence[float]) -> float:
        """Return the probability that a phase is there which the library lacks."""
        logit = self.unknown_weights[0] + float(np.dot(self.unknown_weights[1:], features))
        return float(1.0 / (1.0 + np.exp(-np.clip(logit, -30.0, 30.0))))


@cache
def shipped() -> Calibration:
    """Return the calibration that comes with the package."""
    stored = json.loads(files("surrogate.xrd").joinpath("calibration.json").read_text(encoding="utf-8"))
    return Calibration(
        temperatures=tuple(stored["temperatures"]),
        set_weights=tuple(stored["set_weights"]),
        unknown_weights=tuple(stored["unknown_weights"]),
        made_by=stored["made_by"],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A pattern whose truth is known, as calibration needs it."""

    sets: Sets
    """All ``h`` sets that were tried."""
    members: NDArray[np.bool_]
    """``h x p``: which phases are in which set."""
    truth: NDArray[np.bool_]
    """``p``."""
    signal_to_noise: float
    misfit: float
    has_unknown: bool
    importance: float = 1.0
    """How much it counts where weights are fitted."""


def fitted(cases: Sequence[Case]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Fit temperatures and weights of sets by the likelihood of phases.

    Only patterns count that the library can explain; of others the unknown phase's probability speaks. Where a kind of
    pattern is nearly always clear, its few failures would decide: give such patterns less `importance`.

    Returns:
        Temperatures and set weights of a `Calibration`.
    """
    known = [case for case in cases if not case.has_unknown]
    bands = np.searchsorted(BANDS, [case.signal_to_noise for case in known])
    whole = _best_temperature(known)
    temperatures = []
    for band in range(len(BANDS) + 1):
        some = [case for case, at in zip(known, bands, strict=True) if at == band]
        temperatures.append(_best_temperature(some) if len(some) >= LEAST_CASES else whole)
    return tuple(temperatures), _set_weights(known)


def fitted_unknown(features: Array, is_there: NDArray[np.bool_]) -> tuple[float, ...]:
    """Fit the weights of an unknown phase's features (``n x f``) to where one is there (``n``)."""
    ones = np.ones((len(features), 1))
    return tuple(_logistic(np.concatenate([ones, features], axis=1), is_there.astype(float)))


def phase_probabilities(case: Case, calibration: Calibration) -> Array:
    """Return ``p`` probabilities of phases."""
    return calibration.set_probabilities(case.sets, case.signal_to_noise, case.misfit) @ case.members


def _set_weights(cases: Sequence[Case], ridge: float = 0.05) -> tuple[float, ...]:
    features = [set_features(case.sets, case.signal_to_noise, case.misfit) for case in cases]

    def loss(weights: Array) -> tuple[float, Array]:
        centred = weights - USUAL
        total, slope = ridge * float(centred @ centred), 2.0 * ridge * centred
        for case, one in zip(cases, features, strict=True):
            logit = one @ weights
            p_set = np.exp(logit - logit.max())
            p_set /= p_set.sum()
            p = p_set @ case.members
            some = case.members.any(axis=0) | case.truth
            safe = np.clip(p, 1e-3, 1.0 - 1e-3)
            total -= case.importance * float(np.where(case.truth, np.log(safe), np.log1p(-safe))[some].sum())
            by_p = case.importance * np.where(case.truth, -1.0 / safe, 1.0 / (1.0 - safe)) * (some & (p == safe))
            by_set = case.members @ by_p
            slope = slope + one.T @ (p_set * (by_set - p_set @ by_set))
        return total, slope

    return tuple(float(w) for w in minimize(loss, USUAL, jac=True, method="L-BFGS-B").x)


def _tempered(case: Case, temperature: float) -> Array:
    log = case.sets.log_evidence / (temperature * max(1.0, case.misfit))
    weights = np.exp(log - log.max())
    return (weights / weights.sum()) @ case.members


def _best_temperature(cases: Sequence[Case]) -> float:
    def loss(log_temperature: float) -> float:
        total = 0.0
        for case in cases:
            p = np.clip(_tempered(case, float(np.exp(log_temperature))), 1e-3, 1.0 - 1e-3)
            # phases that nobody considered say nothing about temperature
            some = case.members.any(axis=0) | case.truth
            total -= float(np.where(case.truth, np.log(p), np.log1p(-p))[some].sum())
        return total

    grid = np.linspace(0.0, 5.0, 51)  # smooth enough that a finer one tells nothing
    return float(np.exp(grid[np.argmin([loss(float(at)) for at in grid])]))


def _logistic(features: Array, target: Array, ridge: float = 1e-2) -> list[float]:
    def loss(weights: Array) -> float:
        logit = features @ weights
        return float(np.logaddexp(0.0, logit).sum() - target @ logit + ridge * (weights[1:] ** 2).sum())

    return [float(w) for w in minimize(loss, np.zeros(features.shape[1]), method="L-BFGS-B").x]

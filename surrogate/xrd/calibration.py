"""From evidence to probabilities that are met as often as they say.

Laplace's evidence takes the model for true; it is not, and so it is too sure. Logarithms of evidence are divided by a
temperature (Guo et al., ICML 2017, arXiv 1706.04599), one for each band of signal to noise, and by chi squared per step
where that exceeds one: a set that does not fit cannot be surer than its misfit allows. The probability that a phase is
missing from the library is a logistic regression on what is left unexplained. Both are fitted by
``benchmarks/xrd_calibration.py`` on simulated patterns; a campaign may fit its own with `fitted`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Array = NDArray[np.floating[Any]]

BANDS = (75.0, 165.0)
"""Limits between bands, of the highest peak over its standard deviation of counting."""
LEAST_CASES = 30
"""Of a band; with fewer it takes the temperature of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How evidence becomes probability."""

    temperatures: tuple[float, ...]
    """One for each band, lowest signal to noise first."""
    unknown_weights: tuple[float, ...]
    """Of the features of `surrogate.xrd.residual`, after the constant."""
    made_by: Mapping[str, Any]
    """Command, seeds, number of patterns."""

    def temperature(self, signal_to_noise: float, misfit: float) -> float:
        """Return what logarithms of evidence are divided by."""
        band = int(np.searchsorted(BANDS, signal_to_noise))
        return self.temperatures[band] * max(1.0, misfit)

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
        unknown_weights=tuple(stored["unknown_weights"]),
        made_by=stored["made_by"],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A pattern whose truth is known, as calibration needs it."""

    log_evidence: Array
    """``h`` of all sets that were tried."""
    members: NDArray[np.bool_]
    """``h x p``: which phases are in which set."""
    truth: NDArray[np.bool_]
    """``p``."""
    signal_to_noise: float
    misfit: float
    features: tuple[float, ...]
    has_unknown: bool


def fitted(cases: Sequence[Case], *, made_by: Mapping[str, Any]) -> Calibration:
    """Fit temperatures by the likelihood of phases, and the weights of an unknown phase's features.

    Temperatures are those of patterns that the library can explain; of others the unknown phase's probability speaks.
    """
    known = [case for case in cases if not case.has_unknown]
    bands = np.searchsorted(BANDS, [case.signal_to_noise for case in known])
    whole = _best_temperature(known)
    temperatures = []
    for band in range(len(BANDS) + 1):
        some = [case for case, at in zip(known, bands, strict=True) if at == band]
        temperatures.append(_best_temperature(some) if len(some) >= LEAST_CASES else whole)
    features = np.array([[1.0, *case.features] for case in cases])
    target = np.array([case.has_unknown for case in cases], dtype=float)
    weights = tuple(_logistic(features, target))
    return Calibration(temperatures=tuple(temperatures), unknown_weights=weights, made_by=made_by)


def phase_probabilities(case: Case, temperature: float) -> Array:
    """Return ``p`` probabilities of phases under a temperature, misfit included."""
    log = case.log_evidence / (temperature * max(1.0, case.misfit))
    weights = np.exp(log - log.max())
    return (weights / weights.sum()) @ case.members


def _best_temperature(cases: Sequence[Case]) -> float:
    def loss(log_temperature: float) -> float:
        total = 0.0
        for case in cases:
            p = np.clip(phase_probabilities(case, float(np.exp(log_temperature))), 1e-3, 1.0 - 1e-3)
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

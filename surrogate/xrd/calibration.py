"""From evidence to probabilities that are met as often as they say.

Laplace's evidence takes the model for true; it is not, and so it is too sure, the more so the larger the difference
is: what a model leaves out is alike at neighbouring points, and adds up. So sets are compared by a conditional logit
(McFadden, in Frontiers in Econometrics, 1974, p. 105) of three figures of each: the root of how far its evidence falls
behind the best one's, with a weight for each band of signal to noise, as temperatures have (Guo et al., ICML 2017,
arXiv 1706.04599); its number of phases; and the root of how far its phases had to bend, since most bend little and a
few far, which the evidence's normal priors do not know. Each counts otherwise where the model fits badly, for there
further phases are taken, and bent, to mend it; so the weights change with the logarithm of chi squared per step. Chi
squared per step, where it exceeds one, divides evidence before.

A phase that the library lacks is another hypothesis about each set: beside it, free peaks explain what the set leaves
(`surrogate.xrd.wildcard`), and figures of what is left tell whether it is one. The sum over sets of the odds with such
a phase, against the sum without it, gives its probability; so a set that bends to a missing phase has a rival in a
smaller one that leaves its peaks. All is fitted by ``benchmarks/xrd_calibration.py`` on simulated patterns; a campaign
may fit its own with `fitted` and `fitted_missing`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, softmax

if TYPE_CHECKING:
    from surrogate.xrd.hypothesis import Hypothesis
    from surrogate.xrd.residual import Leftover

Array = NDArray[np.floating[Any]]

BANDS = (75.0, 165.0)
"""Limits between bands, of the highest peak over its standard deviation of counting."""
USUAL = np.array([0.5] * (len(BANDS) + 1) + [0.0, 1.5, 0.5, 0.5, 0.0])
"""Weights of sets that few patterns would not change."""
USUAL_MISFIT = 0.85
"""Chi squared per step of a pattern that the model can describe; below one, since its error term is in there too."""
MISFITS = (0.5, 3.0)
"""What misfits are held between before their logarithm is taken; of a hundred patterns one lies above."""
N_LEFT = 12
"""Sets, the most probable by evidence, that may stand beside a phase that is missing."""
LEAST_WEIGHT = 0.22
"""Of evidence, of phases and of bending, at either of `MISFITS`: few patterns fit as badly, and their chance must not
turn it round."""
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
    wild_gain: Array = field(default_factory=lambda: np.zeros(0))
    """``k``, of the first sets: log evidence that free peaks would add."""
    left: Array = field(default_factory=lambda: np.zeros((0, 0)))
    """``k x f``: what they leave unexplained (`surrogate.xrd.residual.FEATURES`)."""


def sets_of(hypotheses: Sequence[Hypothesis], leftovers: Sequence[Leftover] = ()) -> Sets:
    """Return what hypotheses come to, and what the first of them leave unexplained."""
    return Sets(
        log_evidence=np.array([one.log_evidence for one in hypotheses]),
        n_phases=np.array([len(one.phases) for one in hypotheses], dtype=float),
        bending=np.array([one.bending for one in hypotheses]),
        wild_gain=np.array([one.wildcard.gain for one in leftovers]),
        left=np.array([one.features for one in leftovers]),
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


def missing_features(sets: Sets, signal_to_noise: float, misfit: float) -> Array:
    """Return ``k x g`` features of sets beside a phase that is missing: those of sets, with what free peaks add to
    their evidence; one; what they leave; and the root of what free peaks add to the best evidence of all."""
    k = len(sets.wild_gain)
    completed = sets.log_evidence[:k] + sets.wild_gain
    beside = Sets(log_evidence=completed, n_phases=sets.n_phases[:k], bending=sets.bending[:k])
    rise = math.sqrt(max(0.0, float(completed.max() - sets.log_evidence.max())) / max(1.0, misfit))
    same = np.tile([1.0, rise], (k, 1))
    return np.column_stack([set_features(beside, signal_to_noise, misfit), same[:, :1], sets.left, same[:, 1:]])


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
    complete_weights: tuple[float, ...]
    """As `set_weights`, of sets that explain all, where they are held against those beside a missing phase."""
    missing_weights: tuple[float, ...]
    """Of `missing_features`: those of a set, then a constant, then of what it leaves."""
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

    def unknown_probability(self, sets: Sets, signal_to_noise: float, misfit: float) -> float:
        """Return the probability that a phase is there which the library lacks.

        Raises:
            ValueError: Of no set it is known what it leaves.
        """
        if not len(sets.wild_gain):
            raise ValueError("an unknown phase cannot be judged without what at least one set leaves unexplained")
        complete = np.logaddexp.reduce(set_features(sets, signal_to_noise, misfit) @ np.array(self.complete_weights))
        missing = np.logaddexp.reduce(missing_features(sets, signal_to_noise, misfit) @ np.array(self.missing_weights))
        return float(expit(np.clip(missing - complete, -30.0, 30.0)))


@cache
def shipped() -> Calibration:
    """Return the calibration that comes with the package."""
    stored = json.loads(files("surrogate.xrd").joinpath("calibration.json").read_text(encoding="utf-8"))
    return Calibration(
        temperatures=tuple(stored["temperatures"]),
        set_weights=tuple(stored["set_weights"]),
        complete_weights=tuple(stored["complete_weights"]),
        missing_weights=tuple(stored["missing_weights"]),
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


def fitted_missing(cases: Sequence[Case], set_weights: Sequence[float]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Fit `Calibration.complete_weights` and `Calibration.missing_weights` to where a phase is missing.

    Args:
        cases: Patterns, with what their first sets leave.
        set_weights: What weights of sets are drawn to, where patterns tell nothing.
    """
    complete, no_set = _padded([set_features(one.sets, one.signal_to_noise, one.misfit) for one in cases])
    missing, no_left = _padded([missing_features(one.sets, one.signal_to_noise, one.misfit) for one in cases])
    is_there = np.array([case.has_unknown for case in cases], dtype=float)
    n, width = complete.shape[2], missing.shape[2]
    # what is left counts in units of its spread, so that one ridge suits all
    spread = np.ones(n + width)
    spread[2 * n + 1 :] = np.maximum(missing[no_left == 0.0][:, n + 1 :].std(axis=0), 1e-9)
    usual = np.concatenate([set_weights, set_weights, np.zeros(width - n)])
    ridge = np.ones(n + width)
    ridge[2 * n] = 0.0

    def loss(scaled: Array) -> tuple[float, Array]:
        weights = scaled / spread
        without, beside = complete @ weights[:n] + no_set, missing @ weights[n:] + no_left
        z = np.logaddexp.reduce(beside, axis=1) - np.logaddexp.reduce(without, axis=1)
        off = (expit(z) - is_there)[:, None]
        slope = np.concatenate(
            [
                -np.einsum("ns,nsf->f", off * softmax(without, axis=1), complete),
                np.einsum("ns,nsf->f", off * softmax(beside, axis=1), missing),
            ]
        )
        away = scaled - usual
        total = float(np.logaddexp(0.0, z).sum() - is_there @ z + ridge @ away**2)
        return total, slope / spread + 2.0 * ridge * away

    found = minimize(loss, usual, jac=True, method="L-BFGS-B", options={"maxiter": 1000}).x / spread
    return tuple(map(float, found[:n])), tuple(map(float, found[n:]))


def _padded(features: Sequence[Array]) -> tuple[Array, Array]:
    """Return ``n x h x f`` features of sets, as many for each pattern, and ``n x h``: minus infinity for none."""
    most = max(len(one) for one in features)
    every = np.zeros((len(features), most, features[0].shape[1]))
    absent = np.full((len(features), most), -np.inf)
    for row, one in enumerate(features):
        every[row, : len(one)], absent[row, : len(one)] = one, 0.0
    return every, absent


def phase_probabilities(case: Case, calibration: Calibration) -> Array:
    """Return ``p`` probabilities of phases."""
    return calibration.set_probabilities(case.sets, case.signal_to_noise, case.misfit) @ case.members


def _set_weights(cases: Sequence[Case], ridge: float = 0.05, wall: float = 1e4) -> tuple[float, ...]:
    features = [set_features(case.sets, case.signal_to_noise, case.misfit) for case in cases]
    ends = _weights_at_ends()

    def loss(weights: Array) -> tuple[float, Array]:
        centred = weights - USUAL
        lacking = np.maximum(LEAST_WEIGHT - ends @ weights, 0.0)
        total = ridge * float(centred @ centred) + wall * float(lacking @ lacking)
        slope = 2.0 * ridge * centred - 2.0 * wall * lacking @ ends
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


def _weights_at_ends() -> Array:
    """Return the rows that make of weights of sets those of evidence (by band), phases and bending at `MISFITS`."""
    n_bands = len(BANDS) + 1
    # what changes with the misfit follows what does not; all bands share it
    pairs = [*((band, n_bands) for band in range(n_bands)), (n_bands + 1, n_bands + 2), (n_bands + 3, n_bands + 4)]
    rows = np.zeros((2, len(pairs), len(USUAL)))
    for row, (plain, changing) in enumerate(pairs):
        rows[:, row, plain] = 1.0
        rows[:, row, changing] = np.log(np.array(MISFITS) / USUAL_MISFIT)
    return rows.reshape(-1, len(USUAL))


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

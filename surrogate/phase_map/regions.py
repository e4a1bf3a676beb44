"""A phase map: which phases are together where, with probabilities.

A region is a set of phases. What is seen at measured points comes from their fingerprints alone
(`surrogate.phase_map.endmembers`); in between each phase's amount is a process of its own
(`surrogate.phase_map.presence`), and

    P(region | x)  ~  product over its phases of P(there | x), over the others of P(not there | x),

over all sets of one to three phases (Gibbs' rule), normalised.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

from surrogate.phase_map.endmembers import MixtureOptions, find_endmembers
from surrogate.phase_map.patterns import prepare
from surrogate.phase_map.presence import Amounts, Presence, fit_presences

Region = tuple[int, ...]
"""Numbers of the phases that are together, in order; empty for a film without lines."""

_LEAST_CHANCE = 1e-9


@dataclass(frozen=True)
class PhaseMap:
    """What is known of the regions of a system."""

    endmembers: np.ndarray
    """Fingerprints of the phases, `k x channels`, area one."""
    shares: np.ndarray
    """Of the intensity at each measured point, `n x k`."""
    measured: tuple[Region, ...]
    """The regions that the measured points belong to."""
    presences: tuple[Presence, ...]
    regions: tuple[Region, ...]
    """Every set of phases that there may be, by the columns of `probabilities`."""

    def probabilities(self, points: np.ndarray) -> np.ndarray:
        """Return the probability (`m x r`) of each region at points (`m x d`)."""
        shape = (len(self.presences), len(points))
        chances = np.array([one.probability(points) for one in self.presences]).reshape(shape)
        chances = np.clip(chances, _LEAST_CHANCE, 1.0 - _LEAST_CHANCE)
        there, not_there = np.log(chances), np.log1p(-chances)
        logs = np.zeros((len(points), len(self.regions)))
        if len(self.presences):
            member = self._membership
            logs = there.T @ member.T + not_there.T @ (1.0 - member).T
        weights = np.exp(logs - logs.max(axis=1, keepdims=True))
        return weights / weights.sum(axis=1, keepdims=True)

    def with_pending(self, points: np.ndarray) -> PhaseMap:
        """Return the map as if points (`m x d`) had shown what is expected there."""
        presences = tuple(one.with_pending(points) for one in self.presences)
        return PhaseMap(self.endmembers, self.shares, self.measured, presences, self.regions)

    @cached_property
    def _membership(self) -> np.ndarray:
        """Return which phases each region has, `r x k`."""
        member = np.zeros((len(self.regions), len(self.presences)))
        for row, region in enumerate(self.regions):
            member[row, list(region)] = 1.0
        return member


def fit_phase_map(points: np.ndarray, patterns: np.ndarray, options: MixtureOptions) -> PhaseMap:
    """Map the phases.

    Args:
        points: Where was measured, `n x d`, in units in which regions are some tenths wide.
        patterns: Fingerprints, `n x channels`; on channels even in log q.
        options: How they are taken apart.
    """
    endmembers, unmixed = find_endmembers(prepare(patterns), options)
    there = unmixed.shares > 0
    total = np.maximum(unmixed.shares.sum(axis=1, keepdims=True), 1e-12)
    shares = np.where(there, np.maximum(unmixed.shares / total, 1e-6), 0.0)
    measured = tuple(tuple(np.flatnonzero(row).tolist()) for row in there)
    presences = tuple(fit_presences([Amounts(points, column) for column in shares.T]))
    return PhaseMap(endmembers, shares, measured, presences, _possible(len(endmembers), options.most_phases, measured))


def _possible(n_phases: int, most: int, measured: tuple[Region, ...]) -> tuple[Region, ...]:
    """Return all sets of phases that the phase rule allows; the empty one only where it was seen."""
    sets = [one for size in range(1, most + 1) for one in combinations(range(n_phases), size)]
    return ((), *sets) if () in measured or not sets else tuple(sets)

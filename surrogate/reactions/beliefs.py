"""What diffraction has taught about pairs of phases, and what it lets one expect of recipes that were not tried.

Every pair has a probability for each onset, ceiling and reaction (`surrogate.reactions.pairs`). A diffractogram of a
fired set says which phases are there, how much, and how sure it is. Fates of all pairs are drawn, the firing is worked
out for each draw, draws are weighed by how well they explain what was seen, and each pair that met keeps its own share
of the result (assumed-density filtering: Minka, UAI 2001, arXiv 1301.2294, section 2). So a pair is never held to have
reacted, or to be inert, for certain: a wrong label shifts probabilities and can be outvoted. ARROWS3 keeps facts there
(Szymanski et al., Nat. Commun. 14, 6956 (2023), doi 10.1038/s41467-023-42329-9). Counts of Beta distributions would do
less: a pair that met others teaches something only through all that may have happened.
"""

from __future__ import annotations

import copy
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from surrogate.reactions.balance import Network, Pair
from surrogate.reactions.energies import AIR, MEV_PER_KJ_MOL, Gas, Potentials
from surrogate.reactions.kinetics import LEAST_CONVERSION, Fired, Ways, conversion, fire, kinetic_factor
from surrogate.reactions.pairs import MOST_PRODUCTS, PairBelief, Priors, ceiling_grid, onset_grid
from surrogate.reactions.precursors import PrecursorSet

DRAWS = 1024
"""Of the fates of all pairs, for one diffractogram."""
WORLDS = 64
"""Draws that recipes are predicted by."""
WEIGHT_SD = 0.12
"""Of a weight fraction: how far the model of a firing is off, and diffraction with it."""
SHRINK = 1.0
"""Draws' worth of no news that is added to each hypothesis, so that a lucky draw counts for little."""
OUTLIER = 0.05
"""Probability that a diffractogram says nothing: another powder, a wrong label throughout."""
_BASE = math.exp(-12.0)
"""Likelihood of what was seen under a random powder."""
_CHUNK = 8192
"""Firings that are worked out at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What diffraction says of a fired set."""

    precursors: PrecursorSet
    temperature_c: float
    weights: Mapping[str, float]
    """Mass fractions by phase."""
    probabilities: Mapping[str, float] = field(default_factory=dict)
    """That each phase is there; 1 where left out."""
    is_whole: bool = True
    """Whether other phases were looked for; otherwise these weights are all that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What is expected of ``n`` recipes, over ``w`` draws and ``p`` phases."""

    yields: np.ndarray
    """``n x w`` mass fractions of the target"""
    weights: np.ndarray
    """``n x p`` mean mass fractions"""
    remaining_mev_atom: np.ndarray
    """``n``: mean driving force from what is there to the target, per atom of the other phases"""


class Beliefs:
    """Beliefs about all pairs of a table; a value: `taught` returns another one.

    Args:
        network: reactions of the planner's table (of the target's cations alone: `Table.within`).
        target: the phase that is wanted.
        temperatures_c: of the recipes.
        hold_h: how long recipes are held.
        gas: around the samples.
        seed: of the draws.
    """

    def __init__(
        self,
        network: Network,
        target: str,
        temperatures_c: Sequence[float],
        *,
        hold_h: float = 8.0,
        gas: Gas = AIR,
        seed: int = 0,
    ) -> None:
        table = network.table
        self.table, self.target, self.gas, self.hold_h, self.seed = table, target, gas, hold_h, seed
        self.temperatures_c = tuple(sorted(set(temperatures_c)))
        self.phases = tuple(sorted(table.phases))
        self.onsets_c, self.ceilings_c = onset_grid(self.temperatures_c), ceiling_grid(self.temperatures_c)
        self._at = {name: i for i, name in enumerate(self.phases)}
        self._atoms = np.array([table[name].n_atoms for name in self.phases])
        self._masses = np.array([table[name].molar_mass_g for name in self.phases])
        self._beliefs = self._before(network)
        self._ways = Ways.of([one.reactions for one in self._beliefs], self.phases, MOST_PRODUCTS)
        self._n_seen = 0
        self._fates: dict[float, np.ndarray] = {}
        self._potentials: dict[float, np.ndarray] = {}
        self._quantiles = [
            _quantiles([seed, 2, zlib.crc32(" | ".join(one.pair).encode())], WORLDS) for one in self._beliefs
        ]

    def _before(self, network: Network) -> tuple[PairBelief, ...]:
        priors = Priors(network, self.onsets_c, self.ceilings_c, self.gas)
        names = self.phases
        pairs: list[Pair] = [(a,) if a == b else (a, b) for i, a in enumerate(names) for b in names[i:]]
        return tuple(found for pair in pairs if (found := priors.of(pair)) is not None)

    @property
    def pairs(self) -> dict[Pair, PairBelief]:
        """What is believed of each pair of which something can become."""
        return {one.pair: one for one in self._beliefs}

    def taught(self, seen: Seen) -> Beliefs:
        """Return what is believed after a diffractogram; phases that the table lacks only make it count for less."""
        after = copy.copy(self)
        after._n_seen = self._n_seen + 1
        known = {name: w for name, w in seen.weights.items() if name in self._at}
        if not known or (seen.is_whole and sum(known.values()) <= 0.0):
            return after
        trust, total = self._trust(seen), sum(known.values()) if seen.is_whole else 1.0
        rng = np.random.default_rng([self.seed, 1, self._n_seen])
        hypotheses = np.stack([one.draw(_stratified(rng, DRAWS)) for one in self._beliefs], axis=1)
        fired = self._fire([(seen.precursors, seen.temperature_c)], hypotheses)
        observed = {name: w / total for name, w in known.items()}
        logs = trust * self._log_likelihood(self._weights(fired.moles), observed, seen)
        after._beliefs = self._shared(hypotheses, fired.met, _credence(logs))
        return after

    def _trust(self, seen: Seen) -> float:
        """Return the share of what was seen that the table knows."""
        total = sum(seen.weights.values())
        return sum(w for name, w in seen.weights.items() if name in self._at) / total if total > 0.0 else 1.0

    def _fire(self, recipes: Sequence[tuple[PrecursorSet, float]], hypotheses: np.ndarray) -> Fired:
        """Fire each recipe with each row of hypotheses (``h x k``); rows of the result go recipe by recipe."""
        moles = np.zeros((len(recipes), len(self.phases)))
        for row, (precursors, _) in zip(moles, recipes, strict=True):
            row[[self._at[name] for name in precursors.moles]] = list(precursors.moles.values())
        pair, which = np.arange(hypotheses.shape[1]), hypotheses % MOST_PRODUCTS
        onsets = self.onsets_c[hypotheses // (MOST_PRODUCTS * len(self.ceilings_c))]
        found: list[Fired] = []
        step = max(1, _CHUNK // len(hypotheses))
        by_temperature = {t: self._converts(t)[pair, hypotheses] for t in {t for _, t in recipes}}
        for start in range(0, len(recipes), step):
            some = recipes[start : start + step]
            converts = np.concatenate([by_temperature[t] for _, t in some])
            order = np.where(converts > LEAST_CONVERSION, np.tile(onsets, (len(some), 1)), np.inf)
            dosed = np.repeat(moles[start : start + step], len(hypotheses), axis=0)
            found.append(fire(dosed, self._atoms, self._ways, order, converts, np.tile(which, (len(some), 1))))
        return Fired(moles=np.concatenate([f.moles for f in found]), met=np.concatenate([f.met for f in found]))

    def _converts(self, temperature_c: float) -> np.ndarray:
        """Return what each hypothesis of each pair converts at a temperature, ``k x h``."""
        if temperature_c not in self._fates:
            phi = dict(zip(self.phases, self._phi(temperature_c), strict=True))
            below = self.ceilings_c >= temperature_c
            converts = np.zeros((len(self._beliefs), len(self.onsets_c), len(below), MOST_PRODUCTS))
            for k, one in enumerate(self._beliefs):
                for r, reaction in enumerate(one.reactions):
                    used = sum(n * phi[name] for name, n in reaction.reactants.items())
                    drive = MEV_PER_KJ_MOL * (used - sum(n * phi[name] for name, n in reaction.products.items()))
                    share = conversion(self.onsets_c, temperature_c, self.hold_h, kinetic_factor(drive))
                    converts[k, :, :, r] = share[:, None] * below
            self._fates[temperature_c] = converts.reshape(len(converts), -1)
        return self._fates[temperature_c]

    def _phi(self, temperature_c: float) -> np.ndarray:
        """Return the grand potential of each phase, ``p``, in kJ/mol."""
        if temperature_c not in self._potentials:
            potentials = Potentials.of(self.table, temperature_c, self.gas)
            self._potentials[temperature_c] = np.array([potentials.phi_kj_mol(self.table[n]) for n in self.phases])
        return self._potentials[temperature_c]

    def _shared(self, hypotheses: np.ndarray, met: np.ndarray, weights: np.ndarray) -> tuple[PairBelief, ...]:
        """Return each pair with its share of weights; draws in which it never met say nothing of it."""
        found = list(self._beliefs)
        for k in np.flatnonzero(met.any(axis=0)):
            before = found[k].probability.ravel()
            there = met[:, k]
            blank = float(weights[~there].sum())
            drawn = np.bincount(hypotheses[there, k], minlength=len(before))
            posterior = np.bincount(hypotheses[there, k], weights[there], minlength=len(before))
            usual = max((1.0 - blank) / there.sum(), 1e-300)
            updated = before * (posterior + SHRINK * usual) / ((drawn + SHRINK) * usual)
            updated = updated / updated.sum() * (1.0 - blank) + before * blank
            found[k] = found[k].reweighed(updated.reshape(found[k].probability.shape))
        return tuple(found)

    def _log_likelihood(self, predicted: np.ndarray, observed: Mapping[str, float], seen: Seen) -> np.ndarray:
        """Return how well firings (``n x p`` mass fractions) explain what was seen; 0 is a perfect match."""
        weight, sure = np.zeros(len(self.phases)), np.ones(len(self.phases))
        for name, w in observed.items():
            weight[self._at[name]] = w
            sure[self._at[name]] = min(max(seen.probabilities.get(name, 1.0), 0.0), 1.0)
        there = sure * np.exp(-0.5 * ((weight - predicted) / WEIGHT_SD) ** 2)
        absent = (1.0 - sure) * np.exp(-0.5 * (predicted / WEIGHT_SD) ** 2)
        logs = np.log(np.maximum(there + absent, 1e-12))
        return logs.sum(axis=1) if seen.is_whole else logs[:, [self._at[name] for name in observed]].sum(axis=1)

    def _weights(self, moles: np.ndarray) -> np.ndarray:
        """Return mass fractions, ``n x p``."""
        masses = moles * self._masses
        return masses / masses.sum(axis=1, keepdims=True)

    def forecast(self, recipes: Sequence[tuple[PrecursorSet, float]]) -> Forecast:
        """Return what is expected of recipes, each a set of precursors and a temperature in degC."""
        worlds = [one.draw(at) for one, at in zip(self._beliefs, self._quantiles, strict=True)]
        fired = self._fire(recipes, np.stack(worlds, axis=1))
        shape = (len(recipes), WORLDS, len(self.phases))
        weights, at = self._weights(fired.moles).reshape(shape), self._at[self.target]
        left = np.stack(
            [self._left(moles, t) for moles, (_, t) in zip(fired.moles.reshape(shape), recipes, strict=True)]
        )
        return Forecast(yields=weights[:, :, at], weights=weights.mean(axis=1), remaining_mev_atom=left.mean(axis=1))

    def _left(self, moles: np.ndarray, temperature_c: float) -> np.ndarray:
        """Return the driving force from what is there (``n x p``) to the target, per atom of the other phases."""
        at, phi = self._at[self.target], self._phi(temperature_c)
        rest = moles.copy()
        rest[:, at] = 0.0
        atoms = np.maximum(rest @ self._atoms, 1e-9)
        return MEV_PER_KJ_MOL * (rest @ phi - (1.0 - moles[:, at]) * phi[at]) / atoms


def _credence(logs: np.ndarray) -> np.ndarray:
    """Return the weights of draws by how well they explain a pattern; even ones where none explains it."""
    likely = np.exp(logs - logs.max())
    right = (1.0 - OUTLIER) * np.exp(logs)
    right = right / (right + OUTLIER * _BASE)
    credence = float((right * likely).sum() / likely.sum())
    return likely / likely.sum() * credence + (1.0 - credence) / len(likely)


def _quantiles(key: Sequence[int], count: int) -> np.ndarray:
    return _stratified(np.random.default_rng(key), count)


def _stratified(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return quantiles that are spread evenly, in random order."""
    return (rng.permutation(count) + rng.random(count)) / count

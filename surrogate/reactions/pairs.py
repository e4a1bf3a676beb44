"""What is believed of a pair of phases: where it begins to react, and what it makes.

Before anything was seen, an onset lies near Tammann's temperature, 0.55 of the lower melting point in kelvin, and
hardly where the table gives the reaction no driving force; products are the likelier, the larger their driving force
is, softened by the errors of tables. A reaction that takes up gas, or makes phases of little entropy, loses its driving
force when it is hot: above a ceiling it does not go on. Diffraction then
reweighs the hypotheses (`surrogate.reactions.beliefs`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from surrogate.reactions.balance import Network, Pair, Reaction
from surrogate.reactions.energies import AIR, MEV_PER_KJ_MOL, ZERO_C_K, Gas, Potentials

TAMMANN = 0.55
"""Of the lower melting point in kelvin (0.5 to 0.6 for ionic solids)."""
ONSET_SD_C = 150.0
UNKNOWN_ONSET_C = 750.0
UNKNOWN_ONSET_SD_C = 200.0
TABLE_SD_MEV_ATOM = 15.0
"""How far driving forces of reactions from a table are off."""
MOST_PRODUCTS = 4
"""Sets of products that are considered for a pair."""
STEP_C = 50.0
NEVER_AT_LEAST = 0.1
_LEAST = 1e-4


@dataclass(frozen=True, kw_only=True, eq=False)
class PairBelief:
    """Probabilities of ``b`` onsets, ``c`` ceilings and up to `MOST_PRODUCTS` reactions of a pair.

    The last onset is never, the last ceiling none.
    """

    pair: Pair
    onsets_c: np.ndarray
    """``b``"""
    ceilings_c: np.ndarray
    """``c``"""
    reactions: tuple[Reaction, ...]
    probability: np.ndarray
    """``b x c x MOST_PRODUCTS``, sums to 1; 0 where there is no such reaction"""

    def draw(self, quantiles: np.ndarray) -> np.ndarray:
        """Return hypotheses (flat indices) at quantiles; equal quantiles keep their answer where beliefs do."""
        cumulative = np.cumsum(self.probability.ravel())
        found = np.searchsorted(cumulative, quantiles * cumulative[-1], side="right")
        return np.minimum(found, len(cumulative) - 1)

    def reacts_by(self, temperature_c: float) -> float:
        """Return the probability that the pair's onset is at most a temperature, and its ceiling above it."""
        begun = self.probability[self.onsets_c <= temperature_c]
        return float(begun[:, self.ceilings_c >= temperature_c].sum())

    def reweighed(self, probability: np.ndarray) -> PairBelief:
        """Return the pair with other probabilities (of the same shape), none of a reaction ever zero."""
        kept = np.zeros(probability.shape)
        n = len(self.reactions)
        kept[..., :n] = np.maximum(probability, _LEAST / probability.size)[..., :n]
        return replace(self, probability=kept / kept.sum())

    def likeliest(self) -> tuple[float, Reaction]:
        """Return the likeliest reaction and its probability, onsets summed over."""
        by_reaction = self.probability.sum(axis=(0, 1))
        best = int(np.argmax(by_reaction))
        return float(by_reaction[best]), self.reactions[best]


def onset_grid(temperatures_c: Sequence[float]) -> np.ndarray:
    """Return the onsets that are told apart (degC): from well below the temperatures to above them, and never."""
    low, high = min(temperatures_c) - 5 * STEP_C, max(temperatures_c) + 3 * STEP_C
    return np.append(np.arange(low, high + 1.0, STEP_C), np.inf)


def ceiling_grid(temperatures_c: Sequence[float]) -> np.ndarray:
    """Return the ceilings that are told apart (degC): three between the temperatures, and none."""
    low, high = min(temperatures_c), max(temperatures_c)
    return np.append(low + (high - low) * np.array([1.0, 3.0, 5.0]) / 6.0, np.inf)


class Priors:
    """What is believed of each pair of a network before anything was seen."""

    def __init__(self, network: Network, onsets_c: np.ndarray, ceilings_c: np.ndarray, gas: Gas = AIR) -> None:
        self._network, self._onsets_c, self._ceilings_c = network, onsets_c, ceilings_c
        self._finite = onsets_c[np.isfinite(onsets_c)]
        potentials = [Potentials.of(network.table, float(onset), gas) for onset in self._finite]
        self._phi = {
            name: MEV_PER_KJ_MOL * np.array([mu.phi_kj_mol(one) for mu in potentials])
            for name, one in network.table.phases.items()
        }

    def of(self, pair: Pair) -> PairBelief | None:
        """Return the belief; None where nothing can become of the pair."""
        found = self._network.of(pair)
        if not found:
            return None
        drives = np.stack([self._drive(one) for one in found], axis=1)
        if drives.max() < -2.0 * TABLE_SD_MEV_ATOM:
            return None
        best = np.argsort(-drives[len(drives) // 2 :].max(axis=0), kind="stable")[:MOST_PRODUCTS]
        probability = np.zeros((len(self._onsets_c), len(self._ceilings_c), MOST_PRODUCTS))
        joint = self._joint(self._when(pair), drives[:, best])
        probability[..., : len(best)] = joint[:, None, :] * self._ceilings(drives[:, best])
        # what never begins needs no ceiling
        probability[-1, -1] = probability[-1].sum(axis=0)
        probability[-1, :-1] = 0.0
        belief = PairBelief(
            pair=pair,
            onsets_c=self._onsets_c,
            ceilings_c=self._ceilings_c,
            reactions=tuple(found[i] for i in best),
            probability=probability,
        )
        return belief.reweighed(probability)

    def _drive(self, reaction: Reaction) -> np.ndarray:
        used = sum(n * self._phi[name] for name, n in reaction.reactants.items())
        return np.asarray(used - sum(n * self._phi[name] for name, n in reaction.products.items()))

    def _ceilings(self, drives: np.ndarray) -> np.ndarray:
        """Return the probability of each ceiling by reaction, ``c x r``, given that it goes on somewhere below."""
        at = np.array([np.interp(self._ceilings_c[:-1], self._finite, drive) for drive in drives.T]).T
        going = np.minimum.accumulate(_normal(at / TABLE_SD_MEV_ATOM), axis=0)
        first = np.maximum(going[:1], _normal(drives[:1] / TABLE_SD_MEV_ATOM))
        lasts = np.vstack([first, going])
        rises = drives[-1] > drives[0]
        share = np.vstack([-np.diff(lasts, axis=0), lasts[-1:]]) / np.maximum(lasts[:1], 1e-9)
        none = np.zeros((len(self._ceilings_c), 1))
        none[-1] = 1.0
        return np.where(rises, none, share)

    def _when(self, pair: Pair) -> np.ndarray:
        """Return the probability of each finite onset, by melting points; they sum to less than 1."""
        mean, sd = self._onset(pair)
        edges = np.append(self._finite - 0.5 * STEP_C, self._finite[-1] + 0.5 * STEP_C)
        below = _normal((edges - mean) / sd)
        when = np.diff(below)
        when[0] += below[0]
        return when * (1.0 - NEVER_AT_LEAST)

    def _onset(self, pair: Pair) -> tuple[float, float]:
        melting = [melts for name in pair if (melts := self._network.table[name].melts_c) is not None]
        if not melting:
            return UNKNOWN_ONSET_C, UNKNOWN_ONSET_SD_C
        return TAMMANN * (min(melting) + ZERO_C_K) - ZERO_C_K, ONSET_SD_C

    def _joint(self, when: np.ndarray, drives: np.ndarray) -> np.ndarray:
        """Return onsets by reactions: what could not begin for want of a driving force begins later, or never."""
        favoured = np.exp((drives - drives.max(axis=1, keepdims=True)) / TABLE_SD_MEV_ATOM)
        favoured /= favoured.sum(axis=1, keepdims=True)
        can = 1.0 / (1.0 + np.exp(-np.clip(drives.max(axis=1) / (0.5 * TABLE_SD_MEV_ATOM), -50.0, 50.0)))
        waiting, begins = 0.0, np.empty(len(when))
        for i, chance in enumerate(can):
            begins[i] = (waiting + when[i]) * chance
            waiting = (waiting + when[i]) * (1.0 - chance)
        never = np.full((1, drives.shape[1]), (1.0 - begins.sum()) / drives.shape[1])
        return np.vstack([begins[:, None] * favoured, never])


def _normal(z: np.ndarray) -> np.ndarray:
    """Return the normal distribution function."""
    from scipy.special import ndtr

    return np.asarray(ndtr(z))

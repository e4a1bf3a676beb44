"""What firings make of sets of precursors, if pairs react as hypotheses have it; many at once.

The pair with the lowest onset reacts first and turns ``X = 1 - exp(-(k t)^0.5)`` of what its scarcer member allows (a
product layer hinders its own growth), with Arrhenius's ``k``, one per hour at the onset; its products meet what is
left, and so on. Reactions with little driving force are slow: the factor of ``k`` is
``1 / (1 + exp(-(drive - 50 meV) / 15 meV))``, at least a fifth
(steps below 50 meV an atom are sluggish: Szymanski et al., Nature 624, 86 (2023), doi
10.1038/s41586-023-06734-w).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from surrogate.reactions.balance import Reaction
from surrogate.reactions.energies import GAS_CONSTANT, ZERO_C_K

ACTIVATION_KJ_MOL = 250.0
EXPONENT = 0.5
SLUGGISH_MEV_ATOM = 50.0
SLUGGISH_WIDTH_MEV = 15.0
LEAST_CONVERSION = 0.02
TRACE = 1e-3
"""Of all atoms of the precursors; less meets nothing."""
MOST_EVENTS = 24


def conversion(
    onset_c: np.ndarray, temperature_c: float, hold_h: float, factor: np.ndarray | float = 1.0
) -> np.ndarray:
    """Return the share of a pair that has reacted after a hold; 0 for an onset of never."""
    finite = np.isfinite(onset_c)
    inverse = 1.0 / (temperature_c + ZERO_C_K) - 1.0 / (np.where(finite, onset_c, 0.0) + ZERO_C_K)
    progress = factor * hold_h * np.exp(np.minimum(-ACTIVATION_KJ_MOL * inverse / GAS_CONSTANT, 50.0))
    return np.where(finite, -np.expm1(-(progress**EXPONENT)), 0.0)


def kinetic_factor(drive_mev_atom: np.ndarray | float) -> np.ndarray:
    """Return 1 for a strong driving force, a fifth for a weak one."""
    excess = np.clip((np.asarray(drive_mev_atom) - SLUGGISH_MEV_ATOM) / SLUGGISH_WIDTH_MEV, -50.0, 50.0)
    return 0.2 + 0.8 / (1.0 + np.exp(-excess))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """The reactions of ``k`` pairs as arrays over ``p`` phases; up to ``r`` for each pair, the rest is idle."""

    first: np.ndarray
    """``k`` phases"""
    second: np.ndarray
    """``k`` phases; the first one again where it reacts by itself"""
    used: np.ndarray
    """``k x r x 2`` moles of each"""
    made: np.ndarray
    """``k x r x m`` phases"""
    amount: np.ndarray
    """``k x r x m`` moles of each; 0 where idle"""

    @classmethod
    def of(cls, pairs: Sequence[Sequence[Reaction]], phases: Sequence[str], most: int) -> Ways:
        """Lay out reactions, those of one pair together."""
        at = {name: i for i, name in enumerate(phases)}
        names = [few[0].pair for few in pairs]
        widest = max((len(one.products) for few in pairs for one in few), default=1)
        used = np.ones((len(pairs), most, 2))
        made, amount = np.zeros((len(pairs), most, widest), dtype=np.intp), np.zeros((len(pairs), most, widest))
        for k, few in enumerate(pairs):
            for r, one in enumerate(few):
                used[k, r] = [one.reactants[name] for name in (names[k][0], names[k][-1])]
                for m, (name, n) in enumerate(one.products.items()):
                    made[k, r, m], amount[k, r, m] = at[name], n
        first, second = (np.array([at[few[i]] for few in names], dtype=np.intp) for i in (0, -1))
        return cls(first=first, second=second, used=used, made=made, amount=amount)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fired:
    """What ``n`` firings made of ``p`` phases."""

    moles: np.ndarray
    """``n x p``"""
    met: np.ndarray
    """``n x k``: pairs that were there together at some time"""


def fire(
    moles: np.ndarray, atoms: np.ndarray, ways: Ways, order: np.ndarray, converts: np.ndarray, which: np.ndarray
) -> Fired:
    """Fire powders.

    Args:
        moles: of precursors, ``n x p``.
        atoms: in a formula unit of each phase, ``p``.
        ways: the reactions of ``k`` pairs.
        order: the pair with the lowest goes first, infinite where it never does, ``n x k``.
        converts: share of a pair that reacts, ``n x k``.
        which: reaction of a pair, ``n x k``.
    """
    moles, order = moles.copy(), order.copy()
    least = TRACE * (moles @ atoms)[:, None] / atoms
    met = np.zeros(order.shape, dtype=bool)
    rows = np.arange(len(moles))
    for _ in range(MOST_EVENTS):
        there = moles[rows] > least[rows]
        together = there[:, ways.first] & there[:, ways.second]
        met[rows] |= together
        ranked = np.where(together, order[rows], np.inf)
        pair = ranked.argmin(axis=1)
        going = np.isfinite(ranked[np.arange(len(rows)), pair])
        rows, pair = rows[going], pair[going]
        if not len(rows):
            break
        order[rows, pair] = np.inf
        _react(moles, ways, rows, pair, converts[rows, pair], which[rows, pair])
    return Fired(moles=moles, met=met)


def _react(
    moles: np.ndarray, ways: Ways, rows: np.ndarray, pair: np.ndarray, share: np.ndarray, which: np.ndarray
) -> None:
    """Convert one pair in each of some rows, in place."""
    first, second, used = ways.first[pair], ways.second[pair], ways.used[pair, which]
    extent = share * np.minimum(moles[rows, first] / used[:, 0], moles[rows, second] / used[:, 1])
    moles[rows, first] -= extent * used[:, 0]
    pairs = first != second
    moles[rows[pairs], second[pairs]] -= (extent * used[:, 1])[pairs]
    for m in range(ways.made.shape[2]):
        moles[rows, ways.made[pair, which, m]] += extent * ways.amount[pair, which, m]
    np.maximum(moles, 0.0, out=moles)

"""Which sets of precursors balance to a target, in which amounts.

A set is balanced where the target's cations can be had from its members in one way only, each with an amount above
zero: two precursors up to as many as the target has elements (Szymanski et al., Nat. Commun. 14, 6956 (2023), doi
10.1038/s41467-023-42329-9). O2, CO2 and H2O come and go with the gas.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from surrogate.reactions.energies import MEV_PER_KJ_MOL, Potentials
from surrogate.reactions.errors import NoPrecursors
from surrogate.reactions.substances import Table

JOIN = " + "
_TINY = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class PrecursorSet:
    """Precursors and their moles for one mole of the target."""

    moles: Mapping[str, float]
    target: str

    @property
    def name(self) -> str:
        """As a level of a search space: names in alphabetic order."""
        return JOIN.join(sorted(self.moles))

    def drive_mev_atom(self, table: Table, potentials: Potentials) -> float:
        """Return the driving force to the target per atom of the precursors; positive where it can form."""
        used = sum(n * potentials.phi_kj_mol(table[name]) for name, n in self.moles.items())
        atoms = sum(n * table[name].n_atoms for name, n in self.moles.items())
        return MEV_PER_KJ_MOL * (used - potentials.phi_kj_mol(table[self.target])) / atoms

    def masses_mg(self, table: Table, target_mg: float) -> dict[str, float]:
        """Return what to weigh in for so much of the target."""
        scale = target_mg / table[self.target].molar_mass_g
        return {name: scale * n * table[name].molar_mass_g for name, n in self.moles.items()}


def precursor_sets(
    table: Table, target: str, precursors: Iterable[str], *, most: int | None = None
) -> tuple[PrecursorSet, ...]:
    """Return every balanced set, small ones first, by name.

    Args:
        table: energies of all phases; must have the target and the precursors.
        target: name of the phase that is wanted.
        precursors: names of the phases at hand.
        most: how many precursors a set has at most; as many as the target has elements where left out.

    Raises:
        BadTable: The table has no such phase.
        NoPrecursors: No set balances; names the element that no precursor has, if that is why.
    """
    wanted = table[target]
    if not wanted.cations:
        raise NoPrecursors(f"the target {target!r} has no element that stays in a powder")
    at_hand = [table[name] for name in sorted(set(precursors)) if name != target]
    fitting = [one for one in at_hand if one.cations and one.cations <= wanted.cations]
    missing = wanted.cations - frozenset[str]().union(*(one.cations for one in fitting))
    if missing:
        raise NoPrecursors(
            f"no precursor of {target} contains {', '.join(sorted(missing))} and nothing foreign; "
            f"at hand are {', '.join(one.name for one in at_hand) or 'none'}: add one"
        )
    found = []
    for count in range(2, (most or len(wanted.atoms)) + 1):
        for few in combinations(fitting, count):
            moles = _balanced(table, target, [one.name for one in few])
            if moles is not None:
                found.append(PrecursorSet(moles=moles, target=target))
    if not found:
        raise NoPrecursors(
            f"no set of {', '.join(one.name for one in fitting)} balances to {target}: its cations cannot be had in "
            "their ratio; add precursors, or check the formulas"
        )
    return tuple(found)


def _balanced(table: Table, target: str, names: Sequence[str]) -> dict[str, float] | None:
    wanted = table[target]
    cations = sorted(wanted.cations)
    if len(names) > len(cations):
        return None
    system = np.array([[table[name].atoms.get(element, 0.0) for name in names] for element in cations])
    right = np.array([wanted.atoms[element] for element in cations])
    moles, _, rank, _ = np.linalg.lstsq(system, right, rcond=None)
    if rank < len(names) or np.abs(system @ moles - right).max() > 1e-7 or (moles < _TINY).any():
        return None
    return {name: float(n) for name, n in zip(names, moles, strict=True)}


def set_of(table: Table, target: str, name: str) -> PrecursorSet:
    """Return the set that a level of a search space names, such as ``BaCO3 + TiO2``.

    Raises:
        BadTable: The table has no such phase.
        NoPrecursors: The set does not balance to the target.
    """
    names = sorted(part.strip() for part in name.split("+"))
    for one in (target, *names):
        table[one]
    moles = _balanced(table, target, names)
    if moles is None:
        raise NoPrecursors(f"{name!r} does not balance to {target}: its cations are not those of the target")
    return PrecursorSet(moles=moles, target=target)

"""Balanced reactions of one phase, or of two that touch, with a gas that gives and takes.

Along the tie line of two phases the favoured product is the one that sets the most energy free per atom of what reacts
(Szymanski et al., Nature 624, 86 (2023), doi 10.1038/s41586-023-06734-w; the same vertices as those of pymatgen's
`InterfacialReactivity`: Richards et al., Chem. Mater. 28, 266 (2016), doi 10.1021/acs.chemmater.5b04082). With as many
products as there are cations left to balance each reaction is unique, so that all of them can be listed and their
driving forces be compared at every temperature.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from surrogate.reactions.energies import MEV_PER_KJ_MOL, Potentials
from surrogate.reactions.substances import OPEN_ELEMENTS, Substance, Table

_TINY = 1e-9
_LEAST_SHARE = 1e-3
"""Of the atoms of a pair that each side has at least; less is rounding."""

Pair = tuple[str, ...]
"""One phase that changes by itself, or two that meet, by name in alphabetic order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """A balanced reaction, scaled so that one mole of atoms reacts; gases make up the rest."""

    reactants: Mapping[str, float]
    """Moles of each phase used up."""
    products: Mapping[str, float]
    """Moles of each phase made."""

    @property
    def pair(self) -> Pair:
        """What reacts."""
        return tuple(sorted(self.reactants))

    def drive_mev_atom(self, table: Table, potentials: Potentials) -> float:
        """Return the driving force per atom of the phases that react; positive where the reaction can go on."""
        used = sum(n * potentials.phi_kj_mol(table[name]) for name, n in self.reactants.items())
        made = sum(n * potentials.phi_kj_mol(table[name]) for name, n in self.products.items())
        return MEV_PER_KJ_MOL * (used - made)

    def gases(self, table: Table) -> dict[str, float]:
        """Return moles of O2, CO2 and H2O given off; negative where taken up."""
        left = dict.fromkeys(OPEN_ELEMENTS, 0.0)
        for side, sign in ((self.reactants, 1.0), (self.products, -1.0)):
            for name, n in side.items():
                for element in OPEN_ELEMENTS:
                    left[element] += sign * n * table[name].atoms.get(element, 0.0)
        moles = {"CO2": left["C"], "H2O": 0.5 * left["H"]}
        moles["O2"] = 0.5 * (left["O"] - 2.0 * moles["CO2"] - moles["H2O"])
        return {name: n for name, n in moles.items() if abs(n) > _TINY}

    def text(self, table: Table) -> str:
        """Return it as people write it, per formula unit of the first reactant."""
        gases = self.gases(table)
        per = 1.0 / next(iter(self.reactants.values()))
        used = {**self.reactants, **{name: -n for name, n in gases.items() if n < 0}}
        made = {**self.products, **{name: n for name, n in gases.items() if n > 0}}
        return f"{_side(used, per)} -> {_side(made, per)}"


def _side(side: Mapping[str, float], per: float) -> str:
    return " + ".join(name if abs(n * per - 1.0) < 1e-6 else f"{n * per:.3g} {name}" for name, n in side.items())


def reactions(table: Table, pair: Sequence[str]) -> tuple[Reaction, ...]:
    """Return every balanced reaction that uses up all of these phases, one or two, and makes others.

    Raises:
        BadTable: A phase is not in the table.
    """
    used = [table[name] for name in sorted(pair)]
    cations = tuple(sorted(frozenset[str]().union(*(one.cations for one in used))))
    fitting = [one for one in table.phases.values() if one.cations and one.cations <= frozenset(cations)]
    others = [one for one in fitting if one not in used]
    most = len(cations) + 1 - len(used) if len(used) > 1 else len(cations)
    found = [reaction for count in range(1, most + 1) for reaction in _of_size(used, others, cations, count)]
    return tuple(found)


def _of_size(
    used: Sequence[Substance], others: Sequence[Substance], cations: Sequence[str], count: int
) -> Iterator[Reaction]:
    """Yield the reactions with so many products, all systems of equations solved at once.

    Unknown are the moles of each phase; cations balance, and one mole of atoms reacts.
    """
    wanted = frozenset(cations)
    sets = [few for few in combinations(others, count) if frozenset[str]().union(*(o.cations for o in few)) == wanted]
    if not sets:
        return
    rows = np.array(
        [[_column(one, cations, -1.0) for one in used] + [_column(o, cations, 1.0) for o in few] for few in sets]
    )
    systems = np.swapaxes(rows, 1, 2)
    right = np.zeros(len(cations) + 1)
    right[-1] = -1.0
    moles = np.linalg.pinv(systems, rcond=1e-9) @ right
    misfit = np.abs((systems @ moles[..., None])[..., 0] - right).max(axis=1)
    unique = np.linalg.matrix_rank(systems, tol=1e-7) == systems.shape[2]
    for few, amounts in zip(
        [sets[i] for i in np.flatnonzero((misfit < 1e-7) & unique)], moles[(misfit < 1e-7) & unique], strict=True
    ):
        shares = amounts[: len(used)] * [one.n_atoms for one in used]
        if (amounts > _TINY).all() and shares.min() > _LEAST_SHARE:
            yield Reaction(
                reactants={one.name: float(n) for one, n in zip(used, amounts, strict=False)},
                products={one.name: float(n) for one, n in zip(few, amounts[len(used) :], strict=True)},
            )


def _column(one: Substance, cations: Sequence[str], sign: float) -> list[float]:
    """Return what a mole of a phase adds to each equation: cations, and atoms that react."""
    atoms = -one.n_atoms if sign < 0 else 0.0
    return [*(sign * one.atoms.get(element, 0.0) for element in cations), atoms]


class Network:
    """The reactions of a table, listed once per pair; a cache that changes no answer."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self._found: dict[Pair, tuple[Reaction, ...]] = {}

    def of(self, pair: Pair) -> tuple[Reaction, ...]:
        """Return the reactions of one phase or two; none where they share all of their cations or do not react."""
        if pair not in self._found:
            self._found[pair] = reactions(self.table, pair)
        return self._found[pair]

    def ranked(self, pair: Pair, potentials: Potentials) -> list[tuple[float, Reaction]]:
        """Return driving forces (meV per atom) and reactions that can go on, the largest first."""
        drives = [(one.drive_mev_atom(self.table, potentials), one) for one in self.of(pair)]
        return sorted([item for item in drives if item[0] > 0.0], key=lambda item: -item[0])

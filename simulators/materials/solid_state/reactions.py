"""Every balanced reaction of one phase or of a pair of phases, with the gases that it takes up or gives off.

Pairs meet at an interface: A + B (+ gas) gives one or two other phases, as in ARROWS3 (Szymanski et al., Nat. Commun.
14, 6956 (2023), doi 10.1038/s41467-023-42329-9). One phase alone decomposes, transforms, or loses an oxide as vapour.
Coefficients are whole numbers, so that amounts counted in whole units keep every element exactly.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import combinations

from simulators.materials.solid_state.facts import Phase, Substance, table

Side = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """A balanced reaction; formula units are positive on both sides."""

    reactants: Side
    products: Side
    gases: Side
    """Given off where positive, taken up where negative."""

    @property
    def key(self) -> str:
        """What meets: one name, or two in alphabetic order."""
        return " + ".join(sorted(name for name, _ in self.reactants))

    @property
    def is_interface(self) -> bool:
        """Whether two phases have to touch."""
        return len(self.reactants) > 1

    @property
    def coefficients(self) -> dict[str, int]:
        """Of every substance, negative for what is used up."""
        used = {name: -n for name, n in self.reactants}
        return {**used, **dict(self.products), **dict(self.gases)}

    @property
    def atoms(self) -> int:
        """In the phases that react."""
        return sum(n * table()[name].atoms for name, n in self.reactants)

    def __str__(self) -> str:
        taken = tuple((name, -n) for name, n in self.gases if n < 0)
        given = tuple((name, n) for name, n in self.gases if n > 0)
        return f"{_side(self.reactants + taken)} -> {_side(self.products + given)}"


def _side(side: Side) -> str:
    return " + ".join(name if n == 1 else f"{n} {name}" for name, n in side)


@cache
def network() -> dict[str, tuple[Reaction, ...]]:
    """Return all reactions of phases with one another and with the air, by what meets; sorted by key."""
    phases = list(table().phases.values())
    sets: list[tuple[Phase, ...]] = [*combinations(phases, 1), *combinations(phases, 2)]
    found = {_key(few): tuple(_reactions(few, phases)) for few in sets}
    return {key: found[key] for key in sorted(found) if found[key]}


@cache
def losses() -> dict[str, tuple[tuple[str, Reaction], ...]]:
    """Return, by phase, how it loses each vapour that it holds."""
    phases = list(table().phases.values())
    found: dict[str, list[tuple[str, Reaction]]] = {}
    for phase in phases:
        for vapour in table().vapours.values():
            for rest in _products(phase.cations - vapour.cations, phases, (0, 1)):
                reaction = balance((phase,), rest, (vapour, *_gases((phase, *rest))))
                if reaction and dict(reaction.gases).get(vapour.name, 0) > 0:
                    found.setdefault(phase.name, []).append((vapour.name, reaction))
    return {name: tuple(found[name]) for name in sorted(found)}


def _key(phases: Sequence[Substance]) -> str:
    return " + ".join(sorted(phase.name for phase in phases))


def _reactions(reactants: tuple[Phase, ...], phases: Sequence[Phase]) -> Iterator[Reaction]:
    cations = frozenset[str]().union(*(phase.cations for phase in reactants))
    others = [phase for phase in phases if phase not in reactants]
    for products in _products(cations, others, (1, 2)):
        reaction = balance(reactants, products, _gases((*reactants, *products)))
        if reaction:
            yield reaction


def _products(
    cations: frozenset[str], phases: Sequence[Phase], numbers: tuple[int, ...]
) -> Iterator[tuple[Phase, ...]]:
    """Yield sets of phases that hold just these cations."""
    fitting = [phase for phase in phases if phase.cations <= cations]
    for number in numbers:
        for few in combinations(fitting, number):
            if frozenset[str]().union(*(phase.cations for phase in few)) == cations:
                yield few


def _gases(phases: Sequence[Substance]) -> tuple[Substance, ...]:
    """Return the gases by which the phases can differ: carbon dioxide and water only where one holds any."""
    held = {element for phase in phases for element, _ in phase.elements}
    gases = table().gases
    return tuple(gases[name] for name, mark in (("O2", "O"), ("CO2", "C"), ("H2O", "H")) if mark in held)


def balance(
    reactants: Sequence[Substance], products: Sequence[Substance], gases: Sequence[Substance]
) -> Reaction | None:
    """Return the one reaction that keeps every element and uses or makes every phase; None where there is no such."""
    species = [*reactants, *products, *gases]
    elements = sorted({element for one in species for element, _ in one.elements})
    rows = [[Fraction(dict(one.elements).get(element, 0)) for one in species] for element in elements]
    vector = _null_vector(rows, len(species))
    if vector is None:
        return None
    whole = _whole(vector if vector[0] < 0 else [-value for value in vector])
    n_used, n_made = len(reactants), len(products)
    used, made, blown = whole[:n_used], whole[n_used : n_used + n_made], whole[n_used + n_made :]
    if not (all(n < 0 for n in used) and all(n > 0 for n in made)):
        return None
    return Reaction(
        reactants=tuple((one.name, -n) for one, n in zip(reactants, used, strict=True)),
        products=tuple((one.name, n) for one, n in zip(products, made, strict=True)),
        gases=tuple((one.name, n) for one, n in zip(gases, blown, strict=True) if n),
    )


def _null_vector(rows: list[list[Fraction]], width: int) -> list[Fraction] | None:
    """Return the vector that a matrix sends to zero, by Gauss and Jordan; None unless there is just one."""
    rows = [row[:] for row in rows]
    pivots: list[int] = []
    for column in range(width):
        top = len(pivots)
        chosen = next((i for i in range(top, len(rows)) if rows[i][column]), None)
        if chosen is None:
            continue
        rows[top], rows[chosen] = rows[chosen], rows[top]
        rows[top] = [value / rows[top][column] for value in rows[top]]
        for i, row in enumerate(rows):
            if i != top and row[column]:
                rows[i] = [value - row[column] * lead for value, lead in zip(row, rows[top], strict=True)]
        pivots.append(column)
    free = [column for column in range(width) if column not in pivots]
    if len(free) != 1:
        return None
    vector = [Fraction(0)] * width
    vector[free[0]] = Fraction(1)
    for row, pivot in zip(rows, pivots, strict=False):
        vector[pivot] = -row[free[0]]
    return vector


def _whole(vector: Sequence[Fraction]) -> list[int]:
    scaled = [int(value * math.lcm(*(v.denominator for v in vector))) for value in vector]
    common = math.gcd(*scaled)
    return [value // common for value in scaled]

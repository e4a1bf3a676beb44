"""Targets of a simulated A-Lab: one small synthetic chemistry each, diffraction by real structures in disguise.

A target has two or three cations. Its precursors are oxides and carbonates with the shipped table's values, and two of
the compounds between them; energies of compounds are drawn, and the truth's differ from the table's (`reaction_world`).
Synthetic phases have no structures of their own: each diffracts as one of 60 embedded structures, drawn for the target,
so that patterns, overlaps and errors of identification are those of real phases.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from reaction_world import World, with_errors
from xrd_cases import PHASES

from surrogate.reactions.balance import Network
from surrogate.reactions.energies import MEV_PER_KJ_MOL, Potentials
from surrogate.reactions.precursors import PrecursorSet, precursor_sets
from surrogate.reactions.substances import Substance, Table, shipped_table

TEMPERATURES_C = (700.0, 800.0, 900.0, 1000.0, 1100.0)
HOLD_H = 8.0
MADE = 0.5
NEAR_HULL_MEV = 10.0
ERROR_MEV_ATOM = 8.0
"""Standard deviation of the truth's energies about the table's: with it about four targets of five can be made."""
MISSING = 0.01
"""Chance that a clogged doser leaves a precursor out."""
STRANGE = 0.02
"""Chance of a phase that no library has."""
_OXIDES = (
    "BaO", "lime", "periclase", "Li2O", "zincite", "corundum", "hematite", "rutile", "cassiterite", "cerianite", "Y2O3",
    "tenorite", "CoO",
)  # fmt: skip
_OTHERS = {"BaO": ("witherite", "BaO2"), "lime": ("calcite",), "Li2O": ("zabuyelite",), "CoO": ("Co3O4",)}
_RATIOS = ((1, 1), (2, 1), (1, 2), (3, 1), (1, 3), (3, 2), (2, 3))


@dataclass(frozen=True, kw_only=True, eq=False)
class Target:
    """A target and its hidden truth."""

    world: World
    masks: Mapping[str, str]
    """Structure that each phase diffracts as."""
    stranger: str
    """Structure of a phase that no library has."""

    @property
    def is_possible(self) -> bool:
        """Whether some recipe truly makes it, with grains in average contact."""
        return any(self.world.weights(*r).get(self.world.target, 0.0) >= MADE for r in self.world.recipes())

    def fire(self, one: PrecursorSet, temperature_c: float, rng: np.random.Generator) -> dict[str, float]:
        """Return the true mass fractions of one sample, accidents included; what is strange has the name ''."""
        contact = float(np.clip(1.0 + 0.15 * rng.normal(), 0.5, 1.5))
        missing, strange = rng.random(2)
        names = sorted(one.moles)
        if missing < MISSING:
            lost = names[int(rng.integers(len(names)))]
            one = replace(one, moles={name: n for name, n in one.moles.items() if name != lost})
        true = self.world.fired(one, temperature_c, contact=contact)
        if strange < STRANGE:
            share = float(rng.uniform(0.05, 0.3))
            true = {**{name: w * (1.0 - share) for name, w in true.items()}, "": share}
        return true


def draw_target(seed: int, number: int) -> Target:
    """Draw a target that a person would try: near the table's hull, with sets of precursors to choose from."""
    for attempt in range(1000):
        rng = np.random.default_rng([seed, number, attempt, 11])
        found = _drawn(seed * 1000 + number, rng)
        if found is not None:
            return found
    raise RuntimeError(f"no target {number} of seed {seed}")


def _drawn(seed: int, rng: np.random.Generator) -> Target | None:
    oxides = [_OXIDES[int(i)] for i in rng.choice(len(_OXIDES), 2 if rng.random() < 0.6 else 3, replace=False)]
    table, compounds = _table(oxides, rng)
    target = compounds[int(rng.integers(len(compounds)))]
    if len(oxides) == 3 and len(table[target].cations) < 3:
        return None
    network = Network(table)
    if any(drive > NEAR_HULL_MEV for drive, _ in network.ranked((target,), Potentials.of(table, 900.0))[:1]):
        return None
    simple = [name for name in table.phases if name not in compounds]
    others = [name for name in compounds if name != target]
    bought = [others[int(i)] for i in rng.permutation(len(others))[:2]]
    sets = precursor_sets(table, target, [*simple, *bought])
    world = World(
        seed=seed, table=table, truth=Network(with_errors(table, rng, ERROR_MEV_ATOM)), sets=sets, target=target,
        temperatures_c=TEMPERATURES_C, hold_h=HOLD_H,
    )  # fmt: skip
    world.draw_laws(rng)
    drawn = [PHASES[int(i)] for i in rng.permutation(len(PHASES))]
    masks = dict(zip(sorted(table.phases), drawn, strict=False))
    return Target(world=world, masks=masks, stranger=drawn[len(masks)])


def _table(oxides: list[str], rng: np.random.Generator) -> tuple[Table, list[str]]:
    """Return a table of oxides, their carbonates, and compounds with drawn energies; and the names of the compounds."""
    known = shipped_table()
    rows = [known[name] for oxide in oxides for name in (oxide, *_OTHERS.get(oxide, ()))]
    compounds: list[Substance] = []
    for pair in combinations(oxides, 2):
        strength = rng.uniform(40.0, 130.0)
        for ratio in sorted({_RATIOS[int(i)] for i in rng.choice(len(_RATIOS), 3, replace=False)}):
            share = ratio[0] / sum(ratio)
            below = strength * 4.0 * share * (1.0 - share) * rng.uniform(0.85, 1.1)
            compounds.append(_compound([known[name] for name in pair], ratio, below, rng))
    if len(oxides) == 3:
        for _ in range(2):
            ratio = tuple(int(n) for n in rng.integers(1, 4, 3))
            compounds.append(_compound([known[name] for name in oxides], ratio, rng.uniform(70.0, 150.0), rng))
    unique = {one.name: one for one in compounds}
    return Table.of([*rows, *unique.values()]), list(unique)


def _compound(oxides: list[Substance], ratio: tuple[int, ...], below_mev: float, rng: np.random.Generator) -> Substance:
    """Return a compound with cations in a ratio, so much below its oxides."""
    per = [n / sum(k for e, k in oxide.atoms.items() if e != "O") for oxide, n in zip(oxides, ratio, strict=True)]
    scale = 2.0 if any((p * oxide.atoms["O"]) % 1 for p, oxide in zip(per, oxides, strict=True)) else 1.0
    parts = [(scale * p, oxide) for p, oxide in zip(per, oxides, strict=True)]
    atoms: dict[str, float] = {}
    for n, oxide in parts:
        for element, count in oxide.atoms.items():
            atoms[element] = atoms.get(element, 0.0) + n * count
    n_atoms = sum(atoms.values())
    name = "".join(
        f"{element}{'' if n == 1 else f'{n:g}'}" for element, n in sorted(atoms.items(), key=lambda i: i[0] == "O")
    )
    return Substance(
        name=name,
        atoms=atoms,
        enthalpy_kj_mol=sum(n * oxide.enthalpy_kj_mol for n, oxide in parts) - below_mev * n_atoms / MEV_PER_KJ_MOL,
        entropy_j_mol_k=sum(n * oxide.entropy_j_mol_k for n, oxide in parts) + rng.normal(0.0, 1.0) * n_atoms,
        melts_c=float(rng.uniform(1200.0, 1800.0)),
    )

"""A synthetic solid-state chemistry in the manner of Y-Ba-Cu-O, drawn from a seed, with a truth that no planner sees.

Energies of oxides and carbonates are rounded standard values; those of compounds are drawn. The truth has other
energies than the table that the planner is given, pairs with onsets, activation energies and products of its own, and
contacts that vary from batch to batch (ranges as in `simulators.materials.solid_state.chemistry`, onsets spread wider).
The reactions that can happen are listed by `surrogate.reactions.balance`, which the planner uses too, but ranked by the
true energies; a share of the pairs makes the second-best products.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from surrogate.reactions.balance import Network, Reaction
from surrogate.reactions.beliefs import Seen
from surrogate.reactions.energies import GAS_CONSTANT, MEV_PER_KJ_MOL, ZERO_C_K, Potentials
from surrogate.reactions.precursors import PrecursorSet, precursor_sets
from surrogate.reactions.substances import Substance, Table, atoms_of

TEMPERATURES_C = (600.0, 700.0, 800.0, 900.0)
HOLD_H = 4.0
N_SETS = 47
TARGET = "Ba2YCu3O7"
PRECURSORS = (
    "Y2O3",
    "Y2(CO3)3",
    "BaO",
    "BaO2",
    "BaCO3",
    "CuO",
    "Cu2O",
    "CuCO3",
    "BaCuO2",
    "Ba2Cu3O6",
    "Ba2CuO3",
    "Y2Cu2O5",
)
PURE = 0.95
PARTIAL = 0.1
ERROR_MEV_ATOM = 12.0
"""Standard deviation of the truth's energies about the table's."""
OTHER_PRODUCT = 0.15
"""Share of pairs whose products are not those of the largest driving force."""
ONSET_SD_C = 100.0
"""Of a pair's onset about Tammann's temperature."""
SUB_STEPS = 20
SEEN_SD = 0.03
LEAST_SEEN = 0.03
MISLABELLED = 0.03
FEWEST, MOST = 5, 20
"""Pure recipes in a world that is of use: about the published 10 of 188."""
FEWEST_PARTIAL, MOST_PARTIAL = 45, 125
"""Recipes with some of the target in a world that is of use: about the published 83 of 188."""

_SIMPLE = {
    # name: enthalpy, entropy, melting point
    "Y2O3": (-1905.3, 99.1, 2439.0),
    "BaO": (-548.0, 72.1, 1923.0),
    "BaO2": (-634.3, 93.0, 700.0),
    "BaCO3": (-1213.0, 112.1, 1300.0),
    "CuO": (-157.3, 42.6, 1326.0),
    "Cu2O": (-168.6, 93.1, 1235.0),
    "CuCO3": (-595.0, 87.9, 900.0),
}
_COMPOUNDS = {
    # formula: oxides per formula unit (Y2O3, BaO, CuO), and the range of its energy below them in meV an atom
    "BaCuO2": ((0.0, 1.0, 1.0), (25.0, 55.0)),
    "Ba2CuO3": ((0.0, 2.0, 1.0), (15.0, 50.0)),
    "Ba2Cu3O6": ((0.0, 2.0, 3.0), (22.0, 50.0)),
    "Y2Cu2O5": ((1.0, 0.0, 2.0), (5.0, 30.0)),
    "BaY2O4": ((1.0, 1.0, 0.0), (20.0, 60.0)),
    "Ba3Y4O9": ((2.0, 3.0, 0.0), (20.0, 60.0)),
    "BaY2CuO5": ((1.0, 1.0, 1.0), (25.0, 55.0)),
    TARGET: ((0.5, 2.0, 3.0), (50.0, 70.0)),
}


def table_of(rng: np.random.Generator) -> Table:
    """Return a table for the planner."""
    rows = [
        Substance(name=name, atoms=atoms_of(name), enthalpy_kj_mol=h, entropy_j_mol_k=s, melts_c=melts)
        for name, (h, s, melts) in _SIMPLE.items()
    ]
    simple = {row.name: row for row in rows}
    binding = -rng.uniform(70.0, 110.0)
    oxide = simple["Y2O3"]
    rows.append(
        Substance(
            name="Y2(CO3)3", atoms=atoms_of("Y2(CO3)3"), melts_c=1000.0,
            enthalpy_kj_mol=oxide.enthalpy_kj_mol + 3.0 * (-393.5 + binding),
            entropy_j_mol_k=oxide.entropy_j_mol_k + 150.0,
        )
    )  # fmt: skip
    for formula, (parts, (low, high)) in _COMPOUNDS.items():
        atoms = atoms_of(formula)
        n = sum(atoms.values())
        oxides = [simple[name] for name in ("Y2O3", "BaO", "CuO")]
        below = rng.uniform(low, high) * n / MEV_PER_KJ_MOL
        oxygen = 0.5 * (atoms["O"] - sum(p * o.atoms["O"] for p, o in zip(parts, oxides, strict=True)))
        rows.append(
            Substance(
                name=formula, atoms=atoms, melts_c=float(rng.uniform(1300.0, 1900.0)),
                enthalpy_kj_mol=sum(p * o.enthalpy_kj_mol for p, o in zip(parts, oxides, strict=True)) - below
                - 90.0 * oxygen,
                entropy_j_mol_k=sum(p * o.entropy_j_mol_k for p, o in zip(parts, oxides, strict=True))
                + rng.normal(0.0, 1.0) * n + 110.0 * oxygen,
            )
        )  # fmt: skip
    return Table.of(rows)


def with_errors(table: Table, rng: np.random.Generator, sd_mev_atom: float = ERROR_MEV_ATOM) -> Table:
    """Return a table whose energies are off."""
    phases = {
        name: replace(
            one, enthalpy_kj_mol=one.enthalpy_kj_mol + rng.normal(0.0, sd_mev_atom) * one.n_atoms / MEV_PER_KJ_MOL
        )
        for name, one in table.phases.items()
    }
    return Table(phases=phases, gases=table.gases)


def formula_of(one: Substance) -> str:
    """Return a formula that a table can be read with."""
    return "".join(f"{element}{n:g}" for element, n in one.atoms.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """How fast a pair reacts, and what it makes."""

    onset_c: float
    activation_kj_mol: float
    second_best: bool


@dataclass(kw_only=True, eq=False)
class World:
    """A drawn truth."""

    seed: int
    table: Table
    """What a planner may know."""
    truth: Network
    sets: tuple[PrecursorSet, ...]
    target: str = TARGET
    temperatures_c: tuple[float, ...] = TEMPERATURES_C
    hold_h: float = HOLD_H
    _laws: dict[tuple[str, ...], Law] = field(default_factory=dict)
    _preferred: dict[tuple[tuple[str, ...], float], tuple[float, Reaction] | None] = field(default_factory=dict)
    _rates: dict[tuple[tuple[str, ...], float], float] = field(default_factory=dict)
    _weights: dict[tuple[str, float], dict[str, float]] = field(default_factory=dict)

    @classmethod
    def draw(cls, seed: int) -> World:
        """Draw worlds until one has a useful number of pure recipes."""
        for attempt in range(1000):
            rng = np.random.default_rng([seed, attempt, 7])
            world = cls._one(seed, rng)
            partial = sum(world.weights(*recipe).get(TARGET, 0.0) >= PARTIAL for recipe in world.recipes())
            if FEWEST <= len(world.pure()) <= MOST and FEWEST_PARTIAL <= partial <= MOST_PARTIAL:
                return world
        raise RuntimeError(f"seed {seed} gives no world with {FEWEST} to {MOST} pure recipes")

    @classmethod
    def _one(cls, seed: int, rng: np.random.Generator) -> World:
        table = table_of(rng)
        truth = Network(with_errors(table, rng))
        every = precursor_sets(table, TARGET, PRECURSORS)
        chosen = sorted(rng.permutation(len(every))[:N_SETS])
        world = cls(seed=seed, table=table, truth=truth, sets=tuple(every[i] for i in chosen))
        world.draw_laws(rng)
        return world

    def draw_laws(self, rng: np.random.Generator) -> None:
        """Draw how fast each pair reacts."""
        names = sorted(self.truth.table.phases)
        for i, one in enumerate(names):
            for other in names[i:]:
                pair = (one,) if one == other else (one, other)
                activation, tammann = rng.uniform(180.0, 320.0), rng.uniform(0.5, 0.6)
                shift, second = rng.normal(0.0, ONSET_SD_C), rng.random() < OTHER_PRODUCT
                melting = [self.truth.table[name].melts_c or 1500.0 for name in pair]
                onset = tammann * (min(melting) + ZERO_C_K) - ZERO_C_K + 0.1 * (max(melting) - min(melting)) + shift
                self._laws[pair] = Law(
                    onset_c=float(onset), activation_kj_mol=float(activation), second_best=bool(second)
                )

    def rows(self) -> list[dict[str, object]]:
        """Return the planner's table as rows."""
        return [
            {
                "name": one.name, "formula": formula_of(one), "enthalpy_kj_mol": one.enthalpy_kj_mol,
                "entropy_j_mol_k": one.entropy_j_mol_k, "melts_c": one.melts_c,
            }
            for one in self.table.phases.values()
        ]  # fmt: skip

    def recipes(self) -> list[tuple[PrecursorSet, float]]:
        """Return all recipes."""
        return [(one, t) for one in self.sets for t in self.temperatures_c]

    def pure(self) -> set[tuple[str, float]]:
        """Return the recipes whose product is the target, at least 95 % of its weight."""
        return {(one.name, t) for one, t in self.recipes() if self.weights(one, t).get(self.target, 0.0) >= PURE}

    def weights(self, one: PrecursorSet, temperature_c: float) -> dict[str, float]:
        """Return the true mass fractions after firing, for grains in average contact."""
        key = (one.name, temperature_c)
        if key not in self._weights:
            self._weights[key] = self.fired(one, temperature_c, contact=1.0)
        return self._weights[key]

    def fired(self, one: PrecursorSet, temperature_c: float, *, contact: float) -> dict[str, float]:
        """Return the true mass fractions after firing, for some contact of the grains."""
        moles, progress = dict(one.moles), dict[tuple[str, ...], float]()
        step_h = self.hold_h / SUB_STEPS
        for _ in range(SUB_STEPS):
            names = sorted(moles)
            pairs = [(a,) if a == b else (a, b) for i, a in enumerate(names) for b in names[i:]]
            rated = [(self._per_h(pair, temperature_c), pair) for pair in pairs]
            for per_h, pair in sorted([item for item in rated if item[0] > 1e-5], reverse=True):
                self._react(moles, progress, pair, per_h * (contact if len(pair) > 1 else 1.0) * step_h, temperature_c)
            progress = {pair: theta for pair, theta in progress.items() if all(name in moles for name in pair)}
        masses = {name: n * self.truth.table[name].molar_mass_g for name, n in moles.items()}
        total = sum(masses.values())
        return {name: mass / total for name, mass in masses.items()}

    def _reaction(self, pair: tuple[str, ...], temperature_c: float) -> tuple[float, Reaction] | None:
        key = (pair, temperature_c)
        if key not in self._preferred:
            ranked = self.truth.ranked(pair, Potentials.of(self.truth.table, temperature_c))
            place = 1 if self._laws[pair].second_best and len(ranked) > 1 else 0
            self._preferred[key] = ranked[place] if ranked else None
        return self._preferred[key]

    def _per_h(self, pair: tuple[str, ...], temperature_c: float) -> float:
        key = (pair, temperature_c)
        if key not in self._rates:
            self._rates[key] = self._rate(pair, temperature_c)
        return self._rates[key]

    def _rate(self, pair: tuple[str, ...], temperature_c: float) -> float:
        """Return the rate per hour in average contact."""
        found = self._reaction(pair, temperature_c)
        if found is None:
            return 0.0
        law, (drive, reaction) = self._laws[pair], found
        inverse = 1.0 / (temperature_c + ZERO_C_K) - 1.0 / (law.onset_c + ZERO_C_K)
        thermal = GAS_CONSTANT * (temperature_c + ZERO_C_K)
        energy = -drive / MEV_PER_KJ_MOL / min(reaction.reactants.values())
        return (
            math.exp(min(-law.activation_kj_mol * inverse / GAS_CONSTANT, 30.0))
            * -math.expm1(energy / thermal)
            * (0.2 if drive < 50.0 else 1.0)
        )

    def _react(
        self, moles: dict[str, float], progress: dict, pair: tuple[str, ...], theta: float, temperature_c: float
    ) -> None:
        found = self._reaction(pair, temperature_c)
        if found is None or not all(name in moles for name in pair):
            return
        used, made = found[1].reactants, found[1].products
        exponent = 0.5 if len(pair) > 1 else 1.5
        before = progress.get(pair, 0.0)
        progress[pair] = before + theta
        share = -math.expm1(before**exponent - (before + theta) ** exponent)
        extent = share * min(moles[name] / n for name, n in used.items())
        for name, n in used.items():
            moles[name] -= extent * n
            if moles[name] < 1e-4:
                del moles[name]
        for name, n in made.items():
            moles[name] = moles.get(name, 0.0) + extent * n

    def measure(self, one: PrecursorSet, temperature_c: float) -> Seen:
        """Fire and look: noise, a limit of detection, and now and then a phase under a wrong name."""
        key = [self.seed, int(temperature_c), *[ord(letter) for letter in one.name]]
        rng = np.random.default_rng(key)
        contact = float(np.clip(1.0 + 0.15 * rng.normal(), 0.5, 1.5))
        true = self.fired(one, temperature_c, contact=contact)
        seen = {name: w + SEEN_SD * rng.normal() for name, w in sorted(true.items()) if w > LEAST_SEEN}
        seen = {name: w for name, w in seen.items() if w > LEAST_SEEN} or {max(true, key=lambda name: true[name]): 1.0}
        chances = {name: float(1.0 - rng.beta(1.0, 12.0)) for name in seen}
        named, sure = dict[str, float](), dict[str, float]()
        for name, w in seen.items():
            label = name
            if rng.random() < MISLABELLED:
                label = str(rng.choice(sorted(self.table.phases)))
                chances[name] = float(rng.uniform(0.4, 0.9))
            named[label] = named.get(label, 0.0) + w
            sure[label] = chances[name]
        total = sum(named.values())
        return Seen(
            precursors=one,
            temperature_c=temperature_c,
            weights={n: w / total for n, w in named.items()},
            probabilities=sure,
        )

"""The hidden truth about rates and energies: what reacts with what at a temperature, and how fast.

Energies are the table's ``G(T) = H - T S`` with ``R T ln p`` for gases, off by a small error that nobody outside is
told. Two phases that touch make the products of the largest driving force per atom (Szymanski et al., Nat. Commun. 14,
6956 (2023), doi 10.1038/s41467-023-42329-9). A rate is Arrhenius's, one per hour at an onset that is near half of the
lower melting point (Tammann's rule), times ``1 - exp(dG / R T)``, and never more than the supply of a gas that is taken
up; driving forces below 50 meV an atom are sluggish (Szymanski et al., Nature 624, 86 (2023), doi
10.1038/s41586-023-06734-w). Ranges of activation energies, onsets and losses are a proposal; none was fitted to a
measurement.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import MappingProxyType

import numpy as np

from simulators.materials.solid_state.atmosphere import Atmosphere
from simulators.materials.solid_state.facts import table
from simulators.materials.solid_state.reactions import Reaction, losses, network

GAS_CONSTANT = 8.314462618e-3
"""In kJ/(mol K)."""
ZERO_C_K = 273.15
MEV_PER_KJ_MOL = 10.364269
DIFFUSION_EXPONENT = 0.5
"""Of conversion at an interface, where the product hinders its own growth."""
NUCLEATION_EXPONENT = 1.5
"""Of what transforms or decomposes by itself."""
SLUGGISH_MEV_ATOM = 50.0
SLUGGISH_FACTOR = 0.2
LIQUID_FACTOR = 10.0
"""Of interface reactions when a reactant is liquid."""
BOUND_FACTOR = 0.03
"""Of losses of an oxide that is bound in a compound."""
LEAST_PER_H = 1e-7
"""Slower than this is nothing in a week."""
MOST_PER_H = 1e9
GAS_PER_H_BAR = 200.0
"""Fastest rate at which a gas is taken up, for its pressure."""
HARDER_SHARE = 0.15
"""Of the difference of melting points by which the harder phase of a pair delays the onset."""
_NO_MELTING_C = 1500.0
_VAPOUR_KJ_MOL = 200.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """How fast what meets reacts."""

    onset_c: float
    """Where the rate is one per hour."""
    activation_kj_mol: float
    exponent: float
    """Avrami's n in ``1 - exp(-(k t)^n)``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Active:
    """A reaction that goes on at some temperature."""

    name: str
    """What remembers its progress."""
    reaction: Reaction
    per_h: float
    exponent: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Chemistry:
    """The rates and energies of one simulated world; compared by identity, as each is drawn once."""

    errors_kj_mol: Mapping[str, float]
    """Of the table's enthalpies, by phase."""
    laws: Mapping[str, Law]
    """By what meets."""
    loss_per_h: Mapping[str, float]
    """Of each vapour at its threshold."""

    @classmethod
    def draw(cls, rng: np.random.Generator, *, hidden_error: float = 1.0) -> Chemistry:
        """Draw a world.

        Args:
            rng: from which everything is drawn, in the alphabetic order of names.
            hidden_error: scale of the error of energies; 0 for a world in which the table is true.
        """
        phases, vapours = table().phases, table().vapours
        errors = {
            name: hidden_error * 0.15 * phases[name].atoms * float(np.clip(rng.normal(), -2.0, 2.0))
            for name in sorted(phases)
        }
        laws = {key: _draw_law(reactions[0], rng) for key, reactions in network().items()}
        loss = {name: float(rng.uniform(0.005, 0.02)) for name in sorted(vapours)}
        return cls(
            errors_kj_mol=MappingProxyType(errors), laws=MappingProxyType(laws), loss_per_h=MappingProxyType(loss)
        )

    def gibbs_kj_mol(self, name: str, temperature_c: float) -> float:
        """Return the energy of a mole of a phase, or of a gas at 1 bar."""
        substance = table()[name]
        enthalpy = substance.enthalpy_kj_mol + self.errors_kj_mol.get(name, 0.0)
        return enthalpy - 1e-3 * (temperature_c + ZERO_C_K) * substance.entropy_j_mol_k

    def reaction_kj(self, reaction: Reaction, temperature_c: float, atmosphere: Atmosphere) -> float:
        """Return the change of energy by a reaction as it is written; negative where it can go on."""
        total = sum(n * self.gibbs_kj_mol(name, temperature_c) for name, n in reaction.coefficients.items())
        thermal = GAS_CONSTANT * (temperature_c + ZERO_C_K)
        gases = ((name, n) for name, n in reaction.gases if name in table().gases)
        return total + sum(n * thermal * math.log(atmosphere.bar(name)) for name, n in gases)

    def drive_mev_atom(self, reaction: Reaction, temperature_c: float, atmosphere: Atmosphere) -> float:
        """Return the driving force per atom of the phases that react; positive where the reaction can go on."""
        return -MEV_PER_KJ_MOL * self.reaction_kj(reaction, temperature_c, atmosphere) / reaction.atoms

    def preferred(self, key: str, temperature_c: float, atmosphere: Atmosphere) -> Reaction | None:
        """Return what those that meet make: the reaction of the largest driving force; None where they are inert."""

        def drive(reaction: Reaction) -> float:
            return self.drive_mev_atom(reaction, temperature_c, atmosphere)

        best = max(network().get(key, ()), key=drive, default=None)
        return best if best is not None and drive(best) > 0.0 else None

    @cached_property
    def active(self) -> Callable[[tuple[str, ...], float, Atmosphere], tuple[Active, ...]]:
        """What goes on among phases (sorted names) at a temperature in an atmosphere, the fastest first."""
        return lru_cache(maxsize=1 << 16)(self._active)

    def _active(self, phases: tuple[str, ...], temperature_c: float, atmosphere: Atmosphere) -> tuple[Active, ...]:
        keys = [*phases, *(f"{a} + {b}" for i, a in enumerate(phases) for b in phases[i + 1 :])]
        found = [self._meeting(key, temperature_c, atmosphere) for key in keys]
        found += [self._loss(name, *loss, temperature_c) for name in phases for loss in self._losses(name)]
        going = [one for one in found if one is not None and one.per_h > LEAST_PER_H]
        return tuple(sorted(going, key=lambda one: (-one.per_h, one.name)))

    def _meeting(self, key: str, temperature_c: float, atmosphere: Atmosphere) -> Active | None:
        law = self.laws.get(key)
        if law is None or law.onset_c > temperature_c + 600.0:
            return None
        reaction = self.preferred(key, temperature_c, atmosphere)
        if reaction is None:
            return None
        energy_kj = self.reaction_kj(reaction, temperature_c, atmosphere) / min(n for _, n in reaction.reactants)
        drive = self.drive_mev_atom(reaction, temperature_c, atmosphere)
        per_h = _arrhenius(temperature_c, law.onset_c, law.activation_kj_mol)
        per_h *= -math.expm1(energy_kj / (GAS_CONSTANT * (temperature_c + ZERO_C_K))) * _alacrity(drive)
        per_h *= LIQUID_FACTOR if reaction.is_interface and _has_liquid(reaction, temperature_c) else 1.0
        return Active(name=key, reaction=reaction, per_h=_supplied(per_h, reaction, atmosphere), exponent=law.exponent)

    def _losses(self, name: str) -> list[tuple[str, tuple[Reaction, ...]]]:
        """Return each vapour of a phase with the ways in which it can be lost."""
        ways = losses().get(name, ())
        return [(vapour, tuple(r for v, r in ways if v == vapour)) for vapour in sorted({v for v, _ in ways})]

    def _loss(self, name: str, vapour: str, ways: tuple[Reaction, ...], temperature_c: float) -> Active | None:
        facts = table().vapours[vapour]
        if temperature_c < facts.threshold_c - 300.0:
            return None
        reaction = min(ways, key=lambda way: self._left_kj(way, vapour, temperature_c))
        per_h = self.loss_per_h[vapour] * _arrhenius(temperature_c, facts.threshold_c, _VAPOUR_KJ_MOL)
        per_h *= 1.0 if name in facts.free else BOUND_FACTOR
        return Active(name=f"{name} ^ {vapour}", reaction=reaction, per_h=min(per_h, MOST_PER_H), exponent=1.0)

    def _left_kj(self, reaction: Reaction, vapour: str, temperature_c: float) -> float:
        """Return the energy of what a loss leaves behind, by how much of the vapour goes."""
        products = sum(n * self.gibbs_kj_mol(name, temperature_c) for name, n in (*reaction.products, *reaction.gases))
        used = sum(n * self.gibbs_kj_mol(name, temperature_c) for name, n in reaction.reactants)
        return (products - used) / dict(reaction.gases)[vapour]


def _draw_law(reaction: Reaction, rng: np.random.Generator) -> Law:
    """Draw how fast the phases of a reaction meet; all draws are made whether they are used or not."""
    activation, tammann, shift_c = rng.uniform(180.0, 320.0), rng.uniform(0.5, 0.6), rng.uniform(-25.0, 25.0)
    phases = [table().phases[name] for name, _ in reaction.reactants]
    melting_c = [_NO_MELTING_C if phase.melts_c is None else phase.melts_c for phase in phases]
    onset_c = float(tammann) * (min(melting_c) + ZERO_C_K) - ZERO_C_K
    onset_c += HARDER_SHARE * (max(melting_c) - min(melting_c))
    if not reaction.is_interface and phases[0].onset_c is not None:
        onset_c = phases[0].onset_c + float(shift_c)
    exponent = DIFFUSION_EXPONENT if reaction.is_interface else NUCLEATION_EXPONENT
    return Law(onset_c=onset_c, activation_kj_mol=float(activation), exponent=exponent)


def _arrhenius(temperature_c: float, onset_c: float, activation_kj_mol: float) -> float:
    """Return a rate over that at the onset."""
    inverse = 1.0 / (temperature_c + ZERO_C_K) - 1.0 / (onset_c + ZERO_C_K)
    return math.exp(min(-activation_kj_mol * inverse / GAS_CONSTANT, 50.0))


def _alacrity(drive_mev_atom: float) -> float:
    """Return 1 for a strong driving force, a fifth for a weak one."""
    excess = min(max((drive_mev_atom - SLUGGISH_MEV_ATOM) / 5.0, -50.0), 50.0)
    return SLUGGISH_FACTOR + (1.0 - SLUGGISH_FACTOR) / (1.0 + math.exp(-excess))


def _supplied(per_h: float, reaction: Reaction, atmosphere: Atmosphere) -> float:
    """Return a rate in series with the supply of each gas that is taken up."""
    waits_h = (1.0 / (GAS_PER_H_BAR * atmosphere.bar(name)) for name, n in reaction.gases if n < 0)
    return 1.0 / (1.0 / min(max(per_h, 1e-30), MOST_PER_H) + sum(waits_h))


def _has_liquid(reaction: Reaction, temperature_c: float) -> bool:
    melting = (table().phases[name].melts_c for name, _ in reaction.reactants)
    return any(melts_c is not None and melts_c <= temperature_c for melts_c in melting)

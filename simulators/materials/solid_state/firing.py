"""Heats a powder: reactions, losses, melting, growth of grains; nothing here is left to chance.

Each reaction remembers ``theta``, the integral of its rate over time, and in a minute turns
``1 - exp(-(theta_1^n - theta_0^n))`` of what its scarcer reactant still allows: Johnson, Mehl and Avrami's law (Avrami,
J. Chem. Phys. 7, 1103 (1939), doi 10.1063/1.1750380) with the additivity of isokinetic steps (Cahn, Acta Metall. 4, 572
(1956), doi 10.1016/0001-6160(56)90158-4). Every minute is one step, the fastest reaction first, so that a firing in two
parts is the firing in one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from simulators.materials.solid_state.atmosphere import Atmosphere
from simulators.materials.solid_state.chemistry import GAS_CONSTANT, ZERO_C_K, Active, Chemistry
from simulators.materials.solid_state.facts import molar_mass_g, table
from simulators.materials.solid_state.powder import Portion, Powder
from simulators.materials.solid_state.profile import Segment

COLD_C = 100.0
"""Below, nothing happens."""
NUCLEUS_NM = 40.0
"""Size of grains as they form."""
NUCLEUS_STRAIN = 0.001
LARGEST_NM = 5000.0
TRACE_FMOL = 1000
"""A rest so small reacts at once."""
GLASS_SHARE = 0.1
"""Of what was liquid, when it is cold again."""
CRYSTALLISES_C = 600.0
CRYSTALLISING_MINUTES = 60.0
_MINUTE_H = 1.0 / 60.0
_GROWN_NM = 200.0
_GROWTH_KJ_MOL = 250.0
_HEALING_KJ_MOL = 200.0
_NO_MELTING_C = 1500.0


def fire(powder: Powder, segments: Iterable[Segment], chemistry: Chemistry) -> Powder:
    """Return what a powder is after a heating profile; its grains stay in the contact that mixing gave them."""
    charge = _Charge.of(powder)
    for segment in segments:
        for temperature_c in segment.temperatures_c():
            # the same minute of a ramp, reached in one segment or in two, differs by rounding only
            charge.minute(round(temperature_c, 6), segment.atmosphere, chemistry)
    return charge.powder()


@dataclass(slots=True)
class _Charge:
    """A powder while it is hot."""

    start: Powder
    amounts: dict[str, int]
    cubes: dict[str, float]
    """Of grain sizes in nm, by phase."""
    strains: dict[str, float]
    released: dict[str, int]
    progress: dict[str, float]
    liquid: float
    glass: float
    highest_c: float
    minutes: int

    @classmethod
    def of(cls, powder: Powder) -> Self:
        return cls(
            start=powder,
            amounts=powder.amounts_fmol,
            cubes={portion.phase: portion.size_nm**3 for portion in powder.portions},
            strains={portion.phase: portion.microstrain for portion in powder.portions},
            released=dict(powder.released_fmol),
            progress=dict(powder.progress),
            liquid=powder.liquid,
            glass=powder.glass,
            highest_c=powder.highest_c,
            minutes=powder.fired_minutes,
        )

    def powder(self) -> Powder:
        """Return the state as a value."""
        return Powder(
            portions=tuple(self._portion(name) for name in sorted(self.amounts)),
            released_fmol=tuple((name, self.released[name]) for name in sorted(self.released) if self.released[name]),
            progress=tuple(sorted(self.progress.items())),
            unmixed=self.start.unmixed,
            contact=self.start.contact,
            liquid=self.liquid,
            glass=self.glass,
            highest_c=self.highest_c,
            fired_minutes=self.minutes,
        )

    def _portion(self, name: str) -> Portion:
        sizes_nm = {portion.phase: portion.size_nm for portion in self.start.portions}
        cube = self.cubes[name]
        # grains that did not grow keep their size to the last digit, which a cube's root would not
        is_kept = name in sizes_nm and cube == sizes_nm[name] ** 3
        return Portion(
            phase=name,
            amount_fmol=self.amounts[name],
            size_nm=sizes_nm[name] if is_kept else cube ** (1.0 / 3.0),
            microstrain=self.strains[name],
        )

    def minute(self, temperature_c: float, atmosphere: Atmosphere, chemistry: Chemistry) -> None:
        """Go on by one minute."""
        self.minutes += 1
        self.highest_c = max(self.highest_c, temperature_c)
        if temperature_c < COLD_C:
            return
        phases = tuple(sorted(self.amounts))
        for active in chemistry.active(phases, temperature_c, atmosphere):
            self._react(active)
        if tuple(sorted(self.amounts)) != phases:
            self._forget()
        self._ripen(temperature_c)
        self._melt(temperature_c)

    def _react(self, active: Active) -> None:
        reaction = active.reaction
        units = min(self.amounts.get(name, 0) // n for name, n in reaction.reactants)
        if units == 0:
            return
        touch = self.start.contact * (1.0 - 0.95 * self.start.unmixed) if reaction.is_interface else 1.0
        before = self.progress.get(active.name, 0.0)
        after = before + active.per_h * touch * _MINUTE_H
        self.progress[active.name] = after
        share = -math.expm1(before**active.exponent - after**active.exponent)
        extent = units if units < TRACE_FMOL else int(units * share)
        if extent:
            self._convert(active, extent)

    def _convert(self, active: Active, extent: int) -> None:
        for name, n in active.reaction.reactants:
            self.amounts[name] -= n * extent
            if not self.amounts[name]:
                del self.amounts[name], self.cubes[name], self.strains[name]
        for name, n in active.reaction.products:
            self._grow(name, n * extent)
        for name, n in active.reaction.gases:
            self.released[name] = self.released.get(name, 0) + n * extent

    def _grow(self, name: str, amount: int) -> None:
        """Add freshly formed grains."""
        old = self.amounts.get(name, 0)
        share = amount / (old + amount)
        self.amounts[name] = old + amount
        self.cubes[name] = self.cubes.get(name, 0.0) * (1.0 - share) + NUCLEUS_NM**3 * share
        self.strains[name] = self.strains.get(name, 0.0) * (1.0 - share) + NUCLEUS_STRAIN * share

    def _forget(self) -> None:
        """Drop the progress of reactions whose phases are gone."""
        self.progress = {
            name: theta
            for name, theta in self.progress.items()
            if all(phase in self.amounts for phase in name.split(" ^ ")[0].split(" + "))
        }

    def _ripen(self, temperature_c: float) -> None:
        for name in self.amounts:
            growth_nm3, healing = _ripening(name, temperature_c)
            self.cubes[name] = min(self.cubes[name] + growth_nm3, max(self.cubes[name], LARGEST_NM**3))
            self.strains[name] *= healing

    def _melt(self, temperature_c: float) -> None:
        molten = [name for name in self.amounts if _is_liquid(name, temperature_c)]
        if molten:
            # exact sums: a powder that was put away in between has its phases in another order
            mass = math.fsum(n * molar_mass_g(name) for name, n in self.amounts.items())
            share = math.fsum(self.amounts[name] * molar_mass_g(name) for name in molten) / mass
            self.liquid = max(self.liquid, min(share, 1.0))
            self.glass = max(self.glass, GLASS_SHARE * min(share, 1.0))
        elif temperature_c > CRYSTALLISES_C:
            self.glass *= math.exp(-1.0 / CRYSTALLISING_MINUTES)


def _is_liquid(name: str, temperature_c: float) -> bool:
    melts_c = table().phases[name].melts_c
    return melts_c is not None and melts_c <= temperature_c


@lru_cache(maxsize=1 << 14)
def _ripening(name: str, temperature_c: float) -> tuple[float, float]:
    """Return by how much a phase's cubed size grows in a minute, and the factor of its strain.

    Grains reach 200 nm in eight hours at 0.6 of the melting point; strain heals within an hour at 0.4 of it.
    """
    melts_k = (table().phases[name].melts_c or _NO_MELTING_C) + ZERO_C_K
    temperature_k = temperature_c + ZERO_C_K
    growth = _arrhenius(temperature_k, 0.6 * melts_k, _GROWTH_KJ_MOL)
    healing = _arrhenius(temperature_k, 0.4 * melts_k, _HEALING_KJ_MOL)
    return growth * _GROWN_NM**3 / 480.0, math.exp(-min(healing, 1e4) * _MINUTE_H)


def _arrhenius(temperature_k: float, reference_k: float, activation_kj_mol: float) -> float:
    return math.exp(min(-activation_kj_mol / GAS_CONSTANT * (1.0 / temperature_k - 1.0 / reference_k), 50.0))

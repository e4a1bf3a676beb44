"""Energies of phases in a gas: ``G(T) = H - T S``, open to O2, CO2 and H2O.

Oxygen, carbon and hydrogen are exchanged with the gas, so that a phase has a grand potential
``phi = G - n_O mu_O - n_C mu_C - n_H mu_H`` and reactions need to balance cations only. A gas has
``mu = H - T S + R T ln p``. Heat capacities are neglected, as between 298 K and a firing they nearly cancel in
reactions of solids.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from surrogate.reactions.substances import Substance, Table

GAS_CONSTANT = 8.314462618e-3
"""In kJ/(mol K)."""
ZERO_C_K = 273.15
MEV_PER_KJ_MOL = 10.364269
LEAST_BAR = 1e-6
"""What even a pure gas holds of every other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gas:
    """Partial pressures around a sample, in bar."""

    o2_bar: float = 0.21
    co2_bar: float = 4.2e-4
    h2o_bar: float = 0.01

    def __post_init__(self) -> None:
        if not all(math.isfinite(bar) and bar >= 0.0 for bar in (self.o2_bar, self.co2_bar, self.h2o_bar)):
            raise ValueError(f"partial pressures are in bar and not below 0: {self}")

    def bar(self, name: str) -> float:
        """Return the pressure of O2, CO2 or H2O."""
        return max({"O2": self.o2_bar, "CO2": self.co2_bar, "H2O": self.h2o_bar}[name], LEAST_BAR)


AIR = Gas()
ATMOSPHERES = {
    "air": AIR,
    "oxygen": Gas(o2_bar=1.0, co2_bar=0.0, h2o_bar=0.0),
    "inert": Gas(o2_bar=0.0, co2_bar=0.0, h2o_bar=0.0),
    "carbon dioxide": Gas(o2_bar=0.0, co2_bar=1.0, h2o_bar=0.0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Potentials:
    """What an atom of oxygen, carbon and hydrogen costs at a temperature, in kJ/mol."""

    temperature_c: float
    open_kj_mol: Mapping[str, float]

    @classmethod
    def of(cls, table: Table, temperature_c: float, gas: Gas = AIR) -> Potentials:
        """Return the potentials that a gas sets."""
        kelvin = temperature_c + ZERO_C_K
        mu = {
            name: one.enthalpy_kj_mol
            - 1e-3 * kelvin * one.entropy_j_mol_k
            + GAS_CONSTANT * kelvin * math.log(gas.bar(name))
            for name, one in table.gases.items()
        }
        oxygen = 0.5 * mu["O2"]
        found = {"O": oxygen, "C": mu["CO2"] - 2.0 * oxygen, "H": 0.5 * (mu["H2O"] - oxygen)}
        return cls(temperature_c=temperature_c, open_kj_mol=found)

    def phi_kj_mol(self, substance: Substance) -> float:
        """Return the grand potential of a mole of formula units."""
        energy = substance.enthalpy_kj_mol - 1e-3 * (self.temperature_c + ZERO_C_K) * substance.entropy_j_mol_k
        return energy - sum(substance.atoms.get(element, 0.0) * mu for element, mu in self.open_kj_mol.items())

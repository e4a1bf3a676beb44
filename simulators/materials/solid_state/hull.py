"""How far a phase is above the hull of the phases of the table, in a given gas at a given temperature."""

from __future__ import annotations

import numpy as np

from simulators.materials.solid_state.atmosphere import Atmosphere
from simulators.materials.solid_state.chemistry import GAS_CONSTANT, MEV_PER_KJ_MOL, ZERO_C_K, Chemistry
from simulators.materials.solid_state.facts import table


def energy_above_hull_mev_atom(
    name: str, chemistry: Chemistry, *, temperature_c: float, atmosphere: Atmosphere
) -> float:
    """Return the energy per atom that a phase would set free by becoming the stablest mixture, open to the gas.

    Raises:
        KeyError: No phase has that name.
    """
    from scipy.optimize import linprog  # slow to import, and no firing needs it

    phase = table()[name]
    fitting = [other for other in table().phases.values() if other.cations <= phase.cations]
    pressure_kj = GAS_CONSTANT * (temperature_c + ZERO_C_K)
    energies = [chemistry.gibbs_kj_mol(other.name, temperature_c) for other in fitting]
    for gas in table().gases:
        energies.append(chemistry.gibbs_kj_mol(gas, temperature_c) + pressure_kj * np.log(atmosphere.bar(gas)))
    species = [*fitting, *table().gases.values()]
    elements = sorted({element for one in species for element, _ in one.elements})
    held = np.array([[dict(one.elements).get(element, 0) for one in species] for element in elements])
    wanted = [dict(phase.elements).get(element, 0) for element in elements]
    bounds = [(0.0, None)] * len(fitting) + [(None, None)] * len(table().gases)
    found = linprog(energies, A_eq=held, b_eq=wanted, bounds=bounds, method="highs")
    own = chemistry.gibbs_kj_mol(name, temperature_c)
    return max(0.0, MEV_PER_KJ_MOL * (own - float(found.fun)) / phase.atoms)

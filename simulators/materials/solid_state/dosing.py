"""Doses precursors into an empty vessel, as well as a dispenser can."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from simulators.materials.solid_state.facts import MG_PER_FMOL_GRAM, molar_mass_g, table
from simulators.materials.solid_state.powder import Portion, Powder

DOSING_ERROR = 0.005
"""Typical relative error of a dose."""
BOUGHT_NM = 200.0
"""Grain size of precursors as they are bought, give or take a third."""
BOUGHT_STRAIN = 0.0005


def dose(targets_mg: Mapping[str, float], rng: np.random.Generator, *, relative_error: float = DOSING_ERROR) -> Powder:
    """Return powders poured on one another, each dose truly a little off; a target of 0 mg is left out.

    A clogged doser or a swapped vial is a dose of 0 or of another phase: the caller's to say.

    Raises:
        ValueError: A phase is unknown, a mass is not a finite number of at least 0, or nothing is dosed.
    """
    poured: list[Portion] = []
    for phase in sorted(targets_mg):
        error, size = rng.normal(size=2).tolist()
        portion = _dosed(phase, targets_mg[phase], 1.0 + relative_error * max(-4.0, min(4.0, error)), size)
        poured += [portion] if portion else []
    if not poured:
        raise ValueError("nothing is dosed; name at least one precursor with a mass above 0 mg")
    return Powder(portions=tuple(poured))


def _dosed(phase: str, target_mg: float, factor: float, size: float) -> Portion | None:
    if phase not in table().phases:
        raise ValueError(f"no phase is named {phase!r}; phases: {', '.join(table().phases)}")
    if not (math.isfinite(target_mg) and target_mg >= 0.0):
        raise ValueError(f"a dose of {target_mg!r} mg of {phase}; write a mass of at least 0 mg")
    amount = round(max(0.0, target_mg * factor) / (molar_mass_g(phase) * MG_PER_FMOL_GRAM))
    if amount == 0:
        return None
    size_nm = BOUGHT_NM * math.exp(0.3 * size)
    return Portion(phase=phase, amount_fmol=amount, size_nm=size_nm, microstrain=BOUGHT_STRAIN)


def stoichiometric_mg(target: str, precursors: tuple[str, ...], *, product_mg: float) -> dict[str, float]:
    """Return the mass of each precursor for a mass of a target, cations counted.

    Raises:
        ValueError: The precursors cannot make up the target's cations, or not in one way only.
    """
    wanted, held = table().phases[target], [table().phases[name] for name in precursors]
    cations = sorted(wanted.cations.union(*(phase.cations for phase in held)))
    matrix = np.array([[dict(phase.elements).get(cation, 0) for phase in held] for cation in cations], dtype=float)
    goal = np.array([dict(wanted.elements).get(cation, 0) for cation in cations], dtype=float)
    found, _, rank, _ = np.linalg.lstsq(matrix, goal, rcond=None)
    if rank < len(held) or not np.allclose(matrix @ found, goal) or np.any(found <= 1e-12):
        raise ValueError(f"{', '.join(precursors)} do not make up {target}, each needed and in one way only")
    moles = product_mg / wanted.molar_mass_g
    return {phase.name: float(n) * moles * phase.molar_mass_g for phase, n in zip(held, found, strict=True)}

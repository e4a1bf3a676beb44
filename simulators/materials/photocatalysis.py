"""Hydrogen from water by a polymer photocatalyst in ten ingredients: a closed form fitted to a real campaign.

The campaign is that of the mobile chemist (Burger et al., Nature 583, 237 (2020), doi 10.1038/s41586-020-2442-2). The
closed form describes its 677 valid results with R2 = 0.87 (rmse 2.1 umol); its optimum on the robot's grid is 21.3
umol, where the robot's own best measured 21.05. Replicates of one recipe scattered by 9.4 %, and 1.6 % of the results
were missing (a leaking cap, an empty cartridge).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np

VOLUMES = (
    "cysteine",
    "nacl",
    "naoh",
    "pvp",
    "sds",
    "silicate",
    "acid_red",
    "rhodamine_b",
    "methylene_blue",
)
"""The liquids, mL each; water fills the vial to 5 mL."""

INGREDIENTS = ("p10", *VOLUMES)
"""All ten variables; p10, the photocatalyst, is a solid in mg."""

CAPACITY_ML = 5.0
"""What fits the vial."""

CONTROL: Mapping[str, float] = {**dict.fromkeys(INGREDIENTS, 0.0), "p10": 5.0, "cysteine": 0.5}
"""The recipe that the robot repeated twice in each batch of 16."""

RELATIVE_NOISE = 0.094
NOISE_FLOOR_UMOL = 0.05
MISSING_RATE = 0.016

_QUENCHING_PER_ML = {
    "nacl": 0.05,
    "pvp": 1.03,
    "sds": 4.12,
    "acid_red": 3.34,
    "rhodamine_b": 6.57,
    "methylene_blue": 5.82,
}
"""Loss of the logarithm of the yield per mL."""


def hydrogen_umol(recipe: Mapping[str, float]) -> float:
    """Return the hydrogen that a recipe gives in one hour of light, without noise, in umol.

    Raises:
        KeyError: An ingredient is missing.
    """
    cysteine = recipe["cysteine"]
    loading = -np.expm1(-recipe["p10"] / 1.231)
    best_naoh = 1.981 + 0.249 * cysteine
    alkalinity = np.exp(-0.5 * ((recipe["naoh"] - best_naoh) / 1.866) ** 2)
    dispersion = 1.0 + 0.295 * recipe["silicate"]
    quenching = np.exp(-sum(loss * recipe[name] for name, loss in _QUENCHING_PER_ML.items()))
    return max(0.0, float(11.70 * loading * cysteine**0.55 * alkalinity * dispersion * quenching))


@cache
def most_hydrogen_umol() -> float:
    """Return the greatest noiseless yield on the robot's own grid (volumes in steps of 0.25 mL, 5 mg of p10)."""
    steps = np.arange(0.0, CAPACITY_ML + 0.1, 0.25)
    recipe = {**dict.fromkeys(INGREDIENTS, 0.0), "p10": 5.0}
    return max(
        hydrogen_umol({**recipe, "cysteine": float(cysteine), "naoh": float(naoh), "silicate": float(silicate)})
        for cysteine in steps
        for naoh in steps
        for silicate in steps
        if cysteine + naoh + silicate <= CAPACITY_ML
    )


def noise_sd_umol(yield_umol: float) -> float:
    """Return the standard deviation of one measurement of a yield, in umol."""
    return max(NOISE_FLOOR_UMOL, RELATIVE_NOISE * yield_umol)


def measure_umol(recipe: Mapping[str, float], rng: np.random.Generator, *, failures: bool = True) -> float | None:
    """Return one noisy measurement of a recipe in umol, never negative, or None where the result went missing.

    Args:
        recipe: mg of p10 and mL of each liquid, by name.
        rng: Where chance comes from; it is drawn from twice, whatever happens.
        failures: Whether results may go missing.
    """
    truth = hydrogen_umol(recipe)
    chance, noise = rng.random(), rng.standard_normal()
    if failures and chance < MISSING_RATE:
        return None
    return max(0.0, truth + noise_sd_umol(truth) * noise)

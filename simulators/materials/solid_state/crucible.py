"""What a hot sample can do to its crucible."""

from __future__ import annotations

import numpy as np

from simulators.materials.solid_state.powder import Powder

ATTACK_CHANCE = 0.01
"""That a melt, or a corrosive oxide above 1200 degC, goes through the crucible."""
CORROSIVE_C = 1200.0
CORROSIVE = frozenset({"Bi", "Pb", "Cu"})


def can_attack(powder: Powder) -> bool:
    """Tell whether a fired powder was a danger to its crucible at any time."""
    is_corrosive = bool(CORROSIVE.intersection(powder.elements_fmol))
    return powder.liquid > 0.0 or (is_corrosive and powder.highest_c > CORROSIVE_C)


def melts_through(powder: Powder, rng: np.random.Generator, *, chance: float = ATTACK_CHANCE) -> bool:
    """Draw whether a sample is lost and its furnace position dirty; one draw is made, whatever the powder is.

    Raises:
        ValueError: The chance is not from 0 to 1.
    """
    if not 0.0 <= chance <= 1.0:
        raise ValueError(f"a chance of {chance!r}; write one from 0 to 1")
    return bool(rng.random() < chance) and can_attack(powder)

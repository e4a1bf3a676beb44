"""Hands a powder to the simulated diffractometer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from simulators.materials.powder.library import structures
from simulators.materials.powder.settings import Sample
from simulators.materials.powder.specimen import Mixture, Phase, Share, draw_phase
from simulators.materials.solid_state.powder import Portion, Powder

LEAST_WEIGHT = 1e-5
"""Less than this has no line that anyone could see."""
SMALLEST_NM, LARGEST_NM = 3.0, 400.0
"""Beyond the largest, lines are as narrow as the instrument lets them be."""


def mixture(powder: Powder) -> Mixture:
    """Return the crystalline phases by weight, and the share that is glass.

    Raises:
        ValueError: There is no powder.
    """
    seen = _seen(powder)
    known, total = structures(), sum(portion.mass_mg for portion in seen)
    shares = tuple(Share(structure=known[portion.phase], weight=portion.mass_mg / total) for portion in seen)
    return Mixture(shares=shares, amorphous=powder.glass)


def settings(powder: Powder, base: Sample | None = None) -> Sample:
    """Return what the diffractometer draws specimens from: sizes and strains of this powder, all else as in `base`.

    Sizes and strains of all phases lie within one range, from which each is drawn; `phases` keeps each its own.

    Raises:
        ValueError: There is no powder.
    """
    seen = _seen(powder)
    sizes, strains = [_size_nm(portion) for portion in seen], [portion.microstrain for portion in seen]
    return replace(base or Sample(), size_nm=(min(sizes), max(sizes)), microstrain=(min(strains), max(strains)))


def phases(powder: Powder, rng: np.random.Generator, base: Sample | None = None) -> tuple[Phase, ...]:
    """Return each phase with its own size and strain, all else drawn from `base`.

    Raises:
        ValueError: There is no powder.
    """
    made = mixture(powder)
    portions = {portion.phase: portion for portion in powder.portions}
    return tuple(draw_phase(share, _own(portions[share.structure.name], base), rng) for share in made.shares)


def _own(portion: Portion, base: Sample | None) -> Sample:
    size_nm, strain = _size_nm(portion), portion.microstrain
    return replace(base or Sample(), size_nm=(size_nm, size_nm), microstrain=(strain, strain))


def _size_nm(portion: Portion) -> float:
    return min(max(portion.size_nm, SMALLEST_NM), LARGEST_NM)


def _seen(powder: Powder) -> list[Portion]:
    if not powder.portions:
        raise ValueError("there is no powder to measure")
    mass_mg = powder.mass_mg
    return [portion for portion in powder.portions if portion.mass_mg >= LEAST_WEIGHT * mass_mg]

"""Mixes and grinds a powder, takes some of it out, and lets vessels carry a little of it over to the next sample.

Amounts are whole numbers on every side: what a sample loses is in the vessel.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace

import numpy as np

from simulators.materials.solid_state.powder import Portion, Powder, merged

CARRY_OVER = 0.003
"""Share of a sample that a mortar or a mill keeps."""
CONTACT_SPREAD = 0.15
"""Spread of how well grains touch after mixing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mill:
    """What a mill does per minute, and where it ends."""

    mixing_minutes: float
    wearing_minutes: float
    finest_nm: float
    strain: float

    def __post_init__(self) -> None:
        if not min(self.mixing_minutes, self.wearing_minutes, self.finest_nm) > 0.0:
            raise ValueError(f"times and sizes of a mill must be above 0: {self}")


MORTAR = Mill(mixing_minutes=4.0, wearing_minutes=240.0, finest_nm=100.0, strain=0.0015)
BALL_MILL = Mill(mixing_minutes=3.0, wearing_minutes=90.0, finest_nm=30.0, strain=0.003)


@dataclass(frozen=True, slots=True, kw_only=True)
class Residue:
    """What sticks to a vessel: a mill, a mortar, a crucible."""

    portions: tuple[Portion, ...] = ()

    @property
    def mass_mg(self) -> float:
        """In mg."""
        return math.fsum(portion.mass_mg for portion in self.portions)

    def to_json(self) -> str:
        """Return the residue as text; `from_json` gives back an equal one."""
        return json.dumps([asdict(portion) for portion in self.portions], sort_keys=True, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Residue:
        """Read what `to_json` wrote.

        Raises:
            ValueError: It is no such text, or a portion that it tells of cannot be.
        """
        try:
            return cls(portions=tuple(Portion(**row) for row in json.loads(text)))
        except TypeError as error:
            raise ValueError(f"not the residue in a vessel: {error}") from error


CLEAN = Residue()


def grind(powder: Powder, *, minutes: float, rng: np.random.Generator, mill: Mill = MORTAR) -> Powder:
    """Return a powder mixed and ground: contacts are new, grains finer and strained.

    Layers of product between grains are broken, so that reactions at interfaces start afresh; what goes on within
    grains goes on.

    Raises:
        ValueError: The time is not a finite number of at least 0.
    """
    if not (math.isfinite(minutes) and minutes >= 0.0):
        raise ValueError(f"grinding for {minutes!r} minutes; write a time of at least 0")
    luck = 1.0 + CONTACT_SPREAD * max(-3.0, min(3.0, float(rng.normal())))
    return replace(
        powder,
        portions=tuple(_worn(portion, minutes, mill) for portion in powder.portions),
        progress=tuple((name, theta) for name, theta in powder.progress if " + " not in name),
        unmixed=powder.unmixed * math.exp(-minutes / mill.mixing_minutes),
        contact=luck,
    )


def _worn(portion: Portion, minutes: float, mill: Mill) -> Portion:
    left = math.exp(-minutes / mill.wearing_minutes)
    finest = min(mill.finest_nm, portion.size_nm)
    most = max(mill.strain, portion.microstrain)
    return replace(
        portion,
        size_nm=finest + (portion.size_nm - finest) * left,
        microstrain=most + (portion.microstrain - most) * left,
    )


def pass_through(
    powder: Powder, residue: Residue, rng: np.random.Generator, *, keeps: float = CARRY_OVER
) -> tuple[Powder, Residue]:
    """Return a powder after it was in a vessel with the residue of others, and what the vessel keeps of it all.

    Args:
        powder: what goes in.
        residue: what the vessel holds from before.
        rng: how much is kept varies by a third.
        keeps: share of everything in the vessel that stays in it.

    Raises:
        ValueError: The share is not from 0 to 0.5.
    """
    if not 0.0 <= keeps <= 0.5:
        raise ValueError(f"a vessel keeps {keeps!r} of what it holds; write a share from 0 to 0.5")
    share = min(0.5, keeps * math.exp(0.3 * max(-3.0, min(3.0, float(rng.normal())))))
    kept, out = _parted(merged((*powder.portions, *residue.portions)), share)
    return replace(powder, portions=out), Residue(portions=kept)


def clean(residue: Residue, *, leaves: float = 0.02) -> tuple[Residue, Residue]:
    """Return what a vessel keeps after cleaning, and what goes to waste.

    Raises:
        ValueError: The share left is not from 0 to 1.
    """
    if not 0.0 <= leaves <= 1.0:
        raise ValueError(f"cleaning leaves {leaves!r} of a residue; write a share from 0 to 1")
    kept, waste = _parted(residue.portions, leaves)
    return Residue(portions=kept), Residue(portions=waste)


def take(powder: Powder, share: float) -> tuple[Powder, Powder]:
    """Return a part of a powder (for a sample holder, say), and the rest, which keeps the account of gases.

    Raises:
        ValueError: The share is not between 0 and 1.
    """
    if not 0.0 < share < 1.0:
        raise ValueError(f"a share of {share!r} cannot be taken; write one between 0 and 1")
    taken, left = _parted(powder.portions, share)
    return replace(powder, portions=taken, released_fmol=()), replace(powder, portions=left)


def put_back(powder: Powder, part: Powder) -> Powder:
    """Return a powder with a part that was taken from it."""
    released = dict(powder.released_fmol)
    for name, amount in part.released_fmol:
        released[name] = released.get(name, 0) + amount
    return replace(
        powder,
        portions=merged((*powder.portions, *part.portions)),
        released_fmol=tuple((name, released[name]) for name in sorted(released) if released[name]),
    )


def _parted(portions: Iterable[Portion], share: float) -> tuple[tuple[Portion, ...], tuple[Portion, ...]]:
    """Return a share of every portion, and the rest."""
    some: list[Portion] = []
    rest: list[Portion] = []
    for portion in portions:
        amount = round(portion.amount_fmol * share)
        some += [replace(portion, amount_fmol=amount)] if amount else []
        left = portion.amount_fmol - amount
        rest += [replace(portion, amount_fmol=left)] if left else []
    return tuple(some), tuple(rest)

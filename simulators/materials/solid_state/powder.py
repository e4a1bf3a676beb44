"""The state of a sample: amounts counted in whole femtomoles, so that nothing is lost by rounding."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from simulators.materials.solid_state.facts import MG_PER_FMOL_GRAM, molar_mass_g, table


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """How much of one phase there is, and what its grains are like."""

    phase: str
    amount_fmol: int
    """Formula units."""
    size_nm: float
    microstrain: float

    def __post_init__(self) -> None:
        if self.phase not in table().phases:
            raise ValueError(f"no phase is named {self.phase!r}; phases: {', '.join(table().phases)}")
        if isinstance(self.amount_fmol, bool) or not isinstance(self.amount_fmol, int) or self.amount_fmol <= 0:
            raise ValueError(f"an amount of {self.phase} is a whole number above 0, not {self.amount_fmol!r}")
        if not (math.isfinite(self.size_nm) and self.size_nm > 0.0 and 0.0 <= self.microstrain < 1.0):
            raise ValueError(f"{self.phase} has size_nm {self.size_nm!r} and microstrain {self.microstrain!r}")

    @property
    def mass_mg(self) -> float:
        """In mg."""
        return self.amount_fmol * molar_mass_g(self.phase) * MG_PER_FMOL_GRAM


@dataclass(frozen=True, slots=True, kw_only=True)
class Powder:
    """A sample between two steps. Tuples are sorted by name, so that equal samples are equal values."""

    portions: tuple[Portion, ...] = ()
    released_fmol: tuple[tuple[str, int], ...] = ()
    """Molecules of gases and vapours given off since dosing; negative where taken up."""
    progress: tuple[tuple[str, float], ...] = ()
    """Rate times time of each reaction whose phases are still there, since they last came into contact."""
    unmixed: float = 1.0
    """1 for powders poured on one another, 0 for ideally mixed ones."""
    contact: float = 1.0
    """How well grains touch, by luck, after the last mixing."""
    liquid: float = 0.0
    """Largest share of the mass that was ever liquid."""
    glass: float = 0.0
    """Share of the mass that is without order."""
    highest_c: float = field(default=25.0)
    fired_minutes: int = 0

    def __post_init__(self) -> None:
        for name in ("unmixed", "liquid", "glass"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} is {getattr(self, name)!r}; it goes from 0 to 1")
        for rows in (self.portions, self.released_fmol, self.progress):
            names = [row.phase if isinstance(row, Portion) else row[0] for row in rows]
            if names != sorted(set(names)):
                raise ValueError(f"names must be sorted, each once: {', '.join(names)}")
        unknown = [name for name, _ in self.released_fmol if name not in table().gases and name not in table().vapours]
        if unknown or not all(type(n) is int for _, n in self.released_fmol):
            raise ValueError(f"what is released are whole numbers of known gases, not {self.released_fmol!r}")
        numbers = [self.contact, self.highest_c, *(theta for _, theta in self.progress)]
        if (
            not all(math.isfinite(number) for number in numbers)
            or self.contact <= 0.0
            or min(numbers[2:], default=0.0) < 0.0
        ):
            raise ValueError(
                f"contact, temperature and progress must be finite, contact and progress not below 0: {numbers}"
            )

    @property
    def amounts_fmol(self) -> dict[str, int]:
        """Formula units, by phase."""
        return {portion.phase: portion.amount_fmol for portion in self.portions}

    @property
    def mass_mg(self) -> float:
        """What a perfect balance shows."""
        return math.fsum(portion.mass_mg for portion in self.portions)

    @property
    def released_mg(self) -> float:
        """Mass of what was given off, less what was taken up."""
        return math.fsum(n * molar_mass_g(name) * MG_PER_FMOL_GRAM for name, n in self.released_fmol)

    @property
    def weights(self) -> dict[str, float]:
        """Mass fractions of phases, by name: the truth that a yield is scored by."""
        mass_mg = self.mass_mg
        return {portion.phase: portion.mass_mg / mass_mg for portion in self.portions}

    @property
    def elements_fmol(self) -> dict[str, int]:
        """Atoms in the powder, by element."""
        return count_elements(self.amounts_fmol)

    @property
    def released_elements_fmol(self) -> dict[str, int]:
        """Atoms given off, less those taken up, by element."""
        return count_elements(dict(self.released_fmol))

    def to_json(self) -> str:
        """Return the state as text; `from_json` gives back an equal one."""
        return json.dumps(asdict(self), sort_keys=True, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Powder:
        """Read what `to_json` wrote.

        Raises:
            ValueError: It is no such text, or the state that it tells of cannot be.
        """
        try:
            row: dict[str, Any] = dict(json.loads(text))
            portions = tuple(Portion(**portion) for portion in row.pop("portions"))
            pairs = {name: tuple((str(key), n) for key, n in row.pop(name)) for name in ("released_fmol", "progress")}
            return cls(portions=portions, **pairs, **row)
        except (TypeError, KeyError) as error:
            raise ValueError(f"not the state of a powder: {error}") from error


def count_elements(amounts_fmol: Mapping[str, int]) -> dict[str, int]:
    """Return how many atoms of each element an amount of each substance holds."""
    atoms: dict[str, int] = {}
    for name, amount in amounts_fmol.items():
        for element, n in table()[name].elements:
            atoms[element] = atoms.get(element, 0) + n * amount
    return dict(sorted(atoms.items()))


def merged(portions: Iterable[Portion]) -> tuple[Portion, ...]:
    """Return portions with those of one phase put together, sizes averaged by volume; sorted by name."""
    found: dict[str, Portion] = {}
    for portion in portions:
        other = found.get(portion.phase)
        found[portion.phase] = portion if other is None else _together(other, portion)
    return tuple(found[name] for name in sorted(found))


def _together(one: Portion, other: Portion) -> Portion:
    amount = one.amount_fmol + other.amount_fmol
    share = one.amount_fmol / amount
    cube = share * one.size_nm**3 + (1.0 - share) * other.size_nm**3
    return Portion(
        phase=one.phase,
        amount_fmol=amount,
        size_nm=cube ** (1.0 / 3.0),
        microstrain=share * one.microstrain + (1.0 - share) * other.microstrain,
    )

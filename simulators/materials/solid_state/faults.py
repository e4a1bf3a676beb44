"""How often things go wrong in a powder laboratory: numbers only, nothing here makes anything happen.

Rates are a proposal in the range of what robotic laboratories tell of (A-Lab: Szymanski et al., Nature 624, 86 (2023),
doi 10.1038/s41586-023-06734-w; its software: Fei et al., arXiv 2405.13930); no laboratory has published a full table.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from simulators.materials.solid_state.crucible import ATTACK_CHANCE
from simulators.materials.solid_state.dosing import DOSING_ERROR
from simulators.materials.solid_state.grinding import CARRY_OVER, CONTACT_SPREAD

_SIZES = frozenset({"furnace_overshoot_c"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRates:
    """Chances, each per the event that its name ends with, and sizes of errors."""

    dosing_error: float = DOSING_ERROR
    """Relative, of one dose."""
    contact_spread: float = CONTACT_SPREAD
    """Relative, of one mixing."""
    carry_over: float = CARRY_OVER
    """Share of a sample that a mortar keeps."""
    clogged_per_dose: float = 0.01
    """The precursor is missing."""
    swapped_vial_per_sample: float = 1e-3
    """A precursor is another one."""
    overshoot_per_firing: float = 0.01
    furnace_overshoot_c: float = 10.0
    power_loss_per_firing: float = 1e-3
    wrong_hold_per_firing: float = 2e-3
    melt_through_per_firing: float = ATTACK_CHANCE
    """Of samples that melt, or hold a corrosive oxide above 1200 degC; the position is dirty then."""
    drop_per_transfer: float = 3e-3
    unknown_phase_per_sample: float = 0.02
    """A phase that no library holds."""
    solid_solution_per_phase: float = 0.05
    """A cell that is 0.2 to 1 % off."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value, largest = getattr(self, field.name), 200.0 if field.name in _SIZES else 1.0
            if not 0.0 <= value <= largest:
                raise ValueError(f"{field.name} is {value!r}; it goes from 0 to {largest:g}")

    @classmethod
    def none(cls) -> FaultRates:
        """Return a laboratory in which nothing goes wrong."""
        return cls(**{field.name: 0.0 for field in fields(cls)})

"""What a powder laboratory is told: its stock, its places, and how often things go wrong."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from simulators.materials.solid_state.facts import table
from simulators.materials.solid_state.faults import FaultRates
from simulators.powder_lab.wire_rates import Rates, nearest, read_rates

PHASE_OF = {
    "BaCO3": "witherite",
    "TiO2": "anatase",
    "CaCO3": "calcite",
    "CaO": "lime",
    "Ca(OH)2": "portlandite",
    "PbO": "litharge",
    "Bi2O3": "alpha-Bi2O3",
    "Li2CO3": "zabuyelite",
}
"""Phases of precursors that go by their formula; the others go by the name of their phase."""

_SIZES = {"overshoot_c": 100.0, "power_loss_s": 86_400.0, "height_error_mm": 1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class LabFaults:
    """Chances, each per the event that its name ends with, and sizes of errors."""

    dosing_error: float = 0.0
    """Relative, of what lands in the crucible against what the doser says; one standard deviation."""
    clogged_per_dose: float = 0.0
    swapped_vial_per_dose: float = 0.0
    """Another precursor comes out."""
    overshoot_per_run: float = 0.0
    overshoot_c: float = 10.0
    """By how much a furnace whose thermocouple was not pushed home is too hot at the hottest of a program."""
    power_loss_per_run: float = 0.0
    power_loss_s: float = 600.0
    wrong_hold_per_run: float = 0.0
    """Holds last half as long, or half as long again."""
    dropped_per_transfer: float = 0.0
    not_gripped_per_transfer: float = 0.0
    misplaced_per_transfer: float = 0.0
    """Put down askew, which nobody notices; it cannot be gripped again before a person straightens it."""
    jammed_per_travel: float = 0.0
    """Of a furnace's door."""
    carry_over: float = 0.0
    """Share of a sample that the mortar keeps for the next one."""
    melt_through_per_firing: float = 0.0
    """Of samples that melt, or hold a corrosive oxide above 1200 degC."""
    solid_solution_per_phase: float = 0.0
    """A cell that is 0.2 to 1 % off."""
    height_error_mm: float = 0.0
    """Of a specimen in the diffractometer; one standard deviation."""
    wire_per_exchange: float = 0.0
    """Of requests and replies that are lost, damaged, late, doubled, or end with a lost connection."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value, largest = getattr(self, field.name), _SIZES.get(field.name, 1.0)
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not (is_number and 0.0 <= value <= largest):
                raise ValueError(f"{field.name} is {value!r}; it goes from 0 to {largest:g}")

    @classmethod
    def of(cls, profile: str, own: Mapping[str, Any]) -> Self:
        """Return the faults of a profile, some of them replaced.

        Raises:
            ValueError: There is no such profile or fault, or a value cannot be.
        """
        if profile not in PROFILES:
            raise ValueError(f"no profile is called {profile!r}; there are {', '.join(PROFILES)}")
        known = [field.name for field in fields(cls)]
        unknown = [name for name in own if name not in known]
        if unknown:
            raise ValueError(f"no fault is called {unknown[0]!r}{nearest(unknown[0], known)}")
        return cls(**{**PROFILES[profile], **own})


def _science() -> dict[str, float]:
    rates = FaultRates()
    return {
        "dosing_error": rates.dosing_error,
        "clogged_per_dose": rates.clogged_per_dose,
        "swapped_vial_per_dose": rates.swapped_vial_per_sample,
        "overshoot_per_run": rates.overshoot_per_firing,
        "overshoot_c": rates.furnace_overshoot_c,
        "power_loss_per_run": rates.power_loss_per_firing,
        "wrong_hold_per_run": rates.wrong_hold_per_firing,
        "dropped_per_transfer": rates.drop_per_transfer,
        "carry_over": rates.carry_over,
        "melt_through_per_firing": rates.melt_through_per_firing,
        "solid_solution_per_phase": rates.solid_solution_per_phase,
        "height_error_mm": 0.1,
    }


PROFILES: Mapping[str, Mapping[str, float]] = {
    "none": {},
    "science": _science(),
    "harsh": {**_science(), "not_gripped_per_transfer": 1e-3, "wire_per_exchange": 1e-3},
}
"""``science``: rates after published campaigns; ``harsh``: with faults of the wires and of the grippers as well."""

DEFAULTS: Mapping[str, Any] = {
    "precursors": ["BaCO3", "TiO2", "Li2CO3", "CoO"],
    "stock_mg": 200_000.0,
    "homes": 48,
    "crucibles": 400,
    "door_opens_below_c": 120.0,
    "hard_limit_c": 1250.0,
    "enclosure_opens": [],
    "arms_are_on": True,
    "safeguard_is_bypassed": False,
    "hidden_error": 1.0,
    "profile": "none",
    "faults": {},
    "wires": {},
}
"""Options and their defaults. `stock_mg` is of each precursor; `crucibles` is what the magazine holds at most and at
first; `hard_limit_c` is what no furnace here may exceed; `enclosure_opens` lists when people open the enclosure and for
how long, ``[[at_s, for_s], ...]``; `safeguard_is_bypassed` lets arms move behind an open enclosure; `hidden_error`
scales how far energies are from the handbook's; `faults` replaces rates of the profile, by name; `wires` says
how often an exchange of single devices goes wrong, a rate or rates by fault, instead of `wire_per_exchange` of all:
``{arm-1: 0.01, balance: {garble: 0.02}}``."""


@dataclass(frozen=True, kw_only=True)
class LabOptions:
    """The options, checked; see `DEFAULTS`."""

    precursors: tuple[str, ...]
    stock_mg: float
    homes: int
    crucibles: int
    door_opens_below_c: float
    hard_limit_c: float
    enclosure_opens: tuple[tuple[float, float], ...]
    arms_are_on: bool
    safeguard_is_bypassed: bool
    hidden_error: float
    faults: LabFaults
    wires: Mapping[str, Rates]

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """Read options.

        Raises:
            ValueError: One is unknown, or cannot be.
        """
        unknown = [name for name in told if name not in DEFAULTS]
        if unknown:
            raise ValueError(f"powder-lab has no option {unknown[0]!r}; it has {', '.join(DEFAULTS)}")
        values = {**DEFAULTS, **told}
        profile, own, wires = values.pop("profile"), values.pop("faults"), values.pop("wires")
        if not isinstance(own, Mapping):
            raise ValueError(f"faults are rates by name, not {own!r}")
        values["precursors"] = _precursors(values["precursors"])
        values["enclosure_opens"] = _openings(values["enclosure_opens"])
        for name, (low, high) in _RANGES.items():
            _check_number(name, values[name], low, high)
        for name in ("arms_are_on", "safeguard_is_bypassed"):
            if not isinstance(values[name], bool):
                raise ValueError(f"{name} is true or false, not {values[name]!r}")
        rates = read_rates(wires, n_dosers=len(values["precursors"]))
        return cls(**values, faults=LabFaults.of(profile, own), wires=rates)


_RANGES = {
    "stock_mg": (0.0, 1e7),
    "homes": (1, 99),
    "crucibles": (0, 1_000_000),
    "door_opens_below_c": (30.0, 1200.0),
    "hard_limit_c": (30.0, 2000.0),
    "hidden_error": (0.0, 10.0),
}


def _check_number(name: str, value: Any, low: float, high: float) -> None:
    kinds = int if isinstance(low, int) else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
        raise ValueError(f"{name} is {value!r}; it goes from {low:g} to {high:g}")


def _precursors(names: Any) -> tuple[str, ...]:
    if not isinstance(names, list) or not names or len(set(map(str, names))) != len(names):
        raise ValueError(f"precursors are a list of names, each once, not {names!r}")
    for name in names:
        phase_of(name)
    return tuple(names)


def phase_of(precursor: Any) -> str:
    """Return the phase that a precursor is.

    Raises:
        ValueError: Nothing is known of it.
    """
    phase = PHASE_OF.get(precursor, precursor) if isinstance(precursor, str) else ""
    if phase not in table().phases:
        known = ", ".join((*PHASE_OF, *table().phases))
        raise ValueError(f"no precursor is called {precursor!r}; there are {known}")
    return phase


def _openings(rows: Any) -> tuple[tuple[float, float], ...]:
    found: list[tuple[float, float]] = []
    for row in rows if isinstance(rows, list) else [rows]:
        at_s, for_s = row if _is_pair(row) else (math.nan, math.nan)
        free_s = sum(found[-1]) if found else 0.0
        if not (at_s >= free_s and for_s > 0.0 and math.isfinite(at_s + for_s)):
            raise ValueError(f"enclosure_opens lists [at_s, for_s], one after the other, not {rows!r}")
        found.append((float(at_s), float(for_s)))
    return tuple(found)


def _is_pair(row: Any) -> bool:
    is_pair = isinstance(row, list | tuple) and len(row) == 2
    return is_pair and all(isinstance(value, int | float) and not isinstance(value, bool) for value in row)

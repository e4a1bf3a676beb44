"""A robot that makes and measures photocatalysts in vials, 16 at a time, after the mobile chemist.

The chemistry is the closed form of `simulators.materials.photocatalysis`; here are the robot's times, what goes wrong
(Burger et al., Nature 583, 237 (2020), doi:10.1038/s41586-020-2442-2) and a lamp that may fade.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from simulators.chance import generator
from simulators.instruments.base import Now
from simulators.instruments.bench import BenchInstrument, Outcome, State, Value
from simulators.materials.photocatalysis import (
    CAPACITY_ML,
    INGREDIENTS,
    MISSING_RATE,
    VOLUMES,
    hydrogen_umol,
    noise_sd_umol,
)
from simulators.world import Instrument, WorldFile, claim

VIALS = 16
PURGE_S = 60.0
ILLUMINATION_S = 3600.0
GC_S = 600.0
"""Headspace chromatography of one vial, one after another: 3.7 h for a batch of 16, where the real robot's 43 batches
in 8 days of 21.5 h took 4.0 h each, its ways included."""
DOSE_LIMIT_MG = 5.1
TOLERANCE = 1e-6
"""What rounding may add to an amount, in its unit."""

LOSSES = (
    "cap leak: air in the headspace",
    "empty cartridge: the solid was not dispensed",
    "gripper miss: the vial did not reach the lamp",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotocatalysisOptions:
    """What may go wrong in this laboratory."""

    failures: bool = True
    """Whether 1.6 % of the vials are lost, as in the real campaign."""
    lamp_decay: float = 0.0
    """Fraction of the light that the lamp loses, between 0 and 1."""
    lamp_decay_at_s: float = 0.0
    """When it begins to, in seconds since the laboratory was first switched on."""
    lamp_decay_over_s: float = 0.0
    """How long the loss takes; 0 is a step."""
    gc_full_scale_umol: float = 30.0
    """Hydrogen above which the chromatograph saturates, and the result is lost."""

    def light(self, age_s: float) -> float:
        """Return the lamp's intensity relative to a new one."""
        since_s = age_s - self.lamp_decay_at_s
        if since_s < 0:
            return 1.0
        progress = 1.0 if since_s >= self.lamp_decay_over_s else since_s / self.lamp_decay_over_s
        return 1.0 - self.lamp_decay * progress


class PhotocatalysisLab:
    """The world of the photocatalysis campaign: one robot bench, ``sim:photocatalysis/robot``."""

    def __init__(self, *, state: WorldFile, clock: Now, seed: int, options: Mapping[str, Any]) -> None:
        """Switch the laboratory on, or go on where its file says that it was.

        Raises:
            ValueError: An option is unknown or out of range (see `check`), or the file belongs to another world.
        """
        problems = self.check(options)
        if problems:
            raise ValueError("\n".join(problems))
        told = PhotocatalysisOptions(**options)
        began_s = claim(state, "photocatalysis", seed=seed, options=asdict(told), began_s=clock.now_s())
        self._state = state
        bench = PhotocatalysisBench(options=told, seed=seed, lamp_new_at_s=began_s)
        robot = BenchInstrument(bench, name="robot", state=state, clock=clock)
        self.instruments: Mapping[str, Instrument] = {"robot": robot}

    @property
    def latest_s(self) -> float:
        """When an instrument last did something."""
        return self._state.latest_s

    def close(self) -> None:
        """Release the world's file."""
        self._state.close()

    @classmethod
    def open(cls, path: Path, *, clock: Now, seed: int, options: Mapping[str, Any]) -> PhotocatalysisLab:
        """Construct the world on its state file; arguments and errors as in the constructor."""
        with ExitStack() as undo:
            state = WorldFile(path)
            undo.callback(state.close)
            lab = cls(state=state, clock=clock, seed=seed, options=options)
            undo.pop_all()
        return lab

    @classmethod
    def check(cls, options: Mapping[str, Any]) -> list[str]:
        """Return everything that is wrong with the options, as sentences."""
        known = {field.name: type(field.default) for field in fields(PhotocatalysisOptions)}
        problems = [_option_problem(name, value, known) for name, value in options.items()]
        return [problem for problem in problems if problem]

    @classmethod
    def pool(cls, options: Mapping[str, Any]) -> None:
        """Return None: every recipe that fits a vial can be made."""

    @classmethod
    def describe(cls, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return where the answers come from and how far they can be trusted, in plain JSON values."""
        return dict(PROVENANCE)


PROVENANCE: Mapping[str, Any] = {
    "mode": "closed form",
    "source": "fitted to the 677 valid results of Burger et al. 2020, doi:10.1038/s41586-020-2442-2",
    "targets": {"hydrogen": {"unit": "umol", "rmse": 2.08, "r2": 0.872}},
    "summary": ["hydrogen: closed form, RMSE 2.08 umol and R2 0.872 on the real campaign that it was fitted to"],
}


class PhotocatalysisBench:
    """What happens in a vial."""

    identity: Mapping[str, str] = {
        "maker": "labpilot",
        "model": "photocatalysis robot",
        "serial": "PC-16",
        "firmware": "1",
    }
    provenance: Mapping[str, Any] = PROVENANCE
    capacity: int = VIALS

    def __init__(self, *, options: PhotocatalysisOptions, seed: int, lamp_new_at_s: float) -> None:
        self._options = options
        self._seed = seed
        self._lamp_new_at_s = lamp_new_at_s

    def refusal(self, parameters: Mapping[str, Value]) -> str | None:
        """Say in a sentence why a recipe cannot be made, or None where it can."""
        return amount_problem(parameters)

    def run(self, parameters: Mapping[str, Value], *, tag: str, started_s: float) -> Outcome:
        """Make, purge, illuminate and analyse one vial; chance depends on the tag alone."""
        rng = generator(self._seed, "vial", tag)
        chance, noise, loss = rng.random(), float(rng.standard_normal()), LOSSES[rng.integers(len(LOSSES))]
        if self._options.failures and chance < MISSING_RATE:
            return _vial("lost", reason=loss)
        light = self._options.light(started_s - self._lamp_new_at_s)
        made_umol = light * hydrogen_umol({name: float(parameters[name]) for name in INGREDIENTS})
        found_umol = max(0.0, made_umol + noise_sd_umol(made_umol) * noise)
        if found_umol >= self._options.gc_full_scale_umol:
            return _vial("lost", reason=f"the chromatograph saturated at {self._options.gc_full_scale_umol:g} umol")
        return _vial("done", values={"hydrogen": found_umol})


def _vial(state: State, *, values: Mapping[str, float] | None = None, reason: str = "") -> Outcome:
    return Outcome(
        state=state, duration_s=PURGE_S + ILLUMINATION_S, analysis_s=GC_S, values=values or {}, reason=reason
    )


def amount_problem(parameters: Mapping[str, Value]) -> str | None:
    """Say why a recipe cannot be dispensed into one vial, or return None where it can."""
    strange = [f"{name!r}{_did_you_mean(name, INGREDIENTS)}" for name in parameters if name not in INGREDIENTS]
    if strange:
        return f"unknown ingredient {', '.join(strange)}"
    missing = [name for name in INGREDIENTS if name not in parameters]
    if missing:
        return f"no amount is given for {', '.join(missing)}"
    wrong = next(filter(None, (_dose_problem(name, parameters[name]) for name in INGREDIENTS)), None)
    if wrong:
        return wrong
    total_ml = math.fsum(float(parameters[name]) for name in VOLUMES)
    if total_ml > CAPACITY_ML + TOLERANCE:
        return f"the liquids add up to {total_ml:g} mL, and a vial holds {CAPACITY_ML:g} mL"
    return None


def _dose_problem(name: str, value: Value) -> str | None:
    high, unit = (CAPACITY_ML, "mL") if name in VOLUMES else (DOSE_LIMIT_MG, "mg")
    if isinstance(value, str) or not 0 <= value <= high + TOLERANCE:
        return f"{name} = {value!r} is no amount from 0 to {high:g} {unit}"
    return None


def _option_problem(name: str, value: Any, known: Mapping[str, type]) -> str | None:
    if name not in known:
        return f"unknown option {name!r}{_did_you_mean(name, known)}; options are {', '.join(known)}"
    if known[name] is bool:
        return None if isinstance(value, bool) else f"option {name!r} must be true or false, not {value!r}"
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        return f"option {name!r} must be a number of at least 0, not {value!r}"
    if name == "lamp_decay" and value > 1:
        return f"option 'lamp_decay' is a fraction of the light, at most 1, not {value!r}"
    return None


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name.casefold(), list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""

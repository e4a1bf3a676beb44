"""A robot that sprays perovskite films, cures them in a plasma and measures cells, 20 recipes a round.

The process is the closed form of `simulators.materials.perovskite`; here are the robot's times, and the person who
looks at each film: one that is wet or burnt never becomes a cell, and its trial fails with what was seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from simulators.chance import generator
from simulators.instruments.base import Now
from simulators.instruments.bench import BenchInstrument, Outcome, Value
from simulators.materials.perovskite import NOISE_SD_PERCENT, PARAMETERS, SprayPlasma
from simulators.world import Instrument, WorldFile, claim

PLACES = 20
SPRAY_S = 600.0
"""Heating, spraying, curing and cooling one film, and looking at it."""
CELL_S = 3600.0
"""Contacts of one cell; all that are under way go beside each other."""
SWEEP_S = 300.0
"""Current against voltage under the lamp, one cell after another."""
TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class PerovskiteOptions:
    """Which process it is."""

    process: int = 0
    """Number of the process: its best recipe, sensitivities and borders. The seed of the world gives the scatter."""


class PerovskiteLab:
    """The world of the perovskite campaign: one robot bench, ``sim:perovskite/robot``."""

    def __init__(self, *, state: WorldFile, clock: Now, seed: int, options: Mapping[str, Any]) -> None:
        """Switch the laboratory on, or go on where its file says that it was.

        Raises:
            ValueError: An option is unknown or out of range (see `check`), or the file belongs to another world.
        """
        problems = self.check(options)
        if problems:
            raise ValueError("\n".join(problems))
        told = PerovskiteOptions(**options)
        claim(state, "perovskite", seed=seed, options=asdict(told), began_s=clock.now_s())
        self._state = state
        robot = BenchInstrument(
            PerovskiteBench(process=SprayPlasma.of(told.process), seed=seed), name="robot", state=state, clock=clock
        )
        self.instruments: Mapping[str, Instrument] = {"robot": robot}

    @property
    def latest_s(self) -> float:
        """When an instrument last did something."""
        return self._state.latest_s

    def close(self) -> None:
        """Release the world's file."""
        self._state.close()

    @classmethod
    def open(cls, path: Path, *, clock: Now, seed: int, options: Mapping[str, Any]) -> PerovskiteLab:
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
        problems = [f"unknown option {name!r}; options are process" for name in options if name != "process"]
        process = options.get("process", 0)
        if isinstance(process, bool) or not isinstance(process, int) or process < 0:
            problems.append(f"option 'process' must be a whole number of at least 0, not {process!r}")
        return problems

    @classmethod
    def pool(cls, options: Mapping[str, Any]) -> None:
        """Return None: every recipe within the machine's ranges can be tried."""

    @classmethod
    def describe(cls, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return where the answers come from and how far they can be trusted, in plain JSON values."""
        return dict(PROVENANCE)


PROVENANCE: Mapping[str, Any] = {
    "mode": "closed form",
    "source": "made up after Liu et al., Joule 6, 834 (2022), doi:10.1016/j.joule.2022.03.003; fitted to no data",
    "targets": {"efficiency": {"unit": "%", "noise_sd": NOISE_SD_PERCENT}},
    "summary": ["efficiency: a made-up quadratic form below 18.5 %; 35 % of the recipes give no film"],
}


class PerovskiteBench:
    """What becomes of a recipe."""

    identity: Mapping[str, str] = {
        "maker": "labpilot",
        "model": "spray plasma robot",
        "serial": "PV-20",
        "firmware": "1",
    }
    provenance: Mapping[str, Any] = PROVENANCE
    capacity: int = PLACES

    def __init__(self, *, process: SprayPlasma, seed: int) -> None:
        self._process, self._seed = process, seed

    def refusal(self, parameters: Mapping[str, Value]) -> str | None:
        """Say in a sentence why a recipe cannot be run, or None where it can."""
        return setting_problem(parameters)

    def run(self, parameters: Mapping[str, Value], *, tag: str, started_s: float) -> Outcome:
        """Make, look at and measure one cell; chance depends on the tag alone."""
        del started_s
        recipe = {name: float(parameters[name]) for name in PARAMETERS}
        seen = self._process.fault(recipe)
        if seen is not None:
            return Outcome(state="failed", duration_s=SPRAY_S, reason=seen)
        found = self._process.measure_percent(recipe, generator(self._seed, "cell", tag))
        return Outcome(
            state="done", duration_s=SPRAY_S + CELL_S, analysis_s=SWEEP_S, values={"efficiency": round(found, 3)}
        )


def setting_problem(parameters: Mapping[str, Value]) -> str | None:
    """Say why the machine cannot be set so, or return None where it can."""
    strange = [repr(name) for name in parameters if name not in PARAMETERS]
    if strange:
        return f"unknown setting {', '.join(strange)}; settings are {', '.join(PARAMETERS)}"
    missing = [name for name in PARAMETERS if name not in parameters]
    if missing:
        return f"no value is given for {', '.join(missing)}"
    for name, (low, high) in PARAMETERS.items():
        value = parameters[name]
        if isinstance(value, str) or not low - TOLERANCE <= value <= high + TOLERANCE:
            return f"{name} = {value!r} is outside the machine's range, {low:g} to {high:g}"
    return None

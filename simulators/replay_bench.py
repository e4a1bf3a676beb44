"""The robots of a replayed laboratory: one answers from the rows of the table, one from a regression of it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simulators.chance import generator
from simulators.instruments.bench import Outcome
from simulators.replay_options import Axis, ReplayOptions, Value, did_you_mean
from simulators.replay_table import Table, reach, read_table
from simulators.table_noise import repeat_noise

if TYPE_CHECKING:
    from simulators.emulator import Emulator


class TableBench:
    """What the robots of a table have in common: names, kinds and provenance."""

    def __init__(self, told: ReplayOptions, table: Table, seed: int) -> None:
        self.capacity = told.capacity
        self.identity: Mapping[str, str] = {
            "maker": "labpilot",
            "model": f"replay {told.mode}",
            "serial": table.sha256[:12],
            "firmware": "1",
        }
        self.provenance: Mapping[str, Any] = provenance(told, table)
        self._told = told
        self._table = table
        self._seed = seed

    def refusal(self, parameters: Mapping[str, Value]) -> str | None:
        """Say in a sentence why these parameters cannot be run, or None where they can."""
        known = [axis.name for axis in self._told.axes]
        strange = [f"{name!r}{did_you_mean(name, known)}" for name in parameters if name not in known]
        if strange:
            return f"unknown parameter {', '.join(strange)}"
        missing = [repr(name) for name in known if name not in parameters]
        if missing:
            return f"missing parameter {', '.join(missing)}"
        return next(filter(None, (_kind_refusal(axis, parameters[axis.name]) for axis in self._told.axes)), None)


class PoolBench(TableBench):
    """Answers from the rows of the table."""

    def refusal(self, parameters: Mapping[str, Value]) -> str | None:
        """Refuse also what was never measured."""
        reason = super().refusal(parameters)
        if reason is None and self._table.find(parameters) is None:
            asked = ", ".join(f"{name} = {value}" for name, value in parameters.items())
            return f"{asked} was never measured; a pool answers for measured conditions only"
        return reason

    def run(self, parameters: Mapping[str, Value], *, tag: str, started_s: float) -> Outcome:
        """Draw one of the real repeats, the same for the same tag.

        Raises:
            LookupError: These parameters were never measured; `refusal` says so beforehand.
        """
        condition = self._table.find(parameters)
        if condition is None:
            raise LookupError(self.refusal(parameters))
        rows = self._table.rows_of[condition]
        row = rows[generator(self._seed, "repeat", tag).integers(len(rows))]
        if self._table.failed[row]:
            reason = f"row {self._table.numbers[row]} of the table gave no result"
            return Outcome(state="failed", duration_s=self._told.duration_s, reason=reason)
        values = named(self._table, self._table.values[row])
        return Outcome(state="done", duration_s=self._told.duration_s, values=values)


class EmulatorBench(TableBench):
    """Answers from a regression of the table."""

    def __init__(self, told: ReplayOptions, table: Table, seed: int) -> None:
        super().__init__(told, table, seed)
        self._emulator = emulator(told, table.sha256)

    def refusal(self, parameters: Mapping[str, Value]) -> str | None:
        """Refuse also what lies beyond the measured range."""
        reason = super().refusal(parameters)
        if reason is not None:
            return reason
        return next(
            filter(None, (_reach_refusal(self._table, axis, parameters[axis.name]) for axis in self._told.axes)), None
        )

    def run(self, parameters: Mapping[str, Value], *, tag: str, started_s: float) -> Outcome:
        """Draw from the regression with its noise, or a failure, the same for the same tag."""
        rng = generator(self._seed, "emulated", tag)
        if rng.random() < self._emulator.failure_probability(parameters):
            reason = "no result, as in some rows of the table"
            return Outcome(state="failed", duration_s=self._told.duration_s, reason=reason)
        return Outcome(state="done", duration_s=self._told.duration_s, values=self._emulator.draw(parameters, rng))


@lru_cache(maxsize=4)
def emulator(told: ReplayOptions, _sha256: str) -> Emulator:
    """Return the fitted emulator of a table, kept for as long as the process visits the same table."""
    from simulators.emulator import Emulator  # scikit-learn takes a second to import, and a pool needs none of it

    return Emulator(read_table(told))


def provenance(told: ReplayOptions, table: Table) -> dict[str, Any]:
    """Say where the answers come from and how far they can be trusted, in plain JSON values."""
    facts: dict[str, Any] = {
        "table": told.table.name,
        "table_sha256": table.sha256,
        "mode": told.mode,
        "rows": len(table.failed),
        "conditions": len(table.conditions),
        "repeated_conditions": int(np.count_nonzero(np.bincount(table.condition_of_row) > 1)),
        "conditions_in_space": len(table.admissible),
    }
    facts |= _pool_facts(table) if told.mode == "pool" else emulator(told, table.sha256).provenance()
    return {**facts, "summary": _summary(facts)}


def named(table: Table, values: NDArray[np.float64]) -> dict[str, float]:
    """Return a row of values by the names of the targets."""
    return {target.name: float(value) for target, value in zip(table.targets, values, strict=True)}


def _pool_facts(table: Table) -> dict[str, Any]:
    targets = {}
    for k, target in enumerate(table.targets):
        noise = repeat_noise(table, k)
        targets[target.name] = {
            "unit": target.unit,
            "noise_sd": noise.sd if noise else None,
            "noise_from": noise.source if noise else "too few repeats",
        }
    return {"targets": targets, "failures": {"rate": float(table.failed.mean()), "model": "rows of the table"}}


def _summary(facts: Mapping[str, Any]) -> list[str]:
    sentences = [
        f"{facts['mode']} of {facts['table']}: {facts['rows']} rows, {facts['conditions']} distinct conditions, "
        f"{facts['repeated_conditions']} of them repeated, {facts['conditions_in_space']} in the search space; "
        f"{facts['failures']['rate']:.1%} of the rows failed"
    ]
    return sentences + [_target_summary(name, target, facts) for name, target in facts["targets"].items()]


def _target_summary(name: str, target: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    unit = "" if target["unit"] == "1" else f" {target['unit']}"
    sd = "unknown" if target["noise_sd"] is None else f"{target['noise_sd']:.4g}{unit}"
    noise = f"noise sd {sd} ({target['noise_from']})"
    if "cv_rmse" not in target:
        return f"{name}: {noise}"
    return (
        f"{name}: {target['model']}, cross-validated RMSE {target['cv_rmse']:.4g}{unit}, R2 {target['cv_r2']:.3f} "
        f"({facts['cross_validation']}); {noise}"
    )


def _kind_refusal(axis: Axis, value: Value) -> str | None:
    if axis.is_categorical != isinstance(value, str):
        return f"parameter {axis.name!r} must be {'a word' if axis.is_categorical else 'a number'}, not {value!r}"
    if axis.kind == "integer" and float(value) != round(float(value)):
        return f"parameter {axis.name!r} must be a whole number, not {value!r}"
    return None


def _reach_refusal(table: Table, axis: Axis, value: Value) -> str | None:
    if axis.is_categorical:
        measured = {str(point[axis.name]) for point in table.conditions}
        return None if value in measured else f"parameter {axis.name!r} was never measured at {value!r}"
    low, high = reach(table, axis.name)
    if low <= float(value) <= high:
        return None
    return f"{axis.name} = {value} {axis.unit} lies outside the emulator's range, {low:g} to {high:g} {axis.unit}"

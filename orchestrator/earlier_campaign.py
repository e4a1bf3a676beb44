"""An earlier campaign as a table: its parameters and observations, read from its journal like the columns of a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.errors import InputError, LabpilotError
from orchestrator.tables import Table

SD_OF = "standard deviation of "
"""Begins the header of a column of standard deviations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierCampaign:
    """What another campaign found."""

    table: Table
    """A row for each observation: parameters, values, and standard deviations below `SD_OF`."""
    units: Mapping[str, str]
    """Of every column but those of words."""
    parameters: Sequence[str]
    failed: int
    """Trials whose recipe gave no result."""

    @property
    def digest(self) -> str:
        """Return a SHA-256 of all that it says."""
        said = {
            "columns": {name: column.to_pylist() for name, column in self.table.columns.items()},
            "trials": self.table.numbers.tolist(),
            "units": dict(self.units),
            "failed": self.failed,
        }
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def read_earlier(path: Path) -> EarlierCampaign:
    """Read what a campaign directory holds; a campaign at work is not disturbed.

    Raises:
        InputError: It is none, cannot be read, or nothing was measured in it.
    """
    from orchestrator.reading import open_reading  # with it comes the database
    from orchestrator.records import read_observations, read_trials

    try:
        with open_reading(path) as reading:
            config = reading.campaign().config
            trials, found = read_trials(reading.connection), read_observations(reading.connection)
    except LabpilotError as error:
        raise InputError(str(error)) from error
    measured = [
        (trial.number, finding)
        for trial in trials
        if trial.outcome == "measured"
        for finding in found.get(trial.number, [])
    ]
    if not measured:
        raise InputError(f"nothing was measured in {path} yet")
    units = _units(config.get("parameters", ()))
    targets = _units(config.get("objectives", ()))
    findings = [finding for _, finding in measured]
    columns = {
        **_columns({name: [one["parameters"].get(name) for one in findings] for name in _names(config["parameters"])}),
        **_columns({name: [one["values"].get(name) for one in findings] for name in targets}),
        **_columns({SD_OF + name: [(one["sd"] or {}).get(name) for one in findings] for name in targets}),
    }
    return EarlierCampaign(
        table=Table(
            name=f"campaign {path.name}",
            columns=columns,
            numbers=np.array([number for number, _ in measured]),
            counts="trial",
        ),
        units={**units, **targets, **{SD_OF + name: unit for name, unit in targets.items()}},
        parameters=_names(config["parameters"]),
        failed=sum(trial.outcome == "failed" for trial in trials),
    )


def _names(items: Iterable[Mapping[str, Any]]) -> list[str]:
    return [item["name"] for item in items]


def _units(items: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    return {item["name"]: item.get("unit") or "1" for item in items if item.get("kind") != "categorical"}


def _columns(cells: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """Return columns of numbers, or of words with nothing where none stands."""
    import pyarrow as pa

    found: dict[str, Any] = {}
    for name, column in cells.items():
        if any(isinstance(cell, str) for cell in column):
            found[name] = pa.array(["" if cell is None else str(cell) for cell in column], pa.string())
        else:
            found[name] = pa.array(list(column), pa.float64())
    return found
